//! Refusals whose causes no facade can make: changes of an older or foreign program, a folder that ran twice, a process
//! killed between a refusal and what follows it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gone;
use super::ingest::Refused;
use super::{Downstream, Invitation, InvitationCode, Joiner, Upstream};
use crate::crm;
use crate::document::{Edit, Vetted};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::limits::TURN_CHANGES_MIN;
use crate::replica::{Fate, Init, Replica, SystemEnvironment};
use crate::schema::Value;
use crate::store::kept_rows::{self, KeptRow, Queue};
use crate::store::{Origin, holding};
use crate::sync::pace::Budget;
use crate::sync::{Executor, downstream, upstream};
use crate::wire::chunk::{Action, GenesisKind, NewChange, Pred, RootOp, Scalar, build, build_genesis, genesis_actor};
use crate::wire::codec;
use crate::wire::message::{Batch, Retracted};

const NONCE: [u8; 16] = [7; 16];
const BUDGET: Budget = Budget { bytes: 64 * 1024, level: 3 };

fn hub(dir: &Path) -> Replica {
    let hub = crm::init(dir.join("hub"), &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap();
    hub.announce("http://127.0.0.1:1", None).unwrap();
    hub
}

fn joined(hub: &Replica, dir: &Path) -> Replica {
    joined_as(hub, dir, false)
}

fn joined_as(hub: &Replica, dir: &Path, branch: bool) -> Replica {
    let scopes = vec!["workspace".to_owned()];
    join(hub, dir, Invitation { name: "phone".into(), branch, scopes, ..Invitation::default() })
}

fn join(hub: &Replica, dir: &Path, invitation: Invitation) -> Replica {
    let invitation = Invitation { expires_ms: 60_000, ..invitation };
    let code = InvitationCode::parse(&hub.invite(&invitation).unwrap().code).unwrap();
    let (schema, folder) = (crm::builtin().clone(), dir.join(&invitation.name));
    let mut joiner = Joiner::new(&folder, code, schema, Arc::new(SystemEnvironment)).unwrap();
    let mut up = Upstream::new(hub.clone(), None);
    let downstream::Reply::Enrol(asked) = joiner.execute(downstream::Request::Greet(NONCE)) else { panic!("no enrol") };
    let upstream::Reply::Enrolled(enrolled) = up.execute(upstream::Request::Enrol(asked, NONCE)) else {
        panic!("not enrolled")
    };
    joiner.execute(downstream::Request::Enrolled(enrolled));
    joiner.replica().unwrap()
}

/// One exchange without a line: the outbox up, then everything down.
fn exchange(lower: &Replica, upper: &Replica) {
    exchange_with(lower, upper, &[]);
}

/// As [`exchange`], and each batch with changes says that these records have left.
fn exchange_with(lower: &Replica, upper: &Replica, purge: &[RecordId]) {
    let (mut down, mut up) = connect(lower, upper);
    carry_up(&mut down, &mut up);
    carry_down(&mut down, &mut up, purge);
}

fn carry_up(down: &mut Downstream, up: &mut Upstream) {
    while let downstream::Reply::Push(Some((bytes, _))) = down.execute(downstream::Request::Push(BUDGET)) {
        let ack = match up.execute(upstream::Request::Ingest(1, bytes)) {
            upstream::Reply::Ack(ack, _) => ack,
            other => panic!("{other:?}"),
        };
        let heard = down.execute(downstream::Request::Acknowledged(ack));
        assert!(matches!(heard, downstream::Reply::Acknowledged(..)), "{heard:?}");
    }
}

fn carry_down(down: &mut Downstream, up: &mut Upstream, purge: &[RecordId]) {
    while let upstream::Reply::Batch(Some(mut batch)) | upstream::Reply::Led(_, mut batch) =
        up.execute(upstream::Request::Feed(BUDGET))
    {
        if !batch.changes.is_empty() {
            batch.purge.extend(purge);
        }
        let applied = down.execute(downstream::Request::Apply(batch));
        up.execute(upstream::Request::Confirmed);
        let downstream::Reply::Applied { want, .. } = applied else { panic!("{applied:?}") };
        if !want.is_empty() {
            let whole = up.execute(upstream::Request::Whole(want));
            let upstream::Reply::Batch(Some(whole)) = whole else { panic!("{whole:?}") };
            let applied = down.execute(downstream::Request::Apply(whole));
            assert!(matches!(applied, downstream::Reply::Applied { .. }), "{applied:?}");
        }
    }
}

/// Both ends of a line that was just made.
fn connect(lower: &Replica, upper: &Replica) -> (Downstream, Upstream) {
    let (mut down, mut up) = (Downstream::new(lower.clone()).unwrap(), Upstream::new(upper.clone(), None));
    let downstream::Reply::Hello(hello) = down.execute(downstream::Request::Greet(NONCE)) else { panic!("no hello") };
    let welcome = match up.execute(upstream::Request::Admit(hello, NONCE)) {
        upstream::Reply::Welcome { welcome, .. } => welcome,
        other => panic!("{other:?}"),
    };
    down.execute(downstream::Request::Welcome(welcome, 0));
    (down, up)
}

fn lead(replica: &Replica, name: &str) -> RecordId {
    replica.transact(|tx| tx.create("lead", vec![("name".into(), Value::Text(name.into()))])).unwrap()
}

fn set(replica: &Replica, id: &RecordId, field: &str, value: &str) -> ChangeHash {
    let edits = vec![Edit::Set(field.into(), Value::Text(value.into()))];
    replica.transact(|tx| tx.edit("lead", id, edits)).unwrap();
    replica.inner.read(|view| Ok(view.standing(id)?.heads()[0])).unwrap()
}

/// Logs a change that this program would not write, as if the person here had.
fn log(replica: &Replica, collection: &str, id: &RecordId, raw: Vec<u8>) {
    let change = Vetted::refused(raw).unwrap();
    let written = replica.write(Origin::Local, |writer| {
        let collection = writer.collection(collection);
        writer.append(*id, &collection, &change, true)
    });
    written.unwrap();
}

fn own_actor(replica: &Replica, id: &RecordId) -> ActorId {
    replica.inner.read(|view| Ok(view.standing(id)?.changes().first().unwrap().actor())).unwrap()
}

fn fates(replica: &Replica) -> Vec<(String, Fate)> {
    replica.quarantine().unwrap().into_iter().map(|entry| (entry.code, entry.fate)).collect()
}

#[test]
fn a_push_of_who_floods_rests_between_its_transactions_and_comes_through_whole() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let (transactions, each) = (20, TURN_CHANGES_MIN + 1);
    for n in 0..transactions {
        let name = |m: usize| vec![("name".into(), Value::Text(format!("{n} {m}")))];
        phone.transact(|tx| (0..each).try_for_each(|m| tx.create("lead", name(m)).map(drop))).unwrap();
    }
    let (mut down, mut up) = (Downstream::new(phone.clone()).unwrap(), Upstream::new(hub.clone(), None));
    let downstream::Reply::Hello(hello) = down.execute(downstream::Request::Greet(NONCE)) else { panic!("no hello") };
    up.execute(upstream::Request::Admit(hello, NONCE));
    let push = down.execute(downstream::Request::Push(Budget { bytes: 1 << 20, level: 3 }));
    let downstream::Reply::Push(Some((bytes, count))) = push else { panic!("no push") };
    assert_eq!(count as usize, transactions * each);
    let (over, mut rests) = (AtomicBool::new(false), 0);
    let ack = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    hub.write(Origin::Local, |_| Ok(())).unwrap();
                }
            });
        }
        let mut request = upstream::Request::Ingest(1, bytes);
        let ack = loop {
            match up.execute(std::mem::replace(&mut request, upstream::Request::GoOn)) {
                upstream::Reply::Resting => rests += 1,
                upstream::Reply::Ack(ack, new) => break (ack, new),
                other => {
                    over.store(true, Ordering::Relaxed);
                    panic!("{other:?}");
                }
            }
        };
        over.store(true, Ordering::Relaxed);
        ack
    });
    assert!(rests > 0, "others wrote all the time");
    assert_eq!((ack.1, ack.0.refused.len()), (count, 0));
    assert_eq!(down.execute(downstream::Request::Acknowledged(ack.0)), downstream::Reply::Acknowledged(count, 0));
    assert_eq!(phone.outbox_len().unwrap(), 0);
    assert!(hub.verify(false).unwrap().is_sound());
}

