//! The link as files: what is packed arrives once, whatever becomes of the files on their way. Real replicas, real files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use branchline_core::access::Scope;
use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::error::Error;
use branchline_core::id::RecordId;
use branchline_core::replica::link::{Invitation, InvitationCode, Note, Unpacked};
use branchline_core::replica::{Query, Replica, SystemEnvironment};
use branchline_core::schema::{Name, Value};
use branchline_tests::sim::Random;
use branchline_tests::sim::company::{Company, bytes_of, deal, names};
use branchline_tests::sim::pair::exchange;

/// Two replicas and the stick that is carried between them.
struct Stick<'c> {
    company: &'c Company,
    lower: Replica,
    upper: Replica,
    files: std::cell::Cell<u32>,
}

impl<'c> Stick<'c> {
    fn new(company: &'c Company, lower: &Replica, upper: &Replica) -> Self {
        Self { company, lower: lower.clone(), upper: upper.clone(), files: 0.into() }
    }

    fn place(&self) -> PathBuf {
        self.files.set(self.files.get() + 1);
        self.company.folder(&format!("stick-{}-{}.courier", self.lower.device(), self.files.get()))
    }

    fn pack_up(&self) -> PathBuf {
        let file = self.place();
        self.lower.courier_pack(&file, None).unwrap();
        file
    }

    fn pack_down(&self) -> PathBuf {
        let file = self.place();
        self.upper.courier_pack(&file, Some(&self.lower.device().to_string())).unwrap();
        file
    }

    fn up(&self) -> Unpacked {
        self.upper.courier_unpack(&self.pack_up()).unwrap()
    }

    fn down(&self) -> Unpacked {
        self.lower.courier_unpack(&self.pack_down()).unwrap()
    }
}

fn set(replica: &Replica, id: &RecordId, field: &str, value: Value) {
    replica.transact(|tx| tx.edit("opportunity", id, vec![Edit::Set(Name::from(field), value)])).unwrap();
}

fn stage(replica: &Replica, id: &RecordId) -> String {
    replica.record("opportunity", id).unwrap().text("stage").to_owned()
}

/// Everything that must stay as it is when a file is not taken.
fn stands(replica: &Replica) -> (u64, u64, String) {
    (replica.log_end().unwrap(), replica.outbox_len().unwrap(), replica.digest().unwrap())
}

fn branch_scopes(company: &Company, code: &str) -> Vec<Scope> {
    vec![Scope::Branch(company.hub.find("branch", &format!("code={code}")).unwrap()), Scope::Shared]
}

#[test]
fn a_branch_without_a_line_works_through_files_alone() {
    let company = Company::new();
    let central = company.branch("Central");
    let east = company.branch("East");
    deal(&east, "not theirs", vec![]);
    exchange(&east, &company.hub).unwrap();
    let stick = Stick::new(&company, &central, &company.hub);
    let mine = deal(&central, "typed in the branch", vec![]);
    let home = company.hub.find("branch", "code=central").unwrap();
    deal(&company.hub, "typed at head office", vec![("branch".into(), Value::Reference(home))]);

    let packed = central.courier_pack(&company.folder("first"), Some("upstream")).unwrap();
    assert_eq!((packed.changes, central.outbox_len().unwrap()), (1, 1), "only a receipt empties the outbox");
    let up = company.hub.courier_unpack(&company.folder("first")).unwrap();
    assert_eq!((up.pulled, up.refused, up.note), (1, 0, None));
    let down = stick.down();
    // With the deal came what is shared: the other branch and its device.
    assert_eq!((down.pushed, down.pulled, down.note), (1, 3, None));
    assert_eq!(central.outbox_len().unwrap(), 0);
    assert_eq!(names(&central), ["typed at head office", "typed in the branch"]);
    assert_eq!(names(&company.hub).len(), 3);

    // An edit of each end to one record, both at once, and the history behind it.
    set(&central, &mine, "stage", Value::Text("qualified".into()));
    set(&company.hub, &mine, "notes", Value::Text("call them".into()));
    stick.up();
    stick.down();
    assert_eq!(central.digest().unwrap(), company.hub.digest_of(&branch_scopes(&company, "central")).unwrap());
    let history = |r: &Replica| r.history("opportunity", &mine).unwrap().len();
    assert_eq!(history(&central), history(&company.hub));
    let complete = company.hub.completeness().unwrap().into_iter().find(|(id, _)| *id == home);
    assert!(complete.is_some_and(|(_, through)| through.is_some()), "reports know up to when the branch is in");
}

