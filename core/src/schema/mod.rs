//! Collections and fields as data: what a record may hold, its labels, its rules, and the values themselves.
//!
//! A [`Schema`] is a list of [`Collection`]s; the built-in ones come from `crm`, a workspace's own ones from records.
//! Nothing here does I/O or knows how a value is stored in a document or a table.

mod custom;
mod declare;
mod digest;
mod fields;
mod filter;
mod filter_parse;
mod json;
mod names;
mod nearest;
mod number;
mod text;
mod types;
mod validate;
mod value;

pub use custom::DeclarationRecord;
pub use declare::{Declarations, RoleDeclaration, parse_declarations};
pub use fields::Fields;
pub use filter::{Filter, Literal, Op, SYSTEM_FIELDS, system_field};
pub use filter_parse::parse_filter;
pub use json::{json_value, value_from_json};
pub use names::check_name;
pub use nearest::nearest;
pub use text::{ParseContext, format_value, parse_value};
pub use validate::{Mode, Warning, require_all, required_missing, validate};
pub use value::{Attachment, Currency, LineId, Location, Money, Value};

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::message::Language;

/// The name of a collection or field: `[a-z][a-z0-9_]*`, at most [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX).
pub type Name = Arc<str>;

/// A label in each language.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Labels {
    /// English.
    pub en: String,
    /// Russian.
    pub ru: String,
    /// Ukrainian.
    pub uk: String,
}

impl Labels {
    /// The label in a language, else the English one.
    pub fn text(&self, language: Language) -> &str {
        let own = match language {
            Language::En => &self.en,
            Language::Ru => &self.ru,
            Language::Uk => &self.uk,
        };
        if own.is_empty() { &self.en } else { own }
    }
}

/// Who holds a collection's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One card for the whole company; every replica holds it.
    Shared,
    /// Belongs to a branch: also has the fields `branch`, `team`, `owner`, from which its scopes follow.
    Branch,
    /// Sealed: held by head office and the servers of a branch alone. No device gets it, and nothing lists, finds,
    /// searches or exports it; only the facade reads it, record by record. Nobody declares one.
    #[serde(skip)]
    Servers,
}

/// One value of a choice list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Choice {
    /// The stored value.
    pub value: String,
    /// What people read.
    pub labels: Labels,
}

/// What a set holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetOf {
    /// Short texts.
    Text,
    /// Values of a choice list.
    Choice(Vec<Choice>),
    /// References to records of a collection.
    Reference(Name),
}

/// The type of a field. It never changes after the field exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// A plain text, one value at a time.
    Text,
    /// A text that merges character by character.
    LongText,
    /// A whole number of 64 bits.
    Integer,
    /// An exact decimal number.
    Decimal,
    /// An amount in minor units with its currency.
    Money,
    /// Yes or no.
    Boolean,
    /// A calendar day.
    Date,
    /// A moment.
    Instant,
    /// One value of a list.
    Choice(Vec<Choice>),
    /// A record of the named collection.
    Reference(Name),
    /// A set whose additions win over concurrent removals.
    Set(SetOf),
    /// Lines of a table inside the record: line id to fields (scalar types only).
    Lines(Vec<Field>),
    /// A number that is only ever incremented.
    Counter,
    /// A file, by content.
    Attachment,
    /// Latitude and longitude.
    Location,
}

/// Which of several concurrent values of a field is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Winner {
    /// The newest by the change's time, ties by actor.
    #[default]
    Latest,
    /// The oldest.
    Earliest,
    /// The greatest value.
    Highest,
    /// The smallest value.
    Lowest,
    /// This value whenever it is among them, else the latest.
    State(String),
    /// The latest is shown, but a person must settle it.
    Ask,
}

/// A field of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: FieldType,
    /// What people read.
    pub labels: Labels,
    /// Whether a record without it is refused where it is typed.
    pub required: bool,
    /// Whether the projection has an index on it.
    pub indexed: bool,
    /// Whether full-text search covers it (texts only).
    pub searchable: bool,
    /// How a conflict is shown.
    pub winner: Winner,
    /// Whether it says where a record stands in an order that people make by hand. It is moved, never typed, so forms and
    /// columns leave it out; of several concurrent places one is taken, and nobody has to settle them.
    pub placing: bool,
}

