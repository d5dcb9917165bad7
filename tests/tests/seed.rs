//! Seeds: a store made in advance opens, holds what was granted and nothing else, and catches up. Real replicas and files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use branchline_core::access::Scope;
use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::link::{Invitation, InvitationCode, Joiner, Seed};
use branchline_core::replica::{Credential, Replica, SystemEnvironment};
use branchline_core::schema::{Name, Value};
use branchline_core::sync::Event;
use branchline_core::{Error, Result};
use branchline_tests::sim::company::{Company, deal, names};
use branchline_tests::sim::pair::{exchange, join};

fn at(branch: RecordId) -> Vec<(Name, Value)> {
    vec![("branch".into(), Value::Reference(branch))]
}

fn branch(name: &str) -> Invitation {
    Invitation { branch: true, name: name.into(), expires_ms: 60_000, ..Invitation::default() }
}

fn invite(company: &Company, invitation: &Invitation) -> InvitationCode {
    InvitationCode::parse(&company.hub.invite(invitation).unwrap().code).unwrap()
}

fn make(company: &Company, name: &str, scopes: &[&str]) -> PathBuf {
    let file = company.folder(name);
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    company.hub.courier_seed(&file, &scopes, crm::builtin().clone()).unwrap();
    file
}

fn join_with_seed(company: &Company, code: &InvitationCode, dir: &Path, seed: &Path) -> Result<Replica> {
    let seed = Seed::open(seed, &code.upstream_key)?;
    let joiner = Joiner::new(dir, code.clone(), crm::builtin().clone(), Arc::new(SystemEnvironment))?;
    join(&company.hub, joiner.with_seed(seed)?)
}

fn pulled(replica: &Replica, upper: &Replica) -> u64 {
    let exchanged = exchange(replica, upper).unwrap();
    exchanged.events.iter().map(|e| if let Event::Pulled(n) = e { *n } else { 0 }).sum()
}

#[test]
fn a_seed_opens_and_catches_up_from_where_it_was_made() {
    let company = Company::new();
    let code = invite(&company, &branch("Central"));
    let east = company.branch("East");
    let home = company.hub.find("branch", "code=central").unwrap();
    let away = company.hub.find("branch", "code=east").unwrap();
    for n in 0..50 {
        deal(&company.hub, &format!("deal {n:02}"), at(home));
    }
    let leaves = deal(&company.hub, "leaves", at(home));
    let comes = deal(&east, "comes", vec![]);
    exchange(&east, &company.hub).unwrap();
    let seed = make(&company, "central.seed", &["branch:central"]);
    // Life goes on while the stick is on its way.
    let set = |id: &RecordId, field: &str, value: Value| {
        company.hub.transact(|tx| tx.edit("opportunity", id, vec![Edit::Set(field.into(), value)])).unwrap();
    };
    set(&leaves, "branch", Value::Reference(away));
    set(&comes, "branch", Value::Reference(home));
    deal(&company.hub, "new", at(home));

    let central = join_with_seed(&company, &code, &company.folder("Central"), &seed).unwrap();
    let opened = names(&central);
    assert_eq!(opened.len(), 51, "usable before any exchange: {opened:?}");
    assert!(central.verify(false).unwrap().is_sound());
    assert_eq!(central.search("deal", 100).unwrap().len(), 50);
    let caught_up = pulled(&central, &company.hub);
    assert!((3..20).contains(&caught_up), "only what happened since: {caught_up}");
    let scopes = [Scope::Branch(home), Scope::Shared];
    assert_eq!(central.digest().unwrap(), company.hub.digest_of(&scopes).unwrap());
    assert_eq!(names(&central).len(), 52);
    assert!(central.verify(false).unwrap().is_sound());

    // It is a branch like any other: it writes, and serves.
    central.announce("http://127.0.0.1:3", None).unwrap();
    deal(&central, "typed there", vec![]);
    exchange(&central, &company.hub).unwrap();
    assert!(names(&company.hub).contains(&"typed there".to_owned()));
    let owner = central.me().unwrap().home_branch.unwrap();
    let phone = Invitation {
        name: "phone".into(),
        scopes: vec![Scope::Branch(owner).to_string()],
        expires_ms: 60_000,
        ..Invitation::default()
    };
    let phone = company.below(&central, phone);
    assert_eq!(names(&phone), names(&central));
    assert_eq!(phone.digest().unwrap(), central.digest_of(&scopes).unwrap());
}