#[test]
fn files_that_are_lost_doubled_or_late_lose_nothing_and_double_nothing() {
    for seed in 0..12 {
        let mut random = Random::new(seed, "courier");
        let company = Company::new();
        let central = company.branch("Central");
        let stick = Stick::new(&company, &central, &company.hub);
        let home = company.hub.find("branch", "code=central").unwrap();
        let (mut typed, mut up, mut down): (BTreeSet<String>, Vec<PathBuf>, Vec<PathBuf>) = Default::default();
        let (mut pulled_above, mut pulled_below) = (0, 0);
        for step in 0..40 {
            match random.below(6) {
                0 => {
                    let name = format!("below {step}");
                    deal(&central, &name, vec![]);
                    typed.insert(name);
                }
                1 => {
                    let name = format!("above {step}");
                    deal(&company.hub, &name, vec![("branch".into(), Value::Reference(home))]);
                    typed.insert(name);
                }
                2 => up.push(stick.pack_up()),
                3 => down.push(stick.pack_down()),
                4 if !up.is_empty() => {
                    // Any file, at any time, as often as it likes; some never.
                    let file = &up[random.below(up.len())];
                    pulled_above += company.hub.courier_unpack(file).unwrap().pulled;
                }
                5 if !down.is_empty() => {
                    let file = &down[random.below(down.len())];
                    pulled_below += central.courier_unpack(file).unwrap().pulled;
                }
                // Now and then the line is up.
                _ if random.chance(150) => {
                    let before = (company.hub.log_end().unwrap(), central.log_end().unwrap());
                    exchange(&central, &company.hub).unwrap();
                    pulled_above += company.hub.log_end().unwrap() - before.0;
                    pulled_below += central.log_end().unwrap() - before.1;
                }
                _ => {}
            }
        }
        for _ in 0..2 {
            pulled_above += stick.up().pulled;
            pulled_below += stick.down().pulled;
        }
        assert_eq!(central.outbox_len().unwrap(), 0, "seed {seed}");
        for replica in [&central, &company.hub] {
            assert_eq!(names(replica), Vec::from_iter(typed.iter().cloned()), "seed {seed}");
            assert!(replica.verify(false).unwrap().is_sound(), "seed {seed}");
        }
        let of = |side: &str| typed.iter().filter(|name| name.starts_with(side)).count() as u64;
        assert_eq!((pulled_above, pulled_below), (of("below"), of("above")), "each change is new once, seed {seed}");
        assert_eq!(
            central.digest().unwrap(),
            company.hub.digest_of(&branch_scopes(&company, "central")).unwrap(),
            "seed {seed}"
        );
    }
}

#[test]
fn a_file_that_is_not_whole_not_ours_or_not_genuine_is_told_and_changes_nothing() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    let stick = Stick::new(&company, &central, &company.hub);
    for n in 0..40 {
        deal(&central, &format!("deal {n}"), vec![]);
    }
    let file = stick.pack_up();
    let good = std::fs::read(&file).unwrap();
    let before = stands(&company.hub);
    let bad = company.folder("bad.courier");
    let code = |replica: &Replica, bytes: &[u8]| {
        std::fs::write(&bad, bytes).unwrap();
        let error: Error = replica.courier_unpack(&bad).unwrap_err();
        assert!(!error.place().is_empty() || error.code() == "malformed_message", "{error}");
        error.code()
    };
    for end in (0..good.len()).step_by(7) {
        let expected = if end == 0 { "courier_not_one" } else { "courier_cut" };
        assert_eq!(code(&company.hub, &good[..end]), expected, "cut at {end}");
    }
    for at in (0..good.len()).step_by(5) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        let found = code(&company.hub, &flipped);
        let known = [
            "courier_not_one",
            "courier_version",
            "courier_cut",
            "courier_damaged",
            "courier_other_workspace",
            "courier_not_for_us",
            "courier_unknown_sender",
            "courier_signature",
        ];
        assert!(known.contains(&found.as_str()), "{found} at {at}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(code(&company.hub, &longer), "courier_damaged");
    let mut newer = good.clone();
    newer[9] = 2;
    assert_eq!(code(&company.hub, &newer), "courier_version");
    assert_eq!(code(&east, &good), "courier_not_for_us");
    assert_eq!(code(&company.hub, b"PK\x03\x04 a spreadsheet"), "courier_not_one");
    // The same bytes as before for everybody: whoever cannot open it sees none of it.
    assert!(!good.windows(6).any(|window| window == b"deal 1"));
    let other = Company::new();
    assert_eq!(code(&other.hub, &good), "courier_other_workspace");
    assert_eq!(stands(&company.hub), before);
    assert_eq!(company.hub.courier_unpack(&file).unwrap().pulled, 40);
}