#[test]
fn a_change_beyond_a_bound_is_kept_at_both_ends_and_the_next_one_passes() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let (id, next) = (lead(&phone, "counted"), lead(&phone, "next"));
    exchange(&phone, &hub);
    let head = phone.inner.read(|view| Ok(view.standing(&id)?.heads()[0])).unwrap();
    let field = "calls";
    let genesis = genesis_actor(&id, field);
    let mut deps = [head, build_genesis(GenesisKind::Counter, &genesis, field).1];
    deps.sort_unstable();
    let by = i64::MAX / 2;
    let preds = vec![Pred { ctr: 1, actor: &genesis }];
    let ops = [RootOp { key: field, action: Action::Increment, value: Scalar::Int(by), preds }];
    let actor = own_actor(&phone, &id);
    let start_op = phone.inner.read(|view| Ok(view.standing(&id)?.changes()[0].max_op())).unwrap() + 1;
    let time = phone.corrected_now().0 + 1;
    let change = NewChange { deps: &deps, actor: actor.as_bytes(), seq: 2, start_op, time, ops: &ops, texts: &[] };
    log(&phone, "lead", &id, build(&change).0);
    phone
        .transact(|tx| tx.edit("lead", &next, vec![Edit::Set("company".into(), Value::Text("Orbit".into()))]))
        .unwrap();
    exchange(&phone, &hub);
    assert_eq!(fates(&phone), [("change_limit".to_owned(), Fate::Waiting)]);
    let (kept, reviewed) = (&phone.quarantine().unwrap()[0], &hub.review().unwrap()[0]);
    assert_eq!((kept.change, &kept.raw, kept.user), (reviewed.change, &reviewed.raw, reviewed.user));
    assert_eq!(hub.record("lead", &next).unwrap().text("company"), "Orbit");
    assert_eq!(hub.record("lead", &id).unwrap(), phone.record("lead", &id).unwrap());
    assert!(phone.verify(false).unwrap().is_sound());
}