#[test]
fn a_device_begins_with_a_seed_of_less_than_it_is_granted_and_gets_the_rest() {
    let company = Company::new();
    let central = company.branch("Central");
    let home = company.hub.find("branch", "code=central").unwrap();
    deal(&central, "in the seed", vec![]);
    deal(&company.hub, "of no branch", vec![]);
    exchange(&central, &company.hub).unwrap();
    let seed = make(&company, "half.seed", &["branch:central"]);
    let all = Invitation {
        name: "boss".into(),
        user: Some("name=Olha".into()),
        scopes: vec!["workspace".into()],
        expires_ms: 60_000,
        ..Invitation::default()
    };
    let boss = join_with_seed(&company, &invite(&company, &all), &company.folder("boss"), &seed).unwrap();
    assert_eq!(names(&boss), ["in the seed"]);
    exchange(&boss, &company.hub).unwrap();
    assert_eq!(names(&boss), ["in the seed", "of no branch"]);
    assert_eq!(boss.digest().unwrap(), company.hub.digest().unwrap());
    let _ = home;
}

#[test]
fn a_seed_holds_no_byte_of_another_scope_and_opens_for_no_lesser_grant() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    deal(&central, "qqqqcentralqqqq", vec![]);
    deal(&east, "qqqqsecretqqqq", vec![]);
    exchange(&central, &company.hub).unwrap();
    exchange(&east, &company.hub).unwrap();
    let anna = company.hub.principal(&company.person("Anna", "seller", Some("central"))).unwrap();
    anna.set_credential(&Credential { password: "qqqqsealedqqqq".into(), second: String::new() }).unwrap();
    let image = |file: &Path| {
        let bytes = std::fs::read(file).unwrap();
        let frame = bytes.windows(4).position(|w| w == [0x28, 0xb5, 0x2f, 0xfd]).unwrap();
        zstd::stream::decode_all(&bytes[frame..]).unwrap()
    };
    let holds = |image: &[u8], word: &str| image.windows(word.len()).any(|window| window == word.as_bytes());
    let narrow = make(&company, "narrow.seed", &["branch:central"]);
    assert!(holds(&image(&narrow), "qqqqcentralqqqq"));
    assert!(!holds(&image(&narrow), "qqqqsecretqqqq"));
    let wide = make(&company, "wide.seed", &[]);
    assert!(holds(&image(&wide), "qqqqsecretqqqq"));
    for seed in [&narrow, &wide] {
        assert!(!holds(&image(seed), "qqqqsealedqqqq"), "what servers alone hold is in no seed");
    }

    let code = invite(&company, &branch("South"));
    let dir = company.folder("South");
    for seed in [&narrow, &wide] {
        let refused = join_with_seed(&company, &code, &dir, seed).err().unwrap();
        assert_eq!(refused.code(), "seed_beyond_grants", "{refused}");
        assert!(!dir.join("branchline.db").exists());
    }
    // The code still works there without one.
    let joiner = Joiner::new(&dir, code, crm::builtin().clone(), Arc::new(SystemEnvironment)).unwrap();
    assert!(names(&join(&company.hub, joiner).unwrap()).is_empty());
}

#[test]
fn a_seed_that_is_damaged_or_not_of_this_hub_is_told_and_nothing_is_made() {
    let company = Company::new();
    deal(&company.hub, "one", vec![]);
    let seed = make(&company, "all.seed", &[]);
    let again = company.hub.courier_seed(&seed, &[], crm::builtin().clone()).unwrap_err();
    assert_eq!(again.code(), "courier_exists");
    let key = company.hub.identity().public_key();
    let good = std::fs::read(&seed).unwrap();
    let bad = company.folder("bad.seed");
    let code = |bytes: &[u8]| -> String {
        std::fs::write(&bad, bytes).unwrap();
        let error: Error = Seed::open(&bad, &key).unwrap_err();
        error.code()
    };
    for end in (0..good.len()).step_by(good.len() / 40) {
        assert!(["seed_not_one", "seed_damaged"].contains(&code(&good[..end]).as_str()), "cut at {end}");
    }
    for at in (0..good.len()).step_by(good.len() / 150) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        let found = code(&flipped);
        let known = ["seed_not_one", "seed_version", "seed_damaged", "seed_other_upstream"];
        assert!(known.contains(&found.as_str()), "{found} at {at}");
    }
    // Its version stands behind the magic.
    let mut newer = good.clone();
    newer[b"BLSEED".len()] += 1;
    assert_eq!(code(&newer), "seed_version");
    let other = Company::new();
    assert_eq!(Seed::open(&seed, &other.hub.identity().public_key()).unwrap_err().code(), "seed_other_upstream");
    let central = company.branch("Central");
    let refused = central.courier_seed(&company.folder("no.seed"), &[], crm::builtin().clone()).unwrap_err();
    assert_eq!(refused.code(), "seed_only_hub");
    let left: Vec<_> = std::fs::read_dir(company.folder("")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("building")), "{left:?}");
}
