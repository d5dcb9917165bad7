//! The lower end's requests on a replica: greeting, applying, pushing, hearing acknowledgements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::batch::{Item, RAW_PER_COMPRESSED, Told, decoded, digest, encode, fits};
use super::gone::{self, Reasons};
use super::ingest::Refused;
use super::state::{add, key};
use crate::access::Scope;
use crate::document::{Foreign, Refusal, vet_rebuilt};
use crate::error::{Error, Result};
use crate::id::{ChangeHash, DeviceId, RecordId};
use crate::limits::WANT_RECORDS_MAX;
use crate::replica::Replica;
use crate::store::link_rows::{self, Waiting};
use crate::store::{Appended, Origin, Writer, feed, is_offered_behind, meta, refetch, set_refetch};
use crate::sync::Executor;
use crate::sync::blobs::{BlobReply, BlobRequest};
use crate::sync::compare::{Asker, key_of};
use crate::sync::downstream::{Reply, Request};
use crate::sync::pace::Budget;
use crate::time::Millis;
use crate::wire::codec;
use crate::wire::message::{Ack, Batch, ChangeKey, Grant, Hello, Nonce, RefusedChange, Reset, ReturnedChange, Welcome};

/// Answers a downstream session's requests for one connection.
pub struct Downstream {
    pub(super) replica: Replica,
    pub(super) upstream: DeviceId,
    told: Told,
    // The push that waits for its acknowledgement, in its order.
    pushed: Vec<Sent>,
    // Behind which sequence the next push begins, and what was refused up to there: more of it follows, to be answered for
    // before this is taken out.
    behind: u64,
    refused: Vec<(Sent, Refused)>,
    /// The comparison that goes on, and whether the upstream has asked for it.
    pub(super) asker: Option<(Asker, bool)>,
    /// Changes that have come since the comparison began, which does not know of them, and where they stand: the upstream may
    /// have taken them out again before it looked at what it holds.
    pub(super) came: HashMap<ChangeKey, u64>,
    /// From the first round of a comparison until both ends have exchanged what it has found.
    pub(super) comparing: bool,
    /// Records that had left and are offered again, for the upstream no longer knows that: those of which it does not say
    /// so anew come back.
    pub(super) offered_hidden: BTreeSet<RecordId>,
    // Records whose past did not come, and the position that waits for them: a cut line brings all of it once more.
    lacking: BTreeSet<RecordId>,
    held_back: Vec<u8>,
    /// Retractions of records that are lacking: carried out when these have come whole.
    put_off: Vec<Reset>,
}

impl Downstream {
    /// For one connection to the replica's upstream.
    ///
    /// # Errors
    /// `no_upstream` on a hub.
    pub fn new(replica: Replica) -> Result<Self> {
        let upstream = replica.upstream_device()?.ok_or_else(|| Error::usage("no-upstream"))?;
        Ok(Self {
            replica,
            upstream,
            told: Told::default(),
            pushed: Vec::new(),
            behind: 0,
            refused: Vec::new(),
            asker: None,
            came: HashMap::new(),
            comparing: false,
            offered_hidden: BTreeSet::new(),
            lacking: BTreeSet::new(),
            held_back: Vec::new(),
            put_off: Vec::new(),
        })
    }

    fn answer(&mut self, request: Request) -> Result<Reply> {
        match request {
            Request::Greet(nonce) => self.greet(&nonce).map(Reply::Hello),
            Request::Enrolled(_) => Err(Error::protocol("unexpected-message")),
            Request::Welcome(welcome, round_trip_ms) => {
                self.welcome(&welcome, round_trip_ms)?;
                let lacking = self.replica.read(refetch)?.into_iter().take(WANT_RECORDS_MAX);
                Ok(Reply::Welcomed(lacking.collect(), self.audit()?))
            }
            Request::Compare(asked) => self.compare(asked).map(Reply::Compare),
            Request::Compared(answer) => self.compared(&answer).map(Reply::Compare),
            Request::Reconciled => self.reconciled().map(Reply::Reconciled),
            Request::Introduce => self.introduce().map(Reply::Introduce),
            Request::Apply(batch) => self.apply(&batch),
            Request::Push(budget) => self.push(budget).map(Reply::Push),
            Request::Acknowledged(ack) => self.acknowledged(&ack),
            Request::Granted(grant) => self.granted(&grant).map(|()| Reply::Done),
            Request::Returned(changes) => self.returned(&changes).map(Reply::Returned),
            Request::Summary => self.summary(),
            Request::Blob(request) => self.blob(request).map(Reply::Blob),
        }
    }

