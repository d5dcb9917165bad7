//! What a person types or pastes.

use branchline_core::Error;
use branchline_core::message::Language;
use branchline_core::replica::Query;
use branchline_core::replica::link::{InvitationCode, Trust};
use branchline_core::schema::parse_filter;
use branchline_core::time::Day;

use super::company;

/// A filter that is understood also runs, and a filter that is not says where.
pub(super) fn filter(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let schema = company().schema();
    let account = schema.collection("account").unwrap();
    match parse_filter(text, account, Day(20_000)) {
        Ok(filter) => {
            let query = Query { filter: Some(filter), limit: Some(10), ..Query::of("account") };
            match company().list(&query) {
                Ok(found) => assert!(found.rows.len() <= 10),
                // A filter may name a record that is not here, or a name that several have.
                Err(Error::NotFound(_) | Error::Ambiguous(_)) => {}
                Err(error) => panic!("understood, but not run: {error:?}"),
            }
            true
        }
        Err(Error::Limit(_)) => false,
        Err(error) => {
            let said = error.what(Language::En);
            assert!(said.contains(|c: char| c.is_ascii_digit()), "no position in: {said}");
            false
        }
    }
}

pub(super) fn filter_seeds() -> Vec<Vec<u8>> {
    let filters = [
        "name = Orbit",
        "name ~ 'зар' and (city = Киев or city is empty)",
        "not (employees >= 10) and annual_revenue > 1000 USD",
        "industry in (retail, medical) and created_at < today-7d",
        "archived = true or tags has vip",
        "name != \"Amber \\\"A\\\" 100%\"",
        "parent = 018f0000-0000-7000-8000-000000000001",
    ];
    filters.map(|filter| filter.as_bytes().to_vec()).to_vec()
}

/// A code that is understood means the same when it is written again.
pub(super) fn invitation(bytes: &[u8]) -> bool {
    let code = std::str::from_utf8(bytes).ok().and_then(|text| InvitationCode::parse(text).ok());
    if let Some(code) = &code {
        assert_eq!(InvitationCode::parse(&code.encode()).as_ref(), Ok(code));
    }
    code.is_some()
}

pub(super) fn invitation_seeds() -> Vec<Vec<u8>> {
    let trusts = [None, Some(Trust::Certificate([3; 32])), Some(Trust::System)];
    let code = |trust| InvitationCode {
        secret: [1; 16],
        upstream_key: [2; 32],
        trust,
        address: "https://hub.example:7300".to_owned(),
    };
    trusts.map(|trust| code(trust).encode().into_bytes()).to_vec()
}
