//! Duplicates on real data.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use branchline_core::crm::measure_febrl;
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
