//! The command line on an encrypted folder: the key comes from a file, and every command works or says why not.

#![cfg(all(feature = "encryption", unix))]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

const SECRET: &str = "Unspoken Traders";

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.key("key", b"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n", 0o600);
        home.key("other", &[7; 32], 0o600);
        home
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn key(&self, name: &str, bytes: &[u8], mode: u32) {
        std::fs::write(self.at(name), bytes).unwrap();
        std::fs::set_permissions(self.at(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, folder: &str, key: Option<&str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_branchline"));
        command.env_remove("BRANCHLINE_DATA").env_remove("BRANCHLINE_KEY_FILE").env("LANG", "C.UTF-8");
        command.current_dir(self.0.path()).args(["--json", "--data", folder]);
        if let Some(key) = key {
            command.args(["--key-file", key]);
        }
        command
    }

    /// The document of a command, and its exit code.
    fn run(&self, folder: &str, key: Option<&str>, args: &[&str]) -> (i32, Json) {
        let output = self.command(folder, key).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let document = serde_json::from_str(&said)
            .unwrap_or_else(|_| panic!("{args:?}: {said}{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), document)
    }

    fn done(&self, folder: &str, key: Option<&str>, args: &[&str]) -> Json {
        let (code, document) = self.run(folder, key, args);
        assert_eq!(code, 0, "{args:?}: {document}");
        document
    }

    fn refused(&self, folder: &str, key: Option<&str>, args: &[&str]) -> String {
        let (code, document) = self.run(folder, key, args);
        assert!(code == 1 || code == 2, "{args:?}: {code} {document}");
        let error = &document["error"];
        assert!(["what", "do"].iter().all(|part| !error[part].as_str().unwrap().is_empty()), "{error}");
        error["code"].as_str().unwrap().to_owned()
    }

    fn founded(&self, folder: &str, key: Option<&str>) {
        self.done(folder, key, &["init", "--name", "Acme", "--owner", "anna@acme.example"]);
        self.done(folder, key, &["create", "account", &format!("name={SECRET}")]);
    }

    fn shows_secret(&self, path: &Path) -> bool {
        if path.is_dir() {
            return std::fs::read_dir(path).unwrap().any(|entry| self.shows_secret(&entry.unwrap().path()));
        }
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
    }
}

#[test]
fn a_key_file_that_is_none_says_what_is_wrong_with_it() {
    let home = Home::new();
    home.key("empty", b"", 0o600);
    home.key("short", b"0011", 0o600);
    home.key("open", &[7; 32], 0o644);
    let refused = |key: &str| home.refused("hub", Some(key), &["init", "--name", "Acme"]);
    assert_eq!(refused("missing"), "key_file_unreadable");
    assert_eq!(refused("."), "key_file_unreadable");
    assert_eq!(refused("empty"), "key_length");
    assert_eq!(refused("short"), "key_length");
    assert_eq!(refused("open"), "key_file_open");
    assert!(!home.at("hub").exists(), "nothing was begun");
}

#[test]
fn every_command_takes_the_key_from_a_file_or_the_environment() {
    let home = Home::new();
    let key = Some("key");
    home.founded("hub", key);
    assert!(!home.shows_secret(&home.at("hub")));
    for args in [&["status"][..], &["list", "account"], &["verify"], &["backup", "b"], &["sql", "SELECT 1"], &["serve"]]
    {
        assert_eq!(home.refused("hub", None, args), "key_missing", "{args:?}");
        assert_eq!(home.refused("hub", Some("other"), args), "key_wrong", "{args:?}");
    }
    let output =
        home.command("hub", None).env("BRANCHLINE_KEY_FILE", "key").args(["list", "account"]).output().unwrap();
    let rows: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows[0]["name"], json!(SECRET));
    assert_eq!(home.done("hub", key, &["sql", "SELECT count(*) AS n FROM account"])[0]["n"], json!(1));
    home.done("hub", key, &["verify", "--repair"]);

    std::fs::write(home.at("note.txt"), SECRET).unwrap();
    let id = home.done("hub", key, &["create", "activity", "kind=visit", "subject=Shelf"])["id"].clone();
    let attached = home.done("hub", key, &["attach", "activity", id.as_str().unwrap(), "photo", "note.txt"]);
    let hash = attached["hash"].as_str().unwrap();
    assert_eq!(home.done("hub", key, &["fetch", hash])["file"], Json::Null);
    home.done("hub", key, &["fetch", hash, "--out", "copy.txt"]);
    assert_eq!(std::fs::read_to_string(home.at("copy.txt")).unwrap(), SECRET);
    let kept = std::fs::read_dir(home.at("hub/blobs")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&kept).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&kept, bytes).unwrap();
    assert_eq!(home.refused("hub", key, &["fetch", hash, "--out", "damaged.txt"]), "blob_damaged");
    assert!(!home.at("damaged.txt").exists(), "nothing wrong is handed out");
    assert!(!home.shows_secret(&home.at("hub")));
}

#[test]
fn a_backup_stays_encrypted_and_restores_with_the_key() {
    let home = Home::new();
    home.founded("hub", Some("key"));
    home.done("hub", Some("key"), &["backup", "backup"]);
    assert!(!home.shows_secret(&home.at("backup")));
    assert_eq!(home.refused("again", None, &["restore", "backup"]), "backup_needs_key");
    assert_eq!(home.refused("again", Some("other"), &["restore", "backup"]), "backup_key_wrong");
    home.done("again", Some("key"), &["restore", "backup"]);
    assert_eq!(home.done("again", Some("key"), &["list", "account"])[0]["name"], json!(SECRET));
    assert!(!home.shows_secret(&home.at("again")));
}

#[test]
fn a_folder_is_encrypted_decrypted_and_given_another_key() {
    let home = Home::new();
    home.founded("hub", None);
    assert!(home.shows_secret(&home.at("hub")));
    assert_eq!(home.refused("hub", Some("key"), &["status"]), "folder_not_encrypted");
    assert_eq!(home.refused("hub", None, &["encryption", "on"]), "encryption_needs_key");
    assert_eq!(home.done("hub", Some("key"), &["encryption", "on"]), json!({"encrypted": true}));
    assert!(!home.shows_secret(&home.at("hub")));
    assert_eq!(home.refused("hub", Some("key"), &["encryption", "on"]), "folder_encrypted");
    let rekey = ["encryption", "rekey", "--new-key-file", "other"];
    assert_eq!(home.refused("hub", None, &rekey), "key_missing");
    home.done("hub", Some("key"), &rekey);
    assert_eq!(home.refused("hub", Some("key"), &["status"]), "key_wrong");
    assert_eq!(home.refused("hub", Some("key"), &["encryption", "off"]), "key_wrong");
    home.done("hub", Some("other"), &["encryption", "off"]);
    assert_eq!(home.done("hub", None, &["list", "account"])[0]["name"], json!(SECRET));
    assert_eq!(home.refused("hub", None, &["encryption", "off"]), "folder_not_encrypted");
}

/// A server under the first key, ended with the value.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn on(home: &Home, folder: &str) -> Self {
        let mut command = home.command(folder, Some("key"));
        let mut child = command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let said: Json = serde_json::from_str(&first).unwrap_or_else(|_| panic!("{first}"));
        let address = said["listening"].as_str().unwrap().to_owned();
        Self { child, address }
    }

    /// Sends a form, or asks for a page where there is none; gives the whole answer.
    fn ask(&self, path: &str, cookie: &str, form: Option<(&str, &str)>) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (method, (media, body)) = (if form.is_some() { "POST" } else { "GET" }, form.unwrap_or_default());
        let host = &self.address;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\nCookie: {cookie}\r\n\
             Content-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name}: {answer}"))
}

