//! `join --fetch-seed`: a seed over a line that is cut, and a process that is killed, at any byte of it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use branchline_tests::process::{Node, Outcome, home};
use serde_json::Value;

/// How many bytes each answer about a seed may have, one connection after the other; afterwards all.
type Cuts = Vec<usize>;

/// A line to the hub on which answers about seeds are cut.
struct Line {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    hub: Option<SocketAddr>,
    cuts: Cuts,
    /// After a cut the line is silent instead of closed.
    stalls: bool,
    /// Answers about seeds: how many bytes of each came through.
    carried: Vec<usize>,
}

impl Line {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (url, state) = (format!("http://{}", listener.local_addr().unwrap()), Arc::<Mutex<State>>::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                std::thread::spawn(move || carry(client, &state));
            }
        });
        Self { url, state }
    }

    fn cut(&self, cuts: impl IntoIterator<Item = usize>, stalls: bool) {
        let mut state = self.state.lock().unwrap();
        (state.cuts, state.stalls, state.carried) = (cuts.into_iter().collect(), stalls, Vec::new());
        state.cuts.reverse();
    }

    fn carried(&self) -> Vec<usize> {
        self.state.lock().unwrap().carried.clone()
    }
}

// Ends with either end of the line.
fn carry(mut client: TcpStream, state: &Mutex<State>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
    }
    let Ok(mut hub) = TcpStream::connect(state.lock().unwrap().hub.unwrap()) else { return };
    hub.write_all(&head).unwrap();
    let seed = head.starts_with(b"GET /seed ");
    let (mut up, mut down) = (client.try_clone().unwrap(), hub.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut up, &mut down);
        let _ = down.shutdown(Shutdown::Write);
    });
    if !seed {
        let _ = std::io::copy(&mut hub, &mut client);
        let _ = client.shutdown(Shutdown::Both);
        return;
    }
    let (cut, stalls, at) = {
        let mut state = state.lock().unwrap();
        state.carried.push(0);
        (state.cuts.pop(), state.stalls, state.carried.len() - 1)
    };
    let mut left = cut.unwrap_or(usize::MAX);
    let mut piece = [0; 1024];
    while left > 0 {
        let room = piece.len().min(left);
        let Ok(count @ 1..) = hub.read(&mut piece[..room]) else { break };
        if client.write_all(&piece[..count]).is_err() {
            break;
        }
        left -= count;
        state.lock().unwrap().carried[at] += count;
    }
    if stalls && left == 0 {
        std::thread::park();
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = hub.shutdown(Shutdown::Both);
}

struct Office {
    home: tempfile::TempDir,
    hub: Node,
    line: Line,
    /// Of the seed of everything.
    bytes: usize,
}

impl Office {
    fn new() -> Self {
        let (home, line) = (home(), Line::new());
        let seeds = home.path().join("seeds");
        std::fs::create_dir(&seeds).unwrap();
        let mut hub = Node::new(home.path(), "hub");
        hub.json(["init", "--name", "Acme", "--owner", "anna@acme.example"]);
        let table: String = (0..400).map(|n| format!("Client {n},Street {n}\n")).collect();
        std::fs::write(home.path().join("clients.csv"), format!("Name,Address\n{table}")).unwrap();
        hub.json(["import", home.path().join("clients.csv").to_str().unwrap(), "--collection", "account"]);
        let bytes = seed(&hub, &seeds.join("all.seed"), "workspace");
        hub.serve_with(&["--public-url", &line.url, "--seeds", seeds.to_str().unwrap()]);
        line.state.lock().unwrap().hub = hub.url().strip_prefix("http://").unwrap().parse().ok();
        Self { home, hub, line, bytes }
    }

    fn invite(&self, name: &str, scope: &str) -> String {
        let asked = ["invite", "--as", "device", "--name", name, "--scope", scope, "--role", "manager"];
        self.hub.json(asked)["code"].as_str().unwrap().to_owned()
    }

    /// It has begun with the seed, and has what came afterwards.
    fn stands(&self, laptop: &Node, joined: &Value) {
        assert!(joined["pulled"].as_u64().unwrap() < 10, "what is in the seed does not come again: {joined}");
        assert_eq!(laptop.json(["status"])["digest"], self.hub.json(["status"])["digest"]);
        assert!(!laptop.dir().join("seed.part").exists());
        laptop.json(["verify"]);
    }
}

// Makes one; gives its length.
fn seed(hub: &Node, file: &Path, scope: &str) -> usize {
    hub.json(["courier", "seed", file.to_str().unwrap(), "--scope", scope]);
    usize::try_from(std::fs::metadata(file).unwrap().len()).unwrap()
}