    fn greet(&self, nonce: &Nonce) -> Result<Hello> {
        // A process that was killed between a refusal and this left something to be written again.
        self.replica.replay_refused()?;
        let (epoch, position, witness, outbox) = self.replica.read(|conn| {
            Ok((
                meta::integer(conn, key::EPOCH)?.unwrap_or(0) as u32,
                meta::bytes(conn, key::POSITION)?.unwrap_or_default(),
                meta::bytes(conn, key::WITNESS)?.unwrap_or_default(),
                link_rows::outbox_len(conn)?,
            ))
        })?;
        let device = self.replica.device();
        let mut hello = Hello { device, signature: [0; 64], epoch, position, witness, outbox };
        hello.signature = self.replica.identity().sign(&hello.signed(nonce, &self.upstream));
        Ok(hello)
    }

    fn introduce(&self) -> Result<Vec<u8>> {
        self.replica.read(|conn| Ok(meta::bytes(conn, key::CERTIFICATE)?.unwrap_or_default()))
    }

    fn welcome(&self, welcome: &Welcome, round_trip_ms: i64) -> Result<()> {
        let now = self.replica.environment().now();
        // The upstream's clock when its answer arrived, less ours.
        let offset = welcome.now.0.saturating_add(round_trip_ms / 2).saturating_sub(now.0);
        self.replica.write(Origin::Upstream, |writer| {
            meta::set_integer(writer.connection(), key::EPOCH, i64::from(welcome.epoch))?;
            if meta::integer(writer.connection(), key::AUDITED_AT)?.is_none() {
                meta::set_integer(writer.connection(), key::AUDITED_AT, now.0)?;
            }
            writer.set_clock_offset(offset)
        })?;
        self.replica.inner.set_clock_offset(offset);
        Ok(())
    }

    pub(super) fn apply(&mut self, batch: &Batch) -> Result<Reply> {
        let now = self.replica.corrected_now();
        let (mut lacking, whole) = (self.lacking.clone(), batch.position.is_empty() && !self.comparing);
        let position = if batch.position.is_empty() { &self.held_back } else { &batch.position };
        self.offered_hidden.retain(|id| !batch.purge.contains(id));
        // A position ends the comparison.
        let back = if batch.position.is_empty() { BTreeSet::new() } else { std::mem::take(&mut self.offered_hidden) };
        let (left, mut resets): (Vec<Reset>, Vec<Reset>) =
            std::mem::take(&mut self.put_off).into_iter().partition(|reset| batch.purge.contains(&reset.record));
        resets.extend(batch.resets.iter().cloned());
        let ((mut want, logged, replaying), _) = self.replica.write(Origin::Upstream, |writer| {
            let taken = take_in(writer, batch)?;
            // What was asked for comes whole and by itself; what has left need not come.
            lacking.retain(|id| !(batch.purge.contains(id) || whole && taken.records.contains(id)));
            lacking.extend(&taken.missing);
            let mut replaying = gone::reset(writer, &resets, &lacking, now)?;
            // What leaves before it has come whole leaves what was refused of it in quarantine.
            replaying |= gone::refuse(writer, &gone::named(&left), now)?;
            for record in &batch.purge {
                writer.leave(record)?;
            }
            back.iter().try_for_each(|record| writer.come_back(record))?;
            for verdict in &batch.verdicts {
                gone::hear(writer, verdict)?;
            }
            if lacking.is_empty() && !canary!("apply_without_cursor") {
                stand_at(writer, position)?;
            }
            add(writer.connection(), key::PULLED, taken.logged.len() as u64)?;
            Ok(([taken.broken, taken.missing].concat(), taken.logged, replaying))
        })?;
        let changes = logged.len() as u64;
        if self.asker.is_some() {
            self.came.extend(logged.into_iter().map(|(seq, record, hash)| (key_of(&record, &hash), seq)));
        }
        self.held_back = if lacking.is_empty() { Vec::new() } else { position.clone() };
        self.put_off = resets.into_iter().filter(|reset| lacking.contains(&reset.record)).collect();
        self.lacking = lacking;
        want.sort_unstable();
        want.dedup();
        let replayed = replaying && self.replica.replay_refused()?;
        Ok(Reply::Applied { changes, want, replayed })
    }

