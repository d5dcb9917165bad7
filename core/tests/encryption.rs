//! An encrypted folder: nothing is readable without its key, a wrong key is told apart from damage, and whatever is cut short
//! leaves it whole.

#![cfg(feature = "encryption")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::id::BlobHash;
use branchline_core::replica::link::{Invitation, InvitationCode, Joiner, Seed};
use branchline_core::replica::{Folder, Identity, Init, Query, Replica, StoreKey, SystemEnvironment};
use branchline_core::schema::{Name, Value};

/// What a person typed, and what a photo holds.
const TYPED: &str = "Заветное слово";
const PHOTO: &[u8] = b"a photo of the stock room, taken in the morning";

fn key(n: u8) -> StoreKey {
    StoreKey::new([n; 32])
}

fn encrypted(dir: &Path, n: u8) -> Folder {
    Folder::encrypted(dir, key(n))
}

fn open(folder: impl Into<Folder>) -> branchline_core::Result<Replica> {
    crm::open(folder, Arc::new(SystemEnvironment))
}

fn code<T>(done: branchline_core::Result<T>) -> String {
    done.err().map(|error| error.code()).unwrap_or_default()
}

/// A hub with a client, a note, and a photo of which there is a damaged copy, too.
fn furnished(folder: impl Into<Folder>) -> (Replica, BlobHash) {
    let replica = crm::init(folder, &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap();
    let values: Vec<(Name, Value)> = vec![("name".into(), Value::Text(TYPED.into()))];
    let id = replica.transact(|tx| tx.create("account", values)).unwrap();
    let notes = vec![Edit::Set("notes".into(), Value::Text(format!("{TYPED} ").repeat(100)))];
    replica.transact(|tx| tx.edit("account", &id, notes)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, PHOTO.repeat(5_000)).unwrap();
    let photo = replica.attach_file(file.path(), "image/jpeg").unwrap();
    (replica, photo.hash)
}

fn photo_of(replica: &Replica, hash: &BlobHash) -> Vec<u8> {
    let mut bytes = Vec::new();
    replica.copy_blob(hash, &mut bytes).unwrap();
    bytes
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The files in which something of the company can be read.
fn readable(dir: &Path, hash: &BlobHash, secret: &str) -> Vec<PathBuf> {
    let told = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let has = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        has(TYPED.as_bytes()) || has(&PHOTO[..16]) || has(secret.as_bytes()) || name.contains(&hash.to_string())
    };
    files(dir).into_iter().filter(told).collect()
}

fn secret_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("device.key")).unwrap().trim().to_owned()
}

#[test]
fn nothing_is_readable_without_the_key_also_while_it_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, hidden) = (dir.path().join("plain"), dir.path().join("hidden"));
    let (open_plainly, hash) = furnished(plain.as_path());
    let names: Vec<String> = readable(&plain, &hash, &secret_of(&plain))
        .iter()
        .map(|p| p.file_name().unwrap().to_string_lossy().into())
        .collect();
    for name in ["device.key", "branchline.db-wal", &hash.to_string()] {
        assert!(names.iter().any(|found| found == name), "{name} is found where nothing is encrypted: {names:?}");
    }
    drop(open_plainly);

    let (replica, hash) = furnished(encrypted(&hidden, 1));
    assert!(hidden.join("branchline.db-wal").metadata().unwrap().len() > 0, "the log is looked at, too");
    assert_eq!(readable(&hidden, &hash, TYPED), Vec::<PathBuf>::new());
    assert!(secret_of(&hidden).starts_with("sealed "));
    assert_eq!(photo_of(&replica, &hash), PHOTO.repeat(5_000));
    assert_eq!(replica.search("заветное", 5).unwrap().len(), 1);
    assert!(replica.verify(false).unwrap().is_sound());
    drop(replica);
    assert_eq!(readable(&hidden, &hash, TYPED), Vec::<PathBuf>::new());
    let bare = rusqlite::Connection::open(hidden.join("branchline.db")).unwrap();
    assert!(bare.query_row("SELECT count(*) FROM log", [], |_| Ok(())).is_err(), "SQLite reads nothing of it");
}

