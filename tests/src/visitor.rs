//! Somebody at a page of the web workplace, as plain HTTP: cookies are kept, forms are sent as a browser sends them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

/// A browser without pictures and scripts.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Host and port.
    address: String,
    cookies: BTreeMap<String, String>,
    language: String,
    /// The page that forms say they come from.
    origin: String,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header lines in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// How long head and body were on the wire.
    pub wire_bytes: usize,
    /// Whether it came to its end.
    pub is_whole: bool,
}

impl Answer {
    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The text between the first `before` and the next `after` in the body.
    ///
    /// # Panics
    /// Where there is none.
    pub fn between(&self, before: &str, after: &str) -> String {
        let found = self.body.split_once(before).and_then(|(_, rest)| rest.split_once(after));
        found.map(|(text, _)| text.to_owned()).unwrap_or_else(|| panic!("no {before}…{after} in {}", self.body))
    }
}

/// The code that an app with this secret, in base 32, shows `steps` of 30 seconds from now.
///
/// # Panics
/// Where the secret is none.
pub fn code(secret: &str, steps: u64) -> String {
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let totp: totp_rs::Totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    totp.generate(now + 30 * steps).to_string()
}

impl Visitor {
    /// Somebody who reads English at the server of this address, `http://127.0.0.1:8787`, and has not signed in.
    pub fn new(url: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let origin = format!("http://{address}");
        Self { address, cookies: BTreeMap::new(), language: "en".to_owned(), origin }
    }

    /// Reads another language.
    #[must_use]
    pub fn reading(mut self, language: &str) -> Self {
        language.clone_into(&mut self.language);
        self
    }

    /// Forms come from a page of this origin instead of the server's own.
    #[must_use]
    pub fn from_origin(mut self, origin: &str) -> Self {
        origin.clone_into(&mut self.origin);
        self
    }

    /// Asks for a page.
    pub fn get(&mut self, path: &str) -> Answer {
        self.answer_of("GET", path, None)
    }

    /// Sends a form.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let coded: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect();
        self.answer_of("POST", path, Some((FORM, coded.join("&").as_bytes())))
    }

    /// Sends a form with a file, as browsers do.
    pub fn upload(&mut self, path: &str, fields: &[(&str, &str)], (name, file, bytes): (&str, &str, &[u8])) -> Answer {
        const BOUNDARY: &str = "--------a-boundary-that-no-file-has";
        let mut body = Vec::new();
        for (field, value) in fields {
            let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        self.answer_of("POST", path, Some((&format!("multipart/form-data; boundary={BOUNDARY}"), &body)))
    }

    /// Sends a form and gives the bytes of the file that answers it.
    ///
    /// # Panics
    /// Where no file comes.
    pub fn fetch(&mut self, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect();
        let bytes = self.exchange("POST", path, Some((FORM, form.join("&").as_bytes())));
        let (head, body, _) = split(&bytes);
        let is_file = head.to_lowercase().contains("content-disposition: attachment");
        assert!(is_file, "{head}{}", String::from_utf8_lossy(&body));
        body
    }

    /// Signs in by a link of `users sign-in`.
    ///
    /// # Panics
    /// Where the link does not let in.
    pub fn sign_in(&mut self, link: &str) {
        let (_, token) = link.split_once("link=").unwrap_or_else(|| panic!("no link: {link}"));
        let answer = self.post("/sign-in", &[("link", token)]);
        assert_eq!(answer.status, 303, "{answer:?}");
    }

    /// Listens to a stream of events; gives its lines as they come.
    ///
    /// # Panics
    /// Where the server does not listen.
    pub fn listen(&self, path: &str) -> impl Iterator<Item = String> + use<> {
        self.heard(&self.head("GET", path))
    }

    /// As [`Visitor::listen`], with one more header line.
    ///
    /// # Panics
    /// Where the server does not listen.
    pub fn listen_with(&self, path: &str, header: &str) -> impl Iterator<Item = String> + use<> {
        self.heard(&format!("{}{header}\r\n", self.head("GET", path)))
    }

    fn heard(&self, head: &str) -> impl Iterator<Item = String> + use<> {
        let mut socket = TcpStream::connect(&self.address).expect("the server listens");
        socket.write_all(format!("{head}\r\n").as_bytes()).expect("the request can be sent");
        BufReader::new(socket).lines().map_while(Result::ok)
    }

    /// Sends any request, as a program does: these headers, this body.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut head = self.head(method, path);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        let answer = self.sent(&head, body.as_bytes());
        self.taken(&answer)
    }

    fn head(&self, method: &str, path: &str) -> String {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAccept-Language: {}\r\nConnection: close\r\n",
            self.address, self.language
        );
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            head.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
        }
        head
    }

    fn answer_of(&mut self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> Answer {
        let answer = self.exchange(method, path, body);
        self.taken(&answer)
    }

    // The answer, and its cookies kept.
    fn taken(&mut self, answer: &[u8]) -> Answer {
        let answer = parsed(answer);
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
            if let Some((name, value)) = pair {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    fn exchange(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> Vec<u8> {
        let mut head = self.head(method, path);
        if let Some((kind, body)) = body {
            let (origin, length) = (&self.origin, body.len());
            head.push_str(&format!("Origin: {origin}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"));
        }
        self.sent(&head, body.map(|(_, body)| body).unwrap_or_default())
    }

    fn sent(&self, head: &str, body: &[u8]) -> Vec<u8> {
        let mut socket = TcpStream::connect(&self.address).expect("the server listens");
        // A server may answer what is too large before it has read all of it.
        let _ = socket.write_all(&[head.as_bytes(), b"\r\n", body].concat());
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("the answer can be read");
        answer
    }
}

/// The type of a plain form.
const FORM: &str = "application/x-www-form-urlencoded";

// The head of an answer, its body, and whether that came to its end.
fn split(answer: &[u8]) -> (String, Vec<u8>, bool) {
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("it is HTTP");
    let (head, body) = answer.split_at(at + 4);
    let head = String::from_utf8_lossy(head).into_owned();
    let said = head.to_lowercase();
    if said.contains("transfer-encoding: chunked") {
        return (head, unchunked(body), body.ends_with(b"0\r\n\r\n"));
    }
    let length = said.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    (head, body.to_vec(), length.is_none_or(|length| length == body.len()))
}

// The bytes of a body that came in pieces, each after its length.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(at) = body.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&body[..at]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let Some(length) = length.filter(|length| *length > 0) else { break };
        let rest = &body[at + 2..];
        whole.extend_from_slice(&rest[..length.min(rest.len())]);
        body = rest.get(length + 2..).unwrap_or_default();
    }
    whole
}

fn parsed(answer: &[u8]) -> Answer {
    let (head, body, is_whole) = split(answer);
    let mut lines = head.trim_end().lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_lowercase(), v.trim().to_owned()));
    Answer {
        status: status.unwrap_or_else(|| panic!("no status: {head}")),
        headers: lines.filter_map(header).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        wire_bytes: answer.len(),
        is_whole,
    }
}

// As forms are coded: every byte but letters and digits as `%XX`.
fn coded(text: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(b).to_string(),
        _ => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}
