//! Histories gone wrong: a log set back, told or not, a folder copied or restored, a place lost or forged. Real replicas,
//! no line. Promises 13 and 14.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::link::{Downstream, Upstream};
use branchline_core::replica::{Environment, Fate, Replica, SystemEnvironment};
use branchline_core::schema::Value;
use branchline_core::sync::{End, Input, downstream, upstream};
use branchline_core::time::Millis;
use branchline_tests::sim::company::{Company, deal, invitation, names, set};
use branchline_tests::sim::pair::{Exchanged, Half, exchange, exchange_cut};

/// Copies a folder as it lies there, the database with its write-ahead log.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten().filter(|e| e.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn open(dir: &Path) -> Replica {
    Replica::open(dir, crm::builtin().clone(), Arc::new(SystemEnvironment)).unwrap()
}

/// The same folder as it was when `copy` was made: nobody is told.
fn opened(company: &Company, name: &str) -> Replica {
    open(&company.folder(name))
}

fn compared(exchanged: &Exchanged) -> bool {
    exchanged.down.iter().any(|frame| frame.first() == Some(&18))
}

fn sound(replicas: &[&Replica]) {
    for replica in replicas {
        let verified = replica.verify(false).unwrap();
        assert!(verified.is_sound(), "{verified:?}");
    }
}

fn stage(replica: &Replica, id: &RecordId) -> String {
    replica.record("opportunity", id).unwrap().text("stage").to_owned()
}

#[test]
fn a_hub_set_back_untold_gets_everything_back_from_its_branches() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    let edited = deal(&central, "before", vec![]);
    exchange(&central, &company.hub).unwrap();
    exchange(&central, &company.hub).unwrap();
    copy(&company.folder("hub"), &company.folder("old"));
    // After the copy: new records, edits, also of head office, from both branches.
    set(&central, &edited, "stage", Value::Text("won".into()));
    deal(&central, "lost of central", vec![]);
    deal(&east, "lost of east", vec![]);
    exchange(&central, &company.hub).unwrap();
    exchange(&east, &company.hub).unwrap();
    set(&company.hub, &edited, "lost_reason", Value::Text("typed at head office".into()));
    exchange(&central, &company.hub).unwrap();

    let old = opened(&company, "old");
    assert_eq!(names(&old), ["before"]);
    // It has gone on by itself, too.
    deal(&old, "after the restore", vec![]);
    deal(&central, "typed meanwhile", vec![]);
    let healed = exchange(&central, &old).unwrap();
    assert!(compared(&healed));
    exchange(&east, &old).unwrap();
    assert_eq!(names(&old), ["after the restore", "before", "lost of central", "lost of east", "typed meanwhile"]);
    assert_eq!(stage(&old, &edited), "won");
    assert_eq!(old.record("opportunity", &edited).unwrap().text("lost_reason"), "typed at head office");
    assert_eq!((central.outbox_len().unwrap(), central.status().unwrap().quarantine), (0, 0));
    // And then all is as ever: nothing to say is one round trip.
    let quiet = exchange(&central, &old).unwrap();
    assert!(!compared(&quiet) && quiet.down.len() == 1, "{} frames", quiet.down.len());
    assert_eq!(old.digest_of(&scopes_of(&old, &central)).unwrap(), central.digest().unwrap());
    sound(&[&old, &central, &east]);
}

fn scopes_of(upper: &Replica, lower: &Replica) -> Vec<branchline_core::access::Scope> {
    use branchline_core::access::Scope;
    let device = lower.device();
    let known = upper.downstreams().unwrap().into_iter().find(|d| d.device == device).unwrap();
    known.scopes.iter().filter_map(|text| Scope::parse(text)).chain([Scope::Shared]).collect()
}

#[test]
fn a_phone_brings_back_what_others_wrote_and_it_is_marked_for_review() {
    let company = Company::new();
    let anna = company.person("Anna", "seller", None);
    let phone = company.below(&company.hub, invitation("phone").of("name=Anna").scope("workspace"));
    copy(&company.folder("hub"), &company.folder("old"));
    let own = deal(&phone, "own", vec![]);
    exchange(&phone, &company.hub).unwrap();
    let theirs = deal(&company.hub, "of head office", vec![("owner".into(), Value::Reference(anna))]);
    exchange(&phone, &company.hub).unwrap();

    let old = opened(&company, "old");
    exchange(&phone, &old).unwrap();
    assert_eq!(names(&old), ["of head office", "own"]);
    let review = old.review().unwrap();
    assert_eq!(review.iter().map(|entry| (entry.record, entry.fate)).collect::<Vec<_>>(), [(theirs, Fate::Carried)]);
    assert!(!review[0].fields.is_empty() && review[0].brought_by == Some(phone.device()));
    assert_eq!(old.status().unwrap().review, 1);
    assert_eq!(old.decline(review[0].id).unwrap_err().code(), "review_stands");
    old.accept(review[0].id).unwrap();
    assert_eq!(old.status().unwrap().review, 0);
    // It follows what was carried, and nothing stands in its way.
    set(&phone, &theirs, "stage", Value::Text("won".into()));
    set(&phone, &own, "stage", Value::Text("won".into()));
    exchange(&phone, &old).unwrap();
    assert_eq!((stage(&old, &theirs), stage(&old, &own)), ("won".to_owned(), "won".to_owned()));
    assert_eq!(phone.status().unwrap().quarantine, 0);
    sound(&[&old, &phone]);
}