#[test]
fn a_wrong_key_a_missing_one_and_one_too_many_are_told_from_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, hidden) = (dir.path().join("plain"), dir.path().join("hidden"));
    drop(furnished(plain.as_path()));
    drop(furnished(encrypted(&hidden, 1)));
    assert_eq!(code(open(hidden.as_path())), "key_missing");
    assert_eq!(code(open(encrypted(&hidden, 2))), "key_wrong");
    assert_eq!(code(open(encrypted(&plain, 1))), "folder_not_encrypted");
    assert_eq!(code(open(encrypted(&dir.path().join("none"), 1))), "no_replica");
    assert!(open(encrypted(&hidden, 1)).unwrap().verify(false).unwrap().is_sound(), "and nothing has come of it");

    let database = hidden.join("branchline.db");
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&database, &bytes).unwrap();
    assert_eq!(code(open(encrypted(&hidden, 1))), "store_corrupt");
    assert_eq!(code(open(encrypted(&hidden, 2))), "key_wrong", "which a damaged database does not hide");
    assert_eq!(std::fs::read(&database).unwrap(), bytes, "and it is left as it is");
    std::fs::remove_file(hidden.join("store.key")).unwrap();
    assert_eq!(code(open(encrypted(&hidden, 1))), "store_key_damaged");
}

#[test]
fn another_key_takes_the_place_of_the_old_one_while_others_work() {
    let dir = tempfile::tempdir().unwrap();
    let (replica, hash) = furnished(encrypted(dir.path(), 1));
    let beside = open(encrypted(dir.path(), 1)).unwrap();
    replica.rekey(&key(2)).unwrap();
    assert_eq!(code(open(encrypted(dir.path(), 1))), "key_wrong");
    let reopened = open(encrypted(dir.path(), 2)).unwrap();
    assert_eq!(photo_of(&reopened, &hash), PHOTO.repeat(5_000));
    let values: Vec<(Name, Value)> = vec![("name".into(), Value::Text("Beside".into()))];
    beside.transact(|tx| tx.create("account", values)).unwrap();
    assert_eq!(reopened.count(&Query::of("account")).unwrap(), 2);
    // Who still has the old key must neither undo the change nor write a backup that it would open.
    assert_eq!(code(beside.rekey(&key(1))), "key_wrong");
    assert_eq!(code(beside.backup(&dir.path().join("backup"), None)), "key_wrong");
    reopened.rekey(&key(1)).unwrap();
    drop((replica, beside, reopened));
    assert!(open(encrypted(dir.path(), 1)).unwrap().verify(false).unwrap().is_sound());
    let plain = tempfile::tempdir().unwrap();
    assert_eq!(code(furnished(plain.path()).0.rekey(&key(1))), "folder_not_encrypted");
}

