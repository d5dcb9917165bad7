//! The replica as other languages see it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use branchline_core::id::RecordId;
use branchline_core::message::Language;
use branchline_core::net;
use branchline_core::replica::link::InvitationCode;
use branchline_core::replica::{self, Direction, NodeRole, Query, SystemEnvironment};
use branchline_core::schema::{self, Collection, Currency, Name, ParseContext, Value};
use branchline_core::{Error, Result as CoreResult, crm};

use crate::error::{ReplicaError, guarded};

type Result<T> = std::result::Result<T, ReplicaError>;

/// The version of Branchline inside this package.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The place of a replica among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Node {
    /// Head office: no upstream.
    Hub,
    /// A branch: an upstream, and downstreams of its own.
    Branch,
    /// A phone or laptop: an upstream only.
    Device,
}

/// A field and its value as text.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Field {
    /// The field's name.
    pub name: String,
    /// What people read as its name.
    pub label: String,
    /// The value in the form of the command line; a reference is shown by its title.
    pub text: String,
}

/// A record as it stands here.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Record {
    /// Its id.
    pub id: String,
    /// Its collection.
    pub collection: String,
    /// Its fields in the schema's order, without empty ones.
    pub fields: Vec<Field>,
    /// Whether it is archived.
    pub archived: bool,
    /// Whether some field has several concurrent values.
    pub conflicted: bool,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
}

/// Whom the replica acts for.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Me {
    /// The id of the person's record.
    pub id: String,
    /// The name.
    pub name: String,
    /// The role: `owner`, `manager`, `seller`, `reader`, or one of the workspace's own.
    pub role: String,
}

/// A replica in numbers.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct State {
    /// Its place.
    pub node: Node,
    /// Its name among the others.
    pub name: String,
    /// Changes that the upstream has not acknowledged yet.
    pub outbox: u64,
    /// Own changes that the upstream refused.
    pub quarantine: u64,
    /// Records with an open conflict.
    pub conflicts: u64,
    /// Records by collection, without archived ones.
    pub records: HashMap<String, u64>,
    /// Equal on replicas that hold the same records in the same state.
    pub digest: String,
}

/// What an exchange with the upstream moved.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Synced {
    /// Changes that the upstream acknowledged.
    pub pushed: u64,
    /// Changes that became durable here.
    pub pulled: u64,
    /// Changes that the upstream refused; they stay here, in quarantine.
    pub refused: u64,
    /// Changes that still wait.
    pub outbox: u64,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
}

/// A replica: one folder. Close it when done; a call afterwards is a `Usage` error.
#[derive(uniffi::Object)]
pub struct Replica {
    open: RwLock<Option<replica::Replica>>,
    language: Language,
}

#[uniffi::export]
impl Replica {
    /// Opens the replica in a folder.
    ///
    /// # Errors
    /// `Usage` where the folder holds none, `Version` where a newer Branchline wrote it, `Corrupt` where it is damaged.
    #[uniffi::constructor]
    pub fn open(path: String) -> Result<Arc<Self>> {
        guarded(Language::En, || {
            replica::Replica::open(&PathBuf::from(&path), crm::builtin().clone(), Arc::new(SystemEnvironment))
                .and_then(Self::around)
        })
    }

    /// Makes a folder a hub: a new workspace with its owner. `currency` is that of bare numbers, `language` one of `en`,
    /// `ru`, `uk`.
    ///
    /// # Errors
    /// `Usage` where the folder holds a replica already, `Invalid` for an unknown currency or language.
    #[uniffi::constructor]
    pub fn init(
        path: String,
        name: String,
        owner_email: Option<String>,
        currency: String,
        language: String,
    ) -> Result<Arc<Self>> {
        guarded(Language::En, || {
            let init = replica::Init {
                name,
                owner_name: None,
                owner_email,
                currency: Currency::parse(&currency)
                    .ok_or_else(|| Error::invalid("unknown-currency").with("value", currency))?,
                language: Language::parse(&language)
                    .ok_or_else(|| Error::invalid("unknown-language").with("value", language))?,
            };
            replica::Replica::init(&PathBuf::from(&path), &init, crm::builtin().clone(), Arc::new(SystemEnvironment))
                .and_then(Self::around)
        })
    }

    /// Makes a folder a replica under the upstream that gave this invitation code. It holds nothing until its first
    /// [`sync`](Self::sync).
    ///
    /// # Errors
    /// `Invalid` for a text that is no code, `Refused` for a code that was used or has expired, `Unreachable` where the
    /// upstream does not answer; the folder is no replica then, and the same code can be tried again.
    #[uniffi::constructor]
    pub fn join(path: String, code: String) -> Result<Arc<Self>> {
        guarded(Language::En, || {
            let code = InvitationCode::parse(&code)?;
            let env = Arc::new(SystemEnvironment);
            let dir = PathBuf::from(&path);
            runtime()?.block_on(net::join(&dir, &code, crm::builtin().clone(), env)).and_then(Self::around)
        })
    }

    /// One exchange with the upstream, until nothing waits at either end. Blocks the calling thread, so call it from a
    /// worker; local calls go on meanwhile. What the deadline cuts off goes on with the next call.
    ///
    /// # Errors
    /// `Unreachable` where the upstream does not answer or the deadline passes: local work is safe and waits.
    /// `Refused` where the upstream does not let this replica in.
    pub fn sync(&self, deadline_seconds: u32) -> Result<Synced> {
        self.call(|replica| {
            let deadline = Duration::from_secs(u64::from(deadline_seconds));
            let done = runtime()?.block_on(net::sync_once(replica, deadline, |_| ()))?;
            Ok(Synced {
                pushed: done.pushed,
                pulled: done.pulled,
                refused: done.refused,
                outbox: replica.status()?.outbox,
                bytes_up: done.traffic.sent_bytes,
                bytes_down: done.traffic.received_bytes,
            })
        })
    }