#[test]
fn a_restore_that_is_told_begins_a_timeline_and_is_healed_alike() {
    let company = Company::new();
    let central = company.branch("Central");
    let backup = company.folder("hub.backup");
    company.hub.backup(&backup, Some("secret")).unwrap();
    let id = deal(&central, "lost", vec![]);
    exchange(&central, &company.hub).unwrap();
    let env = Arc::new(SystemEnvironment);
    let restored =
        Replica::restore(&backup, company.folder("restored"), Some("secret"), crm::builtin().clone(), env).unwrap();
    let healed = exchange(&central, &restored).unwrap();
    assert!(compared(&healed));
    assert_eq!(names(&restored), ["lost"]);
    // A branch speaks for its devices and for its own person: nothing of this needs a look.
    assert_eq!(restored.status().unwrap().review, 0);
    set(&restored, &id, "stage", Value::Text("won".into()));
    exchange(&central, &restored).unwrap();
    assert_eq!(stage(&central, &id), "won");
    assert!(!compared(&exchange(&central, &restored).unwrap()));
    sound(&[&restored, &central]);
}

#[test]
fn a_comparison_cut_at_any_frame_goes_on_and_nothing_is_refused() {
    let company = Company::new();
    let central = company.branch("Central");
    for n in 0..40 {
        deal(&central, &format!("kept {n}"), vec![]);
    }
    exchange(&central, &company.hub).unwrap();
    copy(&company.folder("hub"), &company.folder("old"));
    let ids: Vec<RecordId> = (0..60).map(|n| deal(&central, &format!("lost {n}"), vec![])).collect();
    exchange(&central, &company.hub).unwrap();
    exchange(&central, &company.hub).unwrap();
    copy(&company.folder("Central"), &company.folder("lower"));
    for frames in 0.. {
        let (upper, lower) = (format!("upper-{frames}"), format!("lower-{frames}"));
        copy(&company.folder("old"), &company.folder(&upper));
        copy(&company.folder("lower"), &company.folder(&lower));
        let (hub, branch) = (opened(&company, &upper), opened(&company, &lower));
        deal(&hub, "of the hub", vec![]);
        // Typed on top of what the hub has lost.
        set(&branch, &ids[0], "stage", Value::Text("won".into()));
        let whole = exchange_cut(&branch, &hub, frames).unwrap();
        exchange(&branch, &hub).unwrap();
        assert_eq!(names(&hub).len(), 101, "cut after {frames} frames");
        assert_eq!(stage(&hub, &ids[0]), "won");
        let status = branch.status().unwrap();
        assert_eq!((status.outbox, status.quarantine, hub.status().unwrap().review), (0, 0, 0));
        if (whole.down.len() as u64) < 3 || frames < 12 {
            continue;
        }
        sound(&[&hub, &branch]);
        break;
    }
}

#[test]
fn a_clone_and_its_original_both_go_on_and_neither_loses_a_word() {
    let company = Company::new();
    let original = company.branch("Central");
    let shared = deal(&original, "shared", vec![]);
    exchange(&original, &company.hub).unwrap();
    copy(&company.folder("Central"), &company.folder("copy"));
    let clone = opened(&company, "copy");
    for round in 0..4 {
        deal(&original, &format!("original {round}"), vec![]);
        deal(&clone, &format!("clone {round}"), vec![]);
        set(&original, &shared, "stage", Value::Text(["qualified", "won"][round % 2].into()));
        set(&clone, &shared, "lost_reason", Value::Text(format!("round {round}")));
        exchange(&original, &company.hub).unwrap();
        exchange(&clone, &company.hub).unwrap();
        if round == 2 {
            exchange(&clone, &company.hub).unwrap();
        }
        exchange(&original, &company.hub).unwrap();
        exchange(&clone, &company.hub).unwrap();
        assert_eq!(names(&original), names(&company.hub), "round {round}");
        assert_eq!(names(&clone), names(&company.hub), "round {round}");
        for replica in [&original, &clone] {
            assert_eq!(replica.record("opportunity", &shared).unwrap().text("lost_reason"), format!("round {round}"));
            assert_eq!((replica.status().unwrap().quarantine, replica.outbox_len().unwrap()), (0, 0));
        }
    }
    assert_eq!(names(&company.hub).len(), 9);
    sound(&[&company.hub, &original, &clone]);
}