#[test]
fn a_folder_is_encrypted_and_decrypted_with_all_that_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (replica, hash) = furnished(dir.path());
    let (digest, device) = (replica.status().unwrap().digest, replica.device());
    assert_eq!(code(Replica::encrypt(dir.path(), &key(1), &SystemEnvironment)), "folder_open");
    drop(replica);
    let aside = dir.path().join("blobs").join(format!("{hash}.damaged"));
    std::fs::write(&aside, PHOTO).unwrap();
    std::fs::write(dir.path().join("blobs/0123456789abcdef.new"), PHOTO).unwrap();
    let secret = secret_of(dir.path());

    Replica::encrypt(dir.path(), &key(1), &SystemEnvironment).unwrap();
    assert_eq!(readable(dir.path(), &hash, &secret), Vec::<PathBuf>::new());
    assert_eq!(code(Replica::encrypt(dir.path(), &key(1), &SystemEnvironment)), "folder_encrypted");
    let replica = open(encrypted(dir.path(), 1)).unwrap();
    assert_eq!((replica.status().unwrap().digest, replica.device()), (digest.clone(), device));
    assert_eq!(photo_of(&replica, &hash), PHOTO.repeat(5_000));
    let health = replica.verify(false).unwrap();
    assert!(health.is_sound() && health.attachments == 1);
    drop(replica);

    assert_eq!(code(Replica::decrypt(&Folder::from(dir.path()), &SystemEnvironment)), "key_missing");
    assert_eq!(code(Replica::decrypt(&encrypted(dir.path(), 2), &SystemEnvironment)), "key_wrong");
    Replica::decrypt(&encrypted(dir.path(), 1), &SystemEnvironment).unwrap();
    assert_eq!(code(Replica::decrypt(&Folder::from(dir.path()), &SystemEnvironment)), "folder_not_encrypted");
    let replica = open(dir.path()).unwrap();
    assert_eq!((replica.status().unwrap().digest, replica.device()), (digest, device));
    assert_eq!(photo_of(&replica, &hash), PHOTO.repeat(5_000));
    assert_eq!(std::fs::read(aside).unwrap(), PHOTO, "what was put aside is not lost on the way");
    assert!(replica.verify(false).unwrap().is_sound());
    let left: Vec<_> = files(dir.path())
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name == "store.key" || name == "converting" || name.starts_with("sealed-") || name.ends_with(".unfinished")
        })
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn an_encrypted_attachment_that_is_damaged_or_cut_short_is_told_and_not_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let (replica, hash) = furnished(encrypted(dir.path(), 1));
    let is_sealed = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("sealed-");
    let path = files(&dir.path().join("blobs")).into_iter().find(is_sealed).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(code(replica.copy_blob(&hash, &mut Vec::new())), "blob_damaged");
    assert_eq!(replica.verify(false).unwrap().attachments_damaged, 1);
    std::fs::write(&path, &whole[..10]).unwrap();
    assert_eq!(replica.verify(false).unwrap().attachments_damaged, 1, "too short to be one");
    std::fs::write(&path, &whole).unwrap();
    assert!(replica.verify(false).unwrap().is_sound());
}

/// An attempt without a key had left `device.key`; the next one took it over as it lay there, plain.
#[test]
fn a_device_key_that_lies_there_plain_is_sealed_when_the_folder_comes_with_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let env = || Arc::new(SystemEnvironment);
    let left = |name: &str| Identity::ensure(at(name).as_path(), &SystemEnvironment).unwrap().device();
    let sealed = |name: &str, secret: &str| {
        assert!(secret_of(&at(name)).starts_with("sealed "), "{name}");
        let has = |path: &PathBuf| std::fs::read(path).unwrap().windows(64).any(|bytes| bytes == secret.as_bytes());
        assert_eq!(files(&at(name)).into_iter().filter(has).collect::<Vec<_>>(), Vec::<PathBuf>::new());
    };

    let device = left("hub");
    let secret = secret_of(&at("hub"));
    let (hub, _) = furnished(encrypted(&at("hub"), 1));
    assert_eq!(hub.device(), device, "it is the same device");
    sealed("hub", &secret);
    assert_eq!(open(encrypted(&at("hub"), 1)).unwrap().device(), device);

    hub.announce("http://127.0.0.1:1", None).unwrap();
    let invitation = Invitation { name: "phone".to_owned(), branch: true, expires_ms: 60_000, ..Invitation::default() };
    let code = InvitationCode::parse(&hub.invite(&invitation).unwrap().code).unwrap();
    left("phone");
    let secret = secret_of(&at("phone"));
    Replica::courier_join(encrypted(&at("phone"), 2), &code, &at("out"), crm::builtin().clone(), env()).unwrap();
    sealed("phone", &secret);

    let (plain, _) = furnished(at("plain").as_path());
    plain.backup(&at("backup"), Some("correct horse")).unwrap();
    std::fs::create_dir(at("again")).unwrap();
    std::fs::copy(at("plain/device.key"), at("again/device.key")).unwrap();
    let folder = encrypted(&at("again"), 3);
    Replica::restore(&at("backup"), folder, Some("correct horse"), crm::builtin().clone(), env()).unwrap();
    sealed("again", &secret_of(&at("plain")));
}

