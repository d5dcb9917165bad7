//! What comes up a link: vetted, judged by rights, made durable, acknowledged; what is refused is kept for review.
//!
//! The unit of refusal is the transaction: one bad change refuses all of it, and what descends from it is refused for
//! lack of it. Rights and values are judged once, by the first upstream: a device's changes by its person's role and
//! this schema, a branch's by the branch's grants alone. A change that cites refused ones settles them, whatever becomes
//! of it: it holds all that they did.
//!
//! After this log was set back, downstreams bring back what stood in it, whoever had written that. What the carrier could
//! not have written is taken in all the same, and marked for review; but what gives rights waits for a person.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::batch::{Unread, decoded, digest};
use super::bench::{Bench, text_of};
use super::state::key;
use super::upstream::{Upstream, viewer};
use crate::access::Scope;
use crate::document::{Foreign, Refusal, State, Vetted, vet_rebuilt};
use crate::error::Result;
use crate::id::{ActorId, ChangeHash, DeviceId, RecordId, WorkspaceId};
use crate::limits::{REVIEW_BYTES_MAX, TURN_CHANGES_MIN};
use crate::message::Language;
use crate::replica::Replica;
use crate::replica::identity::is_binding_genuine;
use crate::schema::Collection;
use crate::store::kept_rows::{self, Closing, KeptRow, Queue};
use crate::store::link_rows::{self, DeviceRow, LinkRow, OwnWork};
use crate::store::{Appended, Committed, Fate, Opened, Origin, Writer, feed, holding, meta};
use crate::sync::position::Position;
use crate::wire::chunk;
use crate::wire::codec::{Binding, Decoded, DecodedChange};
use crate::wire::message::{Ack, RefusedChange};

/// It follows a change that was refused.
pub(super) const FOLLOWS_REFUSED: &str = "follows_refused";
/// Another change has brought again what it brings: nothing is lost and nothing is twice.
pub(super) const BROUGHT_ALREADY: &str = "brought_already";
/// So much of the same downstream waits in review that this is left to it alone.
const REVIEW_FULL: &str = "review_full";
/// What it follows is not here.
const CHANGE_MISSING: &str = "change_missing";
/// Somebody else than its author brought it back, after this log was set back.
const CARRIED: &str = "carried";

/// Why a change was not taken in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    pub(super) code: String,
    pub(super) detail: String,
}

impl Refused {
    pub(super) fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into() }
    }

    /// Whether whoever refused it keeps it.
    pub(super) fn is_kept_above(&self) -> bool {
        ![REVIEW_FULL, CHANGE_MISSING].contains(&self.code.as_str())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code(), detail: refusal.message().render(Language::En) }
    }
}

impl From<crate::error::Error> for Refused {
    fn from(error: crate::error::Error) -> Self {
        Self { code: error.code(), detail: error.what(Language::En) }
    }
}

impl Upstream {
    /// Takes in a push at once, whoever waits: one of a file. Returns the acknowledgement and how many changes were new.
    pub(super) fn ingest(&mut self, number: u64, bytes: &[u8]) -> Result<(Ack, u64)> {
        let mut push = self.read_push(bytes, Taken::default())?;
        loop {
            let committed = self.take_turn(&mut push)?;
            if push.left.is_empty() {
                return self.acknowledge(number, push, &committed);
            }
        }
    }

    /// Takes in what came up a line, as far as its device may now; the rest waits for [`Request::GoOn`].
    ///
    /// [`Request::GoOn`]: crate::sync::upstream::Request::GoOn
    pub(super) fn go_on(&mut self, mut under_way: UnderWay) -> Result<Option<(Ack, u64)>> {
        let device = self.admitted()?.device.id;
        let rests = |replica: &Replica| replica.inner.rests(&device);
        if rests(&self.replica) {
            self.under_way = Some(under_way);
            return Ok(None);
        }
        let mut push = self.read_push(&under_way.bytes, std::mem::take(&mut under_way.taken))?;
        loop {
            let committed = self.take_turn(&mut push)?;
            if push.left.is_empty() {
                return self.acknowledge(under_way.number, push, &committed).map(Some);
            }
            if rests(&self.replica) {
                under_way.taken = push.taken();
                self.under_way = Some(under_way);
                return Ok(None);
            }
        }
    }