/// A collection of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Its name, also the name of its table in the projection.
    pub name: Name,
    /// Who holds its records.
    pub kind: Kind,
    /// What people read, in the plural.
    pub labels: Labels,
    /// Its fields in display order, with `external_id` and, of a branch, `branch`, `team`, `owner`.
    pub fields: Fields,
    /// Fields that name a record, the most telling first: `code`, `email`, `sku`, `external_id`, `name`.
    pub natural_keys: Vec<Name>,
    /// Fields whose values together title a record.
    pub title: Vec<Name>,
    /// Order in a first sync: lower first.
    pub priority: u8,
    /// Whether the workspace made it.
    pub custom: bool,
}

impl Collection {
    /// A collection that this replica's schema does not know: its records are kept and passed on, nothing is read of
    /// them.
    pub fn unknown(name: Name) -> Self {
        Self {
            name,
            kind: Kind::Branch,
            labels: Labels::default(),
            fields: Fields::default(),
            natural_keys: Vec::new(),
            title: Vec::new(),
            priority: u8::MAX,
            custom: true,
        }
    }

    /// The fields that people read and type: all but places in an order.
    pub fn facts(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.placing)
    }

    /// Whether a field is one of those; true for marks of the record itself.
    pub fn is_fact(&self, name: &str) -> bool {
        self.field(name).is_none_or(|field| !field.placing)
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.named(name)
    }

    /// Values that stand by place, with their names; empty ones are left out.
    pub fn named(&self, values: Vec<Value>) -> Vec<(Name, Value)> {
        let named = self.fields.iter().zip(values).map(|(field, value)| (field.name.clone(), value));
        named.filter(|(_, value)| *value != Value::Null).collect()
    }

    /// The field of this name.
    ///
    /// # Errors
    /// `unknown_field` where the collection has none.
    pub fn require_field(&self, name: &str) -> Result<&Field> {
        self.field(name)
            .ok_or_else(|| Error::not_found("unknown-field").with("field", name).with("collection", &*self.name))
    }
}

/// All collections of a workspace. The sealed ones ([`Kind::Servers`]) stand apart: who asks for collections by name or
/// for all of them does not meet them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    collections: Vec<Arc<Collection>>,
    by_name: HashMap<Name, usize>,
    sealed: Vec<Arc<Collection>>,
}

impl Schema {
    /// The schema of these collections; a later one replaces an earlier one of the same name.
    pub fn new(collections: impl IntoIterator<Item = Collection>) -> Self {
        let mut schema = Self::default();
        for collection in collections {
            schema.insert(collection);
        }
        schema
    }

    /// Adds or replaces a collection.
    pub fn insert(&mut self, collection: Collection) {
        let name = collection.name.clone();
        let collection = Arc::new(collection);
        if collection.kind == Kind::Servers {
            self.sealed.retain(|known| known.name != name);
            self.sealed.push(collection);
            return;
        }
        if let Some(slot) = self.by_name.get(&name).and_then(|at| self.collections.get_mut(*at)) {
            *slot = collection;
        } else {
            self.by_name.insert(name, self.collections.len());
            self.collections.push(collection);
        }
    }

    /// All collections in declaration order.
    pub fn collections(&self) -> &[Arc<Collection>] {
        &self.collections
    }

    /// The collection of this name.
    pub fn collection(&self, name: &str) -> Option<&Arc<Collection>> {
        self.by_name.get(name).and_then(|at| self.collections.get(*at))
    }

    /// The sealed collections.
    pub(crate) fn sealed(&self) -> &[Arc<Collection>] {
        &self.sealed
    }

    /// The collection of this name, sealed or not: by what its records are judged and kept.
    pub(crate) fn held(&self, name: &str) -> Option<&Arc<Collection>> {
        self.collection(name).or_else(|| self.sealed.iter().find(|sealed| &*sealed.name == name))
    }

    /// The collection of this name.
    ///
    /// # Errors
    /// `unknown_collection` where there is none.
    pub fn require(&self, name: &str) -> Result<&Arc<Collection>> {
        self.collection(name).ok_or_else(|| Error::not_found("unknown-collection").with("collection", name))
    }
}
