//! The upper end's requests on a replica: admitting, feeding, taking in, hearing.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use ed25519_dalek::{Signature, VerifyingKey};

use super::batch::{Item, RAW_PER_COMPRESSED, Told, encode, fits};
use super::compare::Comparison;
use super::enrol;
use super::ingest::UnderWay;
use crate::access::Scope;
use crate::error::{Error, Result};
use crate::id::{DeviceId, RecordId, Timeline};
use crate::replica::Replica;
use crate::schema::Kind;
use crate::store::feed::{self, CLASS_SHARED_MAX, FeedChange, Viewer};
use crate::store::link_rows::{self, DeviceRow, LinkRow, OwnWork};
use crate::store::{Opened, Origin};
use crate::sync::Executor;
use crate::sync::blobs::{BlobReply, BlobRequest};
use crate::sync::pace::Budget;
use crate::sync::position::{Position, Seal};
use crate::sync::upstream::{Reply, Request};
use crate::time::Millis;
use crate::wire::message::{Batch, Grant, Hello, Message, Nonce, Welcome};

/// Answers an upstream session's requests for one connection.
pub struct Upstream {
    pub(super) replica: Replica,
    pub(super) seal: Seal,
    version: Option<String>,
    pub(super) peer: Option<Peer>,
    // The greeting of a device that is not remembered here.
    stranger: Option<Hello>,
    admitted: Arc<OnceLock<DeviceId>>,
    // A push whose device rests.
    pub(super) under_way: Option<UnderWay>,
}

/// The downstream of this connection.
pub(super) struct Peer {
    pub(super) device: DeviceRow,
    /// It may only push, and all of it goes to review.
    pub(super) revoked: bool,
    /// No device yet: a seed is made, of scopes that its maker chose.
    prospect: bool,
    pub(super) told: Told,
    pub(super) position: Position,
    /// Changes fed so far.
    pub(super) fed: u64,
    // Where the downstream will be once it has confirmed the batch in flight.
    pending: Option<Position>,
    /// What it has shows that this log was set back: what it brings is judged as what stood here before.
    pub(super) carries: bool,
    pub(super) comparison: Option<Comparison>,
    /// The certificate of a device that this replica does not remember.
    pub(super) certificate: Option<Vec<u8>>,
    /// The epoch issued on this connection; none without a line.
    pub(super) epoch: Option<u32>,
}

impl Peer {
    fn new(device: DeviceRow, revoked: bool, position: Position) -> Self {
        Self {
            device,
            revoked,
            prospect: false,
            told: Told::default(),
            position,
            fed: 0,
            pending: None,
            carries: false,
            comparison: None,
            certificate: None,
            epoch: None,
        }
    }

    /// The link as it is remembered, while this connection is the newest of its device: what two copies of a folder bring
    /// at a time cannot be told apart.
    pub(super) fn link(&self, conn: &Opened) -> Result<Option<LinkRow>> {
        let Some(epoch) = self.epoch else { return Ok(None) };
        let row = link_rows::link(conn, &self.device.id)?.filter(|row| row.offered == epoch);
        row.map(Some).ok_or_else(|| Error::busy("link-replaced"))
    }

    /// The device as its record now says; one that came back with its certificate has none yet.
    pub(super) fn current(&self, conn: &Opened) -> Result<DeviceRow> {
        if self.prospect {
            return Ok(self.device.clone());
        }
        match link_rows::device(conn, &self.device.id)? {
            None if self.certificate.is_some() => Ok(self.device.clone()),
            _ => current(conn, &self.device.id),
        }
    }
}

impl Upstream {
    /// For a connection whose program said this version of itself.
    pub fn new(replica: Replica, version: Option<String>) -> Self {
        let seal = Seal::of_secret(&replica.identity().secret());
        Self { replica, seal, version, peer: None, stranger: None, admitted: Arc::default(), under_way: None }
    }

    /// For files of a downstream that has no line, beginning after a position.
    pub(super) fn without_line(replica: Replica, device: DeviceRow, position: Position) -> Result<Self> {
        let active = replica.read(|conn| link_rows::person_active(conn, &device.person))?;
        let revoked = device.revoked || !active;
        Ok(Self { peer: Some(Peer::new(device, revoked, position)), ..Self::new(replica, None) })
    }

    /// For the seed of a replica that does not exist yet.
    pub(super) fn prospect(replica: Replica, device: DeviceRow, position: Position) -> Self {
        let peer = Peer { prospect: true, ..Peer::new(device, false, position) };
        Self { peer: Some(peer), ..Self::new(replica, None) }
    }