#[test]
fn a_device_restored_from_an_older_copy_gets_its_own_work_back() {
    let company = Company::new();
    let central = company.branch("Central");
    let phone = company.below(&central, invitation("phone"));
    let id = deal(&phone, "before", vec![]);
    exchange(&phone, &central).unwrap();
    copy(&company.folder("phone"), &company.folder("old"));
    deal(&phone, "after", vec![]);
    set(&phone, &id, "stage", Value::Text("won".into()));
    exchange(&phone, &central).unwrap();
    exchange(&phone, &central).unwrap();
    let old = opened(&company, "old");
    assert_eq!(names(&old), ["before"]);
    // The phone knows nothing yet, and what is typed on it now is on top of what is old.
    set(&old, &id, "lost_reason", Value::Text("typed on the old copy".into()));
    let exchanged = exchange(&old, &central).unwrap();
    assert!(!compared(&exchanged), "its place is a true one: the log goes on from there");
    assert_eq!(names(&old), ["after", "before"]);
    assert_eq!((stage(&old, &id), stage(&central, &id)), ("won".to_owned(), "won".to_owned()));
    assert_eq!(central.record("opportunity", &id).unwrap().text("lost_reason"), "typed on the old copy");
    exchange(&central, &company.hub).unwrap();
    sound(&[&company.hub, &central, &old]);
}

#[test]
fn a_branch_set_back_is_healed_by_its_phones_and_by_its_hub() {
    let company = Company::new();
    let central = company.branch("Central");
    let phone = company.below(&central, invitation("phone"));
    exchange(&central, &company.hub).unwrap();
    copy(&company.folder("Central"), &company.folder("old"));
    deal(&phone, "at the hub", vec![]);
    exchange(&phone, &central).unwrap();
    exchange(&central, &company.hub).unwrap();
    deal(&phone, "only below", vec![]);
    exchange(&phone, &central).unwrap();
    exchange(&phone, &central).unwrap();
    let home = company.hub.find("branch", "code=central").unwrap();
    deal(&company.hub, "from above", vec![("branch".into(), Value::Reference(home))]);
    let old = opened(&company, "old");
    // Whoever comes first.
    exchange(&phone, &old).unwrap();
    exchange(&old, &company.hub).unwrap();
    exchange(&phone, &old).unwrap();
    let all = ["at the hub", "from above", "only below"];
    assert_eq!((names(&company.hub), names(&old)), (all.map(String::from).to_vec(), all.map(String::from).to_vec()));
    assert_eq!(names(&phone), all);
    assert_eq!((old.status().unwrap().review, company.hub.status().unwrap().review), (0, 0));
    sound(&[&company.hub, &old, &phone]);
}

/// The branch had lost its grant for a deal, and still keeps it for its phone; the hub then forgets all of that.
#[test]
fn what_left_a_branch_before_its_hub_was_set_back_comes_back_whenever_the_line_is_cut() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    let phone = company.below(&central, invitation("phone"));
    exchange(&central, &company.hub).unwrap();
    copy(&company.folder("hub"), &company.folder("old"));
    deal(&phone, "of the phone", vec![]);
    exchange(&phone, &central).unwrap();
    exchange(&central, &company.hub).unwrap();
    let elsewhere = company.hub.find("branch", "code=east").unwrap();
    company.hub.grant("Central", Some(&[format!("branch:{elsewhere}")]), None).unwrap();
    exchange(&central, &company.hub).unwrap();
    assert_eq!((names(&central), names(&phone)), (vec![], vec!["of the phone".to_owned()]));
    drop((central, east));
    for frames in 0..12 {
        let (upper, lower) = (format!("upper-{frames}"), format!("lower-{frames}"));
        copy(&company.folder("old"), &company.folder(&upper));
        copy(&company.folder("Central"), &company.folder(&lower));
        let (hub, branch) = (opened(&company, &upper), opened(&company, &lower));
        exchange_cut(&branch, &hub, frames).unwrap();
        exchange(&branch, &hub).unwrap();
        for replica in [&hub, &branch] {
            assert_eq!(names(replica), ["of the phone"], "cut after {frames} frames");
        }
        assert_eq!(branch.digest().unwrap(), hub.digest_of(&scopes_of(&hub, &branch)).unwrap());
        sound(&[&hub, &branch]);
    }
}