    /// Whom it acts for.
    ///
    /// # Errors
    /// `Usage` after `close`, `Storage` where the disk fails.
    pub fn me(&self) -> Result<Me> {
        self.call(|replica| {
            let me = replica.me()?;
            Ok(Me { id: me.id.to_string(), name: me.name, role: me.role })
        })
    }

    /// Makes a record of field name to text, and gives its id. An empty text leaves a field empty.
    ///
    /// # Errors
    /// `NotFound` for an unknown collection, field or reference, `Invalid` for a value that breaks a rule, `Denied` where
    /// the person may not.
    pub fn create(&self, collection: String, values: HashMap<String, String>) -> Result<String> {
        self.call(|replica| {
            let schema = replica.schema();
            let values = parse(replica, schema.require(&collection)?, &values)?;
            replica.transact(|tx| tx.create(&collection, values)).map(|id| id.to_string())
        })
    }

    /// One record, by id, unique prefix of one, `FIELD=VALUE` or natural key.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Ambiguous` where several fit.
    pub fn get(&self, collection: String, record: String) -> Result<Record> {
        self.call(|replica| {
            let schema = replica.schema();
            let collection = schema.require(&collection)?;
            let id = replica.find(&collection.name, &record)?;
            replica.record(&collection.name, &id).map(|row| self.shown(replica, collection, &row))
        })
    }

    /// Records of a collection that are not archived. `filter` is an expression as in `stage = "won" and amount > 1000`,
    /// empty for all; `sort` a field name, with a leading `-` for the greatest first, empty for the order of arrival;
    /// `after` the id of the record behind which to go on.
    ///
    /// # Errors
    /// `Invalid` for an expression that is none, `NotFound` for an unknown collection or field.
    pub fn list(
        &self,
        collection: String,
        filter: String,
        sort: String,
        limit: u32,
        after: Option<String>,
    ) -> Result<Vec<Record>> {
        self.call(|replica| {
            let schema = replica.schema();
            let collection = schema.require(&collection)?;
            let mut query = Query::of(&collection.name).limited(limit as usize);
            query.after = after.map(|text| replica.find(&collection.name, &text)).transpose()?;
            if !filter.trim().is_empty() {
                let today = replica.environment().now().day();
                query.filter = Some(schema::parse_filter(&filter, collection, today)?);
            }
            if let Some(field) = sort.strip_prefix('-') {
                query = query.sorted(field, Direction::Descending);
            } else if !sort.is_empty() {
                query = query.sorted(&sort, Direction::Ascending);
            }
            let page = replica.list(&query)?;
            Ok(page.rows.iter().map(|row| self.shown(replica, collection, row)).collect())
        })
    }

    /// The replica in numbers.
    ///
    /// # Errors
    /// `Usage` after `close`, `Storage` where the disk fails.
    pub fn status(&self) -> Result<State> {
        self.call(|replica| {
            let status = replica.status()?;
            let node = match status.role {
                NodeRole::Hub => Node::Hub,
                NodeRole::Branch => Node::Branch,
                NodeRole::Device => Node::Device,
            };
            Ok(State {
                node,
                name: status.name,
                outbox: status.outbox,
                quarantine: status.quarantine,
                conflicts: status.conflicts,
                records: status.records.into_iter().map(|(name, count)| (name.to_string(), count)).collect(),
                digest: status.digest,
            })
        })
    }

    /// Closes it; calls that run already finish. Closing twice is no error.
    pub fn close(&self) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Replica {
    fn around(replica: replica::Replica) -> CoreResult<Arc<Self>> {
        let language = replica.settings()?.language;
        Ok(Arc::new(Self { open: RwLock::new(Some(replica)), language }))
    }

    fn call<T>(&self, work: impl FnOnce(&replica::Replica) -> CoreResult<T>) -> Result<T> {
        guarded(self.language, || {
            // A clone, so that a long exchange holds up neither `close` nor anybody's writes.
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner).clone();
            work(&open.ok_or_else(|| Error::usage("replica-closed"))?)
        })
    }

    fn shown(&self, replica: &replica::Replica, collection: &Collection, row: &replica::Record) -> Record {
        let label = |id: &RecordId| replica.label(id);
        let field = |(name, value): &(Name, Value)| {
            let field = collection.field(name)?;
            let text = schema::format_value(field, value, &label);
            Some(Field { name: name.to_string(), label: field.labels.text(self.language).to_owned(), text })
        };
        Record {
            id: row.id.to_string(),
            collection: row.collection.to_string(),
            fields: row.fields.iter().filter_map(field).collect(),
            archived: row.archived,
            conflicted: row.conflicted,
            updated_at: row.updated.at.rfc3339(),
        }
    }
}

/// What drives one exchange, on the calling thread.
fn runtime() -> CoreResult<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|failure| Error::storage("no-runtime").with("reason", failure.to_string()))
}

fn parse(
    replica: &replica::Replica,
    collection: &Collection,
    values: &HashMap<String, String>,
) -> CoreResult<Vec<(Name, Value)>> {
    let currency = replica.settings()?.currency;
    let mut resolve = |collection: &str, text: &str| replica.find(collection, text);
    let mut ctx = ParseContext { currency, resolve: &mut resolve };
    let one = |(name, text): (&String, &String)| {
        let field = collection.require_field(name)?;
        Ok((field.name.clone(), schema::parse_value(field, text, &mut ctx)?))
    };
    values.iter().map(one).collect()
}
