//! The support file: what whoever helps needs, and nothing that somebody typed.

use std::sync::Arc;

use branchline_core::crm;
use branchline_core::replica::{Environment as _, Query, Replica, SystemEnvironment};
use branchline_core::schema::{FieldType, SetOf, Value};
use branchline_tests::process::{Node, home};
use serde_json::json;

use crate::workplace::signed_in;

/// Shorter texts stand in anything.
const CHARS_MIN: usize = 4;

// All that people typed into the records of a folder.
fn typed(replica: &Replica) -> Vec<String> {
    let mut typed = Vec::new();
    for collection in replica.schema().collections() {
        let texts = collection
            .fields
            .iter()
            .filter(|field| matches!(field.ty, FieldType::Text | FieldType::LongText | FieldType::Set(SetOf::Text)));
        let names: Vec<_> = texts.map(|field| field.name.clone()).collect();
        let query = Query::of(&collection.name);
        replica
            .each(&query, &mut |record| {
                for name in &names {
                    match record.value(name) {
                        Value::Text(text) => typed.push(text.clone()),
                        Value::Set(items) => typed.extend(items.iter().cloned()),
                        _ => {}
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    typed.retain(|text| text.chars().count() >= CHARS_MIN);
    typed.sort();
    typed.dedup();
    typed
}

#[test]
fn a_support_file_holds_counts_and_codes_and_nothing_that_somebody_typed() {
    let home = home();
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Quietly Secret Works", "--owner", "owner@acme.example"]);
    std::fs::write(home.path().join("own.toml"), "[[collection]]\nname = \"hidden_loom\"\nkind = \"shared\"\nlabel = \"Hidden looms\"\ntitle = [\"name\"]\nfields = [{ name = \"name\", type = \"text\", label = \"Name\" }]\n").unwrap();
    hub.json(["schema", "apply", home.path().join("own.toml").to_str().unwrap()]);
    hub.json(["create", "hidden_loom", "name=Weaver one"]);
    let replica = Replica::open(hub.dir(), crm::builtin().clone(), Arc::new(SystemEnvironment)).unwrap();
    crm::demo::company(&replica, &crm::demo::Spec { seed: 1, accounts: 60, today: SystemEnvironment.now().day() })
        .unwrap();
    let typed = typed(&replica);
    drop(replica);
    assert!(typed.len() > 300 && typed.iter().any(|text| text.contains('@')), "{}", typed.len());
    hub.serve();
    // A device that is refused leaves a code.
    let code = hub.json(["invite", "--name", "Phone of a person", "--as", "device", "--user", "owner@acme.example"]);
    let phone = Node::new(home.path(), "phone");
    phone.json(["join", code["code"].as_str().unwrap()]);

    let mut owner = signed_in(&hub, "owner@acme.example");
    assert!(owner.get("/admin").body.contains("action=\"/admin/support\""));
    let made = owner.post("/admin/support", &[]);
    assert_eq!(made.status, 200, "{}", made.body);
    assert!(made.header("content-disposition").contains("branchline-support.json"), "{made:?}");
    let bundle: serde_json::Value = serde_json::from_str(&made.body).unwrap();
    assert_eq!((&bundle["format"], &bundle["role"]), (&json!(1), &json!("hub")), "{bundle}");
    assert_eq!(bundle["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(bundle["schema"]["digest"].as_str().unwrap().len(), 64);
    assert_eq!((&bundle["schema"]["own_collections"], &bundle["records"]["own, shared"]), (&json!(1), &json!(1)));
    assert_eq!(
        bundle["records"]["contact"],
        json!(hub.json(["list", "contact", "--limit", "5000"]).as_array().unwrap().len())
    );
    assert_eq!((&bundle["verify"]["damaged"], &bundle["verify"]["rows_differ"]), (&json!(0), &json!(0)), "{bundle}");
    assert_eq!(bundle["downstreams"][0]["version"], env!("CARGO_PKG_VERSION"), "{bundle}");
    let found: Vec<&String> = typed.iter().filter(|text| made.body.contains(text.as_str())).collect();
    assert_eq!(found, Vec::<&String>::new());
    for text in [
        "Quietly Secret",
        "acme.example",
        "hidden_loom",
        "Hidden looms",
        "Phone of a person",
        home.path().to_str().unwrap(),
    ] {
        assert!(!made.body.contains(text), "{text}: {}", made.body);
    }

    hub.json(["users", "add", "Max", "--email", "max@acme.example", "--role", "manager"]);
    let mut max = signed_in(&hub, "max@acme.example");
    assert!(!max.get("/admin").body.contains("/admin/support"));
    assert_eq!(max.post("/admin/support", &[]).status, 403);
}
