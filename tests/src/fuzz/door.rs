//! Changes at the door: what it lets in, the record and Automerge take in with the same result.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};

use automerge::{Automerge, Change, ObjId, ROOT, ReadDoc};
use branchline_core::crm;
use branchline_core::document::{Author, Edit, Foreign, State, Vetted, create, edit, vet};
use branchline_core::id::{ActorId, ChangeHash, RecordId, RecordIds};
use branchline_core::schema::{Collection, FieldType, Name, Value};
use branchline_core::time::Millis;
use branchline_core::wire::chunk::{Action, NewChange, Pred, RootOp, Scalar, build, build_text_genesis, genesis_actor};
use sha2::{Digest, Sha256};

use super::put_leb128;
use crate::generator;

/// What a chunk begins with, before its checksum.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: usize = 4;
const CHANGE: u8 = 1;
/// When the records here were written.
const NOW: i64 = 1_700_000_000_000;
const RECORD: RecordId = RecordId([0x01, 0x8f, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1]);

fn deals() -> &'static Collection {
    crm::builtin().collection("opportunity").unwrap()
}

fn author(n: u8, after: i64) -> Author {
    Author { actor: ActorId::from_random([n; 8], false), now: Millis(NOW + after) }
}

/// The states that a change may meet: no record, a new one, one with concurrent heads.
fn states() -> &'static [Option<State>; 3] {
    static STATES: OnceLock<[Option<State>; 3]> = OnceLock::new();
    STATES.get_or_init(|| {
        let mut new = State::new(RECORD);
        let text = |text: &str| Value::Text(text.into());
        let fields =
            [("name", text("a")), ("stage", text("open")), ("notes", text("long")), ("external_id", text("X1"))];
        let fields = fields.map(|(name, value)| (Name::from(name), value));
        new.apply(&create(RECORD, deals(), &fields, None, &author(2, 0)).unwrap()).unwrap();
        let by = |state: &State, edits: &[Edit], n| edit(state, deals(), edits, &author(n, 10)).unwrap().unwrap();
        let line =
            Edit::SetLine { field: "lines".into(), line: "l1".into(), sub: "description".into(), value: text("2") };
        let line = by(&new, &[line], 4);
        let mine = by(&new, &[Edit::Set("name".into(), text("mine"))], 6);
        let theirs = by(&new, &[Edit::Set("name".into(), text("theirs")), Edit::Set("notes".into(), text("wrong"))], 8);
        let mut met = new.clone();
        for change in [&line, &mine, &theirs] {
            met.apply(change).unwrap();
        }
        [None, Some(new), Some(met)]
    })
}

/// The changes of a record with an edit, concurrent ones and a text.
pub(super) fn history() -> Vec<(RecordId, Vec<u8>)> {
    states()[2].iter().flat_map(State::changes).map(|change| (RECORD, change.raw().to_vec())).collect()
}

/// The creations of so many deals.
pub(super) fn creations(count: usize) -> Vec<(RecordId, Vec<u8>)> {
    let mut ids = RecordIds::new(77);
    let deal = |number: usize| {
        let id = ids.next_id(Millis(NOW));
        let fields =
            generator::account(number).into_iter().filter(|(field, _)| matches!(*field, "name" | "external_id"));
        let fields: Vec<(Name, Value)> = fields.map(|(field, v)| (field.into(), Value::Text(v))).collect();
        (id, create(id, deals(), &fields, None, &author(2, number as i64)).unwrap().raw().to_vec())
    };
    (0..count).map(deal).collect()
}

/// A change chunk around any body, its length and checksum right, against one of the states.
pub(super) fn change(bytes: &[u8]) -> bool {
    let Some((state, body)) = bytes.split_first() else { return false };
    held(&sealed(body), states()[usize::from(*state) % 3].as_ref())
}

/// The bodies of real changes, each before the states that it can meet.
pub(super) fn change_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (_, raw) in history() {
        let body = body(&raw);
        seeds.extend((0..3u8).map(|state| [&[state], body].concat()));
    }
    seeds
}

fn sealed(body: &[u8]) -> Vec<u8> {
    let mut hashed = vec![CHANGE];
    put_leb128(&mut hashed, body.len());
    hashed.extend_from_slice(body);
    let checksum = Sha256::digest(&hashed);
    [&MAGIC, &checksum[..CHECKSUM_BYTES], &hashed].concat()
}

