//! The demonstration as a whole: several at once, stopped half-way, killed half-way.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use branchline_tests::binary;
use branchline_tests::process::home;
use branchline_tests::visitor::Visitor;

/// Longest that servers may take to notice that the demo is gone.
const GONE_SECONDS_MAX: u64 = 60;

/// A demo with a small company, whose folders lie in `home`.
fn demo(home: &Path) -> Command {
    let mut command = Command::new(binary());
    command.env_remove("BRANCHLINE_DATA").env("LANG", "C.UTF-8").env_remove("LC_ALL").env("TMPDIR", home);
    command.args(["--json", "demo", "--headless", "--records", "40"]).stdin(Stdio::null());
    command
}

/// A demo that has come so far that its first office has joined, and the addresses of its servers until then.
fn begun(home: &Path) -> (Child, Vec<String>) {
    let mut child = demo(home).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut servers = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        servers.extend(line.split_once("http://").map(|(_, address)| address.trim().to_owned()));
        if servers.len() == 2 {
            break;
        }
    }
    assert_eq!(servers.len(), 2, "head office and an office serve");
    (child, servers)
}

fn assert_gone(servers: &[String]) {
    let deadline = Instant::now() + Duration::from_secs(GONE_SECONDS_MAX);
    for server in servers {
        while TcpStream::connect(server.as_str()).is_ok() {
            assert!(Instant::now() < deadline, "{server} outlives its demo");
            std::thread::yield_now();
        }
    }
}

/// Seen: of many demos, some went on before the rep's changes had reached head office, and found no conflict to settle.
#[test]
fn several_demos_at_once_all_converge() {
    let home = home();
    let running: Vec<Child> =
        (0..3).map(|_| demo(home.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&answer["replicas"], &answer["converged"]), (&5.into(), &true.into()), "{answer}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "no folder stays behind");
}

/// Seen: a demo that was interrupted left its folders, and cleaning up by hand took those of another one.
#[test]
fn a_demo_that_is_stopped_takes_its_servers_and_folders_along() {
    let home = home();
    let (mut child, servers) = begun(home.path());
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(1), "its story was not told");
    assert_gone(&servers);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "no folder stays behind");
}

/// Seen: servers of killed demos ran on for ever.
#[test]
fn the_servers_of_a_demo_that_is_killed_end_by_themselves() {
    let home = home();
    let (mut child, servers) = begun(home.path());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_gone(&servers);
}

#[test]
fn a_demo_ends_with_people_who_sign_in_at_their_places() {
    let home = home();
    let mut command = Command::new(binary());
    command.env_remove("BRANCHLINE_DATA").env("LANG", "C.UTF-8").env_remove("LC_ALL").env("TMPDIR", home.path());
    command.args(["demo", "--records", "40", "--port", "41870"]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut people, mut said) = (Vec::new(), String::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if let Some((email, page)) =
            line.split_whitespace().find(|word| word.contains('@')).zip(line.split_once("http://"))
        {
            people.push((email.to_owned(), format!("http://{}", page.1.trim())));
        }
        if line.contains("signs in with the password") {
            said = line;
            break;
        }
    }
    assert_eq!(people.len(), 1 + 3 * 2, "{people:?}");
    let password = said.split("password ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    for (email, page) in &people {
        let mut visitor = Visitor::new(page);
        assert_eq!(
            visitor.post("/sign-in", &[("email", email), ("password", &password)]).status,
            303,
            "{email} at {page}"
        );
        assert_eq!(visitor.get("/today").status, 200);
    }
    let link = said.split_whitespace().last().unwrap();
    let mut rep = Visitor::new(link.split("/sign-in").next().unwrap());
    rep.sign_in(link);
    assert_eq!(rep.get("/sync").status, 200);
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "no folder stays behind");
}
