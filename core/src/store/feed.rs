//! What goes down a link: the changes after a position that one downstream may hold, in log order, and the walks over
//! whole records that no sequence can express (first sync, a new grant, a grant taken back). With them go retractions of
//! what went down before, and what became of refused changes that came from there.
//!
//! Everything is judged at the moment of sending, by the scopes in which a record then is. Cost follows what changed
//! in the downstream's scopes: the log is read through an index by scope and sequence, never as a whole (but for a
//! downstream that holds the whole workspace).

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;
use crate::id::{ActorId, ChangeHash, DeviceId, RecordId};
use crate::limits::BATCH_CHANGES_MAX;
use crate::sync::position::{GrantMark, Pass, Position, Rolling};

use super::kept_rows::{self, Fate, KeptRow, Queue};
use super::link_rows::WORKSPACE;
use super::pack::{CELLS, Logged, Packs};
use super::writer::roll;
use super::{flag, record};
use crate::wire::message::{Outcome, Reset, Retracted, ReturnedChange, Verdict};

/// Whom a feed serves.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    /// The downstream: it does not get its own changes back.
    pub device: DeviceId,
    /// The scope of its person's own records, which go before the rest of a first sync.
    pub own: Option<u64>,
    /// Scopes of teams, which go second.
    pub teams: Vec<u64>,
    /// The scopes that it may hold now.
    pub scopes: Vec<u64>,
    /// Class of each shared collection by its number; a collection that is not here belongs to branches.
    pub shared: HashMap<i64, u8>,
    /// Whether it serves others.
    pub serves: bool,
    /// The sealed collections by their numbers: they need a scope of their own, whatever else is held.
    pub sealed: Vec<i64>,
    /// Stands for what it may do and hold now.
    pub grant: GrantMark,
    /// What came from it up to here may be news to it: a copy of its folder wrote that, or one that was restored since.
    pub copied_at: u64,
}

impl Viewer {
    /// The condition on `record r` for what the whole workspace's scope stands for: all but the sealed collections.
    pub(crate) fn unsealed(&self) -> String {
        let sealed = self.sealed.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        format!("r.collection NOT IN ({sealed})")
    }
}

/// Classes of a walk: shared collections by priority (0 to 3), then own records, then the teams', then the rest.
const CLASS_OWN: u8 = 4;
const CLASS_TEAM: u8 = 5;
const CLASS_REST: u8 = 6;
/// Greatest class of a shared collection.
pub(crate) const CLASS_SHARED_MAX: u8 = 3;
/// Records looked at in one query of a walk.
const WALK_ROWS: usize = 512;

/// One change on its way down.
#[derive(Debug)]
pub(crate) struct FeedChange {
    pub record: RecordId,
    pub collection: i64,
    pub hash: ChangeHash,
    pub raw: Vec<u8>,
    pub tx_end: bool,
}

/// What one batch carries.
#[derive(Debug, Default)]
pub(crate) struct Fed {
    pub changes: Vec<FeedChange>,
    /// What has left; none of it is among the changes, for it is taken out after they are taken in.
    pub purge: BTreeSet<RecordId>,
    pub resets: Vec<Reset>,
    pub verdicts: Vec<Verdict>,
    /// Refused further up, for whom it came from, by transactions.
    pub returned: Vec<Vec<ReturnedChange>>,
    pub position: Position,
    /// Records delivered by the open passes, and in all; zero outside a pass.
    pub done: u64,
    pub total: u64,
    /// Nothing follows.
    pub last: bool,
    /// Something happened in the viewer's scopes, if only its own changes: the downstream hears of its new position.
    pub moved: bool,
    bytes: usize,
}

impl Fed {
    fn full(&self, budget: usize) -> bool {
        self.bytes >= budget || self.changes.len() >= BATCH_CHANGES_MAX
    }
}