#[test]
fn a_forked_actor_loses_neither_of_its_lineages() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let id = lead(&phone, "forked");
    let edit = |name: &str| {
        let edits = vec![Edit::Set("name".into(), Value::Text(name.into()))];
        phone.transact(|tx| tx.edit("lead", &id, edits)).unwrap();
        phone.inner.read(|view| Ok(view.standing(&id)?.changes().last().unwrap().hash())).unwrap()
    };
    exchange(&phone, &hub);
    let first = edit("one copy");
    exchange(&phone, &hub);
    // The other copy of the folder never wrote that, and writes under the same number of the same actor.
    phone.write(Origin::Upstream, |writer| writer.retract(&[(id, first)]).map(|_| ())).unwrap();
    let second = edit("the other copy");
    exchange(&phone, &hub);
    assert_eq!(fates(&phone), [("change_fork".to_owned(), Fate::Waiting)]);
    let reviewed = &hub.review().unwrap()[0];
    assert_eq!((reviewed.change, reviewed.code.as_str()), (second, "change_fork"));
    let fields: Vec<&Value> = reviewed.fields.iter().map(|field| &field.to).collect();
    assert_eq!(fields, [&Value::Text("the other copy".into())], "shown by what it followed, not by its rival");
    assert_eq!(hub.record("lead", &id).unwrap().text("name"), "one copy");
    hub.accept(reviewed.id).unwrap();
    assert_eq!(hub.record("lead", &id).unwrap().text("name"), "the other copy");
}

#[test]
fn a_process_killed_between_a_refusal_and_the_replay_goes_on_with_the_next_link() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let id = lead(&phone, "kept");
    exchange(&phone, &hub);
    let edit = |field: &str, value: &str| {
        let edits = vec![Edit::Set(field.into(), Value::Text(value.into()))];
        phone.transact(|tx| tx.edit("lead", &id, edits)).unwrap();
    };
    edit("name", "refused");
    let refused = phone.inner.read(|view| Ok(view.standing(&id)?.heads()[0])).unwrap();
    edit("company", "Orbit");
    // The commit of the refusal, and then nothing more.
    let now = phone.corrected_now();
    let reasons = [((id, refused), Refused::new("denied_owner", ""))].into();
    phone.write(Origin::Upstream, |writer| gone::refuse(writer, &reasons, now)).unwrap();
    drop(phone);
    let phone = crm::open(dir.path().join("phone"), Arc::new(SystemEnvironment)).unwrap();
    assert_eq!(phone.record("lead", &id).unwrap().text("company"), "");
    exchange(&phone, &hub);
    exchange(&phone, &hub);
    for replica in [&phone, &hub] {
        let record = replica.record("lead", &id).unwrap();
        assert_eq!((record.text("name"), record.text("company")), ("kept", "Orbit"));
    }
    let waiting = ("denied_owner".to_owned(), Fate::Waiting);
    assert_eq!(fates(&phone), [waiting, ("follows_refused".to_owned(), Fate::Replayed)]);
    let again = phone.history("lead", &id).unwrap().iter().filter(|e| &*e.field == "company").count();
    assert_eq!(again, 1, "once");
}

