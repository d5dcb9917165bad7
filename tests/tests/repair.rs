//! What is damaged at rest below an upstream comes back over the link; nothing else is touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use branchline_core::document::Edit;
use branchline_core::replica::Replica;
use branchline_core::schema::Value;
use branchline_tests::sim::Random;
use branchline_tests::sim::company::{Company, deal, names};
use branchline_tests::sim::pair::exchange;

fn plainly(dir: &Path, sql: &str) -> usize {
    rusqlite::Connection::open(dir.join("branchline.db")).unwrap().execute(sql, []).unwrap()
}

fn reopened(dir: &Path) -> Replica {
    branchline_core::crm::open(dir, std::sync::Arc::new(branchline_core::replica::SystemEnvironment)).unwrap()
}

#[test]
fn damaged_changes_are_fetched_anew() {
    for seed in 0..6 {
        let mut random = Random::new(seed, "damage");
        let company = Company::new();
        let central = company.branch("Central");
        for n in 0..12 {
            let id = deal(&central, &format!("deal {n:02}"), vec![]);
            for stage in ["qualified", "proposal"] {
                let edit = Edit::Set("stage".into(), Value::Text(stage.into()));
                central.transact(|tx| tx.edit("opportunity", &id, vec![edit])).unwrap();
            }
        }
        exchange(&central, &company.hub).unwrap();
        let (digest, projection) = (central.digest().unwrap(), central.projection_digest().unwrap());
        let dir = company.folder("Central");
        drop(central);
        // A byte of some changes, the hash of some, the place of some; and what is derived from them.
        for hit in 0..4 {
            let seq = 4 + 7 * hit + random.below(7);
            let sql = match random.below(4) {
                0 => format!("UPDATE log SET raw = zeroblob(length(raw)) WHERE seq = {seq}"),
                1 => format!("UPDATE log SET raw = substr(raw, 1, length(raw) - 1) || x'ff' WHERE seq = {seq}"),
                2 => format!("UPDATE log SET hash = zeroblob(32) WHERE seq = {seq}"),
                _ => format!("UPDATE log SET aseq = aseq + 1000 WHERE seq = {seq}"),
            };
            assert_eq!(plainly(&dir, &sql), 1, "{sql}");
        }
        plainly(&dir, "UPDATE opportunity SET stage = 'lost' WHERE name = 'deal 03'");
        // Somebody goes on working at head office, on a record that may be damaged below.
        let id = company.hub.find("opportunity", "name=deal 05").unwrap();
        let edit = Edit::Set("notes".into(), Value::Text("meanwhile".into()));
        company.hub.transact(|tx| tx.edit("opportunity", &id, vec![edit])).unwrap();

        let central = reopened(&dir);
        let found = central.verify(false).unwrap();
        assert!(!found.is_sound(), "seed {seed}");
        let repaired = central.verify(true).unwrap();
        assert_eq!(repaired.fetching == 0, repaired.damage.is_empty(), "seed {seed}: {repaired:?}");
        exchange(&central, &company.hub).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let after = central.verify(true).unwrap();
        assert!(after.is_sound() && central.verify(false).unwrap().is_sound(), "seed {seed}: {after:?}");
        assert_ne!(central.digest().unwrap(), digest, "the edit of head office has arrived");
        assert_ne!(central.projection_digest().unwrap(), projection);
        let home = company.hub.find("branch", "code=central").unwrap();
        let scopes = [branchline_core::access::Scope::Branch(home), branchline_core::access::Scope::Shared];
        assert_eq!(central.digest().unwrap(), company.hub.digest_of(&scopes).unwrap(), "seed {seed}");
        assert_eq!(central.record("opportunity", &id).unwrap().text("notes"), "meanwhile");
    }
}

#[test]
fn a_damaged_change_that_nobody_else_has_is_told_and_holds_up_nothing_else() {
    let company = Company::new();
    let central = company.branch("Central");
    deal(&central, "sent", vec![]);
    exchange(&central, &company.hub).unwrap();
    deal(&central, "not sent", vec![]);
    let dir = company.folder("Central");
    let seq = central.log_end().unwrap();
    drop(central);
    plainly(&dir, &format!("UPDATE log SET raw = zeroblob(length(raw)) WHERE seq = {seq}"));
    let central = reopened(&dir);
    assert!(!central.verify(true).unwrap().is_sound());
    assert_eq!(names(&central), ["not sent", "sent"], "what its row still shows may be all there is");
    let home = company.hub.find("branch", "code=central").unwrap();
    deal(&company.hub, "from above", vec![("branch".into(), Value::Reference(home))]);
    // What cannot be read cannot be sent; it is not taken for delivered, either.
    let _ = exchange(&central, &company.hub);
    assert_eq!(central.outbox_len().unwrap(), 1);
    assert!(!central.verify(false).unwrap().is_sound());
    assert!(!names(&company.hub).contains(&"not sent".to_owned()));
}

#[test]
fn a_damaged_attachment_is_put_aside_and_fetched_anew() {
    let company = Company::new();
    let central = company.branch("Central");
    let file = company.folder("contract.pdf");
    std::fs::write(&file, vec![7; 100_000]).unwrap();
    let attachment = central.attach_file(&file, "application/pdf").unwrap();
    exchange(&central, &company.hub).unwrap();
    let path = central.blob(&attachment.hash).unwrap().unwrap().path().unwrap().to_owned();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[50_000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let found = central.verify(false).unwrap();
    assert_eq!((found.attachments, found.attachments_damaged), (1, 1));
    assert!(!found.is_sound());
    assert_eq!(central.verify(true).unwrap().fetching, 1);
    assert!(central.blob(&attachment.hash).unwrap().is_none(), "what is damaged is not handed out");
    assert_eq!(std::fs::read(path.with_extension("damaged")).unwrap(), bytes, "and not deleted");
    exchange(&central, &company.hub).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), vec![7; 100_000]);
    assert!(central.verify(false).unwrap().is_sound());
    // At head office there is nowhere to fetch it from: told, and left.
    let above = company.hub.blob(&attachment.hash).unwrap().unwrap().path().unwrap().to_owned();
    std::fs::write(&above, &bytes).unwrap();
    assert!(!company.hub.verify(true).unwrap().is_sound());
    assert_eq!(std::fs::read(above).unwrap(), bytes);
}
