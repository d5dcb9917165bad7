//! A replica's state in numbers, for `status` and for the sync centre: the same figures from one place.

use branchline_core::Result;
use branchline_core::message::Language;
use branchline_core::replica::{Replica, Status};
use branchline_core::schema::Schema;
use branchline_core::time::Millis;
use serde_json::{Map, Value as Json, json};

use crate::commands::shape::{collection_label, scope_text};
use crate::output::pairs;

/// The numbers of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What the replica itself knows.
    pub status: Status,
    /// In which role it may work here, and on which scopes, as people write them.
    pub rights: (String, Vec<String>),
    /// The upstream's address, if it has one.
    pub upstream: Option<String>,
    /// Whether the link is up now.
    pub online: bool,
    /// When the last exchange ended.
    pub last_sync: Option<Millis>,
    /// The company's name.
    pub workspace: String,
    /// Bytes sent over the upstream line.
    pub bytes_up: u64,
    /// Bytes received over the upstream line.
    pub bytes_down: u64,
}

// A role that is not known here yet allows nothing: a first sync brings it.
fn rights(replica: &Replica) -> (String, Vec<String>) {
    let Ok(grants) = replica.grants() else { return ("–".to_owned(), Vec::new()) };
    let scopes = grants.scopes.iter().map(|scope| scope_text(replica, &scope.to_string()));
    (grants.role.name().to_string(), scopes.collect())
}

impl State {
    /// Reads the numbers.
    ///
    /// # Errors
    /// Those of the store.
    pub fn read(replica: &Replica) -> Result<Self> {
        let settings = replica.settings()?;
        let linked = settings.role.has_upstream();
        let moved = replica.link_counters()?;
        Ok(Self {
            status: replica.status()?,
            rights: rights(replica),
            workspace: settings.name.clone(),
            upstream: if linked { Some(replica.upstream()?.0) } else { None },
            online: linked && replica.is_line_up()?,
            last_sync: replica.last_quiet()?,
            bytes_up: moved.bytes_up,
            bytes_down: moved.bytes_down,
        })
    }

    /// Records of all collections.
    pub fn records_total(&self) -> u64 {
        self.status.records.iter().map(|(_, count)| count).sum()
    }

    /// The `status` document of the contract.
    pub fn document(&self) -> Json {
        let s = &self.status;
        let records: Map<String, Json> =
            s.records.iter().map(|(name, count)| (name.to_string(), json!(count))).collect();
        json!({
            "role": s.role.as_str(),
            "replica": s.replica.to_string(),
            "name": s.name,
            "user": s.user,
            "rights": {"role": self.rights.0, "scopes": self.rights.1},
            "upstream": self.upstream,
            "online": self.online,
            "last_sync": self.last_sync.map(Millis::rfc3339),
            "outbox": s.outbox,
            "quarantine": s.quarantine,
            "conflicts": s.conflicts,
            "review": s.review,
            "records": records,
            "digest": s.digest,
            "version": env!("CARGO_PKG_VERSION"),
        })
    }

    /// The same for people.
    pub fn text(&self, language: Language, schema: &Schema) -> String {
        let s = &self.status;
        let none = || "–".to_owned();
        let mut text = pairs(
            language,
            &[
                ("status-name", s.name.clone()),
                ("status-role", s.role.as_str().to_owned()),
                ("status-replica", s.replica.to_string()),
                ("status-user", s.user.clone()),
                ("status-rights", format!("{} · {}", self.rights.0, self.rights.1.join(", "))),
                ("status-upstream", self.upstream.clone().unwrap_or_else(none)),
                ("status-online", if self.online { "✓".to_owned() } else { none() }),
                ("status-last-sync", self.last_sync.map_or_else(none, Millis::rfc3339)),
                ("status-outbox", s.outbox.to_string()),
                ("status-quarantine", s.quarantine.to_string()),
                ("status-conflicts", s.conflicts.to_string()),
                ("status-review", s.review.to_string()),
                ("status-digest", s.digest.clone()),
                ("status-version", env!("CARGO_PKG_VERSION").to_owned()),
            ],
        );
        for (name, count) in s.records.iter().filter(|(_, count)| *count > 0) {
            text.push_str(&format!("  {}: {count}\n", collection_label(schema, name, language)));
        }
        text
    }
}
