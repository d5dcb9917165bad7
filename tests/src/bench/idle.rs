//! The row of a hub with a thousand idle connections: memory for each.
//!
//! A thousand devices enrol and greet as the protocol says, over plain sockets, so that nothing but the hub is heavy.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use branchline_core::replica::link::{Invitation, InvitationCode};
use branchline_core::replica::{Identity, SystemEnvironment};
use branchline_core::wire::message::{Enrol, Hello, Message, NONCE_HEADER, Nonce, SUBPROTOCOL};

use super::Figure;
use super::company::{hub, open};
use super::cpu::resident_bytes;
use crate::process::{Node, home};

const CONNECTIONS: usize = 1_000;

/// Memory of a hub for each of a thousand connections on which nothing happens.
pub(super) fn connections() -> Vec<Figure> {
    let home = home();
    let mut serving = Node::new(home.path(), "hub");
    let person = hub(serving.dir(), 0).me().expect("the owner").name;
    serving.serve();
    let replica = open(serving.dir());
    let mut devices = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        let name = format!("phone-{number}");
        let invitation = Invitation {
            name: name.clone(),
            user: Some(person.clone()),
            expires_ms: 3_600_000,
            ..Invitation::default()
        };
        let code = replica.invite(&invitation).expect("an invitation").code;
        let code = InvitationCode::parse(&code).expect("a code of ours");
        devices.push(enrol(&home.path().join(name), &code));
    }
    let before = resident_bytes(serving.pid());
    let upstream = replica.identity().device();
    let links: Vec<Link> = devices.iter().map(|device| greet(device, serving.url(), &upstream)).collect();
    let each = (at_rest(serving.pid()) - before) / links.len() as f64;
    vec![
        Figure::note("MB of the hub before", before / 1e6),
        Figure::at_most("KiB for each of 1,000 idle connections", each / 1024.0, 64.0, 32.0),
    ]
}

// Bytes that a process holds once nothing is given back any more: the allocator keeps what was just freed for a second.
fn at_rest(pid: u32) -> f64 {
    let mut least = resident_bytes(pid);
    let mut quiet = 0;
    while quiet < 10 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let now = resident_bytes(pid);
        quiet = if now < least { 0 } else { quiet + 1 };
        least = least.min(now);
    }
    least
}

fn enrol(folder: &Path, code: &InvitationCode) -> Identity {
    let identity = Identity::ensure(folder, &SystemEnvironment).expect("a key");
    let (mut link, nonce) = Link::open(&code.address);
    let mut asked = Enrol { secret: code.secret, public_key: identity.public_key(), signature: [0; 64] };
    asked.signature = identity.sign(&asked.signed(&nonce));
    link.send(&Message::Enrol(asked));
    let answer = link.receive();
    assert!(matches!(answer, Message::Enrolled(_)), "{answer:?}");
    identity
}

// Connects and takes everything that the hub has, until nothing more waits.
fn greet(device: &Identity, url: &str, upstream: &branchline_core::id::DeviceId) -> Link {
    let (mut link, nonce) = Link::open(url);
    let mut hello =
        Hello { device: device.device(), signature: [0; 64], epoch: 0, position: vec![], witness: vec![], outbox: 0 };
    hello.signature = device.sign(&hello.signed(&nonce, upstream));
    link.send(&Message::Hello(hello));
    loop {
        match link.receive() {
            Message::Welcome(welcome) if welcome.quiet => return link,
            Message::Batch(batch) => {
                link.send(&Message::Got { number: batch.number });
                if batch.last {
                    return link;
                }
            }
            Message::Failure(failure) => panic!("the hub refuses: {failure:?}"),
            _ => {}
        }
    }
}

/// A WebSocket of which only the hub's end is heavy.
struct Link {
    socket: BufReader<TcpStream>,
}

impl Link {
    fn open(url: &str) -> (Self, Nonce) {
        let host = url.trim_start_matches("http://").trim_end_matches('/');
        let mut socket = TcpStream::connect(host).expect("the hub listens");
        let request = format!(
            "GET /link HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).expect("a request");
        // A small buffer: a thousand of them live here.
        let mut link = Self { socket: BufReader::with_capacity(1024, socket) };
        let mut nonce = None;
        loop {
            let mut line = String::new();
            link.socket.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            if name.eq_ignore_ascii_case(NONCE_HEADER) {
                nonce = data_encoding::BASE64URL_NOPAD.decode(value.trim().as_bytes()).ok();
            }
        }
        (link, nonce.and_then(|nonce| nonce.try_into().ok()).expect("a nonce"))
    }

    // One masked binary frame; the mask is zero, which masks nothing.
    fn send(&mut self, message: &Message) {
        let payload = message.encode();
        let mut frame = vec![0x82];
        match u16::try_from(payload.len()) {
            Ok(len) if len < 126 => frame.push(0x80 | len as u8),
            Ok(len) => {
                frame.push(0x80 | 126);
                frame.extend(len.to_be_bytes());
            }
            Err(_) => panic!("nothing that an idle device says is that long"),
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.socket.get_mut().write_all(&frame).expect("the hub reads");
    }

    // A binary message, in one frame or in fragments.
    fn receive(&mut self) -> Message {
        let mut payload = Vec::new();
        loop {
            let mut head = [0; 2];
            self.socket.read_exact(&mut head).expect("the hub answers");
            let kind = if payload.is_empty() { 2 } else { 0 };
            assert_eq!(head[0] & 0x7f, kind, "a binary frame or its continuation");
            let begin = payload.len();
            payload.resize(begin + self.length(head[1]), 0);
            self.socket.read_exact(&mut payload[begin..]).expect("a payload");
            if head[0] & 0x80 != 0 {
                return Message::decode(&payload).expect("a message");
            }
        }
    }

    fn length(&mut self, short: u8) -> usize {
        let mut long = [0; 8];
        let bytes = match short {
            126 => &mut long[6..],
            127 => &mut long[..],
            short => return usize::from(short),
        };
        self.socket.read_exact(bytes).expect("a length");
        usize::try_from(u64::from_be_bytes(long)).expect("a length that fits")
    }
}
