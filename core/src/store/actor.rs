//! Who wrote what: the actors of the log and their bindings.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::cache::Cache;
use super::fault::damaged;
use super::flag;
use crate::error::Result;
use crate::id::{ActorId, BatchId, DeviceId, RecordId};
use crate::schema::Name;
use crate::wire::codec::Binding;

/// What is remembered of an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActorRow {
    pub(crate) n: i64,
    /// The person's id as the projection shows it; none while the binding is unknown.
    pub(crate) person: Option<Arc<str>>,
}

/// An actor with what its binding says, as far as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) person: Option<RecordId>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) device_name: String,
    pub(crate) batch: Option<BatchId>,
}

/// The row of an actor, made without a binding if there is none yet.
pub(crate) fn ensure(conn: &Connection, cache: &mut Cache, actor: ActorId) -> Result<ActorRow> {
    if let Some(row) = cache.actors.get(&actor) {
        return Ok(row.clone());
    }
    let found: Option<(i64, Option<Vec<u8>>)> = conn
        .prepare_cached("SELECT n, person FROM actor WHERE actor = ?")?
        .query_row([actor.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let row = match found {
        Some((n, person)) => {
            ActorRow { n, person: person.and_then(|id| RecordId::from_slice(&id)).map(|id| id.to_string().into()) }
        }
        None => {
            conn.prepare_cached("INSERT INTO actor (actor) VALUES (?)")?.execute([actor.as_bytes()])?;
            ActorRow { n: conn.last_insert_rowid(), person: None }
        }
    };
    cache.actors.insert(actor, row.clone());
    Ok(row)
}

/// Stores a binding whose signature was checked; a known one stays as it is. Gives the number of an actor that has written
/// here before anybody knew who it is.
pub(crate) fn bind(conn: &Connection, cache: &mut Cache, binding: &Binding) -> Result<Option<i64>> {
    let nameless: Option<i64> = conn
        .prepare_cached("SELECT n FROM actor WHERE actor = ? AND signature IS NULL")?
        .query_row([binding.actor.as_bytes()], |row| row.get(0))
        .optional()?;
    conn.prepare_cached(
        "INSERT INTO actor (actor, device, device_name, person, batch, signature) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (actor) DO UPDATE SET device = ?2, device_name = ?3, person = ?4, batch = ?5, signature = ?6
         WHERE signature IS NULL",
    )?
    .execute(params![
        binding.actor.as_bytes(),
        binding.device.as_bytes(),
        binding.device_name,
        binding.person.as_bytes(),
        binding.batch.as_ref().map(BatchId::as_bytes),
        &binding.signature[..],
    ])?;
    cache.actors.remove(&binding.actor);
    Ok(nameless)
}

/// The records that show something of an actor.
pub(super) fn records(conn: &Connection, n: i64) -> Result<Vec<RecordId>> {
    let mut rows = conn.prepare_cached(
        "SELECT id FROM record WHERE flags & ?2 = 0 AND n IN (SELECT record FROM log WHERE actor = ?1) ORDER BY n",
    )?;
    let found = rows.query_map(params![n, flag::HIDDEN], |row| Ok(RecordId(row.get(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The binding of an actor, if it is known here.
pub(crate) fn binding(conn: &Connection, actor: ActorId) -> Result<Option<Binding>> {
    let mut statement = conn.prepare_cached(
        "SELECT device, device_name, person, batch, signature FROM actor WHERE actor = ? AND signature IS NOT NULL",
    )?;
    let mut rows = statement.query([actor.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let device: Vec<u8> = row.get(0)?;
    let person: Vec<u8> = row.get(2)?;
    let batch: Option<Vec<u8>> = row.get(3)?;
    let signature: Vec<u8> = row.get(4)?;
    let (Some(device), Some(person), Ok(signature)) =
        (DeviceId::from_slice(&device), RecordId::from_slice(&person), <[u8; 64]>::try_from(signature))
    else {
        return Err(damaged(format!("the binding of actor {actor}")));
    };
    let batch = batch.and_then(|id| BatchId::from_slice(&id));
    Ok(Some(Binding { actor, device, device_name: row.get(1)?, person, batch, signature }))
}

/// Every binding that is known here.
pub(crate) fn bindings(conn: &Connection) -> Result<Vec<Binding>> {
    let mut statement = conn.prepare("SELECT actor FROM actor WHERE signature IS NOT NULL ORDER BY n")?;
    let actors = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let known = |bytes: Vec<u8>| -> Result<Option<Binding>> {
        binding(conn, ActorId::from_slice(&bytes).ok_or_else(|| damaged("an actor"))?)
    };
    actors.into_iter().filter_map(|bytes| known(bytes).transpose()).collect()
}

/// The records that an import has written to, under whichever of its actors, in the order in which they came.
pub(crate) fn imported(conn: &Connection, batch: &BatchId) -> Result<Vec<(Name, RecordId)>> {
    let mut statement = conn.prepare_cached(
        "SELECT c.name, r.id FROM record r JOIN projection c ON c.n = r.collection WHERE r.flags & ?2 = 0 AND r.n IN
         (SELECT l.record FROM log l JOIN actor a ON a.n = l.actor WHERE a.batch = ?1) ORDER BY r.n",
    )?;
    let mut rows = statement.query(params![batch.as_bytes(), flag::HIDDEN])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let id = RecordId::from_slice(id).ok_or_else(|| damaged("a record's id"))?;
        found.push((Name::from(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?), id));
    }
    Ok(found)
}

/// What is known of an actor.
pub(crate) fn bound(conn: &Connection, actor: ActorId) -> Result<Bound> {
    let found = binding(conn, actor)?;
    Ok(match found {
        Some(b) => Bound { person: Some(b.person), device: Some(b.device), device_name: b.device_name, batch: b.batch },
        None => Bound { person: None, device: None, device_name: String::new(), batch: None },
    })
}