    /// Both ends hold the same: what was lacking is here.
    pub(super) fn lacks_nothing(&mut self) -> Result<()> {
        self.lacking.clear();
        self.put_off.clear();
        let position = std::mem::take(&mut self.held_back);
        self.replica.write(Origin::Upstream, |writer| stand_at(writer, &position)).map(|_| ())
    }

    fn push(&mut self, budget: Budget) -> Result<Option<(Vec<u8>, u64)>> {
        let mut next = next_push(&self.replica, &mut self.told, self.behind, budget)?;
        if next.is_none() && self.behind > 0 {
            // What was to follow is gone.
            let answer = Answered { refused: self.all_refused(), ..Answered::default() };
            settle(&self.replica, &answer, &self.offered_hidden)?;
            next = next_push(&self.replica, &mut self.told, 0, budget)?;
        }
        let Some((waiting, changes)) = next else { return Ok(None) };
        self.pushed = waiting.iter().map(|w| (w.seq, w.record, w.hash)).collect();
        Ok(Some((changes, self.pushed.len() as u64)))
    }

    fn acknowledged(&mut self, ack: &Ack) -> Result<Reply> {
        let pushed = std::mem::take(&mut self.pushed);
        let refused: BTreeMap<usize, &RefusedChange> =
            ack.refused.iter().filter_map(|r| Some((usize::try_from(r.index).ok()?, r))).collect();
        let mut answer = Answered { witness: Some(ack.witness.clone()), ..Answered::default() };
        for (at, change) in pushed.iter().enumerate() {
            match refused.get(&at) {
                None => answer.accepted.push(*change),
                Some(why) => self.refused.push((*change, Refused::new(&why.code, why.detail.clone()))),
            }
        }
        if digest(answer.accepted.iter().map(|(_, record, hash)| (record, hash))) != ack.digest {
            return Err(Error::protocol("acknowledgement-differs"));
        }
        // What the upstream wrote itself and has lost goes up although what it follows was refused: taken out with that
        // here, it would be kept nowhere.
        self.behind = pushed.last().map_or(self.behind, |(seq, ..)| *seq);
        if self.refused.is_empty() || !self.is_more_to_come()? {
            answer.refused = self.all_refused();
        }
        settle(&self.replica, &answer, &self.offered_hidden)?;
        Ok(Reply::Acknowledged(answer.accepted.len() as u64, ack.refused.len() as u64))
    }