    // Before the turn to write: it takes a while, and what a device follows was here before it wrote.
    fn read_push(&self, bytes: &[u8], taken: Taken) -> Result<Push> {
        let decoded = self.replica.read(|conn| decoded(bytes, |id, actor, seq| known(conn, id, actor, seq)))?;
        Ok(Push::of(decoded, taken))
    }

    // One commit: all that is left, or where others wait some of it, in whole transactions.
    fn take_turn(&mut self, push: &mut Push) -> Result<Committed> {
        let replica = self.replica.clone();
        let admitted = self.admitted()?;
        let (revoked, carries) = (admitted.revoked, admitted.carries);
        let now = replica.corrected_now();
        let workspace = replica.settings()?.workspace;
        let own = (replica.device(), replica.identity().public_key());
        let admitted = &*admitted;
        let ((), committed) = replica.write(Origin::Downstream(admitted.device.id), |writer| {
            let conn = writer.connection();
            let peer = if revoked { admitted.device.clone() } else { admitted.current(conn)? };
            let link = admitted.link(conn)?;
            if !std::mem::replace(&mut push.bound, true) {
                push.authors = bind(writer, &replica, &Carrier { workspace, peer: &peer, carries }, &push.decoded)?;
            }
            let unread = Unread::default();
            let bench = Bench {
                peer: &peer,
                grants: replica.grants_of(&peer)?,
                role_of: &|person| unread.note(replica.role_of_person(person)),
                branch_of: &|scope| unread.note(replica.branch_of(scope)),
            };
            let kept = Kept { any: kept_rows::is_any(writer.connection())?, waiting: None };
            let before = push.new;
            let (authors, refused) = (std::mem::take(&mut push.authors), std::mem::take(&mut push.refused));
            let (new, carried) = (push.new, push.carried);
            let (bench, brought) = (&bench, BTreeSet::new());
            let intake =
                Intake { writer, bench, authors, refused, new, now, revoked, carries, own, carried, kept, brought };
            let writer = push.take_in(intake, &unread, &|changes| {
                replica.inner.note_handled(changes);
                replica.inner.writers_wait()
            })?;
            if push.new > before {
                note_work(writer, &peer.id, link)?;
            }
            let brought = Vec::from_iter(std::mem::take(&mut push.brought));
            if revoked || brought.is_empty() {
                return Ok(());
            }
            let viewer = viewer(writer.connection(), &replica, &peer, &replica.grant_of(&peer)?)?;
            // What this push made is judged by where it stands now.
            writer.project()?;
            let beyond = holding::beyond(writer.connection(), &viewer, &brought)?;
            let mut held: BTreeSet<u64> = viewer.scopes.iter().chain(&admitted.position.held).copied().collect();
            // Nobody else need hear of it.
            let shared = link_rows::scope_number(writer.connection(), &Scope::Shared.to_string())?;
            held.retain(|scope| Some(*scope) != shared);
            beyond.iter().try_for_each(|record| writer.leave_again(record, &held))
        })?;
        Ok(committed)
    }

    // After the last commit of the push.
    fn acknowledge(&mut self, number: u64, push: Push, committed: &Committed) -> Result<(Ack, u64)> {
        let timeline = self.replica.timeline()?;
        let Push { decoded, mut refused, new, .. } = push;
        refused.sort_by_key(|r| r.index);
        let accepted = decoded.changes.iter().filter(|c| !refused.iter().any(|r| r.index == c.index as u64));
        let names: Vec<(RecordId, ChangeHash)> =
            accepted.filter_map(|c| Some((decoded.records.get(c.record)?.0, c.hash))).collect();
        let digest = digest(names.iter().map(|(record, hash)| (record, hash)));
        if let Some(comparison) = &mut self.admitted()?.comparison {
            comparison.pushed(names.into_iter().map(|(record, _)| record));
        }
        let at = Position { timeline, seq: committed.last_seq, rolling: committed.rolling, ..Position::default() };
        Ok((Ack { number, digest, witness: self.seal.seal(&at), refused }, new))
    }
}