    /// Where the device at the other end will stand once it was let in.
    pub fn admitted_device(&self) -> Arc<OnceLock<DeviceId>> {
        self.admitted.clone()
    }

    fn answer(&mut self, request: Request) -> Result<Reply> {
        match request {
            Request::Admit(hello, nonce) => self.admit(hello, &nonce),
            Request::Introduced(certificate, nonce) => self.introduced(certificate, &nonce),
            Request::Compare(compare) => self.compare(compare).map(Reply::Compared),
            Request::Enrol(enrol, nonce) => enrol::enrol(&self.replica, &enrol, &nonce).map(Reply::Enrolled),
            Request::Feed(budget) => self.feed(budget),
            Request::Confirmed => self.confirmed().map(|()| Reply::Done),
            Request::Ingest(number, changes) => self.push(UnderWay::new(number, changes)),
            Request::GoOn => match self.under_way.take() {
                Some(under_way) => self.push(under_way),
                None => Err(Error::protocol("unexpected-message")),
            },
            Request::Whole(records) => self.whole(&records).map(|batch| Reply::Batch(Some(batch))),
            Request::Heard(outbox, complete) => self.heard(outbox, complete).map(|()| Reply::Done),
            Request::Blob(request) => self.blob(request).map(Reply::Blob),
        }
    }

    pub(super) fn admitted(&mut self) -> Result<&mut Peer> {
        self.peer.as_mut().ok_or_else(|| Error::protocol("unexpected-message"))
    }

    fn push(&mut self, under_way: UnderWay) -> Result<Reply> {
        Ok(self.go_on(under_way)?.map_or(Reply::Resting, |(ack, new)| Reply::Ack(ack, new)))
    }

    fn admit(&mut self, hello: Hello, nonce: &Nonce) -> Result<Reply> {
        match self.replica.read(|conn| link_rows::device(conn, &hello.device))? {
            Some(device) => self.let_in(&hello, nonce, device, None),
            None => {
                self.stranger = Some(hello);
                Ok(Reply::Stranger)
            }
        }
    }

    // A device with a certificate of this replica which it does not remember: it was enrolled, and this log set back.
    fn introduced(&mut self, certificate: Vec<u8>, nonce: &Nonce) -> Result<Reply> {
        let hello = self.stranger.take().ok_or_else(|| Error::protocol("unexpected-message"))?;
        let device = enrol::remembered(&self.replica, &certificate, &hello.device)?;
        let begins = hello.position.is_empty();
        let reply = self.let_in(&hello, nonce, device, Some(certificate))?;
        if begins {
            self.readmit_for_good()?;
        }
        Ok(reply)
    }

    fn let_in(
        &mut self,
        hello: &Hello,
        nonce: &Nonce,
        device: DeviceRow,
        certificate: Option<Vec<u8>>,
    ) -> Result<Reply> {
        check_signature(&device.public_key, &hello.signed(nonce, &self.replica.device()), &hello.signature)?;
        let active = self.replica.read(|conn| link_rows::person_active(conn, &device.person))?;
        let revoked = (device.revoked || !active) && !canary!("forget_a_revocation");
        if revoked && hello.outbox == 0 {
            return Err(Error::refused("link-revoked"));
        }
        let offered = self.replica.random_u32().max(1);
        let now = self.replica.environment().now();
        let version = self.version.clone();
        let seal = self.seal.clone();
        let replica = self.replica.clone();
        let timeline = self.replica.timeline()?;
        let grant = self.replica.grant_of(&device)?;
        let (standing, quiet) = self.replica.note(|conn| {
            let row = link_rows::link(conn, &device.id)?.unwrap_or_default();
            let first = row.epoch == 0 && row.offered == 0;
            let stale = !first && hello.epoch != row.epoch && hello.epoch != row.offered;
            // A revoked device is let in only to hand over for review what was typed on it; it gets nothing.
            let standing = match revoked {
                true => Standing::Known(beginning(conn, timeline)?, u64::MAX),
                false => standing(conn, timeline, &seal, hello)?,
            };
            note_copy(conn, &device.id, stale, standing.held())?;
            let (position, quiet) = match &standing {
                Standing::Known(position, _) => {
                    let viewer = viewer(conn, &replica, &device, &grant)?;
                    (position.seq, revoked || feed::is_quiet(conn, &viewer, position)?)
                }
                Standing::Differs { .. } => (0, false),
            };
            let row = LinkRow {
                epoch: hello.epoch,
                offered,
                last_seen: Some(now),
                position,
                outbox: Some(hello.outbox),
                version: version.or(row.version),
                ..row
            };
            link_rows::set_link(conn, &device.id, &row)?;
            Ok((standing, quiet))
        })?;
        if revoked {
            mark!("revoked_device_admitted");
        }
        let _ = self.admitted.set(device.id);
        let (differs, lost) = match &standing {
            Standing::Known(..) => (false, false),
            Standing::Differs { here } => {
                mark!("rollback_noticed");
                (true, *here)
            }
        };
        let position = if let Standing::Known(position, _) = standing { position } else { Position::default() };
        let carries = !revoked && (lost || certificate.is_some());
        let peer = Peer::new(device, revoked, position);
        self.peer = Some(Peer { carries, certificate, epoch: Some(offered), ..peer });
        Ok(Reply::Welcome { welcome: Welcome { now: self.replica.corrected_now(), epoch: offered, quiet }, differs })
    }