/// Where a part of a transaction is refused by name, because the record of another part has left: all of it waits.
#[test]
fn a_refused_transaction_waits_whole_whatever_part_of_it_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let (one, other) = (lead(&phone, "one"), lead(&phone, "other"));
    exchange(&phone, &hub);
    let company = |name: &str| vec![Edit::Set("company".into(), Value::Text(name.into()))];
    let both = phone.transact(|tx| {
        tx.edit("lead", &one, company("Orbit"))?;
        tx.edit("lead", &other, company("Orbit"))
    });
    both.unwrap();
    let named = phone.inner.read(|view| Ok(view.standing(&one)?.heads()[0])).unwrap();
    let now = phone.corrected_now();
    let reasons = [((one, named), Refused::new("denied_owner", ""))].into();
    let (again, _) = phone.write(Origin::Upstream, |writer| gone::refuse(writer, &reasons, now)).unwrap();
    let waiting = || ("denied_owner".to_owned(), Fate::Waiting);
    assert_eq!((again, fates(&phone)), (false, vec![waiting(), waiting()]));
}

#[test]
fn what_was_retracted_while_a_record_was_elsewhere_does_not_stand_where_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = join(&hub, dir.path(), Invitation { name: "phone".into(), ..Invitation::default() });
    let everything = |name: &str| {
        let (role, scopes) = (Some("owner".to_owned()), vec!["workspace".to_owned()]);
        join(&hub, dir.path(), Invitation { name: name.into(), role, scopes, ..Invitation::default() })
    };
    let (one, other) = (everything("one"), everything("other"));
    exchange(&phone, &hub);
    let id = lead(&phone, "wanderer");
    for lower in [&phone, &one, &other] {
        exchange(lower, &hub);
    }
    let edit = |replica: &Replica, field: &str, value: Value| {
        let edits = vec![Edit::Set(field.into(), value)];
        replica.transact(|tx| tx.edit("lead", &id, edits)).unwrap();
        replica.inner.read(|view| Ok(view.standing(&id)?.changes().last().unwrap().hash())).unwrap()
    };
    let refused = edit(&one, "company", Value::Text("Orbit".into()));
    edit(&other, "owner", Value::Reference(hub.me().unwrap().id));
    exchange(&one, &hub);
    exchange(&phone, &hub);
    assert_eq!(phone.record("lead", &id).unwrap().text("company"), "Orbit");
    // It leaves, is retracted, and comes back, and the phone hears of all that at once.
    exchange(&other, &hub);
    hub.write(Origin::Local, |writer| writer.retract(&[(id, refused)]).map(|_| ())).unwrap();
    edit(&hub, "owner", Value::Reference(phone.me().unwrap().id));
    exchange(&phone, &hub);
    assert_eq!(phone.record("lead", &id).unwrap(), hub.record("lead", &id).unwrap());
    assert_eq!(phone.record("lead", &id).unwrap().text("company"), "");
    assert!(phone.verify(false).unwrap().is_sound());
}

/// A batch brings an edit of a record that the phone has lost: the line is cut before the record comes whole.
#[test]
fn a_position_waits_for_what_a_change_follows() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    let id = lead(&hub, "lost and found");
    exchange(&phone, &hub);
    phone.write(Origin::Upstream, |writer| writer.purge(&id)).unwrap();
    let edits = vec![Edit::Set("company".into(), Value::Text("Orbit".into()))];
    hub.transact(|tx| tx.edit("lead", &id, edits)).unwrap();
    let fed = |(down, up): &mut (Downstream, Upstream)| {
        let upstream::Reply::Batch(Some(batch)) = up.execute(upstream::Request::Feed(BUDGET)) else { return None };
        let applied = down.execute(downstream::Request::Apply(batch));
        up.execute(upstream::Request::Confirmed);
        let downstream::Reply::Applied { want, .. } = applied else { panic!("{applied:?}") };
        Some(want)
    };
    for _ in 0..2 {
        assert_eq!(fed(&mut connect(&phone, &hub)), Some(vec![id]), "the line was cut: it comes once more");
    }
    let mut line = connect(&phone, &hub);
    fed(&mut line);
    let upstream::Reply::Batch(Some(whole)) = line.1.execute(upstream::Request::Whole(vec![id])) else {
        panic!("no answer")
    };
    line.0.execute(downstream::Request::Apply(whole));
    assert_eq!(phone.record("lead", &id).unwrap(), hub.record("lead", &id).unwrap());
    assert_eq!(fed(&mut connect(&phone, &hub)), None, "it stands where the hub does");
}