/// Reads the next batch for a viewer after a position, about `budget` raw bytes.
pub(crate) fn feed(conn: &Connection, viewer: &Viewer, from: &Position, budget: usize) -> Result<Fed> {
    let mut fed = Fed { position: from.clone(), ..Fed::default() };
    fed.position.grant = Some(viewer.grant);
    let mut feed = Feeder { conn, packs: Packs::of(conn), viewer, fed, budget, retracted: OnceCell::new() };
    // Small work before bulk: what happened since goes before the walk goes on.
    let end = log_end(conn)?;
    // What was refused above and settled goes with the position that lies behind it; the rest waits for the next batch.
    let upto = kept_rows::news(conn, &viewer.device, from.seq, end)?.upto.unwrap_or(end);
    feed.after_position(upto)?;
    tell(conn, viewer, &mut feed.fed, from.seq)?;
    // Up to the end by the scopes that were held, so that what has left one of them meanwhile is heard of.
    if feed.fed.position.seq >= end {
        follow_grants(viewer, &mut feed.fed);
        while !feed.fed.full(budget) && feed.step()? {}
    }
    let Feeder { mut fed, .. } = feed;
    if let Some(pass) = fed.position.passes.first().filter(|p| !p.leaving) {
        fed.done = pass.done;
        fed.total = count(conn, viewer, &pass.scopes)?;
    }
    fed.last = fed.position.passes.is_empty() && fed.position.seq >= end;
    if fed.position.seq != from.seq {
        fed.position.rolling = rolling_at(conn, fed.position.seq)?;
    }
    // What happened elsewhere is no news: nothing is sent for it.
    let told = fed.position.grant != from.grant;
    fed.moved |= told || fed.position.passes != from.passes || fed.position.held != from.held;
    Ok(fed)
}

