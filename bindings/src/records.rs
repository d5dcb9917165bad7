//! Writing and reading records.

use std::collections::HashMap;

use branchline_core::id::{ChangeHash, RecordId};
use branchline_core::replica::{self, Tx};
use branchline_core::schema::{self, Name};
use branchline_core::{Error, Result as CoreResult};

use crate::record::{Change, Conflict, Hit, Page, Record, Shaper};
use crate::replica::{BlockingReplica, Result};
use crate::value::{Edit, Reading, Value, written};

/// A field to sort by.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Sort {
    /// The field; also `created_at` and `updated_at`.
    pub field: String,
    /// Greatest first, and empty values after all others; else smallest first, and empty values before.
    #[uniffi(default = false)]
    pub descending: bool,
}

/// A list of records of one collection.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Query {
    /// The collection.
    pub collection: String,
    /// A condition, as in `stage = "won" and amount > 1000`; without it, all.
    #[uniffi(default = None)]
    pub filter: Option<String>,
    /// By which fields, the most important first; without any, records stand in the order in which they came here.
    #[uniffi(default = [])]
    pub sort: Vec<Sort>,
    /// At most so many.
    #[uniffi(default = 50)]
    pub limit: u32,
    /// Only what follows this record: the `next` of the page before.
    #[uniffi(default = None)]
    pub after: Option<String>,
    /// Also archived records and those that were merged into others.
    #[uniffi(default = false)]
    pub archived: bool,
    /// Only these fields; without it, all.
    #[uniffi(default = None)]
    pub fields: Option<Vec<String>>,
}

/// One write of a transaction.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Write {
    /// Makes a record.
    Create {
        /// The collection.
        collection: String,
        /// Field to value.
        values: HashMap<String, Value>,
        /// With key fields the id follows from their values: the same call again, here or on another device, makes one
        /// record and not two.
        #[uniffi(default = [])]
        key: Vec<String>,
    },
    /// Edits a record.
    Edit {
        /// The collection.
        collection: String,
        /// The record: an id, a unique prefix of one, `FIELD=VALUE`, or a natural key.
        record: String,
        /// What to do.
        edits: Vec<Edit>,
    },
    /// Archives a record, or brings it back.
    Archive {
        /// The collection.
        collection: String,
        /// The record.
        record: String,
        /// Whether it is to be archived.
        archived: bool,
    },
    /// Takes back one change by a new one: fields that were changed since stay as they are.
    Undo {
        /// The collection.
        collection: String,
        /// The record.
        record: String,
        /// The change, as the history names it.
        change: String,
    },
}

#[uniffi::export]
impl BlockingReplica {
    /// Makes a record and gives its id. In a collection of a branch, the acting person becomes its owner unless it has
    /// one.
    ///
    /// # Errors
    /// `NotFound` for an unknown collection, field or reference, `Invalid` for a value that breaks a rule, `Denied` where
    /// the person may not, `Storage` where the disk fails: nothing of it stays then.
    pub fn create(&self, collection: String, values: HashMap<String, Value>) -> Result<String> {
        let write = Write::Create { collection, values, key: Vec::new() };
        self.transact(vec![write]).map(|ids| ids.into_iter().next().unwrap_or_default())
    }

    /// Edits a record. `record` is an id, a unique prefix of one, `FIELD=VALUE`, or a natural key, here and in all calls.
    ///
    /// # Errors
    /// As `create`; `Ambiguous` where several records fit.
    pub fn edit(&self, collection: String, record: String, edits: Vec<Edit>) -> Result<()> {
        self.transact(vec![Write::Edit { collection, record, edits }]).map(|_| ())
    }

    /// Archives a record: it leaves lists and search, and keeps its history.
    ///
    /// # Errors
    /// As `edit`.
    pub fn archive(&self, collection: String, record: String) -> Result<()> {
        self.transact(vec![Write::Archive { collection, record, archived: true }]).map(|_| ())
    }