/// The comparison began before the batch came, and what it brought was taken out above before that looked.
#[test]
fn what_came_while_a_comparison_began_is_compared_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let (stays, goes) = (lead(&hub, "stays"), lead(&hub, "goes"));
    let creation = hub.inner.read(|view| Ok(view.standing(&goes)?.heads()[0])).unwrap();
    let (mut down, mut up) = connect(&phone, &hub);
    let upstream::Reply::Batch(Some(batch)) = up.execute(upstream::Request::Feed(BUDGET)) else { panic!("nothing") };
    let downstream::Reply::Compare(mut asked) = down.execute(downstream::Request::Compare(false)) else {
        panic!("nothing is asked")
    };
    down.execute(downstream::Request::Apply(batch));
    up.execute(upstream::Request::Confirmed);
    assert_eq!(phone.record("lead", &goes).unwrap().text("name"), "goes");
    hub.write(Origin::Local, |writer| writer.retract(&[(goes, creation)]).map(|_| ())).unwrap();
    loop {
        let upstream::Reply::Compared(answer) = up.execute(upstream::Request::Compare(asked)) else {
            panic!("no answer")
        };
        let Some(answer) = answer else { break };
        let downstream::Reply::Compare(next) = down.execute(downstream::Request::Compared(answer)) else {
            panic!("nothing follows")
        };
        if next.round.is_empty() {
            assert_eq!(phone.outbox_len().unwrap(), 1, "what the upstream still has is not offered");
            carry_up(&mut down, &mut up);
        }
        asked = next;
    }
    carry_down(&mut down, &mut up, &[]);
    assert!(phone.record("lead", &goes).is_err());
    assert_eq!(phone.record("lead", &stays).unwrap(), hub.record("lead", &stays).unwrap());
    assert!(phone.verify(false).unwrap().is_sound());
}

/// The scope that the record was asked for by was taken back meanwhile, and another one granted that holds it, too.
#[test]
fn a_record_that_is_asked_for_comes_by_what_is_granted_now() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    hub.transact(|tx| {
        tx.create(
            "branch",
            vec![("code".into(), Value::Text("kyiv".into())), ("name".into(), Value::Text("Kyiv".into()))],
        )
    })
    .unwrap();
    let phone = join(
        &hub,
        dir.path(),
        Invitation { name: "phone".into(), scopes: vec!["branch:kyiv".into()], ..Invitation::default() },
    );
    let (kyiv, person) = (hub.find("branch", "code=kyiv").unwrap(), phone.me().unwrap().id);
    exchange(&phone, &hub);
    let values =
        [("branch", Value::Reference(kyiv)), ("owner", Value::Reference(person)), ("name", Value::Text("lost".into()))];
    let id = hub.transact(|tx| tx.create("lead", values.map(|(name, value)| (name.into(), value)).into())).unwrap();
    exchange(&phone, &hub);
    phone.write(Origin::Upstream, |writer| writer.purge(&id)).unwrap();
    set(&hub, &id, "company", "Orbit");
    let (mut down, mut up) = connect(&phone, &hub);
    let upstream::Reply::Batch(Some(batch)) = up.execute(upstream::Request::Feed(BUDGET)) else { panic!("nothing") };
    let downstream::Reply::Applied { want, .. } = down.execute(downstream::Request::Apply(batch)) else {
        panic!("not taken")
    };
    up.execute(upstream::Request::Confirmed);
    hub.grant("phone", Some(&[format!("user:{person}")]), None).unwrap();
    let upstream::Reply::Batch(Some(whole)) = up.execute(upstream::Request::Whole(want)) else { panic!("no answer") };
    down.execute(downstream::Request::Apply(whole));
    assert_eq!(phone.record("lead", &id).unwrap(), hub.record("lead", &id).unwrap());
    while let upstream::Reply::Batch(Some(batch)) | upstream::Reply::Led(_, batch) =
        up.execute(upstream::Request::Feed(BUDGET))
    {
        down.execute(downstream::Request::Apply(batch));
        up.execute(upstream::Request::Confirmed);
    }
    assert_eq!(phone.record("lead", &id).unwrap(), hub.record("lead", &id).unwrap());
    let again = connect(&phone, &hub).1.execute(upstream::Request::Feed(BUDGET));
    assert!(matches!(again, upstream::Reply::Batch(None)), "it stands where the hub does: {again:?}");
}