/// Whether a feed from this position would deliver or skip anything. Looks at one index entry per scope.
pub(crate) fn is_quiet(conn: &Connection, viewer: &Viewer, from: &Position) -> Result<bool> {
    let held: BTreeSet<u64> = from.held.iter().copied().collect();
    let told = from.grant == Some(viewer.grant);
    if !told || !from.passes.is_empty() || held != viewer.scopes.iter().copied().collect() {
        return Ok(false);
    }
    if kept_rows::is_news_after(conn, &viewer.device, from.seq)? {
        return Ok(false);
    }
    if held.contains(&WORKSPACE) {
        return Ok(log_end(conn)? <= from.seq);
    }
    let mut next = conn.prepare_cached("SELECT 1 FROM scope_log WHERE scope = ? AND seq > ? LIMIT 1")?;
    for scope in held {
        if next.exists(params![scope as i64, from.seq as i64])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many changes of these scopes after a sequence a downstream has yet to hear of, its own not counted.
pub(crate) fn behind(conn: &Connection, device: &DeviceId, scopes: &[u64], from: u64) -> Result<u64> {
    let rows = if scopes.contains(&WORKSPACE) {
        "SELECT seq FROM log WHERE seq > ?1".to_owned()
    } else {
        let scopes = scopes.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        format!("SELECT DISTINCT seq FROM scope_log WHERE scope IN ({scopes}) AND seq > ?1")
    };
    let origin = "SELECT origin FROM log_commit WHERE last_seq >= seq ORDER BY last_seq LIMIT 1";
    let count = format!("SELECT count(*) FROM ({rows}) WHERE ({origin}) IS NOT ?2");
    let count: i64 =
        conn.prepare_cached(&count)?.query_row(params![from as i64, device.as_bytes()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

// A scope that was granted since opens a pass; one that was taken back opens a leaving pass.
fn follow_grants(viewer: &Viewer, fed: &mut Fed) {
    let held: BTreeSet<u64> = fed.position.held.iter().copied().collect();
    let granted: BTreeSet<u64> = viewer.scopes.iter().copied().collect();
    if held == granted || canary!("ignore_new_grants") {
        return;
    }
    let gained: Vec<u64> = granted.difference(&held).copied().collect();
    let lost: Vec<u64> = held.difference(&granted).copied().collect();
    if !lost.is_empty() {
        mark!("grant_lost");
        for pass in &mut fed.position.passes {
            pass.scopes.retain(|s| !lost.contains(s));
        }
        fed.position.passes.retain(|p| p.leaving || !p.scopes.is_empty());
        fed.position.passes.insert(0, Pass { scopes: lost, leaving: true, ..Pass::default() });
    }
    if !gained.is_empty() {
        mark!("grant_gained");
        fed.position.passes.push(Pass { scopes: gained, ..Pass::default() });
    }
    fed.position.held = granted.into_iter().collect();
}

/// Records that a pass over these scopes delivers.
fn count(conn: &Connection, viewer: &Viewer, scopes: &[u64]) -> Result<u64> {
    if scopes.contains(&WORKSPACE) {
        let all = format!("SELECT count(*) FROM record r WHERE {}", viewer.unsealed());
        return Ok(conn.query_row(&all, [], |r| r.get::<_, i64>(0))? as u64);
    }
    let mut total = 0;
    let mut one = conn.prepare_cached("SELECT count(*) FROM record_scope WHERE scope = ?")?;
    for scope in scopes {
        total += one.query_row([*scope as i64], |r| r.get::<_, i64>(0))? as u64;
    }
    Ok(total)
}

struct Feeder<'a> {
    conn: &'a Connection,
    packs: Packs<'a>,
    viewer: &'a Viewer,
    fed: Fed,
    budget: usize,
    /// Records of which changes were ever taken out.
    retracted: OnceCell<BTreeSet<u64>>,
}

struct RecordRow {
    n: u64,
    id: RecordId,
    collection: i64,
    scopes: Vec<u64>,
    /// Whether nothing of it stays: all its changes were retracted.
    empty: bool,
}

#[derive(Default)]
struct Happened {
    change: bool,
    entered: bool,
    left: bool,
    retracted: bool,
}

// What happened, by sequence and record.
type Window = BTreeMap<(u64, u64), Happened>;

impl Feeder<'_> {
    // ---- the log after the position

    fn after_position(&mut self, end: u64) -> Result<()> {
        while self.fed.position.seq < end && !self.fed.full(self.budget) {
            let (rows, upto) = self.window(end)?;
            let mut rows = rows.into_iter().peekable();
            while let Some(((seq, record), happened)) = rows.next() {
                self.log_row(seq, record, &happened)?;
                let next = rows.peek().map_or(upto + 1, |((s, _), _)| *s);
                let closes = transaction_ends_within(self.conn, seq, next)?;
                if closes && let Some(change) = self.fed.changes.last_mut() {
                    change.tx_end = true;
                }
                // A transaction is never cut: only where one ends may the batch end.
                if next > seq && closes && self.fed.full(self.budget) {
                    self.fed.position.seq = next.saturating_sub(1).max(seq);
                    return Ok(());
                }
            }
            self.fed.position.seq = upto;
        }
        Ok(())
    }

    // What happened next in the viewer's scopes, by sequence and record, and up to where that is all of it.
    fn window(&self, end: u64) -> Result<(Window, u64)> {
        let from = self.fed.position.seq;
        let mut rows = Window::new();
        let mut upto = end;
        if self.fed.position.held.contains(&WORKSPACE) {
            let mut log = self.conn.prepare_cached("SELECT seq, record FROM log WHERE seq > ? ORDER BY seq LIMIT ?")?;
            let found = log
                .query_map(params![from as i64, WALK_ROWS as i64], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))?
                .collect::<std::result::Result<Vec<_>, _>>()?;
            if found.len() == WALK_ROWS {
                upto = found.last().map_or(end, |(seq, _)| *seq as u64);
            }
            for (seq, record) in found {
                rows.entry((seq as u64, record as u64)).or_default().change = true;
            }
            let mut retracted = self.conn.prepare_cached(
                "SELECT seq, record FROM scope_log WHERE scope = ? AND seq > ? AND seq <= ? AND kind = 3",
            )?;
            let mut retracted = retracted.query(params![WORKSPACE as i64, from as i64, upto as i64])?;
            while let Some(row) = retracted.next()? {
                let at = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64);
                rows.entry(at).or_default().retracted = true;
            }
            return Ok((rows, upto));
        }
        let mut log = self.conn.prepare_cached(
            "SELECT seq, record, kind FROM scope_log WHERE scope = ? AND seq > ? ORDER BY seq LIMIT ?",
        )?;
        let mut found = Vec::new();
        let leaving = self.fed.position.passes.iter().filter(|pass| pass.leaving).flat_map(|pass| &pass.scopes);
        let scopes: BTreeSet<u64> = self.fed.position.held.iter().chain(leaving).copied().collect();
        for scope in scopes {
            let part = log
                .query_map(params![scope as i64, from as i64, WALK_ROWS as i64], |r| {
                    Ok((r.get::<_, i64>(0)? as u64, r.get::<_, i64>(1)? as u64, r.get::<_, i64>(2)?))
                })?
                .collect::<std::result::Result<Vec<_>, _>>()?;
            if part.len() == WALK_ROWS {
                // The last sequence may go on beyond the window: stop before it, unless it fills the window alone.
                let last = part.last().map_or(end, |(seq, ..)| *seq);
                let whole = if part.first().is_some_and(|(seq, ..)| *seq < last) { last - 1 } else { last };
                upto = upto.min(whole);
            }
            found.extend(part);
        }
        for (seq, record, kind) in found.into_iter().filter(|(seq, ..)| *seq <= upto) {
            let happened = rows.entry((seq, record)).or_default();
            match kind {
                0 => happened.change = true,
                1 => happened.entered = true,
                2 => happened.left = true,
                _ => happened.retracted = true,
            }
        }
        Ok((rows, upto))
    }

    fn log_row(&mut self, seq: u64, record: u64, happened: &Happened) -> Result<()> {
        self.fed.moved = true;
        let Some(row) = self.record(record)? else { return Ok(()) };
        if !self.viewer.serves && self.viewer.sealed.contains(&row.collection) {
            return Ok(());
        }
        if happened.retracted && row.empty {
            return self.reset(&row);
        }
        if !self.covered(&row) {
            if happened.left && self.delivered(&row) && !canary!("keep_what_left") {
                mark!("scope_left");
                self.fed.purge.insert(row.id);
            }
            return Ok(());
        }
        if happened.retracted {
            self.reset(&row)?;
            return self.whole(&row);
        }
        if !self.delivered(&row) {
            return Ok(());
        }
        if happened.entered && !canary!("enter_without_the_past") {
            mark!("scope_entered");
            return self.anew(&row);
        }
        let own = seq > self.viewer.copied_at && origin_at(self.conn, seq)?.as_ref() == Some(&self.viewer.device);
        if happened.change && !own && !canary!("feed_nothing_new") {
            self.push_log(&row, "l.seq = ?2", seq)?;
        }
        Ok(())
    }

    // The record as it now stands goes with it, so that every head is known there.
    fn reset(&mut self, row: &RecordRow) -> Result<()> {
        let heads = record::read_row(self.conn, &row.id)?.map(|row| row.heads).unwrap_or_default();
        let kept = kept_rows::of_record(self.conn, Queue::Quarantine, &row.id)?.into_iter();
        let refused: Vec<Retracted> =
            kept.map(|row| Retracted { hash: row.hash, code: row.code, detail: row.detail }).collect();
        self.fed.bytes += refused.iter().map(|r| 64 + r.detail.len()).sum::<usize>() + 32 * heads.len();
        self.fed.resets.push(Reset { record: row.id, heads, refused });
        Ok(())
    }

    // ---- the passes

    // Delivers some records of the first pass. False: no pass is open.
    fn step(&mut self) -> Result<bool> {
        let Some(pass) = self.fed.position.passes.first().cloned() else { return Ok(false) };
        let rows = self.walk(&pass)?;
        let walked_out = rows.is_empty();
        for n in rows {
            if self.fed.full(self.budget) {
                return Ok(true);
            }
            let delivered = self.walk_one(&pass, n)?;
            if let Some(open) = self.fed.position.passes.first_mut() {
                open.last = n;
                open.done += u64::from(delivered);
            }
        }
        if walked_out && let Some(open) = self.fed.position.passes.first_mut() {
            open.last = 0;
            open.class += 1;
            if open.class > CLASS_REST {
                self.fed.position.passes.remove(0);
            }
        }
        Ok(true)
    }

    fn walk_one(&mut self, pass: &Pass, n: u64) -> Result<bool> {
        let Some(row) = self.record(n)? else { return Ok(false) };
        if self.class(&row) != pass.class {
            return Ok(false);
        }
        if pass.leaving {
            if !self.covered(&row) {
                self.fed.purge.insert(row.id);
            }
            return Ok(false);
        }
        let everything = pass.scopes.contains(&WORKSPACE) && !self.viewer.sealed.contains(&row.collection);
        if !row.scopes.iter().any(|s| pass.scopes.contains(s)) && !everything {
            return Ok(false);
        }
        self.anew(&row)?;
        Ok(true)
    }

    // The record whole, for whoever may hold it from before: nobody told it what was taken out while it was elsewhere.
    fn anew(&mut self, row: &RecordRow) -> Result<()> {
        if self.retracted()?.contains(&row.n) {
            self.reset(row)?;
        }
        self.whole(row)
    }

    fn retracted(&self) -> Result<&BTreeSet<u64>> {
        if self.retracted.get().is_none() {
            let mut all = self.conn.prepare_cached("SELECT record FROM scope_log WHERE scope = ? AND kind = 3")?;
            let all = all.query_map([WORKSPACE as i64], |row| Ok(row.get::<_, i64>(0)? as u64))?;
            let _ = self.retracted.set(all.collect::<rusqlite::Result<_>>()?);
        }
        Ok(self.retracted.get_or_init(BTreeSet::new))
    }

    // Numbers of the next records that the pass's class may hold; more than belong to it, never fewer.
    fn walk(&self, pass: &Pass) -> Result<Vec<u64>> {
        let limit = WALK_ROWS as i64;
        let everything = pass.scopes.contains(&WORKSPACE);
        let shared: Vec<i64> =
            self.viewer.shared.iter().filter(|(_, class)| **class == pass.class).map(|(n, _)| *n).collect();
        let (sql, scopes): (String, Vec<u64>) = match pass.class {
            0..=CLASS_SHARED_MAX if shared.is_empty() => return Ok(Vec::new()),
            0..=CLASS_SHARED_MAX => {
                let list = shared.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
                (format!("SELECT n FROM record WHERE n > ?1 AND collection IN ({list}) ORDER BY n LIMIT ?2"), vec![])
            }
            CLASS_OWN => (String::new(), self.viewer.own.into_iter().collect()),
            CLASS_TEAM => (String::new(), self.viewer.teams.clone()),
            _ if everything => ("SELECT n FROM record WHERE n > ?1 ORDER BY n LIMIT ?2".to_owned(), vec![]),
            _ => (String::new(), pass.scopes.clone()),
        };
        if !sql.is_empty() {
            let mut walk = self.conn.prepare_cached(&sql)?;
            let rows = walk.query_map(params![pass.last as i64, limit], |r| r.get::<_, i64>(0))?;
            return Ok(rows.map(|n| n.map(|n| n as u64)).collect::<rusqlite::Result<_>>()?);
        }
        let mut found = BTreeSet::new();
        let mut walk = self
            .conn
            .prepare_cached("SELECT record FROM record_scope WHERE scope = ? AND record > ? ORDER BY record LIMIT ?")?;
        let mut upto = u64::MAX;
        for scope in scopes {
            let part = walk
                .query_map(params![scope as i64, pass.last as i64, limit], |r| r.get::<_, i64>(0))?
                .map(|n| n.map(|n| n as u64))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            if part.len() == WALK_ROWS {
                upto = upto.min(part.last().copied().unwrap_or(upto));
            }
            found.extend(part);
        }
        Ok(found.into_iter().filter(|n| *n <= upto).collect())
    }

    fn class(&self, row: &RecordRow) -> u8 {
        if let Some(class) = self.viewer.shared.get(&row.collection) {
            return *class;
        }
        if self.viewer.own.is_some_and(|own| row.scopes.contains(&own)) {
            return CLASS_OWN;
        }
        if self.viewer.teams.iter().any(|team| row.scopes.contains(team)) {
            return CLASS_TEAM;
        }
        CLASS_REST
    }

    // Whether the open passes have already sent the record, so that the log goes on from there.
    fn delivered(&self, row: &RecordRow) -> bool {
        let class = self.class(row);
        let holds = |scopes: &[u64]| scopes.contains(&WORKSPACE) || row.scopes.iter().any(|s| scopes.contains(s));
        let open: Vec<&Pass> = self.fed.position.passes.iter().filter(|p| !p.leaving && holds(&p.scopes)).collect();
        if open.is_empty() {
            return true;
        }
        let in_passes: Vec<u64> = open.iter().flat_map(|p| p.scopes.iter().copied()).collect();
        let settled: Vec<u64> = self.fed.position.held.iter().copied().filter(|s| !in_passes.contains(s)).collect();
        holds(&settled) || open.iter().any(|p| class < p.class || (class == p.class && row.n <= p.last))
    }

    // By a scope that is held and still granted.
    fn covered(&self, row: &RecordRow) -> bool {
        let open = !self.viewer.sealed.contains(&row.collection);
        let within = |scopes: &[u64], scope: &u64| open && scopes.contains(&WORKSPACE) || scopes.contains(scope);
        let covers = |scope| within(&self.fed.position.held, scope) && within(&self.viewer.scopes, scope);
        canary!("skip_a_scope_check") || open && covers(&WORKSPACE) || row.scopes.iter().any(covers)
    }

    fn record(&self, n: u64) -> Result<Option<RecordRow>> {
        let mut by_n = self
            .conn
            .prepare_cached("SELECT id, collection, heads = x'' AND flags & ?2 = ?3 FROM record WHERE n = ?1")?;
        let found = by_n
            .query_row([n as i64, flag::AWAY, flag::HIDDEN], |r| {
                Ok((r.get::<_, [u8; 16]>(0)?, r.get::<_, i64>(1)?, r.get(2)?))
            })
            .optional()?;
        let Some((id, collection, empty)) = found else { return Ok(None) };
        let mut of = self.conn.prepare_cached("SELECT scope FROM record_scope WHERE record = ?")?;
        let scopes = of
            .query_map([n as i64], |r| r.get::<_, i64>(0))?
            .map(|s| s.map(|s| s as u64))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Some(RecordRow { n, id: RecordId(id), collection, scopes, empty }))
    }

    fn whole(&mut self, row: &RecordRow) -> Result<()> {
        // It left one scope before another one was granted that holds it now.
        self.fed.purge.remove(&row.id);
        self.push_log(row, "l.seq > ?2 ORDER BY l.seq", 0)?;
        if let Some(change) = self.fed.changes.last_mut() {
            change.tx_end = true;
        }
        Ok(())
    }

    fn push_log(&mut self, row: &RecordRow, which: &str, seq: u64) -> Result<()> {
        let sql = format!("SELECT {CELLS} FROM log l WHERE l.record = ?1 AND {which}");
        let mut log = self.conn.prepare_cached(&sql)?;
        let mut rows = log.query(params![row.n as i64, seq as i64])?;
        while let Some(found) = rows.next()? {
            let Logged { hash, tx_end, raw, .. } = self.packs.change(found, 0)?;
            self.fed.bytes += raw.len();
            let (record, collection) = (row.id, row.collection);
            self.fed.changes.push(FeedChange { record, collection, hash, raw, tx_end });
        }
        Ok(())
    }
}