    /// Brings an archived record back.
    ///
    /// # Errors
    /// As `edit`.
    pub fn restore(&self, collection: String, record: String) -> Result<()> {
        self.transact(vec![Write::Archive { collection, record, archived: false }]).map(|_| ())
    }

    /// Takes back one change by a new one: fields that were changed since stay as they are.
    ///
    /// # Errors
    /// As `edit`; `NotFound` where the record has no such change.
    pub fn undo(&self, collection: String, record: String, change: String) -> Result<()> {
        self.transact(vec![Write::Undo { collection, record, change }]).map(|_| ())
    }

    /// Several writes in one transaction: all of them become visible together, here and everywhere else, or none does.
    /// Gives the id of each write's record.
    ///
    /// # Errors
    /// As `create` and `edit`; `Limit` where it is too large.
    pub fn transact(&self, writes: Vec<Write>) -> Result<Vec<String>> {
        self.call(|replica| {
            let (schema, currency) = (replica.schema(), replica.settings()?.currency);
            replica.transact(|tx| {
                let mut ids = Vec::with_capacity(writes.len());
                for write in writes {
                    let id = carry_out(tx, &schema, currency, &ids, write)?;
                    ids.push(id);
                }
                Ok(ids.iter().map(ToString::to_string).collect())
            })
        })
    }

    /// One record with its open conflicts and what of it waits, archived or not. A record that was merged into another
    /// one leads there.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Ambiguous` where several fit.
    pub fn get(&self, collection: String, record: String) -> Result<Record> {
        self.call(|replica| {
            let id = replica.find(&collection, &record)?;
            let mut record = replica.record(&collection, &id)?;
            record.delivery = Some(replica.delivery(&id)?);
            Shaper::new(replica, self.language).record(&record)
        })
    }

    /// A part of a list.
    ///
    /// # Errors
    /// `Invalid` for an expression that is none, `NotFound` for an unknown collection or field.
    pub fn list(&self, query: Query) -> Result<Page> {
        self.call(|replica| {
            let page = replica.list(&asked(replica, query)?)?;
            Shaper::new(replica, self.language).page(&page)
        })
    }

    /// How many records a query asks for; its limit does not count.
    ///
    /// # Errors
    /// As `list`.
    pub fn count(&self, query: Query) -> Result<u64> {
        self.call(|replica| replica.count(&asked(replica, query)?))
    }

    /// The records whose texts have words that begin like those of `text`, in any case; those with all of them in the
    /// title first, then the newest.
    ///
    /// # Errors
    /// `Storage` where the disk fails.
    pub fn search(&self, text: String, limit: u32) -> Result<Vec<Hit>> {
        self.call(|replica| {
            let hits = replica.search(&text, limit as usize)?.into_iter();
            let hit = |hit: replica::Hit| Hit {
                collection: hit.collection.to_string(),
                record: hit.id.to_string(),
                title: hit.label,
                excerpt: hit.excerpt,
            };
            Ok(hits.map(hit).collect())
        })
    }

    /// Every change of a record, oldest first: who, when, on which device, from what to what.
    ///
    /// # Errors
    /// As `get`.
    pub fn history(&self, collection: String, record: String) -> Result<Vec<Change>> {
        self.call(|replica| {
            let id = replica.find(&collection, &record)?;
            Shaper::new(replica, self.language).history(&collection, &id)
        })
    }

    /// Every open conflict of every record held.
    ///
    /// # Errors
    /// `Storage` where the disk fails.
    pub fn conflicts(&self) -> Result<Vec<Conflict>> {
        self.call(|replica| {
            let conflicts = replica.conflicts()?;
            Shaper::new(replica, self.language).conflicts(&conflicts)
        })
    }

