//! A downstream by the protocol page alone, over a plain socket: for tests in which a peer does what no replica of ours
//! would, and for loads in which only the upstream shall be heavy.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use branchline_core::id::DeviceId;
use branchline_core::replica::link::{Invitation, InvitationCode};
use branchline_core::replica::{Identity, Replica, SystemEnvironment};
use branchline_core::wire::message::{Enrol, Hello, Message, NONCE_HEADER, Nonce, SUBPROTOCOL};

/// Enrols a device that acts as this person; its key stands in `folder`.
///
/// # Panics
/// Where the upstream, which must be serving, does not let it in.
pub fn enrol(upstream: &Replica, person: &str, folder: &Path) -> Identity {
    let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
    let invitation = Invitation { name, user: Some(person.to_owned()), expires_ms: 3_600_000, ..Invitation::default() };
    let code = upstream.invite(&invitation).expect("an invitation").code;
    let code = InvitationCode::parse(&code).expect("a code of ours");
    let identity = Identity::ensure(folder, &SystemEnvironment).expect("a key");
    let (mut link, nonce) = Link::open(&code.address);
    let mut asked = Enrol { secret: code.secret, public_key: identity.public_key(), signature: [0; 64] };
    asked.signature = identity.sign(&asked.signed(&nonce));
    link.send(&Message::Enrol(asked)).expect("the upstream reads");
    let answer = link.receive();
    assert!(matches!(answer, Message::Enrolled(_)), "{answer:?}");
    identity
}

/// A WebSocket to an upstream.
pub struct Link {
    socket: BufReader<TcpStream>,
}

impl Link {
    /// Connects and upgrades.
    ///
    /// # Panics
    /// Where nobody listens or the answer is no upstream's.
    pub fn open(url: &str) -> (Self, Nonce) {
        let host = url.trim_start_matches("http://").trim_end_matches('/');
        let mut socket = TcpStream::connect(host).expect("the upstream listens");
        socket.set_nodelay(true).expect("an option of the socket");
        socket.write_all(upgrade(host).as_bytes()).expect("a request");
        // A small buffer: a thousand of them live in one test.
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

    /// Connects, greets, and takes everything that the upstream has, until nothing more waits.
    ///
    /// # Panics
    /// Where it is not let in.
    pub fn greeted(url: &str, device: &Identity, upstream: &DeviceId) -> Self {
        Self::greeted_with(url, |nonce| {
            let (position, witness) = (Vec::new(), Vec::new());
            let mut hello =
                Hello { device: device.device(), signature: [0; 64], epoch: 0, position, witness, outbox: 0 };
            hello.signature = device.sign(&hello.signed(&nonce, upstream));
            hello
        })
    }

    /// The same with a greeting that somebody else composes.
    ///
    /// # Panics
    /// Where it is not let in.
    pub fn greeted_with(url: &str, hello: impl FnOnce(Nonce) -> Hello) -> Self {
        let (mut link, nonce) = Self::open(url);
        link.send(&Message::Hello(hello(nonce))).expect("the upstream reads");
        loop {
            match link.receive() {
                Message::Welcome(welcome) if welcome.quiet => return link,
                Message::Batch(batch) => {
                    link.send(&Message::Got { number: batch.number }).expect("the upstream reads");
                    if batch.last {
                        return link;
                    }
                }
                Message::Failure(failure) => panic!("the upstream refuses: {failure:?}"),
                _ => {}
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Where the upstream has hung up.
    pub fn send(&mut self, message: &Message) -> io::Result<()> {
        self.send_bytes(&message.encode())
    }

    /// Sends bytes as one masked binary frame; the mask is zero, which masks nothing.
    ///
    /// # Errors
    /// Where the upstream has hung up.
    pub fn send_bytes(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x82];
        match payload.len() {
            len @ 0..126 => frame.push(0x80 | len as u8),
            len @ 126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(0x80 | 127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.socket.get_mut().write_all(&frame)
    }

    /// The socket itself, for what is no message.
    pub fn socket(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }

    /// The next message, in one frame or in fragments.
    ///
    /// # Panics
    /// Where the upstream hangs up.
    pub fn receive(&mut self) -> Message {
        self.try_receive().expect("the upstream answers")
    }

    /// The next message.
    ///
    /// # Errors
    /// Where the upstream hangs up, or says nothing for as long as the socket waits.
    pub fn try_receive(&mut self) -> io::Result<Message> {
        let mut payload = Vec::new();
        loop {
            let mut head = [0; 2];
            self.socket.read_exact(&mut head)?;
            if head[0] & 0x7f == 8 {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let kind = if payload.is_empty() { 2 } else { 0 };
            assert_eq!(head[0] & 0x7f, kind, "a binary frame or its continuation");
            let begin = payload.len();
            payload.resize(begin + self.length(head[1])?, 0);
            self.socket.read_exact(&mut payload[begin..])?;
            if head[0] & 0x80 != 0 {
                return Ok(Message::decode(&payload).expect("a message"));
            }
        }
    }

    fn length(&mut self, short: u8) -> io::Result<usize> {
        let mut long = [0; 8];
        let bytes = match short {
            126 => &mut long[6..],
            127 => &mut long[..],
            short => return Ok(usize::from(short)),
        };
        self.socket.read_exact(bytes)?;
        Ok(usize::try_from(u64::from_be_bytes(long)).expect("a length that fits"))
    }
}

/// The request that asks for the link.
pub fn upgrade(host: &str) -> String {
    format!(
        "GET /link HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    )
}
