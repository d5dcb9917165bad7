//! A day's work of a field rep, and what head office does meanwhile: what was typed, kept apart in a plain record.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::{Replica, SystemEnvironment};
use branchline_core::schema::{Name, Value};
use branchline_tests::line::{Line, UPPER};
use branchline_tests::process::{Node, home};
use tempfile::TempDir;

/// Deals that exist before the day begins.
const DEALS: usize = 300;
pub(crate) const EDITS: usize = 50;
pub(crate) const ACTIVITIES: usize = 20;
pub(crate) const CLIENTS: usize = 2;
/// Changes that head office makes on the same day.
pub(crate) const CHANGES_DOWN: usize = 200;

/// Head office and a rep's laptop, at the ends of a line.
pub(crate) struct Office {
    pub(crate) home: TempDir,
    pub(crate) line: Line,
    pub(crate) hub: Node,
    pub(crate) rep: Node,
}

/// What is in one field of one record: (collection, key) to value.
pub(crate) type Record = BTreeMap<(String, String), String>;

impl Office {
    /// The rep has joined and holds the deals; the line is fine. `None`: see [`Line::new`].
    pub(crate) fn founded(seed: u64) -> Option<Self> {
        let (home, line) = (home(), Line::new(seed)?);
        let mut hub = Node::new(home.path(), "hub").at(UPPER);
        let rep = Node::new(home.path(), "rep");
        hub.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
        hub.json(["create", "branch", "code=kyiv", "name=Kyiv"]);
        hub.json(["users", "add", "Olena", "--email", "olena@acme.example", "--role", "seller", "--branch", "kyiv"]);
        import(&hub, &deals(home.path(), "begun", |n| format!("Deal {n},{},", 1_000 + n)));
        {
            let _inside = line.upper();
            hub.serve();
        }
        let asked = ["invite", "--as", "device", "--name", "laptop", "--user", "olena@acme.example"];
        let invitation = hub.json([asked.as_slice(), &["--scope", "branch:kyiv"]].concat());
        {
            let _inside = line.lower();
            rep.json(["join", invitation["code"].as_str().unwrap()]);
        }
        Some(Self { home, line, hub, rep })
    }

    /// The day: what the rep types without a line, and what head office changes. One program types it all, as an app does
    /// that is open all day; the photo comes last.
    pub(crate) fn day(&self, photo: Option<&Path>) -> Record {
        let rep = crm::open(self.rep.dir(), Arc::new(SystemEnvironment)).unwrap();
        let mut typed = Record::new();
        for n in 0..EDITS {
            let (key, next) = (format!("D{n}"), format!("call again on day {n}"));
            let deal = rep.find("opportunity", &format!("external_id={key}")).unwrap();
            let edit = Edit::Set("next_step".into(), Value::Text(next.clone()));
            rep.transact(|tx| tx.edit("opportunity", &deal, vec![edit])).unwrap();
            typed.insert(("opportunity next_step".to_owned(), key), next);
        }
        for n in 0..ACTIVITIES {
            let (key, outcome) = (format!("V{n}"), format!("they want {n} more"));
            let deal = rep.find("opportunity", &format!("external_id=D{n}")).unwrap();
            let about = ("opportunity".into(), Value::Reference(deal));
            let kind = ("kind".into(), Value::Text("visit".into()));
            create(&rep, "activity", &key, vec![kind, text("subject", "Visit"), text("outcome", &outcome), about]);
            typed.insert(("activity outcome".to_owned(), key), outcome);
        }
        for n in 0..CLIENTS {
            let (key, name, last) = (format!("C{n}"), format!("Horns and Hooves {n}"), format!("Bender {n}"));
            let account = create(&rep, "account", &key, vec![text("name", &name), text("city", "Kyiv")]);
            typed.insert(("account name".to_owned(), key.clone()), name);
            let of = ("account".into(), Value::Reference(account));
            create(&rep, "contact", &key, vec![text("last_name", &last), of]);
            typed.insert(("contact last_name".to_owned(), key), last);
        }
        if let Some(photo) = photo {
            let visit = rep.find("activity", "external_id=V0").unwrap();
            let attached = Value::Attachment(rep.attach_file(photo, "image/jpeg").unwrap());
            rep.transact(|tx| tx.edit("activity", &visit, vec![Edit::Set("photo".into(), attached)])).unwrap();
        }
        typed.extend(self.head_office_changes());
        typed
    }

    fn head_office_changes(&self) -> Record {
        let row = |n: usize| match n {
            0..CHANGES_DOWN => format!("Deal {n},{},qualified", 2_000 + n),
            n => format!("Deal {n},{},", 1_000 + n),
        };
        let changed = import(&self.hub, &deals(self.home.path(), "changed", row));
        assert_eq!(changed["updated"].as_u64(), Some(CHANGES_DOWN as u64), "{changed:#}");
        let amount = |n| (("opportunity amount".to_owned(), format!("D{n}")), format!("{}.00", 2_000 + n));
        (0..CHANGES_DOWN).map(amount).collect()
    }
}

fn text(field: &'static str, value: &str) -> (Name, Value) {
    (field.into(), Value::Text(value.to_owned()))
}

fn create(rep: &Replica, collection: &str, key: &str, mut values: Vec<(Name, Value)>) -> RecordId {
    values.push(text("external_id", key));
    rep.transact(|tx| tx.create(collection, values)).unwrap()
}

/// A file of all deals; `rest` gives a row's name, amount and stage.
fn deals(home: &Path, name: &str, rest: impl Fn(usize) -> String) -> PathBuf {
    let mut text = "external_id,name,amount,stage,branch\n".to_owned();
    for n in 0..DEALS {
        writeln!(text, "D{n},{},kyiv", rest(n)).unwrap();
    }
    let path = home.join(format!("{name}.csv"));
    std::fs::write(&path, text).unwrap();
    path
}

fn import(node: &Node, file: &Path) -> serde_json::Value {
    let answer = node.json(["import", file.to_str().unwrap(), "--collection", "opportunity"]);
    assert_eq!(answer["refused"], 0, "{answer:#}");
    answer
}

/// What a node shows in the places of which something was typed.
pub(crate) fn shown(node: &Node, typed: &Record) -> Record {
    let mut shown = Record::new();
    let places: std::collections::BTreeSet<&String> = typed.keys().map(|(place, _)| place).collect();
    for place in places {
        let (collection, field) = place.split_once(' ').unwrap();
        let rows = node.json(["list", collection, "--fields", &format!("external_id,{field}")]);
        for row in rows.as_array().unwrap() {
            let value = row[field].as_str().or_else(|| row[field]["value"].as_str());
            let (Some(key), Some(value)) = (row["external_id"].as_str(), value) else { continue };
            if typed.contains_key(&(place.clone(), key.to_owned())) {
                shown.insert((place.clone(), key.to_owned()), value.to_owned());
            }
        }
    }
    shown
}