/// A push that is not acknowledged yet. While it rests it is kept as it came: read, it takes many times as much memory,
/// and a crowd may rest.
pub(super) struct UnderWay {
    number: u64,
    bytes: Vec<u8>,
    taken: Taken,
}

impl UnderWay {
    /// A push of which nothing was taken in yet.
    pub(super) fn new(number: u64, bytes: Vec<u8>) -> Self {
        Self { number, bytes, taken: Taken::default() }
    }
}

/// How much of a push was taken in, and what became of it.
#[derive(Default)]
struct Taken {
    /// The first change that was not looked at; none: nothing was.
    next: Option<usize>,
    refused: Vec<RefusedChange>,
    new: u64,
    carried: Option<u64>,
}

/// A push that is being taken in.
struct Push {
    decoded: Decoded,
    authors: HashMap<ActorId, Author>,
    bound: bool,
    /// Transactions that were not yet looked at, the last one first.
    left: Vec<std::ops::Range<usize>>,
    refused: Vec<RefusedChange>,
    new: u64,
    carried: Option<u64>,
    // Records of which it brought again what is here, or what was refused: since the last commit.
    brought: BTreeSet<RecordId>,
}

impl Push {
    fn of(decoded: Decoded, taken: Taken) -> Self {
        let index = |range: &std::ops::Range<usize>| decoded.changes.get(range.start).map(|change| change.index);
        let mut left = transactions(&decoded);
        left.retain(|range| index(range) >= taken.next);
        left.reverse();
        let Taken { next, refused, new, carried } = taken;
        // What was lacking when it came is refused, although it may have come meanwhile.
        let refused = if next.is_none() { missing(&decoded) } else { refused };
        let (authors, brought) = (HashMap::new(), BTreeSet::new());
        Self { decoded, authors, bound: false, left, refused, new, carried, brought }
    }

    fn taken(self) -> Taken {
        let next = self.left.last().and_then(|range| self.decoded.changes.get(range.start));
        Taken { next: next.map(|change| change.index), refused: self.refused, new: self.new, carried: self.carried }
    }

    // Transactions until all are in, or until others have waited for as many changes as is fair. Whether they wait
    // `others_wait` says, and hears how many changes each transaction had.
    fn take_in<'i, 'w>(
        &mut self,
        mut intake: Intake<'i, 'w>,
        unread: &Unread,
        others_wait: &dyn Fn(usize) -> bool,
    ) -> Result<&'i mut Writer<'w>> {
        let mut changes = 0;
        while let Some(transaction) = self.left.pop() {
            let count = transaction.len();
            changes += count;
            intake.transaction(&self.decoded, transaction)?;
            unread.told()?;
            if others_wait(count) && changes >= TURN_CHANGES_MIN {
                break;
            }
        }
        let Intake { authors, refused, new, carried, writer, brought, .. } = intake;
        (self.authors, self.refused, self.new, self.carried) = (authors, refused, new, carried);
        self.brought = brought;
        Ok(writer)
    }
}

// Changes whose dependencies are not here: the downstream must keep them.
fn missing(decoded: &Decoded) -> Vec<RefusedChange> {
    let refused = |index| RefusedChange { index, code: CHANGE_MISSING.to_owned(), detail: String::new() };
    decoded.missing.iter().map(|missing| refused(missing.index as u64)).collect()
}

// From here on the downstream holds its own work up to here; and it has stored the epoch that was issued to it, which
// alone is good from now on.
fn note_work(writer: &mut Writer<'_>, device: &DeviceId, link: Option<LinkRow>) -> Result<()> {
    let own = link_rows::own_work(writer.connection(), device)?;
    link_rows::set_own_work(writer.connection(), device, OwnWork { last: writer.log_end(), ..own })?;
    match link.filter(|row| row.epoch != row.offered) {
        Some(row) => link_rows::set_link(writer.connection(), device, &LinkRow { epoch: row.offered, ..row }),
        None => Ok(()),
    }
}

