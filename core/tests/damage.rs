//! Damage at rest, byte by byte: it is found, or it changes nothing that anybody sees; nothing is deleted because of it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::replica::{Init, Query, Replica, SystemEnvironment, Verified};
use branchline_core::schema::{Name, Value};
use branchline_core::{Error, Result};

/// Places that are damaged, one after the other, each in a fresh copy.
const SAMPLES: u64 = 100;

fn open(dir: &Path) -> Result<Replica> {
    crm::open(dir, Arc::new(SystemEnvironment))
}

fn text(field: &str, value: String) -> (Name, Value) {
    (field.into(), Value::Text(value))
}

/// A hub with some work in it, closed and checkpointed into one file.
fn furnished(dir: &Path) -> Sound {
    let replica = crm::init(dir, &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap();
    for n in 0..40 {
        let account = replica.transact(|tx| tx.create("account", vec![text("name", format!("Ёлка {n}"))])).unwrap();
        let deal = vec![text("name", format!("Deal {n}")), ("account".into(), Value::Reference(account))];
        let deal = replica.transact(|tx| tx.create("opportunity", deal)).unwrap();
        let edits = vec![Edit::Set("notes".into(), Value::Text(format!("Длинный текст {n}")))];
        replica.transact(|tx| tx.edit("opportunity", &deal, edits)).unwrap();
    }
    let sound = Sound::of(&replica).unwrap();
    assert!(replica.verify(false).unwrap().is_sound());
    drop(replica);
    plainly(dir, "PRAGMA wal_checkpoint(TRUNCATE)");
    sound
}

/// What people see, and what it is made of.
#[derive(Debug, PartialEq)]
struct Sound {
    digest: String,
    projection: String,
    deals: u64,
}

impl Sound {
    fn of(replica: &Replica) -> Result<Self> {
        Ok(Self {
            digest: replica.digest()?,
            projection: replica.projection_digest()?,
            deals: replica.count(&Query::of("opportunity"))?,
        })
    }
}

fn plainly(dir: &Path, sql: &str) {
    rusqlite::Connection::open(dir.join("branchline.db")).unwrap().execute_batch(sql).unwrap();
}

fn copy(from: &Path, bytes: &[u8], to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir(to).unwrap();
    std::fs::write(to.join("branchline.db"), bytes).unwrap();
    std::fs::copy(from.join("device.key"), to.join("device.key")).unwrap();
}

/// SplitMix64: the same places in every run.
fn random(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def0);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Opens a damaged copy and looks; says what became of it.
fn look(dir: &Path, sound: &Sound, place: &str) -> &'static str {
    let replica = match open(dir) {
        Ok(replica) => replica,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "{place}");
            return "refused";
        }
    };
    let Ok(found) = replica.verify(false) else { return "refused" };
    if found.is_sound() {
        assert_eq!(Sound::of(&replica).unwrap(), *sound, "{place}: nothing was found, but something is another");
        return "harmless";
    }
    let Ok(repaired) = replica.verify(true) else { return "told" };
    if repaired.is_sound() {
        assert_eq!(Sound::of(&replica).unwrap(), *sound, "{place}: repaired into something else: {found:?}");
        return "repaired";
    }
    named(&repaired, place);
    "told"
}

fn named(found: &Verified, place: &str) {
    assert!(!found.damage.is_empty() || found.differing() > 0, "{place}: {found:?}");
}

#[test]
fn a_flipped_bit_is_found_or_changes_nothing() {
    sample("flip", |bytes, at, bit| bytes[at] ^= 1 << (bit % 8));
}

#[test]
fn a_lost_stretch_of_bytes_is_found_or_changes_nothing() {
    sample("zeros", |bytes, at, bit| {
        let end = (at + 16 + (bit as usize % 500)).min(bytes.len());
        bytes[at..end].fill(0);
    });
}

fn sample(kind: &str, damage: impl Fn(&mut [u8], usize, u64)) {
    let root = tempfile::tempdir().unwrap();
    let (home, hurt) = (root.path().join("home"), root.path().join("hurt"));
    let sound = furnished(&home);
    let whole = std::fs::read(home.join("branchline.db")).unwrap();
    // Where something is written: most of a small folder is empty pages.
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let mut outcomes: std::collections::BTreeMap<&str, u64> = Default::default();
    for seed in 0..SAMPLES {
        let at = used[(random(seed) % used.len() as u64) as usize];
        let mut bytes = whole.clone();
        damage(&mut bytes, at, random(seed + 1_000_000));
        copy(&home, &bytes, &hurt);
        *outcomes.entry(look(&hurt, &sound, &format!("{kind} at {at}"))).or_insert(0) += 1;
        let left = std::fs::metadata(hurt.join("branchline.db")).unwrap().len();
        assert!(left >= whole.len() as u64, "{kind} at {at}: nothing is taken away");
    }
    println!("{kind}: {outcomes:?}");
    let all = ["refused", "told", "repaired"].iter().filter_map(|what| outcomes.get(what)).sum::<u64>();
    assert!(all > SAMPLES / 4, "{outcomes:?}");
    assert!(outcomes.get("repaired").is_some_and(|n| *n > 0) && outcomes.get("told").is_some_and(|n| *n > 0));
}

