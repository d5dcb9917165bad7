//! What keeps a folder sound: atomic commits, repair from the log, backups, damage that is told and left alone.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::{Init, Query, Replica, SystemEnvironment};
use branchline_core::schema::{Currency, Money, Name, Value};

fn hub(dir: &Path) -> Replica {
    crm::init(dir, &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap()
}

fn open(dir: &Path) -> Replica {
    crm::open(dir, Arc::new(SystemEnvironment)).unwrap()
}

fn text(field: &str, value: &str) -> (Name, Value) {
    (field.into(), Value::Text(value.into()))
}

fn account(replica: &Replica, name: &str) -> RecordId {
    replica.transact(|tx| tx.create("account", vec![text("name", name)])).unwrap()
}

/// Records with every kind of column: scalars, money, sets, lines, long texts, archived, merged, edited.
fn furnish(replica: &Replica) {
    let (orbit, amber) = (account(replica, "Orbit"), account(replica, "Ёлка"));
    let product = replica.transact(|tx| tx.create("product", vec![text("sku", "A1"), text("name", "Pump")])).unwrap();
    for n in 0..5 {
        let line = [("product".to_owned(), Value::Reference(product)), ("quantity".to_owned(), Value::Integer(n))];
        let line: std::collections::BTreeMap<String, Value> = line.into();
        let amount = Value::Money(Money { minor: 1_000 * n, currency: Currency(*b"EUR") });
        let values = vec![
            text("name", &format!("Deal {n}")),
            text("notes", "Длинный текст"),
            ("account".into(), Value::Reference(orbit)),
            ("amount".into(), amount),
        ];
        let id = replica.transact(|tx| tx.create("opportunity", values)).unwrap();
        let product = line["product"].clone();
        let edits = vec![
            Edit::SetLine { field: "lines".into(), line: "l1".into(), sub: "product".into(), value: product },
            Edit::Set("notes".into(), Value::Text("Длинный новый текст".into())),
        ];
        replica.transact(|tx| tx.edit("opportunity", &id, edits)).unwrap();
        replica.transact(|tx| tx.archive("opportunity", &id, n == 4)).unwrap();
    }
    replica.transact(|tx| tx.edit("account", &orbit, vec![Edit::Add("phones".into(), "+7495".into())])).unwrap();
    replica.transact(|tx| tx.merge_into("account", &amber, Some(orbit))).unwrap();
}

/// SQLite's own command line stands for "any SQLite tool": here a second, plain connection.
fn plainly(dir: &Path, sql: &str) {
    let conn = rusqlite::Connection::open(dir.join("branchline.db")).unwrap();
    conn.execute_batch(sql).unwrap();
}

#[test]
fn a_repaired_projection_is_the_one_that_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    furnish(&replica);
    let (sound, projection) = (replica.verify(false).unwrap(), replica.projection_digest().unwrap());
    assert!(sound.is_sound(), "{sound:?}");
    assert_eq!((sound.rows_differ, sound.heads_differ, sound.search_differ), (0, 0, 0));
    plainly(
        dir.path(),
        "UPDATE account SET name = 'forged' WHERE name = 'Orbit';
         DELETE FROM opportunity WHERE name = 'Deal 1';
         DELETE FROM opportunity_lines;
         DROP TABLE product;
         UPDATE record SET flags = 1, heads = x'' WHERE n = 3;
         INSERT INTO search (search) VALUES ('delete-all');",
    );
    let replica = open(dir.path());
    let found = replica.verify(false).unwrap();
    assert!(!found.is_sound() && found.rows_differ > 0 && found.search_differ > 0 && found.heads_differ == 1);
    assert_eq!(found.tables_missing, 1);
    let repaired = replica.verify(true).unwrap();
    assert!(repaired.is_sound() && repaired.repaired, "{repaired:?}");
    assert_eq!(replica.projection_digest().unwrap(), projection);
    assert_eq!(replica.verify(false).unwrap(), sound);
    assert_eq!(replica.search("pump", 5).unwrap().len(), 1);
}