#[test]
fn a_file_to_be_imported_waits_encrypted() {
    let home = Home::new();
    home.founded("hub", Some("key"));
    let server = Server::on(&home, "hub");
    let link = home.done("hub", Some("key"), &["users", "sign-in", "anna@acme.example"])["link"].clone();
    let link = link.as_str().unwrap().split("link=").nth(1).unwrap().to_owned();
    let signed = server.ask("/sign-in", "", Some(("application/x-www-form-urlencoded", &format!("link={link}"))));
    let cookie = header(&signed, "set-cookie").split(';').next().unwrap();

    let part = |head: &str, body: &str| format!("--X\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n");
    let rows = format!("external_id,name\n1,{SECRET} of Lviv\n");
    let form =
        part("name=\"collection\"", "account") + &part(&format!("name=\"file\"; filename=\"{SECRET}.csv\""), &rows);
    let sent = server.ask("/import", cookie, Some(("multipart/form-data; boundary=X", &format!("{form}--X--\r\n"))));
    let place = header(&sent, "location").to_owned();
    assert!(place.starts_with("/import/"), "{sent}");
    assert!(home.at("hub/uploads").is_dir() && !home.shows_secret(&home.at("hub")), "nothing of it can be read");
    let shown = server.ask(&place, cookie, None);
    assert!(shown.contains(&format!("{SECRET} of Lviv")) && shown.contains(&format!("{SECRET}.csv")), "{shown}");
    server.ask(&place, cookie, Some(("application/x-www-form-urlencoded", "act=run")));
    let run = format!("{place}/run");
    let until = Instant::now() + Duration::from_secs(60);
    while !server.ask(&run, cookie, None).contains(&format!("{place}/undo")) {
        assert!(Instant::now() < until, "the import does not end");
    }
    assert_eq!(home.done("hub", Some("key"), &["list", "account"]).as_array().unwrap().len(), 2);

    // A folder that is converted forgets what was uploaded under its other form.
    drop(server);
    home.done("hub", Some("key"), &["encryption", "off"]);
    assert!(!home.at("hub/uploads").exists());
}