    fn confirmed(&mut self) -> Result<()> {
        let peer = self.admitted()?;
        if let Some(position) = peer.pending.take() {
            peer.position = position;
        }
        Ok(())
    }

    /// The next batch of a file, with what goes before it.
    pub(super) fn next_batch(&mut self, budget: Budget) -> Result<Option<(Vec<Message>, Batch)>> {
        let fed = match self.feed(budget)? {
            Reply::Led(before, batch) => Some((before, batch)),
            Reply::Batch(batch) => batch.map(|batch| (Vec::new(), batch)),
            _ => None,
        };
        self.confirmed()?;
        Ok(fed)
    }

    fn feed(&mut self, budget: Budget) -> Result<Reply> {
        let replica = self.replica.clone();
        let seal = self.seal.clone();
        if self.admitted()?.revoked {
            return Ok(Reply::Batch(None));
        }
        if let Some(batch) = self.feed_wanted(budget)? {
            return Ok(Reply::Batch(Some(batch)));
        }
        let beyond = self.end_comparison()?;
        let peer = self.admitted()?;
        if peer.comparison.is_some() {
            return Ok(Reply::Batch(Some(Batch { purge: beyond.unwrap_or_default(), ..Batch::default() })));
        }
        let (mut told, from) = (std::mem::take(&mut peer.told), &peer.position);
        let fed = replica.read(|conn| {
            peer.link(conn)?;
            let device = peer.current(conn)?;
            let grant = replica.grant_of(&device)?;
            let viewer = viewer(conn, &replica, &device, &grant)?;
            let mut raw_budget = budget.bytes.saturating_mul(RAW_PER_COMPRESSED);
            loop {
                let mut fed = feed::feed(conn, &viewer, from, raw_budget)?;
                if beyond.is_some() {
                    // It may not have heard of what lies before.
                    let reached = std::mem::replace(&mut fed.position.seq, from.seq);
                    feed::tell(conn, &viewer, &mut fed, 0)?;
                    fed.position.seq = reached;
                }
                let count = fed.changes.len() as u64;
                let changes = encode_fed(conn, &replica, &mut told, std::mem::take(&mut fed.changes), budget.level)?;
                // What hardly compresses goes in smaller batches; one transaction always fits.
                if fits(&changes) || raw_budget == 0 {
                    return Ok((grant, (fed, count, changes)));
                }
                raw_budget /= 2;
            }
        });
        peer.told = told;
        let (grant, (mut fed, count, changes)) = fed?;
        if !fed.moved && beyond.is_none() {
            peer.position = fed.position;
            return Ok(Reply::Batch(None));
        }
        fed.purge.extend(beyond.unwrap_or_default());
        let news = peer.position.grant != fed.position.grant;
        let position = seal.seal(&fed.position);
        peer.fed += count;
        peer.pending = Some(fed.position);
        let batch = Batch {
            number: 0,
            position,
            done: fed.done,
            total: fed.total,
            last: fed.last,
            purge: fed.purge.into_iter().collect(),
            resets: fed.resets,
            verdicts: fed.verdicts,
            changes,
        };
        let mut before = Vec::new();
        if news {
            mark!("grant_told");
            before.push(Message::Grant(grant));
        }
        before.extend(fed.returned.into_iter().map(|changes| Message::Returned { changes }));
        Ok(if before.is_empty() { Reply::Batch(Some(batch)) } else { Reply::Led(before, batch) })
    }

