//! The row of a flood: a hundred devices are connected, one of them pushes as fast as it can, and the others' small
//! pushes are timed, with it and without it, in one run. What it pushes are large transactions, or single changes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::limits::BATCH_BYTES_MAX;
use branchline_core::replica::Replica;
use branchline_core::replica::link::Downstream;
use branchline_core::schema::{Name, Value};
use branchline_core::store::DATABASE;
use branchline_core::sync::Executor;
use branchline_core::sync::downstream::{Reply, Request};
use branchline_core::sync::pace::{Budget, Lane, Pace};
use branchline_core::time::Millis;
use branchline_core::wire::message::Message;
use rusqlite::Connection;

use super::Figure;
use super::company::{hub, open};
use crate::peer::Link;
use crate::process::{Node, home};

/// Devices, one of which floods.
const DEVICES: usize = 100;
/// Each of the others pushes so often.
const EACH: Duration = Duration::from_secs(1);
/// How long each part takes.
const PART: Duration = Duration::from_secs(16);
/// How often each part comes.
const ROUNDS: u32 = 3;
/// What a flood has to send: more than goes through in its part.
const FLOOD_CHANGES: usize = 200_000;
const TRANSACTION: usize = 1_000;
/// How long a flood is alone.
const ALONE: Duration = Duration::from_secs(3);

/// The others' p99 with a flood against that without: one of large transactions, one of single changes.
pub(super) fn flood() -> Vec<Figure> {
    let home = home();
    let mut serving = Node::new(home.path(), "hub");
    drop(hub(serving.dir(), 0));
    serving.serve();
    let joined: Vec<(Replica, RecordId)> =
        (0..=DEVICES).map(|n| joined(&serving, &Node::new(home.path(), &format!("phone{n}")), n)).collect();
    // Before anybody connects: who says nothing for long is hung up on.
    let (whole, single) = (&joined[DEVICES - 1].0, &joined[DEVICES].0);
    prepare(whole);
    prepare(single);
    split(single);
    let connected = |(replica, visit)| Device::connected(&serving, replica, visit);
    let mut devices: Vec<Device> = joined.into_iter().map(connected).collect();
    let mut floods = devices.split_off(DEVICES - 1);
    // In turns, so that whatever else the machine does strikes all parts alike.
    let (mut before, mut during, mut pushed) = (Vec::new(), [Vec::new(), Vec::new()], [0.0; 2]);
    for _ in 0..ROUNDS {
        before.extend(timed(&mut devices));
        for (kind, flooding) in floods.iter_mut().enumerate() {
            let (times, changes) = flooded(&mut devices, flooding);
            during[kind].extend(times);
            pushed[kind] += changes;
        }
    }
    let before = p99(before);
    let mut figures = vec![Figure::note("p99 without a flood, ms", before)];
    let kinds = floods.iter_mut().zip(during).zip(pushed).zip(["transactions of 1,000", "single changes"]);
    for (((flooding, during), pushed), of) in kinds {
        let (during, alone) = (p99(during), flooding.rate_alone());
        let each_second = pushed / (PART * ROUNDS).as_secs_f64();
        figures.extend([
            Figure::note(format!("p99 with one in {of}, ms"), during),
            Figure::note(format!("changes of it that came through a second, in {of}"), each_second),
            Figure::note(format!("the same while nobody else is at work, in {of}"), alone),
            Figure::at_most(
                format!("p99 of 99 devices' pushes with a flood in {of} against without"),
                during / before,
                1.5,
                1.2,
            ),
        ]);
    }
    figures
}

fn p99(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() * 99 / 100].as_secs_f64() * 1_000.0
}

// The others' times while one floods, and how many of its changes came through.
fn flooded(devices: &mut [Device], flooding: &mut Device) -> (Vec<Duration>, f64) {
    let (over, pushed) = (AtomicBool::new(false), AtomicU64::new(0));
    let during = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                pushed.fetch_add(flooding.push_as_the_line_goes(), Ordering::Relaxed);
            }
        });
        let during = timed(devices);
        over.store(true, Ordering::Relaxed);
        during
    });
    (during, pushed.into_inner() as f64)
}

