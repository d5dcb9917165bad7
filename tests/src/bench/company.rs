//! The generated company as replicas and as a plain SQLite table: what the rows on whole replicas measure.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::replica::{Init, Query, Record, Replica, SystemEnvironment};
use branchline_core::schema::{Name, Value};
use rusqlite::{Connection, params_from_iter};

use crate::generator;

/// Accounts in one transaction.
const TRANSACTION: usize = 1_000;

/// A new hub with so many accounts.
pub(super) fn hub(dir: &Path, accounts: usize) -> Replica {
    let replica = crm::init(dir, &Init::named("Bench"), Arc::new(SystemEnvironment)).expect("a new hub");
    create(&replica, 0, accounts);
    replica
}

/// Creates the accounts from number `first` on.
pub(super) fn create(replica: &Replica, first: usize, count: usize) {
    let numbers: Vec<usize> = (first..first + count).collect();
    for numbers in numbers.chunks(TRANSACTION) {
        let made = replica.transact(|tx| {
            for number in numbers {
                tx.create("account", values(*number))?;
            }
            Ok(())
        });
        made.unwrap_or_else(|e| panic!("accounts {numbers:?}: {e}"));
    }
}

fn values(number: usize) -> Vec<(Name, Value)> {
    let value = |(field, text): (&'static str, String)| {
        let value = match field {
            "phones" | "emails" => Value::Set(BTreeSet::from([text])),
            _ => Value::Text(text),
        };
        (Name::from(field), value)
    };
    generator::account(number).into_iter().map(value).collect()
}

/// Edits the city of each account, a transaction each hundred.
pub(super) fn edit_each(replica: &Replica) {
    let mut ids = Vec::new();
    let visit = &mut |record: Record| {
        ids.push(record.id);
        Ok(())
    };
    replica.each(&Query::of("account").fields(["name"]), visit).expect("all records");
    for ids in ids.chunks(100) {
        let edited = replica.transact(|tx| {
            for id in ids {
                tx.edit("account", id, vec![Edit::Set("city".into(), Value::Text("Ополе".into()))])?;
            }
            Ok(())
        });
        edited.expect("edits");
    }
}

/// Opens the folder of a replica that a process made.
pub(super) fn open(dir: &Path) -> Replica {
    crm::open(dir, Arc::new(SystemEnvironment)).expect("a replica")
}

/// The same accounts in a plain table with the indices and the full-text index that the replica keeps for them.
pub(super) fn plain_table(file: &Path, replica: &Replica, accounts: usize) {
    let mut db = Connection::open(file).expect("a new database");
    let columns: Vec<&str> = generator::account(0).iter().map(|(field, _)| *field).collect();
    let list = columns.join(", ");
    let indexed = replica.schema();
    let indexed = indexed.collection("account").expect("a built-in collection");
    let indices: String = columns
        .iter()
        .filter(|column| indexed.field(column).is_some_and(|field| field.indexed))
        .map(|column| format!("CREATE INDEX account_{column} ON account ({column});"))
        .collect();
    db.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE account (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, {list}); {indices}
         CREATE VIRTUAL TABLE search USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'unicode61');"
    ))
    .expect("the plain schema");
    let tx = db.transaction().expect("a transaction");
    for number in 0..accounts {
        let id = branchline_core::id::RecordId::derived(&[&number.to_be_bytes()]).0.to_vec();
        let texts: Vec<String> = generator::account(number).into_iter().map(|(_, text)| text).collect();
        let places = vec!["?"; texts.len()].join(", ");
        let mut insert =
            tx.prepare_cached(&format!("INSERT INTO account (id, {list}) VALUES (?, {places})")).expect("an insert");
        let values = std::iter::once(rusqlite::types::Value::Blob(id));
        let values = values.chain(texts.iter().map(|text| rusqlite::types::Value::Text(text.clone())));
        let n = insert.insert(params_from_iter(values)).expect("a row");
        let mut search = tx.prepare_cached("INSERT INTO search (rowid, text) VALUES (?, ?)").expect("an insert");
        search.execute((n, texts.join("\n"))).expect("a row");
    }
    tx.commit().expect("a commit");
}

/// Bytes of all files in a folder.
pub(super) fn folder_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| {
            let kind = entry.metadata().expect("metadata");
            if kind.is_dir() { folder_bytes(&entry.path()) } else { kind.len() }
        })
        .sum()
}