    pub(super) fn whole(&mut self, records: &[RecordId]) -> Result<Batch> {
        let replica = self.replica.clone();
        let peer = self.admitted()?;
        if peer.revoked {
            return Err(Error::refused("link-revoked"));
        }
        let mut told = std::mem::take(&mut peer.told);
        let changes = replica.read(|conn| {
            let device = peer.current(conn)?;
            let viewer = viewer(conn, &replica, &device, &replica.grant_of(&device)?)?;
            let fed = feed::whole(conn, &viewer, records)?;
            encode_fed(conn, &replica, &mut told, fed.changes, 3)
        });
        peer.told = told;
        let changes = changes?;
        // The position stays: it already covers these records' changes, or will.
        Ok(Batch { changes, ..Batch::default() })
    }

    pub(super) fn heard(&mut self, outbox: u64, complete: Option<Millis>) -> Result<()> {
        let now = self.replica.environment().now();
        let replica = self.replica.clone();
        let peer = &*self.admitted()?;
        let (device, position) = (peer.device.id, peer.position.seq);
        replica.write(Origin::Local, |writer| {
            let row = match peer.link(writer.connection())? {
                // Who speaks has stored the epoch that was issued to it: from now on it alone is good.
                Some(row) => LinkRow { epoch: row.offered, ..row },
                None => link_rows::link(writer.connection(), &device)?.unwrap_or_default(),
            };
            let row = LinkRow {
                last_seen: Some(now),
                position,
                outbox: Some(outbox),
                complete_through: complete.max(row.complete_through),
                ..row
            };
            writer.mark_dirty();
            link_rows::set_link(writer.connection(), &device, &row)?;
            let confirmed = link_rows::confirmed_by_all(writer.connection())?;
            writer.sweep_hidden(confirmed)
        })?;
        Ok(())
    }

    fn blob(&mut self, request: BlobRequest) -> Result<BlobReply> {
        if self.admitted()?.revoked {
            return Ok(BlobReply::Finished);
        }
        match request {
            BlobRequest::Next => Ok(BlobReply::Nothing),
            BlobRequest::Offered { hash, size } => self.replica.blob_offered(&hash, size),
            BlobRequest::Read { hash, offset, bytes_max } => self.replica.blob_read(&hash, offset, bytes_max),
            BlobRequest::Write { hash, offset, size, bytes } => self.replica.blob_write(&hash, offset, size, &bytes),
        }
    }
}

impl Executor for Upstream {
    type Request = Request;
    type Reply = Reply;

    fn execute(&mut self, request: Request) -> Reply {
        self.answer(request).unwrap_or_else(Reply::Failed)
    }
}

// Another copy of the folder, or an older one, may lack what came from this device meanwhile. Or the answer to its last
// push was lost, and it gets that once more.
fn note_copy(conn: &Opened, device: &DeviceId, stale: bool, held: u64) -> Result<()> {
    let own = link_rows::own_work(conn, device)?;
    if !(stale || own.last > held) || canary!("take_a_copy_for_its_original") {
        return Ok(());
    }
    mark!("copy_noticed");
    link_rows::set_own_work(conn, device, OwnWork { copied_at: feed::log_end(conn)?, ..own })
}

/// Checks an Ed25519 signature.
pub(super) fn check_signature(public_key: &[u8; 32], signed: &[u8], signature: &[u8; 64]) -> Result<()> {
    let invalid = || Error::refused("signature-invalid");
    let key = VerifyingKey::from_bytes(public_key).map_err(|_| invalid())?;
    key.verify_strict(signed, &Signature::from_bytes(signature)).map_err(|_| invalid())
}

/// Where a downstream begins that has nothing yet: at the end of the log, with everything owed by passes.
pub(super) fn beginning(conn: &Opened, timeline: Timeline) -> Result<Position> {
    let end = feed::log_end(conn)?;
    Ok(Position { timeline, seq: end, rolling: feed::rolling_at(conn, end)?, ..Position::default() })
}

/// A position or witness that this log confirms.
pub(super) fn known(conn: &Opened, timeline: Timeline, seal: &Seal, token: &[u8], end: u64) -> Result<Position> {
    let position = seal.open(token)?;
    if is_of(conn, timeline, &position, end)? { Ok(position) } else { Err(Error::refused("history-differs")) }
}

fn is_of(conn: &Opened, timeline: Timeline, position: &Position, end: u64) -> Result<bool> {
    Ok(position.timeline == timeline
        && position.seq <= end
        && feed::rolling_at(conn, position.seq)? == position.rolling)
}

/// Where a downstream stands in this log.
enum Standing {
    /// There, and up to where it holds its own work.
    Known(Position, u64),
    /// Nowhere: the token is none of ours, or `here` it names a place that this log once had.
    Differs { here: bool },
}