#[test]
fn damage_of_the_log_is_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let id = account(&replica, "Orbit");
    plainly(dir.path(), "UPDATE log SET raw = zeroblob(length(raw)) WHERE seq = 2");
    let found = replica.verify(true).unwrap();
    assert!(!found.is_sound() && !found.damage.is_empty());
    assert_eq!(replica.list(&Query::of("account")).unwrap().rows[0].text("name"), "Orbit");
    assert!(matches!(replica.record("account", &id), Err(branchline_core::Error::Corrupt(_))));
    let refused = replica.transact(|tx| tx.create("account", vec![text("name", "More")])).unwrap_err();
    assert_eq!(refused.code(), "store_corrupt");
    assert!(!refused.advice(branchline_core::message::Language::Ru).is_empty());
}

#[test]
fn a_damaged_page_is_an_error_and_the_file_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    {
        let replica = hub(dir.path());
        furnish(&replica);
    }
    plainly(dir.path(), "PRAGMA wal_checkpoint(TRUNCATE)");
    let path = dir.path().join("branchline.db");
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in 1..pages {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xff; 64]).unwrap();
    }
    drop(file);
    let before = std::fs::read(&path).unwrap();
    let error = match crm::open(dir.path(), Arc::new(SystemEnvironment)) {
        Err(error) => error,
        Ok(replica) => replica.verify(true).and_then(|_| replica.list(&Query::of("account"))).unwrap_err(),
    };
    assert_eq!(error.code(), "store_corrupt", "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn foreign_and_newer_folders_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let code = |dir: &Path| crm::open(dir, Arc::new(SystemEnvironment)).err().unwrap().code();
    assert_eq!(code(dir.path()), "no_replica");
    std::fs::write(dir.path().join("branchline.db"), b"not a database at all, but long enough to be read as one")
        .unwrap();
    assert_eq!(code(dir.path()), "store_corrupt");
    std::fs::remove_file(dir.path().join("branchline.db")).unwrap();
    plainly(dir.path(), "CREATE TABLE t (x)");
    assert_eq!(code(dir.path()), "store_foreign");
    let dir = tempfile::tempdir().unwrap();
    drop(hub(dir.path()));
    assert_eq!(
        crm::init(dir.path(), &Init::named("x"), Arc::new(SystemEnvironment)).err().unwrap().code(),
        "replica_exists"
    );
    plainly(dir.path(), "PRAGMA user_version = 99");
    assert_eq!(code(dir.path()), "store_newer");
}

#[test]
fn a_backup_is_restored_with_its_key_and_a_history_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (home, file, other) = (dir.path().join("home"), dir.path().join("b.db"), dir.path().join("other"));
    let replica = hub(&home);
    furnish(&replica);
    std::fs::create_dir_all(home.join("blobs/ab")).unwrap();
    let blob = vec![7; 2_500_000];
    std::fs::write(home.join("blobs/ab/cd"), &blob).unwrap();
    replica.backup(&file, Some("correct horse")).unwrap();
    assert_eq!(replica.backup(&file, None).unwrap_err().code(), "backup_exists");
    account(&replica, "after the backup");
    let restore =
        |passphrase| Replica::restore(&file, &other, passphrase, crm::builtin().clone(), Arc::new(SystemEnvironment));
    let newer = dir.path().join("newer.db");
    std::fs::copy(&file, &newer).unwrap();
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let of_newer = Replica::restore(&newer, &other, None, crm::builtin().clone(), Arc::new(SystemEnvironment));
    assert_eq!(of_newer.err().unwrap().code(), "store_newer");
    assert_eq!(restore(None).err().unwrap().code(), "backup_needs_passphrase");
    assert_eq!(restore(Some("wrong")).err().unwrap().code(), "backup_passphrase");
    assert!(!other.exists());
    let restored = restore(Some("correct horse")).unwrap();
    assert_eq!(restored.identity().device(), replica.identity().device());
    assert_ne!(restored.timeline().unwrap(), replica.timeline().unwrap());
    assert_eq!(restored.count(&Query::of("account")).unwrap() + 1, replica.count(&Query::of("account")).unwrap());
    assert_eq!(std::fs::read(other.join("blobs/ab/cd")).unwrap(), blob);
    assert!(restored.verify(false).unwrap().is_sound());
    let mut bytes = Vec::new();
    std::fs::File::open(&file).unwrap().read_to_end(&mut bytes).unwrap();
    let secret = std::fs::read(home.join("device.key")).unwrap();
    assert!(!bytes.windows(32).any(|window| window == &secret[..32]));
}

