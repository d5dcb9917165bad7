//! What comes up a link: vetted, judged by rights, made durable, acknowledged; what is refused is kept for review.
//!
//! The unit of refusal is the transaction: one bad change refuses all of it, and what descends from it is refused for
//! lack of it. Rights and values are judged once, by the first upstream: a device's changes by its person's role and
//! this schema, a branch's by the branch's grants alone. A change that cites refused ones settles them, whatever becomes
//! of it: it holds all that they did.

use std::collections::HashMap;
use std::sync::Arc;

use super::batch::digest;
use super::bench::Bench;
use super::upstream::Upstream;
use crate::document::{Foreign, Refusal, State, Vetted, vet_rebuilt};
use crate::error::Result;
use crate::id::{ActorId, ChangeHash, RecordId, WorkspaceId};
use crate::limits::REVIEW_BYTES_MAX;
use crate::message::Language;
use crate::replica::identity::is_binding_genuine;
use crate::schema::Collection;
use crate::store::kept_rows::{self, Closing, KeptRow, Queue};
use crate::store::link_rows::{self, DeviceRow};
use crate::store::{Appended, Fate, Origin, Writer};
use crate::sync::position::Position;
use crate::wire::codec::{self, Decoded, DecodedChange};
use crate::wire::message::{Ack, RefusedChange};

/// It follows a change that was refused.
pub(super) const FOLLOWS_REFUSED: &str = "follows_refused";
/// Another change has brought again what it brings: nothing is lost and nothing is twice.
pub(super) const BROUGHT_ALREADY: &str = "brought_already";
/// So much of the same downstream waits in review that this is left to it alone.
const REVIEW_FULL: &str = "review_full";

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
    /// Takes in a push. Returns the acknowledgement and how many changes were new here.
    pub(super) fn ingest(&mut self, number: u64, bytes: &[u8]) -> Result<(Ack, u64)> {
        let replica = self.replica.clone();
        let seal = self.seal.clone();
        let admitted = self.admitted()?;
        let (peer, revoked) = (admitted.device.clone(), admitted.revoked);
        let now = replica.corrected_now();
        let timeline = replica.timeline()?;
        let workspace = replica.settings()?.workspace;
        replica
            .write(Origin::Downstream(peer.id), |writer| {
                let peer = if revoked { peer } else { super::upstream::current(writer.connection(), &peer.id)? };
                let decoded = codec::decode(bytes, &mut |id, actor, seq| known(writer, id, actor, seq))?;
                let authors = bind(writer, &workspace, &peer, &decoded)?;
                let bench = Bench {
                    peer: &peer,
                    grants: replica.grants_of(&peer)?,
                    role_of: &|person| replica.role_of_person(person),
                    branch_of: &|scope| replica.branch_of(scope),
                };
                let keeps = kept_rows::is_any(writer.connection())?;
                let mut intake =
                    Intake { writer, bench: &bench, authors, refused: Vec::new(), new: 0, now, revoked, keeps };
                intake.missing(&decoded);
                for transaction in transactions(&decoded) {
                    intake.transaction(&decoded, transaction)?;
                }
                let Intake { mut refused, new, .. } = intake;
                refused.sort_by_key(|r| r.index);
                let accepted = decoded.changes.iter().filter(|c| !refused.iter().any(|r| r.index == c.index as u64));
                let names: Vec<(RecordId, ChangeHash)> =
                    accepted.filter_map(|c| Some((decoded.records.get(c.record)?.0, c.hash))).collect();
                let digest = digest(names.iter().map(|(record, hash)| (record, hash)));
                Ok((digest, refused, new))
            })
            .map(|((digest, refused, new), committed)| {
                let at =
                    Position { timeline, seq: committed.last_seq, rolling: committed.rolling, ..Position::default() };
                (Ack { number, digest, witness: seal.seal(&at), refused }, new)
            })
    }
}

// What a change of a push may name as followed: a change of the log, or one that was refused. What follows a refused
// change must come together before it can be refused, too.
fn known(writer: &Writer<'_>, record: &RecordId, actor: &ActorId, seq: u64) -> Option<ChangeHash> {
    let logged = writer.change_of(record, actor, seq).ok().flatten();
    logged.or_else(|| kept_rows::change_of(writer.connection(), record, actor, seq).ok().flatten())
}

// The author of each actor of the push that may be believed: bound by a signature of a device that we know, which is
// the peer itself or, where the peer is a branch, any device beneath it. A device speaks for its own person alone.
fn bind(
    writer: &mut Writer<'_>,
    workspace: &WorkspaceId,
    peer: &DeviceRow,
    decoded: &Decoded,
) -> Result<HashMap<ActorId, Author>> {
    let mut authors = HashMap::new();
    for binding in &decoded.bindings {
        if binding.device != peer.id && !peer.branch {
            continue;
        }
        // Enrolments precede the first batch of their device, so its record is here.
        let Some(device) = link_rows::device(writer.connection(), &binding.device)? else { continue };
        if binding.person == device.person && is_binding_genuine(workspace, binding, &device.public_key) {
            writer.bind_actor(binding)?;
            authors.insert(binding.actor, Author { person: binding.person });
        }
    }
    Ok(authors)
}