    /// Settles a conflict in favour of one of its values. `field` as the conflict names it.
    ///
    /// # Errors
    /// `NotFound` where the field has no conflict, `Invalid` where the value is none of its values, `Denied` where the
    /// person may not settle it.
    pub fn resolve(&self, collection: String, record: String, field: String, keep: Value) -> Result<()> {
        self.call(|replica| {
            let id = replica.find(&collection, &record)?;
            let typed = field_of(replica, &collection, &field)?;
            let mut resolve = |collection: &str, text: &str| replica.find(collection, text);
            let currency = replica.settings()?.currency;
            let mut reading = Reading { currency, resolve: &mut resolve, written: &[] };
            let keep = written(&typed, keep, &mut reading)?;
            replica.resolve(&collection, &id, &field, &keep)
        })
    }
}

/// The core's query.
pub(crate) fn asked(replica: &replica::Replica, query: Query) -> CoreResult<replica::Query> {
    let schema = replica.schema();
    let collection = schema.require(&query.collection)?;
    let mut asked = replica::Query::of(&collection.name).limited(query.limit as usize).with_delivery();
    asked.archived = query.archived;
    asked.fields = query.fields.map(|fields| fields.into_iter().map(Name::from).collect());
    asked.after = query.after.map(|text| replica.find(&collection.name, &text)).transpose()?;
    if let Some(filter) = query.filter.filter(|filter| !filter.trim().is_empty()) {
        let today = replica.environment().now().day();
        asked.filter = Some(schema::parse_filter(&filter, collection, today)?);
    }
    for Sort { field, descending } in query.sort {
        let direction = if descending { replica::Direction::Descending } else { replica::Direction::Ascending };
        asked = asked.sorted(&field, direction);
    }
    Ok(asked)
}

fn carry_out(
    tx: &mut Tx<'_>,
    schema: &schema::Schema,
    currency: schema::Currency,
    written: &[RecordId],
    write: Write,
) -> CoreResult<RecordId> {
    match write {
        Write::Create { collection, values, key } => {
            let of = schema.require(&collection)?;
            let mut resolve = |collection: &str, text: &str| tx.find(collection, text);
            let values = Reading { currency, resolve: &mut resolve, written }.values(of, values)?;
            match key.is_empty() {
                true => tx.create(&collection, values),
                false => {
                    let key: Vec<Name> = key.into_iter().map(Name::from).collect();
                    tx.create_keyed(&collection, values, &key).map(|keyed| keyed.id)
                }
            }
        }
        Write::Edit { collection, record, edits } => {
            let of = schema.require(&collection)?;
            let id = tx.find(&collection, &record)?;
            let mut resolve = |collection: &str, text: &str| tx.find(collection, text);
            let edits = Reading { currency, resolve: &mut resolve, written }.edits(of, edits)?;
            tx.edit(&collection, &id, edits)?;
            Ok(id)
        }
        Write::Archive { collection, record, archived } => {
            let id = tx.find(&collection, &record)?;
            tx.archive(&collection, &id, archived)?;
            Ok(id)
        }
        Write::Undo { collection, record, change } => {
            let id = tx.find(&collection, &record)?;
            let unknown = || Error::not_found("unknown-change").with("change", &change).with("record", id.to_string());
            let hash = ChangeHash::parse(&change).ok_or_else(unknown)?;
            tx.undo(&collection, &id, hash)?;
            Ok(id)
        }
    }
}

// The field that a conflict names: a field, or a column of lines as `field/line/column`.
fn field_of(replica: &replica::Replica, collection: &str, path: &str) -> CoreResult<schema::Field> {
    let schema = replica.schema();
    let mut parts = path.split('/');
    let field = schema.require(collection)?.require_field(parts.next().unwrap_or_default())?;
    let (Some(column), schema::FieldType::Lines(columns)) = (parts.nth(1), &field.ty) else { return Ok(field.clone()) };
    let unknown = || Error::not_found("unknown-column").with("column", column).with("field", &*field.name);
    columns.iter().find(|known| &*known.name == column).cloned().ok_or_else(unknown)
}