fn body(raw: &[u8]) -> &[u8] {
    let after_type = &raw[MAGIC.len() + CHECKSUM_BYTES + 1..];
    let length = after_type.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    &after_type[length..]
}

/// A change written from a script: mostly right, so that it comes deep into the judgement.
pub(super) fn edited(bytes: &[u8]) -> bool {
    let mut script = Script(bytes);
    let state = states()[script.below(3)].as_ref();
    held(&script.change(state), state)
}

/// Scripts of an edit, a creation, a removal, an increment.
pub(super) fn edit_seeds() -> Vec<Vec<u8>> {
    (0..24u8).map(|n| (0..40u8).map(|at| at.wrapping_mul(n.wrapping_mul(7) | 1).wrapping_add(n)).collect()).collect()
}

/// Bytes read as decisions; zero once they have ended.
struct Script<'b>(&'b [u8]);

impl<'b> Script<'b> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    // True for one byte in eight: what spoils a change is rare, or none would come through.
    fn rarely(&mut self) -> bool {
        self.byte() & 7 == 7
    }

    fn bytes(&mut self) -> &'b [u8] {
        let length = self.below(24).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> i64 {
        let numbers = [0, 1, -1, i64::from(self.byte()), NOW, 1 << 29, 1 << 33, i64::MAX, i64::MIN];
        numbers[self.below(numbers.len())]
    }

    fn change(&mut self, state: Option<&State>) -> Vec<u8> {
        let genesis = genesis_actor(&RECORD, "notes");
        let actors = [ActorId::from_random([2; 8], false), ActorId::from_random([9; 8], false)];
        let actor = actors[usize::from(state.is_some() || self.rarely())];
        let mut deps = state.map(State::heads).unwrap_or_default().to_vec();
        if self.rarely() {
            deps.push(ChangeHash([self.byte(); 32]));
        }
        if self.rarely() {
            deps.pop();
        }
        let newest = state.into_iter().flat_map(State::changes).filter(|change| deps.contains(&change.hash()));
        let max_op = newest.map(Vetted::max_op).max().unwrap_or_default();
        let spoilt = |script: &mut Self, right: u64| if script.rarely() { script.number() as u64 } else { right };
        let start_op = spoilt(self, max_op + 1).max(1);
        let seq = spoilt(self, state.map_or(0, |state| state.seq(&actor)) + 1);
        let time = NOW + 100 + if self.rarely() { self.number() >> 2 } else { 0 };
        let current = state.map(document).unwrap_or_default();
        let ops: Vec<RootOp<'_>> = (0..=self.below(3)).map(|_| self.op(&current, &genesis)).collect();
        let actor = actor.as_bytes();
        build(&NewChange { deps: &deps, actor, seq, start_op, time, ops: &ops, texts: &[] }).0
    }

    fn op<'o>(&mut self, current: &'o Automerge, genesis: &'o [u8]) -> RootOp<'o>
    where
        'b: 'o,
    {
        // Each key with a value that fits it.
        const KEYS: [(&str, Scalar<'_>); 14] = [
            ("name", Scalar::Str("b")),
            ("stage", Scalar::Str("won")),
            ("amount", Scalar::Str("100 USD")),
            ("probability", Scalar::Int(40)),
            ("external_id", Scalar::Str("X2")),
            ("lines/l1/description", Scalar::Str("two")),
            ("lines/l2/quantity", Scalar::Str("2")),
            ("branch", Scalar::Bytes(&[7; 16])),
            ("~archived", Scalar::Bool(true)),
            ("~merged_into", Scalar::Bytes(&[9; 16])),
            ("from_a_newer_schema", Scalar::Str("text")),
            ("notes", Scalar::Str("no text object")),
            ("~key", Scalar::Str("external_id")),
            ("Name", Scalar::Null),
        ];
        let (key, fitting) = KEYS[self.below(KEYS.len())];
        let mut preds: Vec<Pred<'_>> =
            current.get_all(ROOT, key).unwrap().iter().filter_map(|(_, id)| pred(id)).collect();
        preds.sort_unstable();
        if self.rarely() {
            preds.push(Pred { ctr: 1 + self.below(6) as u64, actor: genesis });
        }
        if self.rarely() {
            preds.pop();
        }
        let action = match self.below(16) {
            0 => Action::Delete,
            1 => Action::Increment,
            2 => Action::Make(self.byte()),
            _ => Action::Set,
        };
        let value = if self.rarely() { self.value() } else { fitting };
        RootOp { key, action, value, preds }
    }

    fn value<'o>(&mut self) -> Scalar<'o>
    where
        'b: 'o,
    {
        match self.below(9) {
            0 => Scalar::Null,
            1 => Scalar::Bool(self.rarely()),
            2 => Scalar::Int(self.number()),
            3 => Scalar::Bytes(self.bytes()),
            4 => Scalar::Timestamp(self.number()),
            5 => Scalar::Counter(self.number()),
            6 => Scalar::Float(f64::from_bits(self.number() as u64)),
            _ => Scalar::Str(std::str::from_utf8(self.bytes()).unwrap_or("\u{202e}")),
        }
    }
}