/// Whole records for a downstream that asked for them, as far as it may hold them; others are not mentioned.
///
/// By what it is granted now, although it may not have heard of that: what is not sent here is on its way to be purged.
pub(crate) fn whole(conn: &Connection, viewer: &Viewer, ids: &[RecordId]) -> Result<Fed> {
    let position = Position { held: viewer.scopes.clone(), ..Position::default() };
    let fed = Fed { position, ..Fed::default() };
    let mut feed = Feeder { conn, packs: Packs::of(conn), viewer, fed, budget: usize::MAX, retracted: OnceCell::new() };
    let mut by_id = conn.prepare_cached("SELECT n FROM record WHERE id = ?")?;
    for id in ids {
        let n: Option<i64> = by_id.query_row([id.as_bytes()], |r| r.get(0)).optional()?;
        if let Some(row) = n.map(|n| feed.record(n as u64)).transpose()?.flatten()
            && feed.covered(&row)
        {
            feed.whole(&row)?;
        }
    }
    Ok(feed.fed)
}

/// The hash of the change that an actor wrote as its `seq`-th of this record.
pub(crate) fn change_of(conn: &Connection, id: &RecordId, actor: &ActorId, seq: u64) -> Result<Option<ChangeHash>> {
    let mut statement = conn.prepare_cached(
        "SELECT hash FROM log WHERE record = (SELECT n FROM record WHERE id = ?1)
         AND actor = (SELECT n FROM actor WHERE actor = ?2) AND aseq = ?3",
    )?;
    let hash: Option<Vec<u8>> =
        statement.query_row(params![id.as_bytes(), actor.as_bytes(), seq as i64], |row| row.get(0)).optional()?;
    Ok(hash.and_then(|bytes| ChangeHash::from_slice(&bytes)))
}

