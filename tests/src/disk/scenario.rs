//! A fixed piece of work of a hub, a branch and a phone, each on a disk of its own, with an observer who notes at every
//! step what each of them has promised to hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use branchline_core::crm::import::{Import, ImportMap};
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::limits::{PACK_CHANGES, PLAIN_CHANGES_MIN};
use branchline_core::replica::link::{Downstream, Invitation, InvitationCode, Joiner, Upstream};
use branchline_core::replica::{Identity, Replica};
use branchline_core::schema::{Name, Value};
use branchline_core::sync::{Input, Machine as _, downstream, upstream};
use rusqlite::{Connection, OpenFlags};

use super::medium::{self, Disk, Op};
use crate::sim::clock::{BEGINNING, Clockwork};
use crate::sim::company::{caravan, deal, set, text};
use crate::sim::pair::{Half, join};
use crate::sim::small;

/// SHA-256 of a change.
pub type Hash = [u8; 32];

/// What a machine has promised, from one step on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// The folder has the key that makes it this device: it may be enrolled from now on.
    Key(String),
    /// The folder is a replica: whoever made it was told so.
    Made,
    /// These changes are in its log, or kept as refused.
    Holds(Vec<Hash>),
    /// These changes, typed here or below, wait for the upstream until that holds them.
    Owes(Vec<Hash>),
}

/// A promise with the step of all disks at which it was given.
#[derive(Debug, Clone)]
pub struct Given {
    /// Whose.
    pub machine: usize,
    /// No crash before this step breaks it.
    pub tick: u64,
    /// What.
    pub promise: Promise,
}

/// A machine of the scenario.
pub struct Machine {
    /// `hub`, `branch` or `phone`.
    pub name: &'static str,
    /// Its upstream.
    pub upper: Option<usize>,
    /// The journal of its disk, each step with its place among those of all disks.
    pub journal: Vec<(u64, Op)>,
    dir: PathBuf,
    disk: Arc<Disk>,
    env: Arc<Clockwork>,
    replica: Option<Replica>,
    known: BTreeSet<Hash>,
    owed: BTreeSet<Hash>,
}

/// What was played: the journals and everything that was promised meanwhile.
pub struct Played {
    /// Hub, branch, phone.
    pub machines: Vec<Machine>,
    /// In order.
    pub promises: Vec<Given>,
}

const HUB: usize = 0;
const BRANCH: usize = 1;
const PHONE: usize = 2;

/// Plays the scenario below `root`.
pub fn play(root: &Path) -> Played {
    let time = Arc::new(AtomicI64::new(BEGINNING));
    let machine = |name: &'static str, upper, salt| {
        let dir = root.join(name);
        std::fs::create_dir_all(&dir).expect("a folder for the scenario");
        let env = Clockwork::new(&time, salt);
        Machine {
            name,
            upper,
            journal: Vec::new(),
            disk: Disk::journaled(&dir),
            dir: dir.join("folder"),
            env,
            replica: None,
            known: BTreeSet::new(),
            owed: BTreeSet::new(),
        }
    };
    let machines = vec![machine("hub", None, 1), machine("branch", Some(HUB), 2), machine("phone", Some(BRANCH), 3)];
    let mut play = Play { played: Played { machines, promises: Vec::new() }, time };
    play.found();
    play.work();
    play.lose();
    play.go_on();
    let mut played = play.played;
    for machine in &mut played.machines {
        machine.replica = None;
        machine.journal = machine.disk.take();
    }
    played
}

struct Play {
    played: Played,
    time: Arc<AtomicI64>,
}

impl Play {
    fn replica(&self, at: usize) -> &Replica {
        self.played.machines[at].replica.as_ref().expect("the machine runs")
    }

    fn found(&mut self) {
        let hub = &mut self.played.machines[HUB];
        let replica = Replica::init(&hub.dir, &caravan(), small::schema(), hub.env.clone()).expect("a hub");
        self.made(HUB, replica);
        self.act(HUB, |hub| hub.announce("http://127.0.0.1:1", None).expect("announced"));
        let branch = Invitation { name: "Central".into(), branch: true, expires_ms: 60_000, ..Invitation::default() };
        self.enrol(BRANCH, &branch);
        self.act(BRANCH, |branch| branch.announce("http://127.0.0.1:2", None).expect("announced"));
        self.exchange(BRANCH);
        let phone = Invitation { name: "phone".into(), expires_ms: 60_000, ..Invitation::default() };
        self.enrol(PHONE, &phone);
        self.exchange(PHONE);
    }