/// Told of its new grant, a phone keeps what it typed on a deal until that is delivered; to a hub that was set back it is
/// delivered, and the deal stays.
#[test]
fn what_was_typed_on_a_deal_that_left_stays_with_it_after_the_hub_was_set_back() {
    let company = Company::new();
    let (_central, _east) = (company.branch("Central"), company.branch("East"));
    let [here, there] = ["central", "east"]
        .map(|code| format!("branch:{}", company.hub.find("branch", &format!("code={code}")).unwrap()));
    let home = company.hub.find("branch", "code=central").unwrap();
    let id = deal(&company.hub, "edited", vec![("branch".into(), Value::Reference(home))]);
    let invitation = invitation("phone").of("name=Olha").role("manager").scope(&here);
    drop(company.below(&company.hub, invitation));
    copy(&company.folder("hub"), &company.folder("old"));
    company.hub.grant("phone", Some(&[there]), None).unwrap();
    for frames in 0..10 {
        let [told, old, phone] = ["told", "old", "phone"].map(|name| format!("{name}-{frames}"));
        copy(&company.folder("hub"), &company.folder(&told));
        copy(&company.folder("old"), &company.folder(&old));
        copy(&company.folder("phone"), &company.folder(&phone));
        let [told, old, phone] = [told, old, phone].map(|name| opened(&company, &name));
        set(&phone, &id, "stage", Value::Text("won".into()));
        exchange_cut(&phone, &told, frames).unwrap();
        exchange(&phone, &old).unwrap();
        exchange(&phone, &old).unwrap();
        assert_eq!(names(&phone), ["edited"], "cut after {frames} frames");
        assert_eq!(stage(&phone, &id), stage(&old, &id), "cut after {frames} frames");
        assert_eq!(phone.digest().unwrap(), old.digest_of(&scopes_of(&old, &phone)).unwrap());
        sound(&[&old, &phone]);
    }
}

/// Granted something else between its greeting and the first round: the place where it then stands says that all of it
/// was told.
#[test]
fn what_is_granted_while_both_ends_compare_decides_what_stays() {
    let company = Company::new();
    let (central, _east) = (company.branch("Central"), company.branch("East"));
    copy(&company.folder("hub"), &company.folder("old"));
    deal(&central, "of central", vec![]);
    exchange(&central, &company.hub).unwrap();
    exchange(&central, &company.hub).unwrap();
    let old = opened(&company, "old");
    let elsewhere = old.find("branch", "code=east").unwrap();
    let (now, nonce) = (Millis(central.environment().now().0), [7; 16]);
    let executor = Downstream::new(central.clone()).unwrap();
    let mut down = Half::new(downstream::Session::new(now), executor, central.log_end().unwrap());
    let above = Upstream::new(old.clone(), None);
    let mut up = Half::new(upstream::Session::new(now, nonce), above, old.log_end().unwrap());
    up.give(now, Input::Opened(nonce));
    let mut upwards = down.give(now, Input::Opened(nonce));
    let mut granted = false;
    while !upwards.is_empty() {
        let mut downwards: Vec<_> = upwards.drain(..).flat_map(|frame| up.give(now, Input::Frame(frame))).collect();
        if !std::mem::replace(&mut granted, true) {
            old.grant("Central", Some(&[format!("branch:{elsewhere}")]), None).unwrap();
        }
        downwards.extend(up.give(now, Input::Local));
        upwards = downwards.into_iter().flat_map(|frame| down.give(now, Input::Frame(frame))).collect();
    }
    assert_eq!((names(&old), names(&central)), (vec!["of central".to_owned()], vec![]));
    assert_eq!(central.digest().unwrap(), old.digest_of(&scopes_of(&old, &central)).unwrap());
}

/// The hub took the deal away from the branch, which had never heard of it; the phone then brought it there again.
#[test]
fn what_moved_away_while_its_branch_was_set_back_goes_from_branch_and_phone() {
    let company = Company::new();
    let (central, _east) = (company.branch("Central"), company.branch("East"));
    let phone = company.below(&central, invitation("phone"));
    exchange(&central, &company.hub).unwrap();
    copy(&company.folder("Central"), &company.folder("old"));
    let moves = deal(&phone, "moves", vec![]);
    exchange(&phone, &central).unwrap();
    exchange(&central, &company.hub).unwrap();
    set(&company.hub, &moves, "branch", Value::Reference(company.hub.find("branch", "code=east").unwrap()));
    let old = opened(&company, "old");
    for _ in 0..2 {
        exchange(&old, &company.hub).unwrap();
        exchange(&phone, &old).unwrap();
    }
    assert_eq!((names(&old), names(&phone)), (vec![], vec![]));
    assert_eq!(names(&company.hub), ["moves"]);
    let waiting = |replica: &Replica| (replica.outbox_len().unwrap(), replica.status().unwrap().quarantine);
    assert_eq!((waiting(&old), waiting(&phone)), ((0, 0), (0, 0)));
    sound(&[&company.hub, &old, &phone]);
}

