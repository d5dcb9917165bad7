//! What a replica's folder says about itself: its workspace, its place, whom it acts for.

use rusqlite::Connection;

use super::meta::{self, key};
use super::{View, Writer, damaged};
use crate::access::Scope;
use crate::error::Result;
use crate::id::{DeviceId, RecordId, Timeline, WorkspaceId};
use crate::message::Language;
use crate::schema::Currency;

/// The rows of `meta` that are there from the folder's first moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) workspace: WorkspaceId,
    pub(crate) name: String,
    pub(crate) node_name: String,
    pub(crate) device: DeviceId,
    /// `hub`, `branch` or `device`.
    pub(crate) role: String,
    pub(crate) branch: Option<RecordId>,
    pub(crate) currency: Currency,
    pub(crate) language: Language,
    pub(crate) clock_offset_ms: i64,
}

/// For whom a replica acts, until the person's own record says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub(crate) person: RecordId,
    pub(crate) role: String,
    pub(crate) branch: Option<RecordId>,
    pub(crate) scopes: Vec<Scope>,
}

/// Writes what a new folder says about itself.
pub(crate) fn fill(conn: &Connection, node: &Node, assigned: &Assigned, timeline: &Timeline) -> Result<()> {
    meta::set(conn, key::WORKSPACE, node.workspace.as_bytes())?;
    meta::set(conn, key::NAME, node.name.as_bytes())?;
    meta::set(conn, key::NODE_NAME, node.node_name.as_bytes())?;
    meta::set(conn, key::DEVICE, node.device.as_bytes())?;
    meta::set(conn, key::ROLE, node.role.as_bytes())?;
    meta::set(conn, key::CURRENCY, node.currency.code().as_bytes())?;
    meta::set(conn, key::LANGUAGE, node.language.code().as_bytes())?;
    meta::set(conn, key::TIMELINE, timeline.as_bytes())?;
    assign(conn, assigned)
}

/// Reads what a folder says about itself.
pub(crate) fn read(conn: &Connection) -> Result<Node> {
    let text = |key| meta::text(conn, key)?.ok_or_else(|| damaged(format!("meta {key}")));
    Ok(Node {
        workspace: meta::workspace(conn, key::WORKSPACE)?.ok_or_else(|| damaged("meta workspace"))?,
        name: text(key::NAME)?,
        node_name: text(key::NODE_NAME)?,
        device: meta::device(conn, key::DEVICE)?.ok_or_else(|| damaged("meta device"))?,
        role: text(key::ROLE)?,
        branch: meta::record(conn, key::BRANCH)?,
        currency: Currency::parse(&text(key::CURRENCY)?).ok_or_else(|| damaged("meta currency"))?,
        language: Language::parse(&text(key::LANGUAGE)?).unwrap_or_default(),
        clock_offset_ms: meta::integer(conn, key::CLOCK_OFFSET_MS)?.unwrap_or(0),
    })
}

fn assign(conn: &Connection, assigned: &Assigned) -> Result<()> {
    meta::set(conn, key::PERSON, assigned.person.as_bytes())?;
    meta::set(conn, key::PERSON_ROLE, assigned.role.as_bytes())?;
    match &assigned.branch {
        Some(branch) => meta::set(conn, key::BRANCH, branch.as_bytes())?,
        None => meta::clear(conn, key::BRANCH)?,
    }
    assign_scopes(conn, &assigned.scopes)
}

fn assign_scopes(conn: &Connection, scopes: &[Scope]) -> Result<()> {
    let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
    meta::set(conn, key::SCOPES, scopes.join(" ").as_bytes())
}

fn assigned(conn: &Connection) -> Result<Assigned> {
    let scopes = meta::text(conn, key::SCOPES)?.unwrap_or_default();
    Ok(Assigned {
        person: meta::record(conn, key::PERSON)?.ok_or_else(|| damaged("meta person"))?,
        role: meta::text(conn, key::PERSON_ROLE)?.unwrap_or_default(),
        branch: meta::record(conn, key::BRANCH)?,
        scopes: scopes.split_whitespace().filter_map(Scope::parse).collect(),
    })
}

impl View<'_> {
    /// For whom this replica acts.
    pub(crate) fn assigned(&self) -> Result<Assigned> {
        assigned(self.conn)
    }
}

impl Writer<'_> {
    /// Keeps what the upstream lets this replica do and hold.
    pub(crate) fn assign(&mut self, role: &str, scopes: &[Scope]) -> Result<()> {
        self.mark_dirty();
        meta::set(self.connection(), key::PERSON_ROLE, role.as_bytes())?;
        assign_scopes(self.connection(), scopes)
    }

    /// Keeps the correction of the local clock.
    pub(crate) fn set_clock_offset(&mut self, offset_ms: i64) -> Result<()> {
        self.mark_dirty();
        meta::set_integer(self.connection(), key::CLOCK_OFFSET_MS, offset_ms)
    }
}
