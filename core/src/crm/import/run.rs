//! A whole import: file, map and replica in, [`Outcome`] out.
//!
//! Rows come in through transactions of bounded size under the batch's own actor. The batch is named by what is
//! imported, so that a run after a stop goes on, and a run after a run changes nothing. A dry run does everything but
//! the commits.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::guess::guess;
use super::issue::{Issue, Outcome, Progress, Reason};
use super::lines;
use super::map::ImportMap;
use super::plan::Plan;
use super::rows::{Engine, Step};
use super::table::{Row, Table, read_file};
use crate::error::{Error, Result};
use crate::id::BatchId;
use crate::limits::{TX_BYTES_MAX, TX_CHANGES_MAX};
use crate::message::Message;
use crate::replica::{Replica, Tx};
use crate::time::Millis;

/// Rows after which a transaction ends even where it has changed little, so that progress is told.
const CHUNK_ROWS_MAX: usize = 5_000;

/// How to import.
#[derive(Default)]
pub struct Import<'p> {
    /// The collection; may be left out where the map names it.
    pub collection: Option<String>,
    /// The map; without it the headings are matched to fields.
    pub map: Option<ImportMap>,
    /// Do everything but write.
    pub dry_run: bool,
    /// Called after each transaction.
    pub progress: Option<&'p mut dyn FnMut(&Progress)>,
}

impl std::fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { collection, map, dry_run, .. } = self;
        f.debug_struct("Import").field("collection", collection).field("map", map).field("dry_run", dry_run).finish()
    }
}

impl Import<'_> {
    /// Imports the file at `path`.
    ///
    /// # Errors
    /// As [`Import::run`], with the path as the place; `import_file_unreadable`.
    pub fn run_file(self, replica: &Replica, path: &Path) -> Result<Outcome> {
        let bytes = read_file(path)?;
        let place = |e: Error| if e.place().is_empty() { e.at(path.display().to_string()) } else { e };
        self.run(replica, &bytes).map_err(place)
    }

    /// Imports a file's bytes. Rows that cannot come in are in the outcome's `errors`, the others are in.
    ///
    /// # Errors
    /// Before anything is written: a file that is no table (see [`Table::parse`]), a map that does not fit the schema
    /// or the file, a person who may not import. Later: `import_stopped` with the rows that came in and the reason; run
    /// again, the import goes on from there.
    pub fn run(mut self, replica: &Replica, bytes: &[u8]) -> Result<Outcome> {
        let table = Table::parse(bytes)?;
        let schema = replica.schema();
        let (map, unmatched) = match self.map.take() {
            Some(map) => (map, Vec::new()),
            None => {
                let name = self.collection.as_deref().ok_or_else(|| Error::usage("import-collection-missing"))?;
                let guess = guess(schema.require(name)?, table.headings())?;
                (guess.map, guess.unmatched)
            }
        };
        let plan = Plan::new(&map, self.collection.as_deref(), &schema, table.headings())?;
        let batch = batch_id(bytes, &map, &plan);
        let mut engine = Engine::new(replica, &plan, batch)?;
        for heading in unmatched {
            let message = Message::new("import-column-unmatched").with("column", heading.as_str());
            let reason = Reason::Message(message);
            engine.outcome.warn(Issue { row: 1, column: heading, value: String::new(), reason, nearest: None });
        }
        let mut run = Run {
            replica,
            batch,
            dry_run: self.dry_run,
            started: replica.environment().now(),
            total: table.len() as u64,
            done: 0,
            progress: self.progress.take(),
        };
        if plan.lines.is_some() {
            lines::run(&mut run, &mut engine, &table)?
        } else {
            run.rows(&mut engine, &table)?
        }
        let mut outcome = engine.outcome;
        outcome.rows = table.len() as u64;
        outcome.dry_run = self.dry_run;
        outcome.errors.sort_by_key(|issue| issue.row);
        outcome.warnings.sort_by_key(|issue| issue.row);
        Ok(outcome)
    }
}

