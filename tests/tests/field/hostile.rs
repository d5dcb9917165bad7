//! Peers that mean harm against a real server: whatever they send, its memory stays below a bound, and whoever else is
//! connected works on. Who reads or writes a byte now and then is hung up on by a deadline.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use branchline_core::crm;
use branchline_core::id::{BlobHash, DeviceId};
use branchline_core::limits::{BATCH_INFLATED_BYTES_MAX, FRAME_BYTES_MAX};
use branchline_core::replica::{Identity, SystemEnvironment};
use branchline_core::wire::message::Message;
use branchline_tests::peer::{Link, enrol, upgrade};
use branchline_tests::process::{Node, home};
use tempfile::TempDir;

/// What a server may hold at its worst, in bytes.
const PEAK_BYTES_MAX: u64 = 256 << 20;
/// How long an attack goes on.
const ATTACK: Duration = Duration::from_secs(4);
/// Who does not say what he wants is hung up on after 30 s; a little for the way there.
const DEADLINE: Duration = Duration::from_secs(40);

type Attack = fn(&Target);

struct Target {
    home: TempDir,
    hub: Node,
    upstream: DeviceId,
    /// One device for each attack, and one that only works.
    devices: Vec<Identity>,
    blob: BlobHash,
}

impl Target {
    fn serving(devices: usize) -> Self {
        let home = home();
        let mut hub = Node::new(home.path(), "hub");
        hub.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
        let file = home.path().join("photo.jpg");
        std::fs::write(&file, vec![7; 1 << 20]).unwrap();
        hub.json(["create", "activity", "subject=Visit", "external_id=V"]);
        hub.json(["attach", "activity", "external_id=V", "photo", file.to_str().unwrap()]);
        hub.serve();
        let replica = crm::open(hub.dir(), std::sync::Arc::new(SystemEnvironment)).unwrap();
        let blob = replica.attach_file(&file, "image/jpeg").unwrap().hash;
        let person = replica.me().unwrap().name;
        let devices = (0..devices).map(|n| enrol(&replica, &person, &home.path().join(format!("phone-{n}")))).collect();
        let upstream = replica.identity().device();
        Self { home, hub, upstream, devices, blob }
    }

    fn greeted(&self, device: usize) -> Link {
        Link::greeted(self.hub.url(), &self.devices[device], &self.upstream)
    }

    fn host(&self) -> &str {
        self.hub.url().trim_start_matches("http://").trim_end_matches('/')
    }
}

/// Says it again and again, reads nothing, and stops when the other end does not take any more.
fn shout(link: &mut Link, message: &[u8]) -> usize {
    link.socket().set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let begun = Instant::now();
    (0..).take_while(|_| begun.elapsed() < ATTACK && link.send_bytes(message).is_ok()).count()
}

/// A push whose text inflates to so many zeros and claims to be of another length.
fn bomb(inflated: usize, claimed: u64, window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(window_log).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..inflated >> 20).for_each(|_| encoder.write_all(&zeros).unwrap());
    let mut changes = vec![2, 0];
    let mut rest = claimed;
    while rest >= 0x80 {
        changes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    changes.push(rest as u8);
    changes.extend(encoder.finish().unwrap());
    Message::Push { number: 1, changes }.encode()
}

fn half_open(target: &Target) -> Vec<TcpStream> {
    let open = |n: usize| {
        let mut socket = TcpStream::connect(target.host()).unwrap();
        socket.write_all(&upgrade(target.host()).as_bytes()[..n % 40]).unwrap();
        socket
    };
    (0..400).map(open).collect()
}