/// One block of a batch holds an edit of a record that the phone has lost and what a retraction leaves of another one:
/// neither can be read before the first has come whole.
#[test]
fn a_retraction_waits_for_what_came_beside_a_lost_record() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = join(&hub, dir.path(), Invitation { name: "phone".into(), ..Invitation::default() });
    let (role, scopes) = (Some("owner".to_owned()), vec!["workspace".to_owned()]);
    let other = join(&hub, dir.path(), Invitation { name: "other".into(), role, scopes, ..Invitation::default() });
    exchange(&phone, &hub);
    let (lost, held) = (lead(&phone, "lost"), lead(&phone, "held"));
    for lower in [&phone, &other] {
        exchange(lower, &hub);
    }
    let refused = set(&other, &held, "company", "Orbit");
    for lower in [&other, &phone] {
        exchange(lower, &hub);
    }
    assert_eq!(phone.record("lead", &held).unwrap().text("company"), "Orbit");
    phone.write(Origin::Upstream, |writer| writer.purge(&lost)).unwrap();
    hub.write(Origin::Local, |writer| writer.retract(&[(held, refused)]).map(|_| ())).unwrap();
    set(&hub, &lost, "company", "Amber");
    set(&hub, &held, "name", "held on");
    exchange(&phone, &hub);
    for id in [lost, held] {
        assert_eq!(phone.record("lead", &id).unwrap(), hub.record("lead", &id).unwrap());
    }
    assert_eq!(phone.record("lead", &held).unwrap().text("company"), "");
}

/// A record leaves that was to be retracted once it had come whole: what was typed here stands in quarantine all the same.
#[test]
fn what_leaves_before_its_retraction_leaves_what_was_refused_in_quarantine() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let (lost, held) = (lead(&phone, "lost"), lead(&phone, "held"));
    let refused = set(&phone, &held, "company", "Orbit");
    exchange(&phone, &hub);
    phone.write(Origin::Upstream, |writer| writer.purge(&lost)).unwrap();
    hub.write(Origin::Local, |writer| writer.retract(&[(held, refused)]).map(|_| ())).unwrap();
    set(&hub, &lost, "company", "Amber");
    set(&hub, &held, "name", "held on");
    let (mut down, mut up) = connect(&phone, &hub);
    let upstream::Reply::Batch(Some(mut batch)) = up.execute(upstream::Request::Feed(BUDGET)) else {
        panic!("nothing")
    };
    let [reset] = batch.resets.as_mut_slice() else { panic!("{:?}", batch.resets) };
    reset.refused.push(Retracted { hash: refused, code: "denied_owner".into(), detail: String::new() });
    let leaves = Batch { purge: vec![held], resets: Vec::new(), changes: Vec::new(), ..batch.clone() };
    for batch in [batch, leaves] {
        let applied = down.execute(downstream::Request::Apply(batch));
        assert!(matches!(applied, downstream::Reply::Applied { .. }), "{applied:?}");
    }
    assert_eq!(fates(&phone), [("denied_owner".to_owned(), Fate::Waiting)]);
    assert!(phone.record("lead", &held).is_err(), "it has left");
}

/// What a scope log says of a record that is gone would be told of another one, to somebody who may not hold that.
#[test]
fn the_number_of_a_record_that_is_gone_is_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    let number = |replica: &Replica| replica.sql("SELECT max(n) AS n FROM lead").unwrap()[0]["n"].as_u64().unwrap();
    let id = lead(&phone, "gone");
    let before = number(&phone);
    exchange(&phone, &hub);
    phone.write(Origin::Upstream, |writer| writer.purge(&id)).unwrap();
    drop(phone);
    let phone = crm::open(dir.path().join("phone"), Arc::new(SystemEnvironment)).unwrap();
    lead(&phone, "new");
    assert!(number(&phone) > before);
}

