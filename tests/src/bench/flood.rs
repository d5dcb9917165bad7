//! The row of a flood: a hundred devices are connected, one of them pushes as fast as it can, and the others' small
//! pushes are timed, with it and without it, in one run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::limits::BATCH_BYTES_MAX;
use branchline_core::replica::Replica;
use branchline_core::replica::link::Downstream;
use branchline_core::schema::{Name, Value};
use branchline_core::sync::Executor;
use branchline_core::sync::downstream::{Reply, Request};
use branchline_core::sync::pace::Budget;
use branchline_core::wire::message::Message;

use super::Figure;
use super::company::{hub, open};
use crate::peer::Link;
use crate::process::{Node, home};

/// Devices, one of which floods.
const DEVICES: usize = 100;
/// Each of the others pushes so often.
const EACH: Duration = Duration::from_secs(1);
/// How long each half takes.
const HALF: Duration = Duration::from_secs(8);
/// What the flood has to send: more than goes through in its half.
const FLOOD_CHANGES: usize = 400_000;
const TRANSACTION: usize = 1_000;

/// The others' p99 with a flood against that without.
pub(super) fn flood() -> Vec<Figure> {
    let home = home();
    let mut serving = Node::new(home.path(), "hub");
    drop(hub(serving.dir(), 0));
    serving.serve();
    let mut devices: Vec<Device> =
        (0..DEVICES).map(|n| Device::joined(&serving, &Node::new(home.path(), &format!("phone{n}")), n)).collect();
    let mut flooding = devices.pop().expect("a hundred devices");
    flooding.prepare();
    let before = timed(&mut devices);
    let (over, pushed) = (AtomicBool::new(false), AtomicU64::new(0));
    let during = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let (changes, _) = flooding.push(BATCH_BYTES_MAX);
                assert!(changes > 0, "the flood has run dry: give it more");
                pushed.fetch_add(changes, Ordering::Relaxed);
            }
        });
        let during = timed(&mut devices);
        over.store(true, Ordering::Relaxed);
        during
    });
    let p99 = |times: &[Duration]| times[times.len() * 99 / 100].as_secs_f64() * 1_000.0;
    vec![
        Figure::note("pushes that were timed, without and with the flood", (before.len() + during.len()) as f64),
        Figure::note("changes of the flood that came through in 8 s", pushed.into_inner() as f64),
        Figure::note("p99 without, ms", p99(&before)),
        Figure::note("p99 with, ms", p99(&during)),
        Figure::at_most(
            "p99 of 99 devices' pushes with a flood against without",
            p99(&during) / p99(&before),
            1.5,
            1.2,
        ),
    ]
}

// Each device pushes an edit a second, for as long as a half takes; the times from push to acknowledgement, sorted.
fn timed(devices: &mut [Device]) -> Vec<Duration> {
    let begun = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let mut running = Vec::new();
        for (n, device) in devices.iter_mut().enumerate() {
            running.push(scope.spawn(move || device.work(begun + EACH * n as u32 / DEVICES as u32, begun + HALF)));
        }
        running.into_iter().flat_map(|thread| thread.join().expect("a device")).collect()
    });
    times.sort_unstable();
    times
}

/// A replica whose link is driven by hand.
struct Device {
    replica: Replica,
    executor: Downstream,
    link: Link,
    visit: RecordId,
}

impl Device {
    fn joined(hub: &Node, node: &Node, number: usize) -> Self {
        let email = format!("seller{number}@acme.example");
        let name = format!("Seller {number}");
        hub.json(["users", "add", &name, "--email", &email, "--role", "manager"]);
        let phone = format!("phone{number}");
        let scope = format!("user:{email}");
        let invited = hub.json(["invite", "--as", "device", "--name", &phone, "--user", &email, "--scope", &scope]);
        node.json(["join", invited["code"].as_str().expect("a code")]);
        let replica = open(node.dir());
        let mut executor = Downstream::new(replica.clone()).expect("a device has an upstream");
        let link = Link::greeted_with(hub.url(), |nonce| match executor.execute(Request::Greet(nonce)) {
            Reply::Hello(hello) => hello,
            other => panic!("no greeting: {other:?}"),
        });
        let visit = replica.transact(|tx| tx.create("activity", visit(0))).expect("a visit");
        let mut device = Self { replica, executor, link, visit };
        device.push(BATCH_BYTES_MAX);
        device
    }

    // What waits to be pushed by the flood.
    fn prepare(&mut self) {
        for begin in (0..FLOOD_CHANGES).step_by(TRANSACTION) {
            let made = self.replica.transact(|tx| {
                (begin..begin + TRANSACTION).try_for_each(|n| tx.create("activity", visit(n)).map(drop))
            });
            made.expect("visits");
        }
    }

    fn work(&mut self, first: Instant, until: Instant) -> Vec<Duration> {
        let mut times = Vec::new();
        let mut next = first;
        while next < until {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let edit = Edit::Set("outcome".into(), Value::Text(format!("{:?}", next.elapsed())));
            let visit = self.visit;
            self.replica.transact(|tx| tx.edit("activity", &visit, vec![edit])).expect("an edit");
            times.push(self.push(BATCH_BYTES_MAX).1);
            next += EACH;
        }
        times
    }

    // One push; how many changes it held, and how long its acknowledgement took.
    fn push(&mut self, bytes: usize) -> (u64, Duration) {
        let (changes, count) = match self.executor.execute(Request::Push(Budget { bytes, level: 3 })) {
            Reply::Push(Some(push)) => push,
            other => panic!("nothing to push: {other:?}"),
        };
        let begun = Instant::now();
        self.link.send(&Message::Push { number: 1, changes }).expect("the hub reads");
        let ack = loop {
            match self.link.receive() {
                Message::Ack(ack) => break ack,
                Message::Batch(batch) => {
                    self.link.send(&Message::Got { number: batch.number }).expect("the hub reads");
                }
                Message::Failure(failure) => panic!("the hub refuses: {failure:?}"),
                _ => {}
            }
        };
        let took = begun.elapsed();
        assert!(ack.refused.is_empty(), "{:?}", ack.refused.first());
        let settled = self.executor.execute(Request::Acknowledged(ack));
        assert_eq!(settled, Reply::Acknowledged(count, 0));
        (count, took)
    }
}

fn visit(number: usize) -> Vec<(Name, Value)> {
    let text = |field: &'static str, text: String| (Name::from(field), Value::Text(text));
    vec![text("kind", "visit".to_owned()), text("subject", format!("Visit {number}"))]
}