    fn work(&mut self) {
        self.act(HUB, |hub| {
            let map = ImportMap::parse(small::IMPORT_MAP).expect("a map");
            let import = Import { map: Some(map), ..Import::default() };
            import.run(hub, small::import_csv(40).as_bytes()).expect("an import");
        });
        for round in 0..4 {
            self.act(PHONE, |phone| {
                let mine = deal(phone, &format!("pair {round} a"), vec![]);
                let notes = Value::Text(format!("long text of round {round}"));
                set(phone, &mine, "notes", notes);
                phone
                    .transact(|tx| {
                        let a = tx.create("opportunity", vec![text("name", &format!("twin {round} a"))])?;
                        tx.create("opportunity", vec![text("name", &format!("twin {round} b"))])?;
                        tx.edit("opportunity", &a, vec![Edit::Set(Name::from("stage"), Value::Text("new".into()))])
                    })
                    .expect("two deals");
            });
            self.exchange(PHONE);
            self.act(BRANCH, |branch| {
                deal(branch, &format!("of the branch {round}"), vec![]);
            });
            self.exchange(BRANCH);
            self.exchange(PHONE);
        }
        self.grow();
        // Closing moves what the journal holds into the database.
        self.reopen(PHONE);
        self.reopen(HUB);
    }

    // A deal of the branch becomes so long that both ends pack its history.
    fn grow(&mut self) {
        let long = self.deals(BRANCH)[0];
        for numbers in [0..PACK_CHANGES, PACK_CHANGES..PACK_CHANGES + 2 * PLAIN_CHANGES_MIN] {
            self.act(BRANCH, |branch| {
                let edit = |n: usize| vec![Edit::Set(Name::from("lost_reason"), Value::Text(format!("reason {n}")))];
                let edited = branch.transact(|tx| {
                    for n in numbers {
                        tx.edit("opportunity", &long, edit(n))?;
                    }
                    Ok(())
                });
                edited.expect("many edits");
            });
            self.exchange(BRANCH);
        }
    }

    // Refused, retracted, written again; a deal that leaves; an import that is undone.
    fn lose(&mut self) {
        let deals = self.deals(PHONE);
        let boss = self.replica(BRANCH).me().expect("a person").id;
        let (given, mine, moved) = (deals[0], deals[1], deals[2]);
        self.act(BRANCH, |branch| set(branch, &given, "owner", Value::Reference(boss)));
        self.act(PHONE, |phone| {
            phone
                .transact(|tx| {
                    tx.edit("opportunity", &given, vec![Edit::Set(Name::from("stage"), Value::Text("won".into()))])?;
                    tx.edit("opportunity", &mine, vec![Edit::Set(Name::from("stage"), Value::Text("won".into()))])
                })
                .expect("an edit of two");
            set(phone, &mine, "lost_reason", Value::Text("on top of what is refused".into()));
        });
        self.exchange(PHONE);
        self.exchange(BRANCH);
        self.act(PHONE, |phone| set(phone, &moved, "stage", Value::Text("won".into())));
        self.act(BRANCH, |branch| set(branch, &moved, "owner", Value::Reference(boss)));
        self.exchange(PHONE);
        self.exchange(BRANCH);
        self.exchange(PHONE);
        self.reopen(BRANCH);
    }

    fn go_on(&mut self) {
        for round in 0..3 {
            self.act(HUB, |hub| {
                deal(hub, &format!("of the hub {round}"), vec![]);
            });
            self.act(PHONE, |phone| {
                deal(phone, &format!("late {round}"), vec![]);
            });
            self.exchange(BRANCH);
            self.exchange(PHONE);
            self.exchange(BRANCH);
        }
        for at in [PHONE, BRANCH, HUB] {
            self.reopen(at);
        }
    }

    fn deals(&self, at: usize) -> Vec<RecordId> {
        let query = branchline_core::replica::Query::of("opportunity");
        self.replica(at).list(&query).expect("deals").rows.iter().map(|row| row.id).collect()
    }

    // ---- the machines

    fn act(&mut self, at: usize, work: impl FnOnce(&Replica)) {
        self.time.fetch_add(1_000, Ordering::Relaxed);
        work(self.replica(at));
        self.note(at);
    }