#[test]
fn a_device_cannot_write_as_another_person() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let owner = hub.me().unwrap().id;
    let owned = vec![("name".into(), Value::Text("hers".into())), ("owner".into(), Value::Reference(owner))];
    let id = phone.transact(|tx| tx.create("lead", owned)).unwrap();
    exchange(&phone, &hub);
    // A modified program that signs for the owner of the record.
    let actor = ActorId::from_random([9; 8], false);
    let workspace = phone.settings().unwrap().workspace;
    let binding = phone.identity().bind(&workspace, actor, "phone", owner, None);
    phone.write(Origin::Upstream, |writer| writer.bind_actor(&binding)).unwrap();
    let state = phone.inner.read(|view| view.standing(&id)).unwrap();
    let author = crate::document::Author { actor, now: phone.corrected_now() };
    let collection = phone.schema().require("lead").unwrap().clone();
    let edits = [Edit::Set("name".into(), Value::Text("forged".into()))];
    let forged = crate::document::edit(&state, &collection, &edits, &author).unwrap().unwrap();
    log(&phone, "lead", &id, forged.raw().to_vec());
    exchange(&phone, &hub);
    assert_eq!(fates(&phone), [("actor_unbound".to_owned(), Fate::Waiting)]);
    assert_eq!(hub.record("lead", &id).unwrap().text("name"), "hers");
    assert_eq!(hub.review().unwrap()[0].user, None, "nobody vouches for it");
}

#[test]
fn a_full_review_queue_leaves_the_rest_to_its_author() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let id = lead(&phone, "given away");
    exchange(&phone, &hub);
    let owner = vec![Edit::Set("owner".into(), Value::Reference(hub.me().unwrap().id))];
    hub.transact(|tx| tx.edit("lead", &id, owner)).unwrap();
    let edit = vec![Edit::Set("company".into(), Value::Text("Orbit".into()))];
    phone.transact(|tx| tx.edit("lead", &id, edit)).unwrap();
    let large = KeptRow {
        n: 0,
        record: RecordId([1; 16]),
        collection: "lead".to_owned(),
        hash: ChangeHash([1; 32]),
        actor: ActorId([1; 8]),
        raw: vec![0; crate::limits::REVIEW_BYTES_MAX],
        device: Some(phone.device()),
        tx: 1,
        code: "denied_owner".to_owned(),
        detail: String::new(),
        at: hub.corrected_now(),
        fate: Fate::Waiting,
        closed_at: None,
        closed_by: None,
    };
    hub.note(|conn| kept_rows::keep(conn, Queue::Review, &large)).unwrap();
    exchange(&phone, &hub);
    assert_eq!(hub.review().unwrap().len(), 1, "no more of it");
    let kept = &phone.quarantine().unwrap()[0];
    assert_eq!((kept.code.as_str(), kept.detail.as_str()), ("review_full", "denied_owner"));
    assert_eq!(phone.record("lead", &id).unwrap().text("company"), "");
}