/// The work that a killed process was at: there and back until it dies.
#[test]
fn child() {
    let Ok(dir) = std::env::var("BRANCHLINE_TEST_CONVERT") else { return };
    let dir = Path::new(&dir);
    println!("begun");
    loop {
        match std::env::var("BRANCHLINE_TEST_REKEY") {
            Ok(_) => {
                for (from, to) in [(1, 2), (2, 1)] {
                    if let Ok(replica) = open(encrypted(dir, from)) {
                        replica.rekey(&key(to)).unwrap();
                    }
                }
            }
            Err(_) => {
                if Replica::decrypt(&encrypted(dir, 1), &SystemEnvironment).is_err() {
                    Replica::encrypt(dir, &key(1), &SystemEnvironment).unwrap();
                }
            }
        }
    }
}

fn kill_after(dir: &Path, rekey: bool, wait: Duration) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--nocapture"]).env("BRANCHLINE_TEST_CONVERT", dir).stdout(Stdio::piped());
    if rekey {
        command.env("BRANCHLINE_TEST_REKEY", "1");
    }
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    let mut stdout = child.stdout.take().unwrap();
    while !said.contains("begun") {
        let mut bytes = [0; 64];
        let read = stdout.read(&mut bytes).unwrap();
        assert!(read > 0, "the child ended: {said}");
        said.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    std::thread::sleep(wait);
    assert!(child.try_wait().unwrap().is_none(), "it works until it is killed");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_conversion_that_is_killed_leaves_the_folder_plain_or_encrypted_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (replica, hash) = furnished(dir.path());
    let digest = replica.status().unwrap().digest;
    drop(replica);
    let secret = secret_of(dir.path());
    let (mut plain, mut hidden) = (0, 0);
    for n in 0..24 {
        kill_after(dir.path(), false, Duration::from_millis(3 + n * 7));
        let replica = match open(dir.path()) {
            Ok(replica) => {
                plain += 1;
                replica
            }
            Err(error) => {
                assert_eq!(error.code(), "key_missing", "{error}");
                hidden += 1;
                open(encrypted(dir.path(), 1)).unwrap()
            }
        };
        assert_eq!(replica.status().unwrap().digest, digest);
        assert_eq!(photo_of(&replica, &hash), PHOTO.repeat(5_000));
        assert!(replica.verify(false).unwrap().is_sound());
        if replica.is_encrypted() {
            assert_eq!(readable(dir.path(), &hash, &secret), Vec::<PathBuf>::new(), "nothing plain stays behind");
        } else {
            assert!(!files(dir.path()).iter().any(|path| path.ends_with("store.key")));
        }
    }
    assert!(plain > 0 && hidden > 0, "{plain} times plain, {hidden} times encrypted: it was killed in both directions");
}

#[test]
fn a_change_of_keys_that_is_killed_leaves_one_that_opens() {
    let dir = tempfile::tempdir().unwrap();
    let (replica, hash) = furnished(encrypted(dir.path(), 1));
    drop(replica);
    for n in 0..12 {
        kill_after(dir.path(), true, Duration::from_millis(2 + n * 5));
        let opened = [1, 2].map(|n| open(encrypted(dir.path(), n)));
        assert_eq!(opened.iter().filter(|replica| replica.is_ok()).count(), 1, "the one or the other");
        for replica in opened {
            match replica {
                Ok(replica) => assert_eq!(photo_of(&replica, &hash), PHOTO.repeat(5_000)),
                Err(error) => assert_eq!(error.code(), "key_wrong"),
            }
        }
    }
}