// What a change of a push may name as followed: a change of the log, or one that was refused. What follows a refused
// change must come together before it can be refused, too.
fn known(conn: &Opened, record: &RecordId, actor: &ActorId, seq: u64) -> Result<Option<ChangeHash>> {
    match feed::change_of(conn, record, actor, seq)? {
        Some(logged) => Ok(Some(logged)),
        None => kept_rows::change_of(conn, record, actor, seq),
    }
}

// Who brings a push.
struct Carrier<'a> {
    workspace: WorkspaceId,
    peer: &'a DeviceRow,
    carries: bool,
}

// The author of each actor of the push that may be believed: bound by a signature of a device that we know, which is
// the peer itself or, where the peer is a branch, any device beneath it; one that carries back what stood here may bring
// anybody's. A device speaks for its own person alone, a branch for everybody who signs in there.
fn bind(
    writer: &mut Writer<'_>,
    replica: &Replica,
    carrier: &Carrier<'_>,
    decoded: &Decoded,
) -> Result<HashMap<ActorId, Author>> {
    let mut authors = HashMap::new();
    let above = meta::bytes(writer.connection(), key::UPSTREAM_KEY)?;
    let above: Option<[u8; 32]> = above.and_then(|key| key.try_into().ok());
    for binding in &decoded.bindings {
        let own = binding.device == carrier.peer.id || carrier.peer.branch;
        if !own && !carrier.carries {
            continue;
        }
        let above = || above.filter(|key| DeviceId::of_key(key) == binding.device);
        let (key, person) = if binding.device == replica.device() {
            (replica.identity().public_key(), binding.person)
        } else if binding.device == carrier.peer.id {
            (carrier.peer.public_key, speaks_for(carrier.peer, binding))
        } else if let Some(key) = above() {
            (key, binding.person)
        } else {
            // Enrolments precede the first batch of their device, so its record is here.
            let Some(device) = link_rows::device(writer.connection(), &binding.device)? else { continue };
            (device.public_key, speaks_for(&device, binding))
        };
        if binding.person == person && is_binding_genuine(&carrier.workspace, binding, &key) {
            if !canary!("forget_a_binding") {
                writer.bind_actor(binding)?;
            }
            authors.insert(binding.actor, Author { person, own });
        }
    }
    Ok(authors)
}

fn speaks_for(device: &DeviceRow, binding: &Binding) -> RecordId {
    if device.branch { binding.person } else { device.person }
}

/// Who wrote a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Author {
    pub(super) person: RecordId,
    /// Whether the peer may speak for it: it is itself, or a branch that has judged its own devices.
    own: bool,
}

// Places in `changes` of each transaction's changes.
fn transactions(decoded: &Decoded) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for (at, change) in decoded.changes.iter().enumerate() {
        if change.tx_end {
            ranges.push(start..at + 1);
            start = at + 1;
        }
    }
    if start < decoded.changes.len() {
        ranges.push(start..decoded.changes.len());
    }
    ranges
}

/// The actor that a change names, if its bytes can be read so far.
pub(super) fn actor_of(raw: &[u8]) -> ActorId {
    chunk::parse(raw).ok().and_then(|chunk| ActorId::from_slice(chunk.actor)).unwrap_or_default()
}

struct Intake<'i, 'w> {
    writer: &'i mut Writer<'w>,
    bench: &'i Bench<'i>,
    authors: HashMap<ActorId, Author>,
    refused: Vec<RefusedChange>,
    new: u64,
    now: crate::time::Millis,
    revoked: bool,
    carries: bool,
    // This replica and its public key.
    own: (DeviceId, [u8; 32]),
    // The number under which what was carried back is kept for review, all of a push together.
    carried: Option<u64>,
    kept: Kept,
    // Records that the peer has, although it may have been told that they left: it, or whoever is below it, was set back
    // since. It hears of that once more.
    brought: BTreeSet<RecordId>,
}

