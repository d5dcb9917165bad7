//! Ends of a link that speak different versions: the highest common one, or a refusal before anything has changed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use branchline_tests::peer::upgrade;
use branchline_tests::process::{Node, home};

/// The head of an upstream's answer to a peer that speaks these versions.
fn answer(hub: &Node, spoken: &str) -> String {
    let host = hub.url().trim_start_matches("http://").trim_end_matches('/');
    let mut socket = TcpStream::connect(host).unwrap();
    socket.write_all(upgrade(host).replace("branchline.1", spoken).as_bytes()).unwrap();
    head(&mut socket).to_lowercase()
}

/// What comes up to the empty line.
fn head(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(socket.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&bytes));
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_upstream_takes_the_version_that_it_knows_and_refuses_the_others() {
    let home = home();
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
    hub.serve();
    let before = hub.json(["status"]);
    let both = answer(&hub, "branchline.2, branchline.1");
    assert!(both.starts_with("http/1.1 101") && both.contains("sec-websocket-protocol: branchline.1\r\n"), "{both}");
    let newer = answer(&hub, "branchline.2");
    assert!(newer.starts_with("http/1.1 426") && newer.contains("sec-websocket-protocol: branchline.1\r\n"), "{newer}");
    assert_eq!(hub.json(["status"]), before);
    assert_eq!(hub.json(["devices"]).as_array().map(Vec::len), Some(0));
}

#[test]
fn a_downstream_says_that_its_upstream_speaks_another_version_and_works_on_afterwards() {
    let home = home();
    let (mut hub, rep) = (Node::new(home.path(), "hub"), Node::new(home.path(), "rep"));
    hub.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
    let url = hub.serve();
    let invitation = hub.json(["invite", "--as", "branch", "--name", "north"]);
    rep.json(["join", invitation["code"].as_str().unwrap()]);
    rep.json(["create", "account", "name=Waits"]);
    let before = rep.json(["status"]);
    hub.kill();
    let listener = TcpListener::bind(url.trim_start_matches("http://").trim_end_matches('/')).unwrap();
    let upstream = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        head(&mut socket);
        let refused =
            "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Protocol: branchline.2\r\nContent-Length: 0\r\n\r\n";
        socket.write_all(refused.as_bytes()).unwrap();
    });
    let outcome = rep.run(["sync"]);
    upstream.join().unwrap();
    assert_eq!(
        (outcome.code, &outcome.json()["error"]["code"]),
        (1, &"protocol_version_differs".into()),
        "{outcome:#?}"
    );
    assert_eq!(rep.json(["status"]), before);
    hub.serve();
    assert_eq!(rep.json(["sync"])["pushed"], 1);
}