    fn is_more_to_come(&self) -> Result<bool> {
        let records: BTreeSet<&RecordId> = self.refused.iter().map(|((_, record, _), _)| record).collect();
        self.replica.read(|conn| {
            for record in records {
                if is_offered_behind(conn, record, self.behind)? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn all_refused(&mut self) -> Vec<(Sent, Refused)> {
        self.behind = 0;
        std::mem::take(&mut self.refused)
    }

    // What the upstream will judge by is judged by here, from the next command on.
    pub(super) fn granted(&self, grant: &Grant) -> Result<()> {
        let scopes: Vec<Scope> = grant.scopes.iter().filter_map(|text| Scope::parse(text)).collect();
        self.replica.write(Origin::Upstream, |writer| writer.assign(&grant.role, &scopes))?;
        Ok(())
    }

    /// Keeps what was refused further up. Whether something was written again.
    pub(super) fn returned(&self, changes: &[ReturnedChange]) -> Result<bool> {
        let now = self.replica.corrected_now();
        let own = self.replica.device();
        let (replaying, _) =
            self.replica.write(Origin::Upstream, |writer| gone::take_back(writer, changes, &own, now))?;
        Ok(replaying && self.replica.replay_refused()?)
    }

    fn summary(&self) -> Result<Reply> {
        let outbox = self.replica.outbox_len()?;
        Ok(Reply::Summary(outbox, complete_through(&self.replica, outbox == 0)?))
    }

    fn blob(&self, request: BlobRequest) -> Result<BlobReply> {
        match request {
            BlobRequest::Next => self.replica.blob_next(),
            BlobRequest::Offered { hash, size } => self.replica.blob_offered(&hash, size),
            BlobRequest::Read { hash, offset, bytes_max } => self.replica.blob_read(&hash, offset, bytes_max),
            BlobRequest::Write { hash, offset, size, bytes } => self.replica.blob_write(&hash, offset, size, &bytes),
        }
    }
}

impl Executor for Downstream {
    type Request = Request;
    type Reply = Reply;

    fn execute(&mut self, request: Request) -> Reply {
        self.answer(request).unwrap_or_else(Reply::Failed)
    }
}

// Puts what came in the place of what is damaged here. Gives the records that still are: whatever comes for them waits
// until they have come whole.
fn mend(writer: &mut Writer<'_>, decoded: &codec::Decoded) -> Result<BTreeSet<RecordId>> {
    let mut awaited = refetch(writer.connection())?;
    let (mut broken, before) = (BTreeSet::new(), awaited.len());
    if awaited.is_empty() {
        return Ok(broken);
    }
    for change in &decoded.changes {
        if let Some((record, _)) = decoded.records.get(change.record).filter(|(id, _)| awaited.contains(id)) {
            writer.mend(record, &change.hash, decoded.raw(change))?;
        }
    }
    for (record, _) in &decoded.records {
        if awaited.contains(record) {
            match writer.state(record) {
                Ok(_) => awaited.remove(record),
                Err(Error::Corrupt(_)) => broken.insert(*record),
                Err(error) => return Err(error),
            };
        }
    }
    if awaited.len() < before {
        writer.mark_dirty();
        set_refetch(writer.connection(), &awaited)?;
    }
    Ok(broken)
}

/// A change of the log: its sequence and its name.
pub(super) type Sent = (u64, RecordId, ChangeHash);

/// What the upstream has answered about changes that were sent to it.
#[derive(Debug, Default)]
pub(super) struct Answered {
    pub(super) accepted: Vec<Sent>,
    pub(super) refused: Vec<(Sent, Refused)>,
    /// The token of the newest commit that holds them.
    pub(super) witness: Option<Vec<u8>>,
}

/// The next changes of the outbox behind a sequence, encoded; none where nothing waits.
pub(super) fn next_push(
    replica: &Replica,
    told: &mut Told,
    after: u64,
    budget: Budget,
) -> Result<Option<(Vec<Waiting>, Vec<u8>)>> {
    replica.read(|conn| {
        let mut raw_budget = budget.bytes.saturating_mul(RAW_PER_COMPRESSED);
        loop {
            let waiting = link_rows::outbox(conn, after, raw_budget)?;
            if waiting.is_empty() {
                return Ok(None);
            }
            let items: Vec<Item> = waiting.iter().map(Item::of).collect();
            let changes = encode(conn, &replica.schema(), told, &items, budget.level)?;
            if fits(&changes) || raw_budget == 0 {
                return Ok(Some((waiting, changes)));
            }
            raw_budget /= 2;
        }
    })
}

/// Keeps an answer of the upstream: what it accepted waits no longer, what it refused goes to quarantine.
///
/// Records of `offered_hidden` stay hidden although nothing of them waits: whether they left is not known.
pub(super) fn settle(replica: &Replica, answer: &Answered, offered_hidden: &BTreeSet<RecordId>) -> Result<()> {
    let now = replica.corrected_now();
    let seqs: Vec<u64> = answer.accepted.iter().map(|(seq, ..)| *seq).collect();
    let reasons: Reasons = answer
        .refused
        .iter()
        .map(|((_, record, hash), why)| ((*record, *hash), Refused::new(&why.code, why.detail.clone())))
        .collect();
    let (replaying, _) = replica.write(Origin::Upstream, |writer| {
        link_rows::delivered(writer.connection(), &seqs)?;
        let replaying = gone::refuse(writer, &reasons, now)?;
        if let Some(witness) = &answer.witness {
            meta::set(writer.connection(), key::WITNESS, witness)?;
        }
        add(writer.connection(), key::PUSHED, seqs.len() as u64)?;
        add(writer.connection(), key::REFUSED, reasons.len() as u64)?;
        if link_rows::outbox_len(writer.connection())? == 0 {
            meta::set_integer(writer.connection(), key::COMPLETE, now.0)?;
        }
        for record in hidden(writer, answer)?.iter().filter(|record| !offered_hidden.contains(*record)) {
            writer.leave(record)?;
        }
        writer.mark_dirty();
        Ok(replaying)
    })?;
    replica.inner.watchers.delivered();
    if replaying {
        replica.replay_refused()?;
    }
    Ok(())
}

/// Up to when this replica and everything beneath it will have nothing left to deliver, if what is being sent has
/// `emptied` the outbox.
pub(super) fn complete_through(replica: &Replica, emptied: bool) -> Result<Option<Millis>> {
    let now = replica.corrected_now();
    replica.read(|conn| {
        let own = if emptied { Some(now) } else { meta::integer(conn, key::COMPLETE)?.map(Millis) };
        let mut through = own;
        for device in link_rows::devices(conn)? {
            if !device.revoked && device.enroller == replica.device() {
                let said = link_rows::link(conn, &device.id)?.and_then(|row| row.complete_through);
                through = through.min(said);
            }
        }
        Ok(through)
    })
}

/// What became of the changes of a batch.
struct Taken {
    /// What is new.
    logged: Vec<Sent>,
    /// The records that it is about.
    records: BTreeSet<RecordId>,
    /// Records that are damaged here, to be asked for.
    broken: Vec<RecordId>,
    /// Records whose past is not here.
    missing: Vec<RecordId>,
}

// The position up to which everything has come; none: as before.
fn stand_at(writer: &mut Writer<'_>, position: &[u8]) -> Result<()> {
    if position.is_empty() {
        return Ok(());
    }
    writer.mark_dirty();
    meta::set(writer.connection(), key::POSITION, position)?;
    // The witness says what the position does not: it is kept only while it is the newer of the two.
    meta::clear(writer.connection(), key::WITNESS)
}

// Makes the changes of a batch durable.
fn take_in(writer: &mut Writer<'_>, batch: &Batch) -> Result<Taken> {
    let decoded = match batch.changes.as_slice() {
        [] => codec::Decoded::default(),
        bytes => decoded(bytes, |id, actor, seq| feed::change_of(writer.connection(), id, actor, seq))?,
    };
    for binding in &decoded.bindings {
        writer.bind_actor(binding)?;
    }
    let broken = mend(writer, &decoded)?;
    let lacking = |record: usize| decoded.records.get(record).map(|(id, _)| *id);
    let mut missing: Vec<RecordId> = decoded.missing.iter().filter_map(|m| lacking(m.record)).collect();
    let mut logged = Vec::new();
    for change in &decoded.changes {
        let Some((record, collection)) = decoded.records.get(change.record) else { continue };
        if broken.contains(record) {
            continue;
        }
        let collection = writer.collection(collection);
        let held = writer.held(record)?;
        if held.as_ref().is_some_and(|held| held.hidden) {
            writer.come_back(record)?;
        }
        let state = match held {
            Some(_) => writer.state(record)?,
            None => None,
        };
        let foreign = Foreign { record: *record, collection: &collection, raw: decoded.raw(change), hash: change.hash };
        match vet_rebuilt(foreign, state) {
            Ok(vetted) => {
                if let Appended::Logged(seq) = writer.append(*record, &collection, &vetted, change.tx_end)? {
                    logged.push((seq, *record, change.hash));
                }
            }
            Err(Refusal::Missing { .. }) => missing.push(*record),
            Err(refusal) => return Err(Error::from(refusal).at(record.to_string())),
        }
    }
    if !missing.is_empty() {
        mark!("dependency_missing");
    }
    if canary!("forget_a_pending_dependency") {
        missing.clear();
    }
    let records = decoded.records.iter().map(|(id, _)| *id).collect();
    let broken = if batch.position.is_empty() { Vec::new() } else { broken.into_iter().collect() };
    Ok(Taken { logged, records, broken, missing })
}

// Records that left our scopes while something typed here waited: delivered or quarantined by now.
fn hidden(writer: &mut Writer<'_>, answer: &Answered) -> Result<Vec<RecordId>> {
    let answered = answer.accepted.iter().chain(answer.refused.iter().map(|(sent, _)| sent));
    let records: BTreeSet<RecordId> = answered.map(|(_, record, _)| *record).collect();
    let mut out = Vec::new();
    for record in records {
        if writer.held(&record)?.is_some_and(|held| held.hidden) {
            mark!("left_after_delivery");
            out.push(record);
        }
    }
    Ok(out)
}