/// The last sequence of the log, whether a change stands under it or not; zero in an empty one.
pub(crate) fn log_end(conn: &Connection) -> Result<u64> {
    let mut last = conn.prepare_cached("SELECT last_seq FROM log_commit ORDER BY last_seq DESC LIMIT 1")?;
    Ok(last.query_row([], |r| r.get::<_, i64>(0)).optional()?.unwrap_or(0) as u64)
}

/// Adds what became, after a sequence and up to the position, of changes that the viewer brought.
pub(crate) fn tell(conn: &Connection, viewer: &Viewer, fed: &mut Fed, after: u64) -> Result<()> {
    let news = kept_rows::news(conn, &viewer.device, after, fed.position.seq)?;
    fed.moved |= !news.settled.is_empty();
    fed.verdicts.extend(news.settled.into_iter().filter_map(verdict));
    fed.returned.extend(news.returned.into_iter().map(|rows| rows.into_iter().map(returned).collect()));
    Ok(())
}

fn returned(row: KeptRow) -> ReturnedChange {
    let KeptRow { record, collection, hash, code, detail, raw, .. } = row;
    ReturnedChange { record, collection, hash, code, detail, raw }
}

// What a downstream is told of a refused change that came from it.
fn verdict(row: KeptRow) -> Option<Verdict> {
    let outcome = match row.fate {
        Fate::Accepted => Outcome::Accepted,
        Fate::Declined => Outcome::Declined,
        Fate::Retried => Outcome::Retried,
        Fate::Waiting | Fate::Replaying | Fate::Replayed | Fate::Carried => return None,
    };
    let (by, at) = (row.closed_by.unwrap_or_default(), row.closed_at.unwrap_or_default());
    Some(Verdict { record: row.record, change: row.hash, outcome, by, at })
}