fn claims(target: &Target) {
    // A message of a terabyte, and one that never ends.
    let (mut huge, _) = Link::open(target.hub.url());
    huge.socket().write_all(&[0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    assert!(huge.try_receive().is_err(), "a frame of a terabyte is not waited for");
    let (mut endless, _) = Link::open(target.hub.url());
    endless.socket().set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let part = [[0x02, 0xfe, 0xff, 0xff, 0, 0, 0, 0].as_slice(), &vec![1; 0xffff]].concat();
    let next = [[0x00, 0xfe, 0xff, 0xff, 0, 0, 0, 0].as_slice(), &vec![1; 0xffff]].concat();
    let sent = std::iter::once(&part).chain(std::iter::repeat(&next)).take(1_000);
    let taken = sent.take_while(|frame| endless.socket().write_all(frame).is_ok()).count();
    assert!(taken < 1_000, "a message of 65 MB is taken");
}

fn garbage(target: &Target) {
    let send = |_| {
        let (mut link, _) = Link::open(target.hub.url());
        let _ = link.send_bytes(&vec![0xa5; FRAME_BYTES_MAX]);
        link
    };
    let links: Vec<Link> = (0..16).map(send).collect();
    for mut link in links {
        assert!(matches!(link.try_receive(), Ok(Message::Failure(_)) | Err(_)));
    }
}

fn bombs(target: &Target) {
    let most = BATCH_INFLATED_BYTES_MAX;
    for bomb in
        [bomb(1 << 30, most as u64, 20), bomb(most, most as u64, 20), bomb(1 << 30, 1 << 40, 27), bomb(64 << 20, 9, 27)]
    {
        let mut link = target.greeted(0);
        link.send_bytes(&bomb).unwrap();
        let answer = loop {
            match link.try_receive() {
                Ok(Message::Batch(_) | Message::Alive { .. } | Message::Grant(_)) => {}
                other => break other,
            }
        };
        assert!(matches!(answer, Ok(Message::Failure(_))), "{answer:?}");
    }
}

fn deaf(target: &Target) {
    let want = Message::BlobWant { hash: target.blob, offset: 0 }.encode();
    println!("asked for {} pieces without reading one", shout(&mut target.greeted(1), &want));
    let alive = Message::Alive { outbox: 1, complete_through: None }.encode();
    println!("said {} times that it lives", shout(&mut target.greeted(2), &alive));
    let push = Message::Push { number: 1, changes: vec![9; FRAME_BYTES_MAX - 64] }.encode();
    println!("pushed {} times without waiting", shout(&mut target.greeted(3), &push));
}

fn tiny_records(target: &Target) {
    let rep = Node::new(target.home.path(), "rep");
    let invitation = target.hub.json(["invite", "--as", "branch", "--name", "north"]);
    rep.json(["join", invitation["code"].as_str().unwrap()]);
    let rows: String = (0..20_000).map(|n| format!("x{n},y\n")).collect();
    let file = target.home.path().join("tiny.csv");
    std::fs::write(&file, format!("external_id,name\n{rows}")).unwrap();
    rep.json(["import", file.to_str().unwrap(), "--collection", "account"]);
    let answer = rep.json(["sync", "--deadline", "120s"]);
    assert_eq!(answer["pushed"], 20_000, "{answer:#}");
}

#[test]
fn memory_stays_bounded_whatever_is_sent() {
    let target = Target::serving(5);
    let idle = target.hub.peak_bytes();
    let _open = half_open(&target);
    let attacks: [(&str, Attack); 5] =
        [("claims", claims), ("garbage", garbage), ("bombs", bombs), ("deaf", deaf), ("tiny records", tiny_records)];
    for (name, attack) in attacks {
        let begun = Instant::now();
        attack(&target);
        let peak = target.hub.peak_bytes();
        println!("{name}: {:.1} s, peak {} MB", begun.elapsed().as_secs_f64(), peak >> 20);
        assert!(peak < PEAK_BYTES_MAX, "{name}: {} MB", peak >> 20);
        drop(target.greeted(4));
    }
    println!("{} MB before, {} MB at most", idle >> 20, target.hub.peak_bytes() >> 20);
    target.hub.json(["verify"]);
}

#[test]
fn who_reads_or_writes_a_byte_at_a_time_is_hung_up_on() {
    let target = Target::serving(1);
    let (mut link, _) = Link::open(target.hub.url());
    let greeting = [[0x82, 0x80 | 100, 0, 0, 0, 0].as_slice(), &[1; 100]].concat();
    let slow = [
        (TcpStream::connect(target.host()).unwrap(), upgrade(target.host()).into_bytes()),
        (link.socket().try_clone().unwrap(), greeting),
    ];
    let dripping = slow.into_iter().map(|(mut socket, bytes)| {
        std::thread::spawn(move || {
            let begun = Instant::now();
            socket.set_read_timeout(Some(Duration::from_millis(900))).unwrap();
            for byte in bytes {
                if socket.write_all(&[byte]).is_err() || hung_up(&mut socket) {
                    return Some(begun.elapsed());
                }
            }
            None
        })
    });
    for writer in dripping.collect::<Vec<_>>() {
        let after = writer.join().unwrap().expect("all of it was waited for");
        println!("hung up after {:.1} s", after.as_secs_f64());
        assert!(after < DEADLINE);
    }
}

/// Whether the other end has closed; what it says meanwhile is thrown away.
fn hung_up(socket: &mut TcpStream) -> bool {
    match socket.read(&mut [0; 512]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