fn pred(id: &ObjId) -> Option<Pred<'static>> {
    let ObjId::Id(ctr, actor, _) = id else { return None };
    // The few actors of the states here, kept for as long as the process lives.
    static ACTORS: Mutex<BTreeSet<&'static [u8]>> = Mutex::new(BTreeSet::new());
    let mut actors = ACTORS.lock().unwrap();
    let known = actors.get(actor.to_bytes()).copied();
    let actor = known.unwrap_or_else(|| actor.to_bytes().to_vec().leak());
    actors.insert(actor);
    Some(Pred { ctr: *ctr, actor })
}

/// The record as Automerge holds it.
fn document(state: &State) -> Automerge {
    let mut doc = Automerge::new();
    let changes =
        state.changes().iter().map(|change| Change::from_bytes(change.raw().to_vec()).expect("Automerge reads it"));
    doc.apply_changes(genesis_changes().into_iter().chain(changes)).expect("Automerge takes it in");
    doc
}

/// Judges a change; what is let in must fold to the same record as from the log, and Automerge must take it in, save it
/// and load it with the same heads and the same names.
fn held(raw: &[u8], state: Option<&State>) -> bool {
    let hash = branchline_core::wire::chunk::hash(raw).unwrap_or_default();
    let Ok(vetted) = vet(Foreign { record: RECORD, collection: deals(), raw, hash }, state) else { return false };
    let mut here = state.cloned().unwrap_or_else(|| State::new(RECORD));
    here.apply(&vetted).expect("what was let in goes in");
    let log: Vec<Vec<u8>> = here.changes().iter().map(|change| change.raw().to_vec()).collect();
    let again = State::rebuild(RECORD, log).expect("what was let in is read back");
    assert_eq!(again.heads(), here.heads());
    assert_eq!(again.values(deals()), here.values(deals()));

    let loaded = Automerge::load(&document(&here).save()).expect("Automerge loads what it saved");
    let heads: Vec<[u8; 32]> = loaded.get_heads().iter().map(|head| head.0).collect();
    assert!(here.heads().iter().all(|head| heads.contains(&head.0)), "other heads than Automerge");
    for field in deals().fields.iter().filter(|field| matches!(field.ty, FieldType::Text)) {
        let theirs = loaded.get_all(ROOT, &*field.name).unwrap();
        match here.value(field) {
            Value::Text(ours) => {
                let known = theirs.iter().any(|(value, _)| value.as_str() == Some(&ours));
                assert!(known, "{}: {ours}, not one of {theirs:?}", field.name);
            }
            // Cleared, perhaps beside a value that does not win.
            _ => assert!(
                theirs.is_empty() || theirs.iter().any(|(value, _)| value.is_null()),
                "{}: {theirs:?}",
                field.name
            ),
        }
    }
    true
}

/// The beginnings of the long texts, which no log holds.
fn genesis_changes() -> Vec<Change> {
    let texts = deals().fields.iter().filter(|field| matches!(field.ty, FieldType::LongText));
    let begin = |field: &str| build_text_genesis(&genesis_actor(&RECORD, field), field).0;
    texts.map(|field| Change::from_bytes(begin(&field.name)).expect("a genesis change")).collect()
}