/// Who wrote a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Author {
    pub(super) person: RecordId,
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

struct Intake<'i, 'w> {
    writer: &'i mut Writer<'w>,
    bench: &'i Bench<'i>,
    authors: HashMap<ActorId, Author>,
    refused: Vec<RefusedChange>,
    new: u64,
    now: crate::time::Millis,
    revoked: bool,
    // Whether anything was ever refused: mostly not, and then nothing is looked up.
    keeps: bool,
}

/// A change that may be appended.
struct Judged {
    record: RecordId,
    collection: Arc<Collection>,
    change: Vetted,
    tx_end: bool,
}

impl Intake<'_, '_> {
    // Changes whose dependencies are not here: the downstream must keep them.
    fn missing(&mut self, decoded: &Decoded) {
        for missing in &decoded.missing {
            self.refused.push(RefusedChange {
                index: missing.index as u64,
                code: "change_missing".to_owned(),
                detail: String::new(),
            });
        }
    }

    fn transaction(&mut self, decoded: &Decoded, range: std::ops::Range<usize>) -> Result<()> {
        let changes = decoded.changes.get(range).unwrap_or_default();
        let broken = decoded.missing.iter().any(|m| {
            changes.first().is_some_and(|f| m.index > f.index) && changes.last().is_some_and(|l| m.index < l.index)
        });
        let judged = if self.revoked {
            Err(Refused::new("link_revoked", ""))
        } else if broken {
            Err(Refused::new("transaction_incomplete", ""))
        } else {
            self.judge_all(decoded, changes)?
        };
        match judged {
            Ok(judged) => self.append(judged),
            // What is durable here stays acknowledged, whatever has become of its author's rights since.
            Err(_) if self.is_held(decoded, changes)? => Ok(()),
            Err(refused) => self.refuse(decoded, changes, &refused),
        }
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
        let Some(collection) = model.schema.collection(collection).cloned() else {
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
                return Ok(Err(Refused::new(FOLLOWS_REFUSED, "")));
            }
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let cited = vetted.cites();
        let verdict = match self.authors.get(&vetted.actor()) {
            Some(author) => Some(*author),
            None => self.known_author(&vetted)?,
        };
        let Some(author) = verdict else { return Ok(Err(Refused::new("actor_unbound", ""))) };
        let before = match (ahead, &held) {
            (Some(state), _) => Some(state),
            (None, Some(_)) => self.writer.state(&record)?,
            (None, None) => None,
        };
        let again = |cited: &ChangeHash| before.is_some_and(|state| state.is_cited(cited));
        if before.is_none_or(|state| state.change(&vetted.hash()).is_none()) && cited.iter().any(again) {
            return Ok(Err(Refused::new(BROUGHT_ALREADY, "")));
        }
        if let Err(refused) = self.bench.judge(&author, &record, &collection, before, &vetted) {
            return Ok(Err(refused));
        }
        Ok(Ok(Judged { record, collection, change: vetted, tx_end: change.tx_end }))
    }

    fn known_author(&self, change: &Vetted) -> Result<Option<Author>> {
        let binding = link_rows::binding(self.writer.connection(), change.actor())?;
        Ok(binding
            .filter(|b| self.bench.peer.branch || b.device == self.bench.peer.id)
            .map(|b| Author { person: b.person }))
    }

    // What was refused once stays so: the downstream may not have heard of it.
    fn refused_before(&self, record: &RecordId, hash: &ChangeHash) -> Result<Option<Refused>> {
        if !self.keeps {
            return Ok(None);
        }
        let conn = self.writer.connection();
        if let Some(row) = kept_rows::find(conn, Queue::Review, record, hash)? {
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
                if kept_rows::find(self.writer.connection(), queue, record, dep)?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn append(&mut self, judged: Vec<Judged>) -> Result<()> {
        for one in judged {
            self.settle(&one.record, &one.change)?;
            // A record of which everything was retracted begins anew.
            let gone = self.writer.held(&one.record)?.is_some_and(|held| held.hidden && held.heads.is_empty());
            if gone {
                self.writer.come_back(&one.record)?;
            }
            if let Appended::Logged(_) = self.writer.append(one.record, &one.collection, &one.change, one.tx_end)? {
                self.new += 1;
            }
        }
        Ok(())
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
        let raw: usize = changes.iter().map(|change| decoded.raw(change).len()).sum();
        let full = kept_rows::waiting_bytes(self.writer.connection(), &self.bench.peer.id)?.saturating_add(raw)
            > REVIEW_BYTES_MAX;
        let beyond = Refused::new(REVIEW_FULL, &*refused.code);
        let refused = if full { &beyond } else { refused };
        for change in changes {
            let Some((record, collection)) = decoded.records.get(change.record) else { continue };
            let actor = crate::wire::chunk::parse(decoded.raw(change))
                .ok()
                .and_then(|chunk| ActorId::from_slice(chunk.actor))
                .unwrap_or_default();
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
            self.keeps = true;
            if refused.code != BROUGHT_ALREADY && !full {
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
