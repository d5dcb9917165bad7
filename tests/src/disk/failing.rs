//! Disks that are full or fail: every write, sync and read of a piece of work goes wrong once, at either end of a link.
//! What returned stays, what failed is said and leaves nothing, and when the fault is gone the work goes on.

use std::path::Path;
use std::sync::Arc;

use branchline_core::Error;
use branchline_core::document::Edit;
use branchline_core::replica::Replica;
use branchline_core::schema::Value;

use super::couple::{Copy, Couple, ENDS, guarded, shown};
use super::medium::{Disk, Faults};
use super::workers::Workers;
use crate::sim::company::text;
use crate::sim::pair::exchange;

/// What was played.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Runs in each of which one thing went wrong.
    pub runs: u64,
    /// Runs in which the fault struck.
    pub struck: u64,
    /// What was broken, each with how to see it again.
    pub failures: Vec<String>,
}

/// A fault and the end whose disk has it.
#[derive(Debug, Clone, Copy)]
struct Fault {
    end: &'static str,
    kind: Kind,
    at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Full,
    WriteFails,
    ReadFails,
}

impl Fault {
    fn faults(self) -> Faults {
        match self.kind {
            Kind::Full => Faults { full_after: Some(self.at), ..Faults::default() },
            Kind::WriteFails => Faults { write_fails_at: Some(self.at), ..Faults::default() },
            Kind::ReadFails => Faults { read_fails_at: Some(self.at), ..Faults::default() },
        }
    }
}

/// Plays the work once for each place at which something can go wrong, every `stride`-th.
pub fn play(
    couple: &Couple,
    root: &Path,
    stride: u64,
    threads: usize,
    failures_max: usize,
    progress: &(dyn Fn() + Sync),
) -> Report {
    // Once without a fault, to know how many places there are.
    let sound = Run::begin(couple, &root.join("sound"));
    let _ = sound.work();
    let mut faults = Vec::new();
    for (end, disk) in ENDS.into_iter().zip(&sound.disks) {
        let (writes, reads) = (disk.writes(), disk.reads());
        let kinds = [(Kind::Full, writes), (Kind::WriteFails, writes), (Kind::ReadFails, reads)];
        faults.extend(kinds.into_iter().flat_map(|(kind, n)| (1..=n).map(move |at| Fault { end, kind, at })));
    }
    drop(sound);
    let faults: Vec<Fault> = faults.into_iter().step_by(stride.max(1) as usize).collect();
    let mut report = Report::default();
    let played = Workers { threads, failures_max, progress }.play(faults.len() as u64, |run, worker| {
        let fault = faults[run as usize];
        guarded(|| one(couple, fault, &root.join(format!("run-{worker}")))).map_err(|what| format!("{fault:?}: {what}"))
    });
    for outcome in played {
        report.runs += 1;
        match outcome {
            Ok(struck) => report.struck += u64::from(struck),
            Err(what) => report.failures.push(what),
        }
    }
    report
}

struct Run {
    copy: Copy,
    disks: [Arc<Disk>; 2],
    replicas: [Replica; 2],
}

impl Run {
    fn begin(couple: &Couple, root: &Path) -> Self {
        let copy = couple.copy(root);
        let disks = ENDS.map(|end| Disk::failing(&root.join(end)));
        let replicas = ENDS.map(|end| copy.open(end).expect("a sound folder opens"));
        for disk in &disks {
            disk.fail(Faults::default());
        }
        Self { copy, disks, replicas }
    }

    /// People work at both ends and exchange. Gives the deals that were made, and those of which it is not known.
    fn work(&self) -> Vec<Result<String, Error>> {
        let [hub, phone] = &self.replicas;
        let mut made = Vec::new();
        for round in 0..3 {
            for (end, replica) in [("hub", hub), ("phone", phone)] {
                let name = format!("{end} {round}");
                let owner = phone.me().map(|me| ("owner".into(), Value::Reference(me.id)));
                let done = owner.and_then(|owner| {
                    replica.transact(|tx| {
                        let id = tx.create("opportunity", vec![text("name", &name), owner])?;
                        let won = Edit::Set("stage".into(), Value::Text("won".into()));
                        tx.edit("opportunity", &id, vec![won])
                    })
                });
                made.push(done.map(|_| format!("{name} won")));
            }
            self.copy.wait(5_000);
            let _ = exchange(phone, hub);
        }
        made
    }
}

fn one(couple: &Couple, fault: Fault, root: &Path) -> Result<bool, String> {
    let run = Run::begin(couple, root);
    let at = usize::from(fault.end == ENDS[1]);
    run.disks[at].fail(fault.faults());
    let made = run.work();
    run.disks[at].fail(Faults::default());
    let struck = run.disks[at].struck() > 0;
    for failure in made.iter().filter_map(|done| done.as_ref().err()) {
        if !matches!(failure, Error::Storage(_)) {
            return Err(format!("it is not said that the disk failed: {} {failure}", failure.code()));
        }
    }
    // The same processes go on, now that there is room again.
    let [hub, phone] = &run.replicas;
    let error = |what: &'static str| move |e: Error| format!("{what}: {} {e}", e.code());
    for _ in 0..2 {
        run.copy.wait(5_000);
        exchange(phone, hub).map_err(error("promise 4: no exchange when the fault is gone"))?;
    }
    let names = [shown(hub), shown(phone)].map(|names| names.unwrap_or_default());
    if names[0] != names[1] {
        return Err(format!("promise 3: {:?} and {:?}", names[0], names[1]));
    }
    for done in made.iter().flatten() {
        if names[0].iter().filter(|name| *name == done).count() != 1 {
            return Err(format!("promise 2: {done} is not there once: {:?}", names[0]));
        }
    }
    for replica in &run.replicas {
        let verified = replica.verify(false).map_err(error("verify"))?;
        if !verified.is_sound() || replica.outbox_len().map_err(error("outbox"))? > 0 {
            return Err(format!("not sound: {verified:?}"));
        }
    }
    let Run { copy, replicas, .. } = run;
    drop(replicas);
    for end in ENDS {
        let again = copy.open(end).and_then(|replica| shown(&replica)).map_err(error("it does not open again"))?;
        if again != names[0] {
            return Err(format!("promise 2: {end} shows {again:?} when opened again, not {:?}", names[0]));
        }
    }
    Ok(struck)
}