#[test]
fn a_file_signed_by_another_device_than_it_names_is_refused() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    deal(&east, "from the east", vec![]);
    let file = Stick::new(&company, &east, &company.hub).pack_up();
    let before = stands(&company.hub);
    let mut forged = std::fs::read(&file).unwrap();
    // The sender's id in the header, replaced by that of another device.
    let sender = forged.windows(8).position(|window| window == east.device().as_bytes()).unwrap();
    forged[sender..sender + 8].copy_from_slice(central.device().as_bytes());
    std::fs::write(&file, forged).unwrap();
    let code = company.hub.courier_unpack(&file).unwrap_err().code();
    assert_eq!(code, "courier_damaged", "the header is bound into the key");
    assert_eq!(stands(&company.hub), before);
}

#[test]
fn the_line_and_the_stick_take_turns() {
    let company = Company::new();
    let central = company.branch("Central");
    let stick = Stick::new(&company, &central, &company.hub);
    let home = company.hub.find("branch", "code=central").unwrap();
    let east = company.hub.find("branch", "code=east");
    assert!(east.is_err());
    company.branch("East");
    let east = company.hub.find("branch", "code=east").unwrap();
    deal(&central, "one", vec![]);
    let wanderer = deal(&company.hub, "wanderer", vec![("branch".into(), Value::Reference(home))]);
    let late_up = stick.pack_up();
    let late_down = stick.pack_down();
    exchange(&central, &company.hub).unwrap();
    // The deal leaves and comes back over the line, while a file that says less lies around.
    set(&company.hub, &wanderer, "branch", Value::Reference(east));
    stick.up();
    let leaves = stick.pack_down();
    exchange(&central, &company.hub).unwrap();
    assert_eq!(names(&central), ["one"]);
    set(&company.hub, &wanderer, "branch", Value::Reference(home));
    exchange(&central, &company.hub).unwrap();
    assert_eq!(names(&central), ["one", "wanderer"]);
    for file in [&leaves, &late_down] {
        let found = central.courier_unpack(file).unwrap();
        assert!(found.note.is_some(), "{found:?}");
        assert_eq!(found.pulled, 0);
        assert_eq!(names(&central), ["one", "wanderer"], "an old file takes nothing away");
    }
    assert_eq!(company.hub.courier_unpack(&late_up).unwrap().pulled, 0);
    assert_eq!(company.hub.courier_unpack(&late_up).unwrap().note, Some(Note::Known));
    deal(&central, "two", vec![]);
    stick.up();
    assert_eq!(stick.down().note, None);
    exchange(&central, &company.hub).unwrap();
    assert_eq!(central.digest().unwrap(), company.hub.digest_of(&branch_scopes(&company, "central")).unwrap());
    assert!(central.verify(false).unwrap().is_sound());
}

#[test]
fn a_refused_edit_is_kept_at_both_ends_as_on_the_line() {
    let company = Company::new();
    let central = company.branch("Central");
    let invitation = Invitation { name: "phone".into(), expires_ms: 60_000, ..Invitation::default() };
    let phone = company.below(&central, invitation);
    let stick = Stick::new(&company, &phone, &central);
    let (id, other) = (deal(&phone, "mine", vec![]), deal(&phone, "also mine", vec![]));
    stick.up();
    stick.down();
    let boss = central.me().unwrap().id;
    set(&central, &id, "owner", Value::Reference(boss));
    set(&phone, &id, "stage", Value::Text("won".into()));
    set(&phone, &other, "stage", Value::Text("qualified".into()));
    assert_eq!(stick.up().refused, 1);
    let answer = stick.pack_down();
    let down = phone.courier_unpack(&answer).unwrap();
    assert_eq!((down.refused, down.pushed), (1, 1));
    assert_eq!((phone.status().unwrap().quarantine, central.status().unwrap().review), (1, 1));
    assert_eq!(phone.outbox_len().unwrap(), 0);
    assert_eq!(stage(&central, &id), stage(&phone, &id), "both show what was accepted");
    assert_eq!(stage(&central, &other), "qualified");
    assert_eq!(phone.courier_unpack(&answer).unwrap().note, Some(Note::Known));
    assert!(phone.verify(false).unwrap().is_sound());
}