/// The branch has nothing of the deal any more but that it has left.
#[test]
fn a_folder_that_was_put_back_hears_from_its_branch_what_that_has_forgotten() {
    let company = Company::new();
    let (central, _east) = (company.branch("Central"), company.branch("East"));
    let phone = company.below(&central, invitation("phone"));
    let branch = |code: &str| Value::Reference(company.hub.find("branch", &format!("code={code}")).unwrap());
    let moves = deal(&phone, "moves", vec![]);
    let around = |phone: &Replica| {
        exchange(phone, &central).unwrap();
        exchange(&central, &company.hub).unwrap();
        exchange(phone, &central).unwrap();
    };
    (0..2).for_each(|_| around(&phone));
    for name in ["older", "edited"] {
        copy(&company.folder("phone"), &company.folder(name));
    }
    set(&company.hub, &moves, "branch", branch("east"));
    (0..2).for_each(|_| around(&phone));
    let database = rusqlite::Connection::open(company.folder("Central").join("branchline.db")).unwrap();
    let changes = "SELECT count(*) FROM log WHERE record IN (SELECT n FROM record WHERE id = ?)";
    let held: i64 = database.query_row(changes, [moves.as_bytes()], |row| row.get(0)).unwrap();
    assert_eq!(held, 0, "nothing of it stays");

    let older = opened(&company, "older");
    exchange(&older, &central).unwrap();
    assert!(names(&older).is_empty());
    // What was typed there cannot be read above, and nothing of it is lost.
    let edited = opened(&company, "edited");
    set(&edited, &moves, "lost_reason", Value::Text("typed in between".into()));
    (0..2).for_each(|_| around(&edited));
    let kept = edited.quarantine().unwrap();
    assert_eq!((names(&edited).len(), edited.outbox_len().unwrap(), kept.len()), (0, 0, 1), "{kept:#?}");
    assert_eq!(kept[0].code, "change_missing");

    set(&company.hub, &moves, "branch", branch("central"));
    for phone in [&phone, &older, &edited] {
        around(phone);
        assert_eq!(names(phone), ["moves"]);
    }
    assert_eq!(names(&central), ["moves"]);
    sound(&[&company.hub, &central, &phone, &older, &edited]);
}

/// The line stays: the hub was set back when it came up, and what it then takes from the branch it takes as what stood there
/// once. A phone writes where the branch has nothing to hold any more.
#[test]
fn what_a_branch_brings_after_it_lost_the_scope_leaves_it_also_at_a_hub_that_was_set_back() {
    let company = Company::new();
    let (central, _east) = (company.branch("Central"), company.branch("East"));
    let phone = company.below(&central, invitation("phone"));
    exchange(&central, &company.hub).unwrap();
    copy(&company.folder("hub"), &company.folder("old"));
    deal(&central, "before", vec![]);
    exchange(&central, &company.hub).unwrap();
    exchange(&phone, &central).unwrap();

    let old = opened(&company, "old");
    let now = SystemEnvironment.now();
    let mut up = Half::new(upstream::Session::new(now, [7; 16]), Upstream::new(old.clone(), None), 0);
    let mut down = Half::new(downstream::Session::new(now), Downstream::new(central.clone()).unwrap(), 0);
    let mut quiet = |opens: bool| {
        let (mut upwards, mut downwards) = match opens {
            true => (down.give(now, Input::Opened([7; 16])), up.give(now, Input::Opened([7; 16]))),
            false => (down.give(now, Input::Local), up.give(now, Input::Local)),
        };
        while !upwards.is_empty() || !downwards.is_empty() {
            let answers = std::mem::take(&mut upwards).into_iter().flat_map(|frame| up.give(now, Input::Frame(frame)));
            downwards.extend(answers);
            upwards = downwards.drain(..).flat_map(|frame| down.give(now, Input::Frame(frame))).collect();
        }
    };
    quiet(true);
    assert_eq!(names(&old), ["before"]);
    let east = format!("branch:{}", old.find("branch", "code=east").unwrap());
    old.grant("Central", Some(&[east]), None).unwrap();
    quiet(false);
    assert_eq!(names(&central), Vec::<String>::new());
    deal(&phone, "from below", vec![]);
    exchange(&phone, &central).unwrap();
    (0..2).for_each(|_| quiet(false));
    assert_eq!((names(&old), names(&central)), (vec!["before".into(), "from below".into()], vec![]));
    assert_eq!(central.outbox_len().unwrap(), 0);
    sound(&[&old, &central]);
}

#[test]
fn hub_and_branch_set_back_at_once_are_healed_through_the_chain() {
    let company = Company::new();
    let central = company.branch("Central");
    let phone = company.below(&central, invitation("phone"));
    exchange(&central, &company.hub).unwrap();
    copy(&company.folder("hub"), &company.folder("old-hub"));
    copy(&company.folder("Central"), &company.folder("old-branch"));
    let id = deal(&phone, "lost above", vec![]);
    exchange(&phone, &central).unwrap();
    exchange(&central, &company.hub).unwrap();
    set(&company.hub, &id, "stage", Value::Text("won".into()));
    exchange(&central, &company.hub).unwrap();
    exchange(&phone, &central).unwrap();
    let (hub, branch) = (opened(&company, "old-hub"), opened(&company, "old-branch"));
    exchange(&branch, &hub).unwrap();
    assert!(names(&hub).is_empty());
    exchange(&phone, &branch).unwrap();
    exchange(&branch, &hub).unwrap();
    assert_eq!((names(&hub), names(&branch)), (vec!["lost above".to_owned()], vec!["lost above".to_owned()]));
    assert_eq!(stage(&hub, &id), "won");
    // What head office had typed came back through a phone: somebody looks at it, at the branch.
    assert_eq!(branch.status().unwrap().review, 1);
    sound(&[&hub, &branch, &phone]);
}

