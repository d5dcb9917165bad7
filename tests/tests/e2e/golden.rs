//! Folders that released programs left, one pair for each format of the store: opened, synced and believed by this one.
//!
//! `tests/golden/format_N.tar.zst` holds `hub` and `phone`: three clients, a visit with a long text and a photo, an edit
//! that was refused and waits for review at both ends, and on each side an edit that the other has not seen. A new format
//! needs a pair of its own, written by the program that introduces it and never changed again.

use branchline_tests::golden;
use branchline_tests::process::{Node, home};
use rusqlite::Connection;

use crate::company::column;

fn format_of(node: &Node) -> i64 {
    let db = Connection::open(node.dir().join("branchline.db")).unwrap();
    db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

fn names(node: &Node) -> Vec<String> {
    column(&node.json(["list", "account", "--sort", "external_id", "--fields", "name"]), "name")
}

#[test]
fn folders_of_every_format_are_opened_and_synced_by_the_newest() {
    let fresh = home();
    let newest = Node::new(fresh.path(), "hub");
    newest.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
    for format in golden::OLDEST..=format_of(&newest) {
        let home = home();
        golden::unpack(format, home.path());
        let (mut hub, phone) = (Node::new(home.path(), "hub"), Node::new(home.path(), "phone"));
        for node in [&hub, &phone] {
            assert_eq!(format_of(node), format);
            node.json(["verify"]);
        }
        assert_eq!(names(&phone), ["Client 1", "Client 2", "Client 3, renamed offline"]);
        assert_eq!(names(&hub), ["Client 1 of head office", "Client 2", "Client 3"]);
        let visit = phone.json(["show", "activity", "external_id=V1", "--history"]);
        let history = visit["history"].as_array().map_or(0, Vec::len);
        assert!(if format < 3 { history < 20 } else { history > 400 }, "{history} entries");
        let (below, above) = (phone.json(["status"]), hub.json(["status"]));
        assert_eq!((&below["outbox"], &below["quarantine"], &above["review"]), (&2.into(), &1.into(), &1.into()));
        let url = hub.serve();
        phone.json(["upstream", &url]);
        let synced = phone.expect(&[3], ["sync"]);
        assert_eq!((&synced["pushed"], &synced["refused"], &synced["outbox"]), (&2.into(), &0.into(), &0.into()));
        let all = ["Client 1 of head office", "Client 2", "Client 3, renamed offline"];
        assert_eq!((names(&phone), names(&hub)), (all.map(str::to_owned).to_vec(), all.map(str::to_owned).to_vec()));
        let call = hub.json(["show", "activity", "external_id=V2"]);
        assert_eq!(call["fields"]["notes"], "typed offline", "{call:#}");
        // What was refused under the old format can still be accepted under the new one.
        let waiting = hub.expect(&[3], ["review", "list"]);
        let id = waiting[0]["id"].to_string();
        hub.json(["review", "accept", id.trim_matches('"')]);
        phone.json(["sync"]);
        let client = phone.json(["show", "account", "external_id=K2"]);
        assert_eq!(client["fields"]["city"], "Odesa", "{client:#}");
        for node in [&hub, &phone] {
            node.json(["verify"]);
            assert_eq!(format_of(node), format_of(&newest));
        }
    }
}