/// What is kept of what was refused.
struct Kept {
    // Whether there is anything: mostly not, and then nothing is looked up.
    any: bool,
    // Bytes of the peer that wait for review, once they were asked for.
    waiting: Option<usize>,
}

/// A change that may be appended.
struct Judged {
    record: RecordId,
    collection: Arc<Collection>,
    change: Vetted,
    tx_end: bool,
    /// It is taken in as what stood here once, not as the peer's own.
    carried: bool,
}

impl Intake<'_, '_> {
    fn transaction(&mut self, decoded: &Decoded, range: std::ops::Range<usize>) -> Result<()> {
        let changes = decoded.changes.get(range).unwrap_or_default();
        let broken = decoded.missing.iter().any(|m| {
            changes.first().is_some_and(|f| m.index > f.index) && changes.last().is_some_and(|l| m.index < l.index)
        });
        let judged = if self.revoked && !canary!("take_in_from_the_revoked") {
            Err(Refused::new("link_revoked", ""))
        } else if broken {
            Err(Refused::new("transaction_incomplete", ""))
        } else {
            self.judge_all(decoded, changes)?
        };
        match judged {
            Ok(judged) => self.append(judged),
            // What is durable here stays acknowledged, whatever has become of its author's rights since.
            Err(_) if self.is_held(decoded, changes)? => {
                mark!("refused_what_is_held");
                self.note_brought(decoded, changes);
                Ok(())
            }
            Err(refused) => {
                self.note_brought(decoded, changes);
                self.refuse(decoded, changes, &refused)
            }
        }
    }

    fn note_brought(&mut self, decoded: &Decoded, changes: &[DecodedChange]) {
        let records = changes.iter().filter_map(|change| decoded.records.get(change.record));
        self.brought.extend(records.map(|(record, _)| *record));
    }

    fn is_held(&self, decoded: &Decoded, changes: &[DecodedChange]) -> Result<bool> {
        for change in changes {
            let Some((record, _)) = decoded.records.get(change.record) else { return Ok(false) };
            if link_rows::author_of(self.writer.connection(), record, &change.hash)?.is_none() {
                return Ok(false);
            }
        }
        Ok(!changes.is_empty())
    }

    fn judge_all(
        &mut self,
        decoded: &Decoded,
        changes: &[DecodedChange],
    ) -> Result<std::result::Result<Vec<Judged>, Refused>> {
        // States of records that this transaction touches more than once, as they will be after its earlier changes.
        let mut ahead: HashMap<RecordId, State> = HashMap::new();
        let mut judged = Vec::with_capacity(changes.len());
        for change in changes {
            let Some((record, collection)) = decoded.records.get(change.record) else { continue };
            let again = changes.iter().filter(|c| c.record == change.record).take(2).count() > 1;
            match self.judge(decoded, change, *record, collection, ahead.get(record))? {
                Ok(one) => {
                    if again {
                        let known = match ahead.remove(record) {
                            Some(state) => Some(state),
                            None => self.writer.state(record)?.cloned(),
                        };
                        let mut state = known.unwrap_or_else(|| State::new(*record));
                        if state.change(&one.change.hash()).is_none() {
                            state.apply(&one.change)?;
                        }
                        ahead.insert(*record, state);
                    }
                    judged.push(one);
                }
                Err(refused) => return Ok(Err(refused)),
            }
        }
        Ok(Ok(judged))
    }