// Each device pushes an edit a second, for as long as a part takes; the times from push to acknowledgement.
fn timed(devices: &mut [Device]) -> Vec<Duration> {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for (n, device) in devices.iter_mut().enumerate() {
            running.push(scope.spawn(move || device.work(begun + EACH * n as u32 / DEVICES as u32, begun + PART)));
        }
        running.into_iter().flat_map(|thread| thread.join().expect("a device")).collect()
    })
}

/// A replica whose link is driven by hand.
struct Device {
    replica: Replica,
    executor: Downstream,
    link: Link,
    visit: RecordId,
    pace: Pace,
}

impl Device {
    fn connected(hub: &Node, replica: Replica, visit: RecordId) -> Self {
        let mut executor = Downstream::new(replica.clone()).expect("a device has an upstream");
        let link = Link::greeted_with(hub.url(), |nonce| match executor.execute(Request::Greet(nonce)) {
            Reply::Hello(hello) => hello,
            other => panic!("no greeting: {other:?}"),
        });
        Self { replica, executor, link, visit, pace: Pace::default() }
    }

    // One push as a device sends it, as large as the line is thought to bear.
    fn push_as_the_line_goes(&mut self) -> u64 {
        let budget = self.pace.budget();
        let begun = Instant::now();
        let (changes, _) = self.push(budget.bytes);
        assert!(changes > 0, "the flood has run dry: give it more");
        self.pace.sent(Millis(0), Lane::Changes, budget.bytes);
        self.pace.answered(Millis(begun.elapsed().as_millis() as i64), Lane::Changes);
        changes
    }

    // Changes a second while nobody else writes.
    fn rate_alone(&mut self) -> f64 {
        let begun = Instant::now();
        let mut pushed = 0;
        while begun.elapsed() < ALONE {
            pushed += self.push_as_the_line_goes();
        }
        pushed as f64 / begun.elapsed().as_secs_f64()
    }

    fn work(&mut self, first: Instant, until: Instant) -> Vec<Duration> {
        let mut times = Vec::new();
        let mut next = first;
        while next < until {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let edit = Edit::Set("outcome".into(), Value::Text(format!("{:?}", Instant::now())));
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

// A folder that has joined, and a visit in it that was sent.
fn joined(hub: &Node, node: &Node, number: usize) -> (Replica, RecordId) {
    let email = format!("seller{number}@acme.example");
    let name = format!("Seller {number}");
    hub.json(["users", "add", &name, "--email", &email, "--role", "manager"]);
    let phone = format!("phone{number}");
    let scope = format!("user:{email}");
    let invited = hub.json(["invite", "--as", "device", "--name", &phone, "--user", &email, "--scope", &scope]);
    node.json(["join", invited["code"].as_str().expect("a code"), "--no-sync"]);
    let replica = open(node.dir());
    let visit = replica.transact(|tx| tx.create("activity", visit(0))).expect("a visit");
    node.json(["sync"]);
    (replica, visit)
}

// What waits to be pushed by a flood.
fn prepare(replica: &Replica) {
    for begin in (0..FLOOD_CHANGES).step_by(TRANSACTION) {
        let made = replica
            .transact(|tx| (begin..begin + TRANSACTION).try_for_each(|n| tx.create("activity", visit(n)).map(drop)));
        made.expect("visits");
    }
}

// Each change that waits becomes a transaction of its own: writing them one by one would take minutes.
fn split(replica: &Replica) {
    let database = Connection::open(replica.dir().join(DATABASE)).expect("a database");
    database.execute("UPDATE log SET flags = flags | 1", []).expect("the log");
}

fn visit(number: usize) -> Vec<(Name, Value)> {
    let text = |field: &'static str, text: String| (Name::from(field), Value::Text(text));
    vec![text("kind", "visit".to_owned()), text("subject", format!("Visit {number}"))]
}