fn refusal(outcome: &Outcome) -> (i32, String) {
    (outcome.code, outcome.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// What the head of an answer has at most.
const HEAD_BYTES_MAX: usize = 512;

#[test]
fn a_seed_comes_whole_over_a_line_that_is_cut_at_any_byte() {
    let office = Office::new();
    office.hub.json(["create", "account", "name=Later"]);
    // In the head, in the manifest, right behind it, and anywhere.
    let cuts = [20, 300, HEAD_BYTES_MAX, HEAD_BYTES_MAX + 100, 5_000, 1_700, 9_999, 3];
    office.line.cut(cuts, false);
    let laptop = Node::new(office.home.path(), "laptop");
    let joined = laptop.json(["join", &office.invite("laptop", "workspace"), "--fetch-seed"]);
    office.stands(&laptop, &joined);
    let carried = office.line.carried();
    assert_eq!(carried.len(), cuts.len() + 1, "{carried:?}");
    let (all, heads) = (carried.iter().sum::<usize>(), carried.len() * HEAD_BYTES_MAX);
    // Without its whole manifest it cannot go on, and begins anew.
    let manifest = 2 * HEAD_BYTES_MAX;
    assert!(all >= office.bytes && all < office.bytes + heads + manifest, "{all} for {}: {carried:?}", office.bytes);
}

#[test]
fn a_killed_process_goes_on_where_it_was_and_a_newer_seed_is_taken_from_its_beginning() {
    let office = Office::new();
    let (laptop, code) = (Node::new(office.home.path(), "laptop"), office.invite("laptop", "workspace"));
    let killed_after = |bytes: usize| {
        office.line.cut([bytes], true);
        let running = laptop.start(["join", &code, "--fetch-seed"]);
        while office.line.carried().iter().sum::<usize>() < bytes {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        // What was carried is in the file a moment later.
        while std::fs::metadata(laptop.dir().join("seed.part")).map_or(0, |data| data.len()) == 0 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        running.kill();
    };
    killed_after(6_000);
    let held = std::fs::metadata(laptop.dir().join("seed.part")).unwrap().len() as usize;
    killed_after(2_000);
    office.line.cut([], false);
    let twin = Node::new(office.home.path(), "twin");
    std::fs::create_dir(twin.dir()).unwrap();
    std::fs::copy(laptop.dir().join("seed.part"), twin.dir().join("seed.part")).unwrap();
    let joined = laptop.json(["join", &code, "--fetch-seed"]);
    office.stands(&laptop, &joined);
    let carried = office.line.carried();
    assert!(carried.len() == 1 && carried[0] < office.bytes + HEAD_BYTES_MAX - held, "{carried:?}, {held} were here");

    office.hub.json(["create", "account", "name=Later"]);
    let newer = seed(&office.hub, &office.home.path().join("seeds/newer.seed"), "workspace");
    office.line.cut([], false);
    let joined = twin.json(["join", &office.invite("twin", "workspace"), "--fetch-seed"]);
    office.stands(&twin, &joined);
    assert!(office.line.carried()[0] > newer, "what had come was of another seed");
}

#[test]
fn a_seed_goes_only_to_who_holds_an_invitation_for_all_of_it() {
    let mut office = Office::new();
    let laptop = Node::new(office.home.path(), "laptop");
    let (code, narrow) = (office.invite("laptop", "workspace"), office.invite("narrow", "shared"));
    let join = |code: &str| refusal(&laptop.run(["join", code, "--fetch-seed"]));
    assert_eq!(join(&narrow), (1, "seed_none_offered".to_owned()));
    for proof in
        ["", "authorization: Bearer AAAA\r\n", "authorization: Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"]
    {
        let mut stream = TcpStream::connect(office.line.state.lock().unwrap().hub.unwrap()).unwrap();
        write!(stream, "GET /seed HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n{proof}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("invitation_unknown"), "{proof}: {answer}");
    }
    // A line that brings nothing ends the command; one that brought something keeps it.
    office.line.cut([0; 5], false);
    assert_eq!(join(&code), (4, "upstream_unreachable".to_owned()));
    assert!(!laptop.dir().join("seed.part").exists());
    office.line.cut([HEAD_BYTES_MAX + 4_000, 0, 0, 0, 0, 0, 0], false);
    let cut = laptop.run(["join", &code, "--fetch-seed"]);
    assert_eq!(refusal(&cut), (4, "seed_line_cut".to_owned()), "{cut:#?}");
    assert!(laptop.dir().join("seed.part").exists());
    office.line.cut([], false);
    laptop.json(["join", &code, "--fetch-seed"]);
    let late = Node::new(office.home.path(), "late");
    assert_eq!(refusal(&late.run(["join", &code, "--fetch-seed"])), (1, "invitation_used".to_owned()));

    office.hub.serve_with(&["--public-url", &office.line.url]);
    office.line.state.lock().unwrap().hub = office.hub.url().strip_prefix("http://").unwrap().parse().ok();
    let code = office.invite("late", "workspace");
    assert_eq!(refusal(&late.run(["join", &code, "--fetch-seed"])), (1, "seed_none_offered".to_owned()));
    late.json(["join", &code]);
    let nowhere = office.home.path().join("nowhere").display().to_string();
    let refused = office.hub.run(["serve", "--listen", "127.0.0.1:0", "--seeds", &nowhere]);
    assert_eq!(refusal(&refused), (2, "seeds_no_folder".to_owned()));
}