impl Standing {
    // A comparison finds own work like all else.
    fn held(&self) -> u64 {
        match self {
            Standing::Known(_, held) => *held,
            Standing::Differs { .. } => u64::MAX,
        }
    }
}

fn standing(conn: &Opened, timeline: Timeline, seal: &Seal, hello: &Hello) -> Result<Standing> {
    let end = feed::log_end(conn)?;
    let (mut position, mut held) = (None, 0);
    let (mut foreign, mut here) = (false, false);
    for token in [&hello.position, &hello.witness].into_iter().filter(|token| !token.is_empty()) {
        match seal.open(token) {
            Ok(place) if is_of(conn, timeline, &place, end)? => {
                held = place.seq.max(held);
                position.get_or_insert(place);
            }
            Ok(_) => here = true,
            Err(_) => foreign = true,
        }
    }
    match position {
        _ if (foreign || here) && !canary!("overlook_a_rollback") => Ok(Standing::Differs { here }),
        Some(position) if !hello.position.is_empty() => Ok(Standing::Known(position, held)),
        // All of it goes down by passes, its own work, too.
        _ => Ok(Standing::Known(beginning(conn, timeline)?, u64::MAX)),
    }
}

// The device as its record now says: a revocation or another grant holds from the next batch on.
pub(super) fn current(conn: &Opened, device: &DeviceId) -> Result<DeviceRow> {
    let row = link_rows::device(conn, device)?.ok_or_else(|| Error::refused("unknown-device"))?;
    let active = link_rows::person_active(conn, &row.person)?;
    if (row.revoked || !active) && !canary!("forget_a_revocation") {
        Err(Error::refused("link-revoked"))
    } else {
        Ok(row)
    }
}

pub(super) fn viewer(conn: &Opened, replica: &Replica, device: &DeviceRow, grant: &Grant) -> Result<Viewer> {
    let schema = replica.schema();
    let mut shared = HashMap::new();
    for collection in schema.collections().iter().filter(|c| c.kind == Kind::Shared) {
        if let Some(n) = link_rows::collection_number(conn, &collection.name)? {
            shared.insert(n, collection.priority.min(CLASS_SHARED_MAX));
        }
    }
    let (scopes, teams) = scopes_of(conn, device)?;
    let own = link_rows::scope_number(conn, &format!("user:{}", device.person))?;
    let copied_at = link_rows::own_work(conn, &device.id)?.copied_at;
    let numbers = schema.sealed().iter().map(|sealed| link_rows::collection_number(conn, &sealed.name));
    let sealed = numbers.filter_map(Result::transpose).collect::<Result<Vec<_>>>()?;
    let (serves, grant) = (device.branch, grant.mark());
    Ok(Viewer { device: device.id, own, teams, scopes, shared, serves, sealed, grant, copied_at })
}

/// The numbers of the scopes that a device may hold, as its record now says, and of those that are teams'.
pub(super) fn scopes_of(conn: &Opened, device: &DeviceRow) -> Result<(Vec<u64>, Vec<u64>)> {
    // A scope without a number has no record yet; once it has one, the grant is noticed like a new one.
    let mut scopes = Vec::from_iter(link_rows::scope_number(conn, "shared")?);
    let mut teams = Vec::new();
    // A server of a branch has what the branch's servers alone hold; of several branches, that of its own.
    let branches = device.scopes.iter().filter_map(|text| Scope::parse(text)).filter_map(|scope| match scope {
        Scope::Branch(branch) => Some(branch),
        Scope::Workspace => device.home_branch,
        _ => None,
    });
    for branch in branches.filter(|_| device.branch) {
        scopes.extend(link_rows::scope_number(conn, &Scope::Servers(branch).to_string())?);
    }
    // What names no scope that can be granted grants nothing.
    for scope in device.scopes.iter().filter(|text| Scope::parse(text).is_some()) {
        let Some(n) = link_rows::scope_number(conn, scope)? else { continue };
        scopes.push(n);
        if scope.starts_with("team:") {
            teams.push(n);
        }
    }
    scopes.sort_unstable();
    scopes.dedup();
    Ok((scopes, teams))
}

pub(super) fn encode_fed(
    conn: &Opened,
    replica: &Replica,
    told: &mut Told,
    changes: Vec<FeedChange>,
    level: i32,
) -> Result<Vec<u8>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let items: Vec<Item> = changes
        .into_iter()
        .map(|c| Item { record: c.record, collection: c.collection, hash: c.hash, raw: c.raw, tx_end: c.tx_end })
        .collect();
    encode(conn, &replica.schema(), told, &items, level)
}