/// What format 1 had instead of what the newest has.
const BACK_TO_FORMAT_1: &str = "
    DROP TABLE pack;
    DROP INDEX quarantine_actor; DROP INDEX quarantine_settled; DROP INDEX review_tx; DROP INDEX review_settled;
    ALTER TABLE quarantine DROP COLUMN device; ALTER TABLE quarantine DROP COLUMN fate;
    ALTER TABLE quarantine DROP COLUMN closed_at; ALTER TABLE quarantine DROP COLUMN closed_by;
    ALTER TABLE quarantine DROP COLUMN closed_seq;
    ALTER TABLE review ADD COLUMN person BLOB; ALTER TABLE review DROP COLUMN fate;
    ALTER TABLE review DROP COLUMN closed_at; ALTER TABLE review DROP COLUMN closed_by;
    ALTER TABLE review DROP COLUMN closed_seq;
    INSERT INTO review (record, collection, hash, actor, raw, device, tx, code, detail, at)
        VALUES (zeroblob(16), 'account', zeroblob(32), zeroblob(8), x'00', zeroblob(8), 65536, 'denied_owner', '', 0);
    PRAGMA user_version = 1;";

#[test]
fn a_folder_of_format_1_is_brought_to_the_newest_with_what_was_refused_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    furnish(&replica);
    let digest = replica.digest().unwrap();
    drop(replica);
    plainly(dir.path(), BACK_TO_FORMAT_1);
    let replica = open(dir.path());
    assert_eq!(replica.digest().unwrap(), digest);
    let review = replica.review().unwrap();
    assert!(review.len() == 1 && review[0].waits() && review[0].fields.is_empty(), "{review:?}");
    assert_eq!((replica.status().unwrap().review, replica.status().unwrap().quarantine), (1, 0));
    drop(replica);
    assert_eq!(open(dir.path()).digest().unwrap(), digest, "once");
}

#[test]
fn a_watch_reports_each_new_result_and_ends_with_its_handle() {
    let dir = tempfile::tempdir().unwrap();
    let (replica, other) = (hub(dir.path()), open(dir.path()));
    let (send, receive) = mpsc::channel();
    let handle = replica.watch(Query::of("account"), move |page| {
        let _ = send.send(page.rows.len());
    });
    let next = || receive.recv_timeout(Duration::from_secs(20));
    assert_eq!(next(), Ok(0));
    account(&replica, "here");
    assert_eq!(next(), Ok(1));
    account(&other, "by another process");
    assert_eq!(next(), Ok(2));
    drop(handle);
    assert!(receive.recv_timeout(Duration::from_secs(20)).is_err());
}

const CHILD: &str = "BRANCHLINE_TEST_CHILD_DIR";

/// Not a test of its own: what the killed process runs. It prints a name only after its commit has returned.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let replica = open(Path::new(&dir));
    for n in 0.. {
        let name = format!("pair {n}");
        replica
            .transact(|tx| {
                let account = tx.create("account", vec![text("name", &name)])?;
                tx.create("contact", vec![text("last_name", &name), ("account".into(), Value::Reference(account))])
            })
            .unwrap();
        println!("committed {n}");
    }
}

#[test]
fn a_killed_process_loses_nothing_that_was_committed_and_halves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(hub(dir.path()));
    let mut acknowledged = 0;
    for round in 1..=4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let output = std::io::BufReader::new(child.stdout.take().unwrap());
        let lines = std::io::BufRead::lines(output).map_while(Result::ok).filter(|line| line.contains("committed"));
        acknowledged += lines.take(round * 7).count() as u64;
        child.kill().unwrap();
        child.wait().unwrap();
        let replica = open(dir.path());
        let (accounts, contacts) = (Query::of("account"), Query::of("contact"));
        let (accounts, contacts) = (replica.count(&accounts).unwrap(), replica.count(&contacts).unwrap());
        assert_eq!(accounts, contacts);
        assert!(accounts >= acknowledged, "{accounts} of {acknowledged}");
        let verified = replica.verify(false).unwrap();
        assert!(verified.is_sound(), "{verified:?}");
    }
}