/// The rolling hash of the log at a sequence: that of the last commit before it, rolled over what follows.
pub(crate) fn rolling_at(conn: &Connection, seq: u64) -> Result<Rolling> {
    let mut commit = conn.prepare_cached(
        "SELECT last_seq, rolling FROM log_commit WHERE last_seq <= ? ORDER BY last_seq DESC LIMIT 1",
    )?;
    let (from, mut rolling) = commit
        .query_row([seq as i64], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Rolling>(1)?)))
        .optional()?
        .unwrap_or((0, Rolling::default()));
    let mut after = conn.prepare_cached("SELECT hash FROM log WHERE seq > ? AND seq <= ? ORDER BY seq")?;
    let mut rows = after.query(params![from, seq as i64])?;
    while let Some(row) = rows.next()? {
        rolling = roll(rolling, &ChangeHash(row.get(0)?));
    }
    Ok(rolling)
}

/// Whether a transaction of the log ends at a sequence of `from..before`.
pub(super) fn transaction_ends_within(conn: &Connection, from: u64, before: u64) -> Result<bool> {
    let mut ends = conn.prepare_cached("SELECT 1 FROM log WHERE seq >= ? AND seq < ? AND flags & 1 LIMIT 1")?;
    Ok(ends.exists(params![from as i64, before as i64])?)
}

// The device that a change came from; none where it was written here.
fn origin_at(conn: &Connection, seq: u64) -> Result<Option<DeviceId>> {
    let mut commit =
        conn.prepare_cached("SELECT origin FROM log_commit WHERE last_seq >= ? ORDER BY last_seq LIMIT 1")?;
    let origin: Option<Option<Vec<u8>>> = commit.query_row([seq as i64], |r| r.get(0)).optional()?;
    Ok(origin.flatten().and_then(|bytes| DeviceId::from_slice(&bytes)))
}