#[test]
fn a_hub_set_back_before_a_branch_joined_lets_it_in_again_by_its_certificate() {
    let company = Company::new();
    company.branch("Central");
    copy(&company.folder("hub"), &company.folder("old"));
    let east = company.branch("East");
    let phone = company.below(&company.hub, invitation("phone"));
    deal(&east, "of the east", vec![]);
    exchange(&east, &company.hub).unwrap();
    deal(&phone, "of the phone", vec![]);
    exchange(&phone, &company.hub).unwrap();
    let hub = opened(&company, "old");
    exchange(&phone, &hub).unwrap();
    exchange(&east, &hub).unwrap();
    assert_eq!(names(&hub), ["of the east", "of the phone"]);
    for (replica, name) in [(&east, "East"), (&phone, "phone")] {
        deal(replica, &format!("next of {name}"), vec![]);
        exchange(replica, &hub).unwrap();
        let known = hub.downstreams().unwrap().into_iter().filter(|d| d.device == replica.device()).count();
        assert_eq!((known, replica.status().unwrap().quarantine), (1, 0), "{name}");
    }
    assert_eq!(names(&hub).len(), 4);
    // A company's certificate opens no other company.
    let other = Company::new();
    assert_eq!(exchange(&phone, &other.hub).unwrap_err().code(), "unknown_device");
    sound(&[&hub, &east, &phone]);
}

/// Changes what a folder says of its own link, as damage or a careless hand would.
fn meddle(company: &Company, name: &str, sql: &str) -> Replica {
    let database = company.folder(name).join("branchline.db");
    rusqlite::Connection::open(database).unwrap().execute_batch(sql).unwrap();
    opened(company, name)
}

#[test]
fn a_lost_place_is_found_again_without_a_first_sync() {
    let company = Company::new();
    let central = company.branch("Central");
    for n in 0..300 {
        deal(&central, &format!("deal {n}"), vec![]);
    }
    exchange(&central, &company.hub).unwrap();
    exchange(&central, &company.hub).unwrap();
    let home = company.hub.find("branch", "code=central").unwrap();
    deal(&company.hub, "meanwhile above", vec![("branch".into(), Value::Reference(home))]);
    deal(&central, "meanwhile here", vec![]);
    for lost in ["position", "position', 'witness", "position', 'witness', 'link_epoch"] {
        let central = meddle(&company, "Central", &format!("DELETE FROM meta WHERE key IN ('{lost}')"));
        let found = exchange(&central, &company.hub).unwrap();
        assert!(compared(&found));
        assert!(found.bytes.0 + found.bytes.1 < 6_000, "{:?} bytes for two new deals", found.bytes);
        assert_eq!((names(&central).len(), names(&company.hub).len()), (302, 302));
        assert!(!compared(&exchange(&central, &company.hub).unwrap()));
    }
    assert_eq!(company.hub.status().unwrap().review, 0);
    sound(&[&company.hub, &central]);
}

#[test]
fn a_forged_place_is_compared_and_opens_no_door() {
    let company = Company::new();
    let anna = company.person("Anna", "seller", None);
    let phone = company.below(&company.hub, invitation("phone").of("name=Anna"));
    let theirs = deal(&company.hub, "of head office", vec![("owner".into(), Value::Reference(anna))]);
    let own = deal(&phone, "own", vec![]);
    exchange(&phone, &company.hub).unwrap();
    exchange(&phone, &company.hub).unwrap();
    let forged = "UPDATE meta SET value = zeroblob(60) WHERE key = 'position'";
    let phone = meddle(&company, "phone", forged);
    set(&phone, &own, "stage", Value::Text("won".into()));
    assert!(compared(&exchange(&phone, &company.hub).unwrap()));
    assert_eq!(stage(&company.hub, &own), "won");
    // It proves no set-back of the hub, so nothing in another's name is taken for one.
    company.hub.transact(|tx| tx.archive("opportunity", &theirs, true)).unwrap();
    exchange(&phone, &company.hub).unwrap();
    copy(&company.folder("phone"), &company.folder("thief"));
    let thief = meddle(
        &company,
        "thief",
        "UPDATE meta SET value = zeroblob(60) WHERE key = 'position';
         UPDATE actor SET device = x'0102030405060708' WHERE device = (SELECT value FROM meta WHERE key = 'device')",
    );
    let claimed = deal(&thief, "in another name", vec![]);
    let claim = "UPDATE actor SET device = x'0102030405060708' WHERE n = (SELECT max(n) FROM actor)";
    let thief = meddle(&company, "thief", claim);
    exchange(&thief, &company.hub).unwrap();
    assert!(company.hub.record("opportunity", &claimed).is_err());
    let refused = company.hub.review().unwrap();
    assert_eq!(refused.iter().map(|e| (&*e.code, e.fate)).collect::<Vec<_>>(), [("actor_unbound", Fate::Waiting)]);
}

/// The machine, some time later.
struct Later(i64);

