//! Rows of duplicates: how well they are found, against the truth that a data set carries.

use branchline_core::crm::{Measured, measure_febrl};

use super::Figure;
use crate::data_dir;

/// A pair counts as found from this score on.
const SCORE_MIN: f64 = 0.5;

/// Precision and recall on Febrl's first data set: 1,000 records of 500 people, each once misspelled.
pub(super) fn febrl() -> Vec<Figure> {
    let file = data_dir().join("febrl/dataset1.csv");
    let csv = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let measure = |with_personal_id| -> Measured {
        measure_febrl(&csv, with_personal_id, SCORE_MIN).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
    };
    let (whole, without) = (measure(true), measure(false));
    vec![
        Figure::note("precision with the security number", whole.precision()),
        Figure::note("recall with the security number", whole.recall()),
        Figure::note("precision without it", without.precision()),
        Figure::note("recall without it", without.recall()),
        Figure::note("pairs that are one person", whole.truth as f64),
    ]
}