#[test]
fn what_was_taken_in_stays_acknowledged_when_the_device_is_revoked_meanwhile() {
    let company = Company::new();
    let central = company.branch("Central");
    let stick = Stick::new(&company, &central, &company.hub);
    deal(&central, "in time", vec![]);
    stick.up();
    company.hub.revoke("Central").unwrap();
    let home = company.hub.find("branch", "code=central").unwrap();
    deal(&company.hub, "not for a revoked one", vec![("branch".into(), Value::Reference(home))]);
    deal(&central, "too late", vec![]);
    // Its answer never came, so the second file says the first deal again.
    let up = stick.up();
    assert_eq!((up.pulled, up.refused), (0, 1));
    let down = stick.down();
    assert_eq!((down.pushed, down.pulled, down.refused), (1, 0, 1));
    assert_eq!(names(&company.hub), ["in time", "not for a revoked one"]);
    assert!(names(&central).contains(&"in time".to_owned()));
    assert_eq!((central.status().unwrap().quarantine, company.hub.status().unwrap().review), (1, 1));
}

#[test]
fn attachments_ride_along_both_ways() {
    let company = Company::new();
    let central = company.branch("Central");
    let stick = Stick::new(&company, &central, &company.hub);
    let write = |name: &str, size: u32| {
        let content: Vec<u8> = (0..size).flat_map(u32::to_le_bytes).collect();
        std::fs::write(company.folder(name), &content).unwrap();
        content
    };
    let contract = write("contract.pdf", 60_000);
    let sent = central.attach_file(&company.folder("contract.pdf"), "application/pdf").unwrap();
    let price_list = write("prices.pdf", 45_001);
    let wanted = company.hub.attach_file(&company.folder("prices.pdf"), "application/pdf").unwrap();
    central.want_blob(&wanted.hash).unwrap();
    stick.up();
    assert_eq!(bytes_of(&company.hub, &sent.hash), contract);
    stick.down();
    assert_eq!(bytes_of(&central, &wanted.hash), price_list);
    let next = central.courier_pack(&company.folder("next"), None).unwrap();
    assert_eq!(next.attachments, 0, "acknowledged, so it does not go again");
}

#[test]
fn a_folder_joins_by_file_and_is_filled_by_the_answer() {
    let company = Company::new();
    let home = company.hub.find("branch", "code=central").ok();
    assert!(home.is_none());
    let invitation = Invitation { branch: true, name: "Central".into(), expires_ms: 60_000, ..Invitation::default() };
    let code = InvitationCode::parse(&company.hub.invite(&invitation).unwrap().code).unwrap();
    let home = company.hub.find("branch", "code=central").unwrap();
    deal(&company.hub, "waits for them", vec![("branch".into(), Value::Reference(home))]);
    let (dir, file, answer) = (company.folder("Central"), company.folder("join"), company.folder("answer"));
    let env = || Arc::new(SystemEnvironment);
    Replica::courier_join(&dir, &code, &file, crm::builtin().clone(), env()).unwrap();
    assert!(Replica::courier_joins(&dir));
    company.hub.courier_unpack(&file).unwrap();
    // The same request twice is one device.
    company.hub.courier_unpack(&file).unwrap();
    assert_eq!(company.hub.count(&Query::of("device")).unwrap(), 1);
    company.hub.courier_pack(&answer, Some("Central")).unwrap();
    let joined = |file: &PathBuf| Replica::courier_joined(&dir, file, crm::builtin().clone(), env());
    assert_eq!(joined(&file).err().unwrap().code(), "courier_not_for_us");
    let (central, done) = joined(&answer).unwrap();
    assert!(done.pulled > 0 && done.note.is_none());
    assert_eq!(names(&central), ["waits for them"]);
    assert!(!Replica::courier_joins(&dir));
    deal(&central, "typed here", vec![]);
    let stick = Stick::new(&company, &central, &company.hub);
    stick.up();
    stick.down();
    assert_eq!(names(&company.hub), ["typed here", "waits for them"]);
    exchange(&central, &company.hub).unwrap();
    assert_eq!(central.digest().unwrap(), company.hub.digest_of(&branch_scopes(&company, "central")).unwrap());
}
