//! Bits that flip at rest, below an upstream: damage is told or changes nothing, never travels, ends writing, and can be
//! mended from above.

use std::path::Path;

use branchline_core::Error;
use branchline_core::replica::Replica;

use super::couple::{Copy, Couple, ENDS, guarded, shown};
use super::workers::Workers;
use crate::sim::Random;
use crate::sim::company::text;
use crate::sim::pair::exchange;

/// What was played.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Folders that were damaged in one place.
    pub runs: u64,
    /// Damage that was told, at opening or by a look.
    pub told: u64,
    /// Damage that changed nothing that anybody sees.
    pub harmless: u64,
    /// Folders that were whole again after a repair and an exchange.
    pub mended: u64,
    /// What was broken, each with how to see it again.
    pub failures: Vec<String>,
}

enum Outcome {
    Told,
    Harmless,
    Mended,
}

/// Damages `runs` folders in a place that `seed` draws.
pub fn play(
    couple: &Couple,
    root: &Path,
    seed: u64,
    runs: u64,
    threads: usize,
    failures_max: usize,
    progress: &(dyn Fn() + Sync),
) -> Report {
    let mut report = Report::default();
    let played = Workers { threads, failures_max, progress }.play(runs, |run, worker| {
        let seed = seed.wrapping_add(run);
        guarded(|| one(couple, seed, &root.join(format!("rot-{worker}"))))
            .map_err(|what| format!("seed {seed}: {what}"))
    });
    for outcome in played {
        report.runs += 1;
        match outcome {
            Ok(Outcome::Told) => report.told += 1,
            Ok(Outcome::Harmless) => report.harmless += 1,
            Ok(Outcome::Mended) => report.mended += 1,
            Err(what) => report.failures.push(what),
        }
    }
    report
}

// The bytes of a change that waits for the upstream.
fn unsent(file: &Path) -> rusqlite::Result<Vec<u8>> {
    let sql = "SELECT l.raw FROM log l JOIN outbox o ON o.seq = l.seq LIMIT 1";
    let conn = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.query_row(sql, [], |row| row.get(0))
}

// Flips a bit, or overwrites some bytes, of the phone's database.
fn damage(file: &Path, unsent: &[u8], random: &mut Random) {
    let mut bytes = std::fs::read(file).expect("a database");
    // Much of a small database is room that nothing was written to yet: that is left alone.
    let mut at = random.below(bytes.len());
    while bytes[at] == 0 {
        at = random.below(bytes.len());
    }
    // What was typed here and is not delivered yet exists nowhere else: it is hit more often.
    if random.chance(250)
        && let Some(begin) = bytes.windows(unsent.len()).position(|part| part == unsent)
    {
        at = begin + random.below(unsent.len());
    }
    if random.chance(700) {
        bytes[at] ^= 1 << random.below(8);
    } else {
        let end = (at + 1 + random.below(600)).min(bytes.len());
        bytes[at..end].fill(random.number() as u8);
    }
    std::fs::write(file, bytes).expect("a damaged database");
}

fn one(couple: &Couple, seed: u64, root: &Path) -> Result<Outcome, String> {
    let mut random = Random::new(seed, "rot");
    let copy = couple.copy(root);
    let before = copy.held(ENDS[0]);
    let mut known = before.clone();
    known.extend(copy.held(ENDS[1]));
    let sound = copy.open(ENDS[1]).and_then(|phone| shown(&phone)).map_err(|e| e.to_string())?;
    let file = root.join(ENDS[1]).join("branchline.db");
    damage(&file, &unsent(&file).map_err(|e| e.to_string())?, &mut random);
    let length = std::fs::metadata(&file).map_err(|e| e.to_string())?.len();
    let hub = copy.open(ENDS[0]).map_err(|e| e.to_string())?;
    let phone = match copy.open(ENDS[1]) {
        Ok(phone) => phone,
        Err(_) if std::fs::metadata(&file).is_ok_and(|now| now.len() >= length) => return Ok(Outcome::Told),
        Err(_) => return Err("promise 15: the only copy was cut or deleted".to_owned()),
    };
    let harmless = shown(&phone).is_ok_and(|now| now == sound);
    let told = tell(&phone)?;
    if !told && !harmless {
        return Err(format!("promise 15: {:?} is shown instead of {sound:?}, and nothing is told", shown(&phone)));
    }
    let _ = exchange(&phone, &hub);
    let verified = hub.verify(false).map_err(|e| e.to_string())?;
    let now = copy.held(ENDS[0]);
    if !verified.is_sound() || !now.is_superset(&before) || !now.is_subset(&known) {
        return Err(format!("promise 15: the damage has travelled: {verified:?}"));
    }
    mend(&copy, phone, &hub, told)
}

// Whether a look finds the damage. Where it does, nothing may be written any more.
fn tell(phone: &Replica) -> Result<bool, String> {
    let verified = match phone.verify(false) {
        Ok(verified) => verified,
        Err(_) => return Ok(true),
    };
    if !verified.damage.is_empty() {
        let written = phone.transact(|tx| tx.create("opportunity", vec![text("name", "after the damage")]));
        if !matches!(written, Err(Error::Corrupt(_))) {
            return Err(format!("promise 15: {:?} was told, and writing goes on: {written:?}", verified.damage));
        }
    }
    Ok(!verified.is_sound())
}

// A repair and an exchange; what cannot be mended so stays told.
fn mend(copy: &Copy, phone: Replica, hub: &Replica, told: bool) -> Result<Outcome, String> {
    if !told {
        return Ok(Outcome::Harmless);
    }
    let _ = phone.verify(true);
    copy.wait(5_000);
    let _ = exchange(&phone, hub);
    drop(phone);
    let Ok(phone) = copy.open(ENDS[1]) else { return Ok(Outcome::Told) };
    match (phone.verify(false), shown(&phone), shown(hub)) {
        (Ok(verified), Ok(ours), Ok(theirs)) if verified.is_sound() => {
            let _ = exchange(&phone, hub);
            if ours == theirs { Ok(Outcome::Mended) } else { Ok(Outcome::Told) }
        }
        _ => Ok(Outcome::Told),
    }
}