/// It was written above, and is lost there: it waits here for an answer like what was typed here.
#[test]
fn what_the_upstream_neither_has_nor_keeps_stays_with_whoever_offers_it() {
    for code in ["carried_rights", "review_full"] {
        let dir = tempfile::tempdir().unwrap();
        let hub = hub(dir.path());
        let phone = joined(&hub, dir.path());
        let id = lead(&hub, "from above");
        let (first, second) = (set(&hub, &id, "company", "Orbit"), set(&hub, &id, "company", "Orbit Ltd"));
        exchange(&phone, &hub);
        let everything: Vec<u64> = (1..=99).collect();
        phone.note(|conn| holding::offer(conn, &everything)).unwrap();
        let reasons = [((id, first), Refused::new(code, ""))].into();
        phone.write(Origin::Upstream, |writer| gone::refuse(writer, &reasons, phone.corrected_now())).unwrap();
        assert_eq!(phone.record("lead", &id).unwrap().text("company"), "");
        assert!(!phone.replay_refused().unwrap(), "nobody here wrote it");
        let kept = phone.quarantine().unwrap().into_iter().map(|e| (e.change, e.code, e.fate));
        let mut expected = vec![(second, "follows_refused".to_owned(), Fate::Waiting)];
        if code == "review_full" {
            expected.insert(0, (first, code.to_owned(), Fate::Waiting));
        }
        assert_eq!(kept.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_batch_may_bring_changes_of_a_record_and_take_it_away() {
    for serves in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let hub = hub(dir.path());
        let phone = joined_as(&hub, dir.path(), serves);
        let known = lead(&hub, "known");
        exchange(&phone, &hub);
        let edits = vec![Edit::Set("company".into(), Value::Text("Orbit".into()))];
        hub.transact(|tx| tx.edit("lead", &known, edits)).unwrap();
        let new = lead(&hub, "new");
        exchange_with(&phone, &hub, &[known, new]);
        for id in [&known, &new] {
            assert_eq!(phone.record("lead", id).unwrap_err().code(), "record_not_found", "serves: {serves}");
        }
        let verified = phone.verify(false).unwrap();
        assert!(verified.is_sound(), "serves: {serves}: {verified:?}");
        // And it may come back at once, where it is only hidden as long as somebody below may hold it.
        let wanted = lead(&hub, "wanted");
        let creation = hub.inner.read(|view| Ok(view.standing(&wanted)?.changes()[0].clone())).unwrap();
        let written = phone.write(Origin::Upstream, |writer| {
            let collection = writer.collection("lead");
            writer.append(wanted, &collection, &creation, true)?;
            writer.leave(&wanted)?;
            writer.come_back(&wanted)
        });
        written.unwrap();
        let shown = phone.record("lead", &wanted).map(|record| record.text("name").to_owned());
        assert_eq!(shown.ok(), serves.then(|| "wanted".to_owned()));
        assert!(phone.verify(false).unwrap().is_sound(), "serves: {serves}");
    }
}

/// An edit of a lead that follows `dep`, written by somebody whom nobody here knows.
fn following(dep: ChangeHash, name: &str) -> Vec<u8> {
    let actor = ActorId([8; 8]);
    let ops = [RootOp { key: "name", action: Action::Set, value: Scalar::Str(name), preds: Vec::new() }];
    build(&NewChange { deps: &[dep], actor: actor.as_bytes(), seq: 2, start_op: 2, time: 1, ops: &ops, texts: &[] }).0
}

/// The bytes of a push of these leads.
fn sent(leads: &[(RecordId, Vec<u8>)]) -> Vec<u8> {
    struct Nothing;
    impl codec::Origin for Nothing {
        fn binding(&mut self, _: &ActorId) -> Option<codec::Binding> {
            None
        }
        fn locate(&mut self, _: &RecordId, _: &ChangeHash) -> Option<(ActorId, u64)> {
            None
        }
        fn genesis_fields(&mut self, _: &str) -> Vec<(String, GenesisKind)> {
            Vec::new()
        }
    }
    let mut encoder = codec::Encoder::new(3);
    for (record, raw) in leads {
        let hash = crate::wire::chunk::hash(raw).unwrap();
        let change = codec::Outgoing { record: *record, collection: "lead", raw, hash, tx_end: true };
        encoder.push(&change, &mut Nothing).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn a_device_whose_changes_follow_what_nobody_has_keeps_them_and_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path());
    let phone = joined(&hub, dir.path());
    exchange(&phone, &hub);
    let good = lead(&phone, "good");
    {
        let (mut down, mut up) = (Downstream::new(phone.clone()).unwrap(), Upstream::new(hub.clone(), None));
        let downstream::Reply::Hello(hello) = down.execute(downstream::Request::Greet(NONCE)) else {
            panic!("no hello")
        };
        up.execute(upstream::Request::Admit(hello, NONCE));
        let orphans: Vec<(RecordId, Vec<u8>)> = (0..500_u32)
            .map(|n| {
                let id = RecordId(std::array::from_fn(|at| n.to_be_bytes().get(at).copied().unwrap_or(4)));
                (id, following(ChangeHash([n as u8; 32]), "orphan"))
            })
            .collect();
        for round in 0..3 {
            let upstream::Reply::Ack(ack, new) = up.execute(upstream::Request::Ingest(round, sent(&orphans))) else {
                panic!("no answer")
            };
            assert_eq!((ack.refused.len(), new), (orphans.len(), 0));
            assert!(ack.refused.iter().all(|refused| refused.code == "change_missing"), "{:?}", ack.refused[0]);
        }
        let rows = hub.sql("SELECT count(*) AS n FROM review").unwrap()[0]["n"].as_i64().unwrap();
        assert_eq!(rows, orphans.len() as i64, "kept once, however often they come");
    }
    exchange(&phone, &hub);
    assert_eq!(hub.record("lead", &good).unwrap().text("name"), "good");
    assert_eq!(phone.outbox_len().unwrap(), 0);
}