impl Environment for Later {
    fn now(&self) -> Millis {
        SystemEnvironment.now().plus(self.0)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        SystemEnvironment.fill_random(bytes);
    }
}

#[test]
fn a_link_is_compared_once_a_week_and_on_demand_for_some_hundred_bytes() {
    const DAY_MS: i64 = 24 * 3_600 * 1_000;
    let company = Company::new();
    let central = company.branch("Central");
    for n in 0..200 {
        deal(&central, &format!("deal {n}"), vec![]);
    }
    exchange(&central, &company.hub).unwrap();
    let after = |days: i64| {
        let env = Arc::new(Later(days * DAY_MS));
        let central = Replica::open(company.folder("Central"), crm::builtin().clone(), env).unwrap();
        exchange(&central, &company.hub).unwrap()
    };
    assert!(!compared(&after(6)));
    let audit = after(8);
    assert!(compared(&audit));
    let without = after(9);
    assert!(!compared(&without), "not again");
    let cost = (audit.bytes.0 - without.bytes.0) + (audit.bytes.1 - without.bytes.1);
    assert!(cost < 700, "{cost} bytes");
    assert!(compared(&after(16)));
    // The clock was wrong: an audit in the future is none.
    assert!(compared(&after(0)));
    central.ask_audit().unwrap();
    assert!(compared(&exchange(&central, &company.hub).unwrap()));
    assert!(!compared(&exchange(&central, &company.hub).unwrap()));
    assert_eq!(company.hub.ask_audit().unwrap_err().code(), "no_upstream");
}

fn position(company: &Company, name: &str) -> Vec<u8> {
    let database = rusqlite::Connection::open(company.folder(name).join("branchline.db")).unwrap();
    database.query_row("SELECT value FROM meta WHERE key = 'position'", [], |row| row.get(0)).unwrap()
}

fn stand_at(company: &Company, name: &str, position: &[u8]) -> Replica {
    let hex: String = position.iter().map(|byte| format!("{byte:02x}")).collect();
    let sql =
        format!("UPDATE meta SET value = x'{hex}' WHERE key = 'position'; DELETE FROM meta WHERE key = 'witness'");
    meddle(company, name, &sql)
}

#[test]
fn the_audit_finds_what_either_end_lost_without_noticing() {
    let company = Company::new();
    let central = company.branch("Central");
    let kept = deal(&central, "kept", vec![]);
    exchange(&central, &company.hub).unwrap();
    exchange(&central, &company.hub).unwrap();
    let before = position(&company, "Central");
    copy(&company.folder("Central"), &company.folder("older"));
    copy(&company.folder("hub"), &company.folder("older-hub"));
    let home = company.hub.find("branch", "code=central").unwrap();
    deal(&company.hub, "from above", vec![("branch".into(), Value::Reference(home))]);
    set(&central, &kept, "stage", Value::Text("won".into()));
    exchange(&central, &company.hub).unwrap();
    exchange(&central, &company.hub).unwrap();
    // The branch says that it has what it has not.
    let lower = stand_at(&company, "older", &position(&company, "Central"));
    exchange(&lower, &company.hub).unwrap();
    assert_eq!((names(&lower), stage(&lower, &kept)), (vec!["kept".to_owned()], String::new()));
    lower.ask_audit().unwrap();
    exchange(&lower, &company.hub).unwrap();
    assert_eq!((names(&lower).len(), stage(&lower, &kept)), (2, "won".to_owned()));
    // The hub has lost something, and the place of the branch does not show it.
    let upper = opened(&company, "older-hub");
    let lower = stand_at(&company, "Central", &before);
    assert!(!compared(&exchange(&lower, &upper).unwrap()));
    assert_eq!(names(&upper), ["kept"]);
    lower.ask_audit().unwrap();
    exchange(&lower, &upper).unwrap();
    assert_eq!((names(&upper).len(), stage(&upper, &kept)), (2, "won".to_owned()));
    sound(&[&company.hub, &upper, &lower]);
}

#[test]
fn what_gives_rights_waits_for_a_person_and_a_revocation_comes_back_by_itself() {
    let company = Company::new();
    company.person("Anna", "seller", None);
    let phone = company.below(&company.hub, invitation("phone").of("name=Anna").scope("workspace"));
    let lost = company.below(&company.hub, invitation("lost phone").scope("workspace"));
    copy(&company.folder("hub"), &company.folder("old"));
    let user = company.hub.find("user", "name=Anna").unwrap();
    let role = Edit::Set("role".into(), Value::Text("owner".into()));
    company.hub.transact(|tx| tx.edit("user", &user, vec![role])).unwrap();
    company.hub.revoke("lost phone").unwrap();
    exchange(&phone, &company.hub).unwrap();

    let hub = opened(&company, "old");
    let role = |hub: &Replica| hub.record("user", &user).unwrap().text("role").to_owned();
    exchange(&lost, &hub).unwrap();
    exchange(&phone, &hub).unwrap();
    // Until somebody who had heard of it was heard, a set-back hub cannot know of a revocation.
    assert_eq!(exchange(&lost, &hub).unwrap_err().code(), "link_revoked");
    assert_eq!(role(&hub), "seller");
    let waiting: Vec<_> = hub.review().unwrap().into_iter().filter(|e| e.code == "carried_rights").collect();
    assert_eq!((waiting.len(), waiting[0].fate, waiting[0].record), (1, Fate::Waiting, user));
    assert_eq!(phone.record("user", &user).unwrap().text("role"), "seller", "both ends show what holds");
    hub.accept(waiting[0].id).unwrap();
    assert_eq!(role(&hub), "owner");
    exchange(&phone, &hub).unwrap();
    assert_eq!(phone.record("user", &user).unwrap().text("role"), "owner");
    sound(&[&hub, &phone]);
}