#[test]
fn the_backup_of_an_encrypted_folder_is_encrypted_and_restores_under_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (replica, hash) = furnished(encrypted(&at("home"), 1));
    replica.backup(&at("backup"), Some("correct horse")).unwrap();
    assert_eq!(readable(dir.path(), &hash, TYPED), Vec::<PathBuf>::new());
    let restore = |file: &str, folder: Folder| {
        let env = Arc::new(SystemEnvironment);
        Replica::restore(&at(file), folder, Some("correct horse"), crm::builtin().clone(), env)
    };
    assert_eq!(code(restore("backup", Folder::from(&at("again")))), "backup_needs_key");
    assert_eq!(code(restore("backup", encrypted(&at("again"), 2))), "backup_key_wrong");
    assert!(!at("again").exists());
    let again = restore("backup", encrypted(&at("again"), 1)).unwrap();
    assert!(again.is_encrypted() && again.verify(false).unwrap().is_sound());
    assert_eq!((again.status().unwrap().digest, again.device()), (replica.status().unwrap().digest, replica.device()));
    assert_eq!(photo_of(&again, &hash), PHOTO.repeat(5_000));
    assert_eq!(readable(dir.path(), &hash, TYPED), Vec::<PathBuf>::new());

    // A plain backup makes an encrypted folder where a key is given.
    let (plain, hash) = furnished(at("plain").as_path());
    plain.backup(&at("plain-backup"), Some("correct horse")).unwrap();
    let hidden = restore("plain-backup", encrypted(&at("hidden"), 3)).unwrap();
    assert!(hidden.is_encrypted() && hidden.verify(false).unwrap().is_sound());
    assert_eq!(photo_of(&hidden, &hash), PHOTO.repeat(5_000));
    assert_eq!(readable(&at("hidden"), &hash, TYPED), Vec::<PathBuf>::new());
}

#[test]
fn an_enrolment_that_waits_is_sealed_and_a_seed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let env = || Arc::new(SystemEnvironment);
    let (hub, _) = furnished(encrypted(&at("hub"), 1));
    hub.announce("http://127.0.0.1:1", None).unwrap();
    let invited = |name: &str| {
        let invitation =
            Invitation { name: name.to_owned(), branch: true, expires_ms: 60_000, ..Invitation::default() };
        InvitationCode::parse(&hub.invite(&invitation).unwrap().code).unwrap()
    };
    let code = invited("Central");
    let phone = at("phone");
    Replica::courier_join(encrypted(&phone, 2), &code, &at("out"), crm::builtin().clone(), env()).unwrap();
    assert!(!std::fs::read_to_string(phone.join("joining")).unwrap().contains(&code.encode()));
    hub.courier_unpack(&at("out")).unwrap();
    hub.courier_pack(&at("back"), Some("Central")).unwrap();
    let wrong = Replica::courier_joined(encrypted(&phone, 3), &at("back"), crm::builtin().clone(), env());
    assert_eq!(wrong.err().unwrap().code(), "key_wrong");
    let joined = Replica::courier_joined(encrypted(&phone, 2), &at("back"), crm::builtin().clone(), env());
    let (joined, _) = joined.unwrap();
    assert!(joined.is_encrypted());
    assert_eq!(joined.count(&Query::of("account")).unwrap(), 1);

    // A seed is plain, also that of an encrypted hub; it makes no encrypted folder.
    hub.courier_seed(&at("seed"), &[], crm::builtin().clone()).unwrap();
    let code = invited("North");
    let seed = Seed::open(&at("seed"), &code.upstream_key).unwrap();
    let joiner = Joiner::new(encrypted(&at("north"), 2), code, crm::builtin().clone(), env()).unwrap();
    assert_eq!(joiner.with_seed(seed).err().unwrap().code(), "seed_encrypted");
}
