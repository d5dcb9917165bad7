//! `/admin/support`: a file for whoever helps, without personal data: versions, counts, states and codes, nothing that
//! somebody typed. It is plain JSON, so that one can read it before one sends it.

use std::collections::BTreeMap;

use axum::extract::State as Shared;
use axum::response::Response;
use branchline_core::Result;
use branchline_core::replica::{NodeRole, RefusedEntry};
use branchline_core::schema::Kind;
use branchline_core::time::Millis;
use data_encoding::HEXLOWER;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::require;
use crate::server::Node;
use crate::web::desk::{Desk, Reply, Visitor};

/// The shape of the file.
const FORMAT: u64 = 1;

/// `POST /admin/support`: makes the file; everything that is stored is checked for it.
pub(in crate::web) async fn make(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    let own = node.clone();
    visitor
        .write(node, move |desk| {
            require(desk.is_owner(), desk)?;
            let bytes = serde_json::to_vec_pretty(&bundle(desk, &own)?).unwrap_or_default();
            Ok(Reply::File("branchline-support.json".to_owned(), "application/json", bytes.into()))
        })
        .await
}

fn bundle(desk: &Desk, node: &Node) -> Result<Json> {
    let replica = desk.principal.replica();
    let (status, now) = (replica.status()?, replica.environment().now());
    let upstream = (status.role != NodeRole::Hub).then(|| {
        let failed = node.upward.failed();
        json!({"up": failed.is_none(), "failed": failed.map(|(at, error)| failure(at, &error.code()))})
    });
    Ok(json!({
        "format": FORMAT,
        "made_at": now.rfc3339(),
        "version": env!("CARGO_PKG_VERSION"),
        "platform": {
            "os": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
            "processors": std::thread::available_parallelism().map_or(0, usize::from),
        },
        "role": status.role.as_str(),
        "replica": status.replica.to_string(),
        "schema": schema(desk),
        "records": records(desk, &status.records),
        "log_end": status.log_end,
        "last_commit": status.last_commit.map(Millis::rfc3339),
        "outbox": status.outbox,
        "conflicts": status.conflicts,
        "conflicts_asking": status.conflicts_asking,
        "digest": status.digest,
        "upstream": upstream,
        "downstreams": downstreams(desk, node, status.role)?,
        "refused_here": codes(&replica.review()?),
        "refused_above": codes(&replica.quarantine()?),
        "verify": verified(desk)?,
    }))
}

fn failure(at: Millis, code: &str) -> Json {
    json!({"at": at.rfc3339(), "code": code})
}

// Names of a workspace's own collections and fields are typed by people: they are counted.
fn schema(desk: &Desk) -> Json {
    let mut digest = Sha256::new();
    for collection in desk.schema.collections() {
        digest.update(collection.digest());
    }
    let own = desk.schema.collections().iter().filter(|collection| collection.custom).count();
    json!({"digest": HEXLOWER.encode(&digest.finalize()), "collections": desk.schema.collections().len(), "own_collections": own})
}

fn records(desk: &Desk, counts: &[(branchline_core::schema::Name, u64)]) -> Json {
    let mut records: BTreeMap<String, u64> = BTreeMap::new();
    for (name, count) in counts {
        let collection = desk.schema.collection(name);
        let key = match collection {
            Some(collection) if !collection.custom => name.to_string(),
            Some(collection) if collection.kind == Kind::Shared => "own, shared".to_owned(),
            _ => "own, of a branch".to_owned(),
        };
        *records.entry(key).or_default() += count;
    }
    json!(records)
}

fn downstreams(desk: &Desk, node: &Node, role: NodeRole) -> Result<Vec<Json>> {
    if role == NodeRole::Device {
        return Ok(Vec::new());
    }
    let told = desk.principal.downstreams()?.into_iter().map(|device| {
        let failed = node.links.failed(&device.device);
        json!({
            "device": device.device.to_string(),
            "branch": device.branch,
            "direct": device.direct,
            "revoked": device.revoked,
            "online": node.links.is_online(&device.device),
            "last_seen": device.last_seen.map(Millis::rfc3339),
            "waits_down": device.lag,
            "waits_up": device.outbox,
            "version": device.version,
            "failed": failed.map(|(at, error)| failure(at, &error.code())),
        })
    });
    Ok(told.collect())
}

// How often what was refused for which reason.
fn codes(entries: &[RefusedEntry]) -> Json {
    let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for entry in entries {
        *counts.entry((&entry.code, format!("{:?}", entry.fate).to_lowercase())).or_default() += 1;
    }
    let line = |((code, fate), count): ((&str, String), u64)| json!({"code": code, "fate": fate, "changes": count});
    Json::Array(counts.into_iter().map(line).collect())
}

// Damage is told in words that may hold titles: here it is counted.
fn verified(desk: &Desk) -> Result<Json> {
    let found = desk.principal.replica().verify(false)?;
    Ok(json!({
        "changes": found.changes,
        "records": found.records,
        "heads_differ": found.heads_differ,
        "rows_differ": found.rows_differ,
        "search_differ": found.search_differ,
        "tables_missing": found.tables_missing,
        "indexes_differ": found.indexes_differ,
        "places_differ": found.places_differ,
        "attachments": found.attachments,
        "attachments_damaged": found.attachments_damaged,
        "damaged": found.damage.len(),
    }))
}