/// No change says its record's id: the first repair took a damaged one for the truth and showed it everywhere.
#[test]
fn a_record_whose_id_is_damaged_gets_it_back() {
    let root = tempfile::tempdir().unwrap();
    let (home, hurt) = (root.path().join("home"), root.path().join("hurt"));
    let sound = furnished(&home);
    let ids: Vec<Vec<u8>> = {
        let conn = rusqlite::Connection::open(home.join("branchline.db")).unwrap();
        let mut ids = conn.prepare("SELECT id FROM record ORDER BY n DESC LIMIT 6").unwrap();
        ids.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    };
    let whole = std::fs::read(home.join("branchline.db")).unwrap();
    let mut places = 0;
    for id in ids {
        // As bytes it stands in the record, in the index of ids, and wherever another record refers to it.
        for at in (0..whole.len() - id.len()).filter(|at| whole[*at..*at + id.len()] == id[..]) {
            let mut bytes = whole.clone();
            bytes[at + 15] ^= 4;
            copy(&home, &bytes, &hurt);
            let became = look(&hurt, &sound, &format!("id at {at}"));
            assert!(["refused", "told", "repaired"].contains(&became), "id at {at}: {became}");
            places += u64::from(became == "repaired");
        }
    }
    assert!(places >= 12, "each id in its record and in the index of ids: {places}");
}

/// The repair once believed the record, and took its row away where it was shown.
#[test]
fn a_record_whose_collection_is_damaged_is_told_and_stays_in_its_list() {
    let root = tempfile::tempdir().unwrap();
    let sound = furnished(root.path());
    let other = "(SELECT n FROM projection WHERE name = 'account')";
    plainly(root.path(), &format!("UPDATE record SET collection = {other} WHERE n = (SELECT max(n) FROM opportunity)"));
    let replica = open(root.path()).unwrap();
    let found = replica.verify(true).unwrap();
    assert!(!found.is_sound() && !found.damage.is_empty(), "{found:?}");
    assert_eq!(Sound::of(&replica).unwrap(), sound);
}

/// An id in capitals reads as the same id, but SQL does not find the record by it.
#[test]
fn a_cell_in_another_spelling_is_written_anew() {
    let root = tempfile::tempdir().unwrap();
    let sound = furnished(root.path());
    plainly(root.path(), "UPDATE opportunity SET account = upper(account)");
    let replica = open(root.path()).unwrap();
    assert_eq!(replica.verify(false).unwrap().rows_differ, sound.deals);
    assert!(replica.verify(true).unwrap().is_sound());
    assert_eq!(Sound::of(&replica).unwrap(), sound);
}

#[test]
fn a_log_that_cannot_be_read_leaves_everything_else_readable() {
    let root = tempfile::tempdir().unwrap();
    let home = root.path().join("home");
    let sound = furnished(&home);
    let pages: Vec<u64> = {
        let conn = rusqlite::Connection::open(home.join("branchline.db")).unwrap();
        let mut pages = conn.prepare("SELECT pageno FROM dbstat WHERE name = 'log' ORDER BY pageno").unwrap();
        pages.query_map([], |row| row.get::<_, i64>(0)).unwrap().map(|n| n.unwrap() as u64).collect()
    };
    let path = home.join("branchline.db");
    let mut bytes = std::fs::read(&path).unwrap();
    for page in pages {
        let start = (page as usize - 1) * 4096;
        bytes[start..start + 4096].fill(0xa5);
    }
    std::fs::write(&path, &bytes).unwrap();
    let replica = open(&home).unwrap();
    assert_eq!(replica.count(&Query::of("opportunity")).unwrap(), sound.deals);
    let mut csv = Vec::new();
    let query = Query::of("opportunity");
    let rows = crm::export::export(&replica, &query, crm::export::Format::Csv, &mut csv).unwrap();
    assert_eq!(rows, sound.deals);
    assert!(String::from_utf8(csv).unwrap().contains("Deal 39"));
    assert_eq!(replica.projection_digest().unwrap(), sound.projection);
    let found = replica.verify(true).unwrap();
    assert!(!found.damage.is_empty() && !found.is_sound(), "{found:?}");
    let refused = replica.transact(|tx| tx.create("account", vec![text("name", "More".into())])).unwrap_err();
    assert!(matches!(refused, Error::Corrupt(_)), "{refused}");
    drop(replica);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the only copy stays as it is");
}