    fn judge(
        &mut self,
        decoded: &Decoded,
        change: &DecodedChange,
        record: RecordId,
        collection: &str,
        ahead: Option<&State>,
    ) -> Result<std::result::Result<Judged, Refused>> {
        if let Some(refused) = self.refused_before(&record, &change.hash)? {
            return Ok(Err(refused));
        }
        let model = self.writer.model();
        let Some(collection) = model.schema.held(collection).cloned() else {
            return Ok(Err(Refused::new("unknown_collection", collection)));
        };
        let held = self.writer.held(&record)?;
        if held.as_ref().is_some_and(|held| held.collection != collection.name) {
            return Ok(Err(Refused::new("record_other_collection", &*collection.name)));
        }
        let before = match (ahead, &held) {
            (Some(state), _) => Some(state),
            (None, Some(_)) => self.writer.state(&record)?,
            (None, None) => None,
        };
        let foreign = Foreign { record, collection: &collection, raw: decoded.raw(change), hash: change.hash };
        let vetted = match vet_rebuilt(foreign, before) {
            Ok(vetted) => vetted,
            Err(Refusal::Missing { deps }) if self.follows_refused(&record, &deps)? => {
                mark!("follows_what_was_refused");
                return Ok(Err(Refused::new(FOLLOWS_REFUSED, "")));
            }
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let cited = vetted.cites();
        let enroller = if self.carries { self.enroller_of(&vetted)? } else { None };
        let author = match self.authors.get(&vetted.actor()) {
            Some(author) => Some(*author),
            None => self.known_author(&vetted)?,
        };
        let before = match (ahead, &held) {
            (Some(state), _) => Some(state),
            (None, Some(_)) => self.writer.state(&record)?,
            (None, None) => None,
        };
        let again = |cited: &ChangeHash| before.is_some_and(|state| state.is_cited(cited));
        if before.is_none_or(|state| state.change(&vetted.hash()).is_none()) && cited.iter().any(again) {
            return Ok(Err(Refused::new(BROUGHT_ALREADY, "")));
        }
        let mut verdict = match author {
            Some(author) if author.own => self.bench.judge(&author, &record, &collection, before, &vetted),
            _ => Err(Refused::new("actor_unbound", "")),
        };
        let carried = self.carries && verdict.is_err();
        if carried {
            verdict = Bench::carried(&collection, before, &vetted, enroller);
        }
        Ok(verdict.map(|()| Judged { record, collection, change: vetted, tx_end: change.tx_end, carried }))
    }

    fn enroller_of(&self, change: &Vetted) -> Result<Option<[u8; 32]>> {
        let Some(id) = text_of(change, "enroller").and_then(DeviceId::parse) else { return Ok(None) };
        if id == self.own.0 {
            return Ok(Some(self.own.1));
        }
        Ok(link_rows::device(self.writer.connection(), &id)?.map(|device| device.public_key))
    }

    fn known_author(&self, change: &Vetted) -> Result<Option<Author>> {
        let binding = link_rows::binding(self.writer.connection(), change.actor())?;
        let own = |device| self.bench.peer.branch || device == self.bench.peer.id;
        Ok(binding.map(|b| Author { person: b.person, own: own(b.device) }))
    }

    // What was refused once stays so: the downstream may not have heard of it.
    fn refused_before(&self, record: &RecordId, hash: &ChangeHash) -> Result<Option<Refused>> {
        if !self.kept.any {
            return Ok(None);
        }
        let conn = self.writer.connection();
        let refused = kept_rows::find(conn, Queue::Review, record, hash)?.filter(|row| !row.is_carried());
        if let Some(row) = refused {
            mark!("refused_before");
            return Ok(Some(match row.fate {
                Fate::Accepted | Fate::Retried | Fate::Replayed => Refused::new(BROUGHT_ALREADY, ""),
                _ => Refused::new(&row.code, row.detail),
            }));
        }
        // Refused above, and retracted here since.
        let row = kept_rows::find(conn, Queue::Quarantine, record, hash)?;
        let row = row.filter(|row| row.device == Some(self.bench.peer.id));
        Ok(row.map(|row| Refused::new(&row.code, row.detail)))
    }

    fn follows_refused(&self, record: &RecordId, deps: &[ChangeHash]) -> Result<bool> {
        for dep in deps {
            for queue in [Queue::Review, Queue::Quarantine] {
                let row = kept_rows::find(self.writer.connection(), queue, record, dep)?;
                if row.is_some_and(|row| !row.is_carried()) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn append(&mut self, judged: Vec<Judged>) -> Result<()> {
        let most = if canary!("half_a_transaction") { 1 } else { usize::MAX };
        for one in judged.into_iter().take(most) {
            self.settle(&one.record, &one.change)?;
            // A record of which everything was retracted begins anew.
            let gone = self.writer.held(&one.record)?.is_some_and(|held| held.hidden && held.heads.is_empty());
            if gone {
                self.writer.come_back(&one.record)?;
            }
            match self.writer.append(one.record, &one.collection, &one.change, one.tx_end)? {
                Appended::Logged(_) => {
                    self.new += 1;
                    if one.carried {
                        // It may be what the peer could not write any more, and must not hold.
                        self.brought.insert(one.record);
                        self.mark(&one)?;
                    }
                }
                Appended::Known | Appended::Fork => _ = self.brought.insert(one.record),
            }
        }
        Ok(())
    }

    // It stands in its record, and in the queue for somebody to look at it. Its bytes are in the log.
    fn mark(&mut self, one: &Judged) -> Result<()> {
        mark!("carried_back");
        let tx = match self.carried {
            Some(tx) => tx,
            None => kept_rows::next_transaction(self.writer.connection())?,
        };
        self.carried = Some(tx);
        let row = KeptRow {
            n: 0,
            record: one.record,
            collection: one.collection.name.to_string(),
            hash: one.change.hash(),
            actor: one.change.actor(),
            raw: Vec::new(),
            device: Some(self.bench.peer.id),
            tx,
            code: CARRIED.to_owned(),
            detail: String::new(),
            at: self.now,
            fate: Fate::Carried,
            closed_at: None,
            closed_by: None,
        };
        kept_rows::keep(self.writer.connection(), Queue::Review, &row)
    }

    fn settle(&mut self, record: &RecordId, change: &Vetted) -> Result<()> {
        let cited = change.cites();
        if cited.is_empty() {
            return Ok(());
        }
        let by = self.authors.get(&change.actor()).map(|author| author.person);
        let closing = Closing { fate: Fate::Retried, by, at: self.now, seq: 0 };
        self.writer.mark_dirty();
        kept_rows::brought_again(self.writer.connection(), record, &cited, &self.bench.peer.id, &closing)
    }

    fn refuse(&mut self, decoded: &Decoded, changes: &[DecodedChange], refused: &Refused) -> Result<()> {
        let tx = kept_rows::next_transaction(self.writer.connection())?;
        let bytes: usize = changes.iter().map(|change| decoded.raw(change).len() + kept_rows::ROW_BYTES).sum();
        let waiting = match self.kept.waiting {
            Some(waiting) => waiting,
            None => kept_rows::waiting_bytes(self.writer.connection(), &self.bench.peer.id)?,
        };
        let full = waiting.saturating_add(bytes) > REVIEW_BYTES_MAX;
        // Never too little: what is kept already counts once more.
        self.kept.waiting = Some(if full { waiting } else { waiting + bytes });
        let beyond = Refused::new(REVIEW_FULL, &*refused.code);
        let refused = if full { &beyond } else { refused };
        for change in changes {
            let Some((record, collection)) = decoded.records.get(change.record) else { continue };
            let actor = actor_of(decoded.raw(change));
            let row = KeptRow {
                n: 0,
                record: *record,
                collection: collection.clone(),
                hash: change.hash,
                actor,
                raw: decoded.raw(change).to_vec(),
                device: Some(self.bench.peer.id),
                tx,
                code: refused.code.clone(),
                detail: refused.detail.clone(),
                at: self.now,
                fate: Fate::Waiting,
                closed_at: None,
                closed_by: None,
            };
            self.kept.any = true;
            mark!("reviewed");
            if refused.code != BROUGHT_ALREADY && !full && !canary!("review_nothing") {
                kept_rows::keep(self.writer.connection(), Queue::Review, &row)?;
                if let Some(change) = row.change() {
                    self.settle(record, &change)?;
                }
            }
            self.refused.push(RefusedChange {
                index: change.index as u64,
                code: refused.code.clone(),
                detail: refused.detail.clone(),
            });
        }
        self.writer.mark_dirty();
        Ok(())
    }
}