    fn made(&mut self, at: usize, replica: Replica) {
        self.give(at, Promise::Key(replica.device().to_string()));
        self.give(at, Promise::Made);
        self.played.machines[at].replica = Some(replica);
        self.note(at);
    }

    fn enrol(&mut self, at: usize, invitation: &Invitation) {
        let upper = self.played.machines[at].upper.expect("below somebody");
        let code = self.replica(upper).invite(invitation).expect("an invitation").code;
        let code = InvitationCode::parse(&code).expect("a code");
        let machine = &self.played.machines[at];
        let joiner = Joiner::new(&machine.dir, code, small::schema(), machine.env.clone()).expect("a joiner");
        let key = Identity::ensure(&machine.dir, &*machine.env).expect("a key").device().to_string();
        self.give(at, Promise::Key(key));
        let replica = join(self.replica(upper), joiner).expect("enrolled");
        self.note(upper);
        self.made(at, replica);
    }

    fn reopen(&mut self, at: usize) {
        let machine = &mut self.played.machines[at];
        machine.replica = None;
        let opened = Replica::open(&machine.dir, small::schema(), machine.env.clone());
        machine.replica = Some(opened.expect("the folder opens again"));
        self.note(at);
    }

    // An exchange until both ends are quiet; after each frame the observer looks.
    fn exchange(&mut self, at: usize) {
        self.time.fetch_add(1_000, Ordering::Relaxed);
        let upper = self.played.machines[at].upper.expect("below somebody");
        let (low, up) = (self.replica(at).clone(), self.replica(upper).clone());
        let now = low.environment().now();
        let nonce = [7; 16];
        let end = low.log_end().expect("a log");
        let mut down = Half::new(downstream::Session::new(now), Downstream::new(low).expect("a link"), end);
        let mut above = Half::new(upstream::Session::new(now, nonce), Upstream::new(up, None), 0);
        above.give(now, Input::Opened(nonce));
        let mut to_up = down.give(now, Input::Opened(nonce));
        for _ in 0..1_000 {
            let mut to_down = Vec::new();
            for frame in to_up.drain(..) {
                to_down.extend(above.give(now, Input::Frame(frame)));
                self.note(upper);
            }
            to_down.extend(above.give(now, Input::Local));
            for frame in to_down {
                to_up.extend(down.give(now, Input::Frame(frame)));
                self.note(at);
            }
            if to_up.is_empty() && down.machine.quiet() {
                assert!(down.machine.error().is_none(), "{:?}", down.machine.error());
                return;
            }
        }
        panic!("the scenario's link is stuck: {:?} {:?}", down.end, above.end);
    }

    // ---- the observer

    fn give(&mut self, machine: usize, promise: Promise) {
        self.played.promises.push(Given { machine, tick: medium::now(), promise });
    }

    // Whatever a committed transaction has left is a promise.
    fn note(&mut self, at: usize) {
        let machine = &mut self.played.machines[at];
        let held = held(&machine.dir).expect("the observer reads");
        let new: Vec<Hash> = held.all.difference(&machine.known).copied().collect();
        let owed: Vec<Hash> = held.owed.difference(&machine.owed).copied().collect();
        machine.known.extend(&new);
        machine.owed.extend(&owed);
        if !new.is_empty() {
            self.give(at, Promise::Holds(new));
        }
        if !owed.is_empty() {
            self.give(at, Promise::Owes(owed));
        }
    }
}

/// What a folder holds, by the hashes of changes.
pub struct Held {
    /// In its log or kept as refused.
    pub all: BTreeSet<Hash>,
    /// Waiting for its upstream.
    pub owed: BTreeSet<Hash>,
    /// Kept as refused.
    pub refused: BTreeSet<Hash>,
}

/// The changes that a folder holds.
///
/// # Errors
/// Whatever SQLite says.
pub fn held(dir: &Path) -> rusqlite::Result<Held> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(dir.join("branchline.db"), flags)?;
    let all = |sql: &str| -> rusqlite::Result<BTreeSet<Hash>> {
        conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    let refused = all("SELECT hash FROM quarantine UNION SELECT hash FROM review")?;
    let mut holds = all("SELECT hash FROM log")?;
    holds.extend(&refused);
    let owed = all("SELECT l.hash FROM outbox o JOIN log l ON l.seq = o.seq")?;
    Ok(Held { all: holds, owed, refused })
}