/// Each change of a device goes up in a push of its own: that the first is refused is heard before the second was sent.
#[test]
fn what_follows_a_refused_change_of_the_upstream_itself_is_brought_back_before_it_is_taken_out() {
    let company = Company::new();
    let phone = company.below(&company.hub, invitation("phone").scope("workspace"));
    company.below(&company.hub, invitation("tablet").role("reader").scope("workspace"));
    exchange(&phone, &company.hub).unwrap();
    copy(&company.folder("hub"), &company.folder("old"));
    for role in ["seller", "manager", "owner"] {
        company.hub.grant("tablet", None, Some(role)).unwrap();
    }
    exchange(&phone, &company.hub).unwrap();

    let hub = opened(&company, "old");
    exchange(&phone, &hub).unwrap();
    let waiting = |hub: &Replica| {
        let waiting: Vec<_> = hub.review().unwrap().into_iter().filter(|e| e.fate == Fate::Waiting).collect();
        waiting.into_iter().map(|e| (e.id, e.code)).collect::<Vec<_>>()
    };
    let codes: Vec<String> = waiting(&hub).into_iter().map(|(_, code)| code).collect();
    assert_eq!(codes, ["carried_rights", "follows_refused", "follows_refused"]);
    assert!(phone.quarantine().unwrap().is_empty(), "the upstream keeps them");
    let role = |replica: &Replica| {
        let tablet = replica.find("device", "name=tablet").unwrap();
        replica.record("device", &tablet).unwrap().text("role").to_owned()
    };
    assert_eq!((role(&hub), role(&phone)), (String::new(), String::new()), "both ends show what holds");
    for (id, _) in waiting(&hub) {
        hub.accept(id).unwrap();
    }
    exchange(&phone, &hub).unwrap();
    assert_eq!((role(&hub), role(&phone)), ("owner".into(), "owner".into()));
    assert_eq!(phone.outbox_len().unwrap(), 0);
    sound(&[&hub, &phone]);
}

/// Two copies of a folder on the line at a time: the newer connection counts, and the older loses nothing.
#[test]
fn of_two_connections_of_one_device_the_older_is_told_to_come_again() {
    let company = Company::new();
    let original = company.branch("Central");
    exchange(&original, &company.hub).unwrap();
    copy(&company.folder("Central"), &company.folder("copy"));
    let clone = opened(&company, "copy");
    let now = SystemEnvironment.now();
    let hub = Upstream::new(company.hub.clone(), None);
    let mut up = Half::new(upstream::Session::new(now, [7; 16]), hub, 0);
    let mut down = Half::new(downstream::Session::new(now), Downstream::new(original.clone()).unwrap(), 0);
    up.give(now, Input::Opened([7; 16]));
    for frame in down.give(now, Input::Opened([7; 16])) {
        for frame in up.give(now, Input::Frame(frame)) {
            down.give(now, Input::Frame(frame));
        }
    }
    deal(&clone, "of the copy", vec![]);
    exchange(&clone, &company.hub).unwrap();
    deal(&original, "of the original", vec![]);
    let answered: Vec<Vec<u8>> = down
        .give(now, Input::Local)
        .into_iter()
        .flat_map(|frame| up.give(now, Input::Frame(frame)))
        .flat_map(|frame| down.give(now, Input::Frame(frame)))
        .collect();
    assert!(answered.is_empty());
    let Some(End::Theirs(failure)) = down.end else { panic!("{:?}", down.end) };
    assert_eq!((&*failure.code, failure.retryable), ("link_replaced", true));
    assert_eq!(names(&company.hub), ["of the copy"]);
    exchange(&original, &company.hub).unwrap();
    exchange(&clone, &company.hub).unwrap();
    for replica in [&company.hub, &original, &clone] {
        assert_eq!(names(replica), ["of the copy", "of the original"]);
    }
    // A server that sees the newer one come says so at once.
    let mut up = Half::new(upstream::Session::new(now, [7; 16]), Upstream::new(company.hub.clone(), None), 0);
    up.give(now, Input::Opened([7; 16]));
    assert_eq!(up.give(now, Input::Replaced).len(), 1);
    assert!(matches!(&up.end, Some(End::Ours(failure)) if failure.code == "link_replaced" && failure.retryable));
}