/// Names the import: equal for the same file, map, collection and (as a constant of the map) branch.
fn batch_id(bytes: &[u8], map: &ImportMap, plan: &Plan) -> BatchId {
    let mut hash = Sha256::new();
    let map = map.canonical();
    for part in [b"branchline import" as &[u8], &Sha256::digest(bytes), &map, plan.collection.name.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    BatchId::from_slice(&digest[..BatchId::LEN]).unwrap_or_default()
}

/// A running import.
pub(super) struct Run<'a, 'p> {
    replica: &'a Replica,
    batch: BatchId,
    dry_run: bool,
    started: Millis,
    total: u64,
    done: u64,
    progress: Option<&'p mut dyn FnMut(&Progress)>,
}

/// What one transaction may still take.
#[derive(Default)]
pub(super) struct Room {
    rows: usize,
    bytes: usize,
}

impl Room {
    /// Counts a row of so many bytes; `false` when the transaction is full after it.
    pub(super) fn take(&mut self, bytes: usize, changes: usize, changes_of_row_max: usize) -> bool {
        self.rows += 1;
        self.bytes += bytes;
        self.rows < CHUNK_ROWS_MAX && self.bytes < TX_BYTES_MAX / 4 && changes + changes_of_row_max <= TX_CHANGES_MAX
    }
}

impl Run<'_, '_> {
    fn rows(&mut self, engine: &mut Engine<'_>, table: &Table) -> Result<()> {
        let mut rows = table.rows();
        let mut put_off = Vec::new();
        while self.chunk(engine, &mut rows, &mut put_off, false)? {}
        // What waited for a later row comes now, in as many rounds as bring something; then it must do without.
        while !put_off.is_empty() {
            let before = put_off.len();
            let mut waiting = std::mem::take(&mut put_off).into_iter();
            while self.chunk(engine, &mut waiting, &mut put_off, false)? {}
            if put_off.len() == before {
                let mut waiting = std::mem::take(&mut put_off).into_iter();
                while self.chunk(engine, &mut waiting, &mut put_off, true)? {}
            }
        }
        Ok(())
    }

    /// One transaction of rows; `false` when there are no more.
    fn chunk<'t>(
        &mut self,
        engine: &mut Engine<'_>,
        rows: &mut dyn Iterator<Item = Row<'t>>,
        put_off: &mut Vec<Row<'t>>,
        last: bool,
    ) -> Result<bool> {
        // A row writes its own record twice at most, and what its look-ups make.
        let changes_of_row_max = 2 + engine.plan.columns.iter().filter(|c| c.lookup.is_some()).count();
        self.transaction(engine, |engine, tx| {
            let mut room = Room::default();
            let mut done = 0;
            for row in &mut *rows {
                let bytes = lines::bytes_of(&row);
                match engine.row(tx, &row, last)? {
                    Step::PutOff => put_off.push(row),
                    _ => done += 1,
                }
                if !room.take(bytes, engine.changes, changes_of_row_max) {
                    return Ok((done, true));
                }
            }
            Ok((done, false))
        })
    }

    /// Runs `work` in a transaction of the batch, tells progress, and takes everything back in a dry run. `work` gives
    /// the rows that it finished and whether there are more.
    pub(super) fn transaction(
        &mut self,
        engine: &mut Engine<'_>,
        work: impl FnOnce(&mut Engine<'_>, &mut Tx<'_>) -> Result<(u64, bool)>,
    ) -> Result<bool> {
        engine.changes = 0;
        let mut rehearsed = None;
        let dry_run = self.dry_run;
        let result = self.replica.transact_as_import(self.batch, |tx| {
            let done = work(engine, tx)?;
            if dry_run && engine.changes > 0 {
                rehearsed = Some(done);
                return Err(Error::usage("import-dry-run"));
            }
            Ok(done)
        });
        let (done, more) = match (result, rehearsed) {
            (_, Some(done)) | (Ok(done), None) => done,
            (Err(error), None) => return Err(self.stopped(error)),
        };
        self.done += done;
        if let Some(progress) = &mut self.progress {
            let elapsed_ms = self.replica.environment().now().0 - self.started.0;
            progress(&Progress::after(self.done, self.total, elapsed_ms));
        }
        Ok(more)
    }

    /// The error of an import that some rows of are in.
    fn stopped(&self, error: Error) -> Error {
        if self.done == 0 || self.dry_run {
            return error;
        }
        let stopped = if error.retryable() { Error::busy("import-stopped") } else { Error::storage("import-stopped") };
        stopped.with("rows", self.done).with("total", self.total).with("reason", error.to_string())
    }
}
