//! Duplicates on real data.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use branchline_core::crm::import::{Import, ImportMap};
use branchline_core::crm::{self, measure_febrl};
use branchline_core::replica::{Init, Query, SystemEnvironment};
use branchline_core::schema::Value;
use branchline_tests::data_dir;

#[test]
fn the_same_person_is_found_in_misspelled_data() {
    let csv = std::fs::read_to_string(data_dir().join("febrl/dataset1.csv")).unwrap();
    let whole = measure_febrl(&csv, true, 0.5).unwrap();
    assert_eq!(whole.truth, 500);
    assert!(whole.precision() > 0.99 && whole.recall() > 0.99, "{whole:?}");
    let without_number = measure_febrl(&csv, false, 0.5).unwrap();
    assert!(without_number.precision() > 0.98 && without_number.recall() > 0.98, "{without_number:?}");
}

#[test]
fn what_is_no_febrl_file_is_refused() {
    let code = |text: &str| measure_febrl(text, true, 0.5).unwrap_err().code();
    assert_eq!(code("id,name\n1,Anna\n"), "febrl_file");
}

#[test]
fn companies_of_one_name_with_different_tax_ids_are_never_proposed() {
    let dir = tempfile::tempdir().unwrap();
    let replica = crm::init(dir.path(), &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap();
    let map = "collection = \"account\"\nkey = [\"inn\"]\n[columns.inn]\nfield = \"tax_id\"\n[columns.name_full]\n\
               field = \"name\"\n[columns.name_short]\nfield = \"legal_name\"\n[columns.city]\nfield = \"city\"\n";
    let import = Import { map: Some(ImportMap::parse(map).unwrap()), ..Import::default() };
    let outcome = import.run_file(&replica, &data_dir().join("ru-sme-organisations/organisations.csv")).unwrap();
    assert_eq!((outcome.created, outcome.refused), (644, 0), "{:?}", outcome.errors);
    let mut names = Vec::new();
    let mut keep_name = |record: branchline_core::replica::Record| {
        names.push(record.text("name").to_owned());
        Ok(())
    };
    replica.each(&Query::of("account").fields(["name"]), &mut keep_name).unwrap();
    assert_eq!(names.len(), 644);
    names.sort_unstable();
    assert!(names.windows(2).any(|pair| pair[0] == pair[1]), "the data has equal names");
    assert_eq!(crm::duplicates(&replica, "account").unwrap(), Vec::new());

    // The same company typed again by hand has no tax id to tell it apart.
    let again = [("name", "Урал полярный"), ("city", "Салехард")];
    let again = again.map(|(field, text)| (field.into(), Value::Text(text.to_owned()))).to_vec();
    let again = replica.transact(|tx| tx.create("account", again)).unwrap();
    let found = crm::duplicates(&replica, "account").unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].a == again || found[0].b == again);
}