#[test]
fn a_file_to_be_attached_is_never_on_the_disk_as_it_is() {
    let home = Home::new();
    home.founded("hub", Some("key"));
    let server = Server::on(&home, "hub");
    let token =
        home.done("hub", Some("key"), &["users", "token", "anna@acme.example", "--name", "test"])["token"].clone();
    let token = token.as_str().unwrap();
    let client = home.done("hub", Some("key"), &["list", "account"])[0]["id"].clone();
    let path = format!("/api/v1/records/account/{}/attachments?name=note.txt", client.as_str().unwrap());

    let body = format!("{SECRET} ").repeat(40_000);
    let (some, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let (host, length) = (&server.address, body.len());
    let head =
        format!("Host: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: text/plain");
    write!(stream, "POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{some}").unwrap();
    // Half of it has come in, and waits for the rest.
    let taken = || {
        let of = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.metadata().ok().map(|meta| meta.len());
        std::fs::read_dir(home.at("hub")).unwrap().filter_map(of).any(|len| len.abs_diff(some.len() as u64) < 100)
    };
    let until = Instant::now() + Duration::from_secs(60);
    while !taken() {
        assert!(Instant::now() < until, "nothing comes in");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!home.shows_secret(&home.at("hub")), "what has come in can be read");
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(!home.shows_secret(&home.at("hub")));
    let file = home.done("hub", Some("key"), &["list", "attachment"])[0]["file"].clone();
    assert_eq!(file["size"], json!(body.len()), "{file}");
    home.done("hub", Some("key"), &["fetch", file["hash"].as_str().unwrap(), "--out", "copy.txt"]);
    assert_eq!(std::fs::read_to_string(home.at("copy.txt")).unwrap(), body);
}

#[test]
fn encrypted_replicas_serve_join_and_sync() {
    let home = Home::new();
    home.founded("hub", Some("key"));
    let _server = Server::on(&home, "hub");
    // What conversion would pull away from under it is refused; another key is not.
    assert_eq!(home.refused("hub", Some("key"), &["encryption", "off"]), "folder_open");
    home.done("hub", Some("key"), &["encryption", "rekey", "--new-key-file", "other"]);
    let code = home.done("hub", Some("other"), &["invite", "--as", "branch", "--name", "kyiv"])["code"].clone();
    home.done("kyiv", Some("key"), &["join", code.as_str().unwrap()]);
    assert_eq!(home.done("kyiv", Some("key"), &["list", "account"])[0]["name"], json!(SECRET));
    home.done("kyiv", Some("key"), &["create", "account", "name=From below"]);
    home.done("kyiv", Some("key"), &["sync"]);
    assert_eq!(home.done("hub", Some("other"), &["list", "account"]).as_array().unwrap().len(), 2);
    assert!(!home.shows_secret(&home.at("kyiv")) && !home.shows_secret(&home.at("hub")));
}
