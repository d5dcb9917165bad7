//! The workspace's collections and fields, with labels in three languages: what an app builds its forms from.

use branchline_core::schema::{self, Kind};

/// A label in each language.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Labels {
    /// English.
    pub en: String,
    /// Russian.
    pub ru: String,
    /// Ukrainian.
    pub uk: String,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FieldKind {
    /// A short text.
    Text,
    /// A text of several lines, merged character by character.
    LongText,
    /// A whole number.
    Integer,
    /// An exact decimal number.
    Decimal,
    /// An amount with its currency.
    Money,
    /// Yes or no.
    Boolean,
    /// A calendar day.
    Date,
    /// A moment.
    Instant,
    /// One of `choices`.
    Choice,
    /// A record of `target`.
    Reference,
    /// A set of short texts.
    TextSet,
    /// A set of `choices`.
    ChoiceSet,
    /// A set of records of `target`.
    ReferenceSet,
    /// Lines with `columns`.
    Lines,
    /// A number that is only ever added to.
    Counter,
    /// A file.
    Attachment,
    /// A place on earth.
    Location,
}

/// One value of a choice list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Choice {
    /// The stored value.
    pub value: String,
    /// What people read.
    pub labels: Labels,
}

/// A field of a collection, or a column of lines.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FieldSchema {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: FieldKind,
    /// What people read.
    pub labels: Labels,
    /// Whether a record without it is refused where it is typed.
    pub required: bool,
    /// Whether full-text search covers it.
    pub searchable: bool,
    /// Which of several concurrent values is shown: `latest`, `earliest`, `highest`, `lowest`, `ask`, `state:VALUE`.
    pub winner: String,
    /// The values of a choice or a set of choices.
    pub choices: Vec<Choice>,
    /// The collection that a reference or a set of references points to.
    pub target: Option<String>,
    /// The columns of lines.
    pub columns: Vec<FieldSchema>,
}

/// A collection of records.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CollectionSchema {
    /// Its name.
    pub name: String,
    /// What people read, in the plural.
    pub labels: Labels,
    /// Whether the whole company shares its records; else each belongs to a branch.
    pub shared: bool,
    /// Its fields in the order of a form.
    pub fields: Vec<FieldSchema>,
    /// Fields whose values together title a record.
    pub title: Vec<String>,
    /// Fields that name a record, the most telling first.
    pub natural_keys: Vec<String>,
    /// Whether the workspace has made it.
    pub custom: bool,
}

impl Labels {
    fn of(labels: &schema::Labels) -> Self {
        Self { en: labels.en.clone(), ru: labels.ru.clone(), uk: labels.uk.clone() }
    }
}

impl CollectionSchema {
    pub(crate) fn of(collection: &schema::Collection) -> Self {
        let names = |names: &[schema::Name]| names.iter().map(ToString::to_string).collect();
        Self {
            name: collection.name.to_string(),
            labels: Labels::of(&collection.labels),
            shared: collection.kind == Kind::Shared,
            fields: collection.facts().map(FieldSchema::of).collect(),
            title: names(&collection.title),
            natural_keys: names(&collection.natural_keys),
            custom: collection.custom,
        }
    }
}

impl FieldSchema {
    fn of(field: &schema::Field) -> Self {
        let choice =
            |choice: &schema::Choice| Choice { value: choice.value.clone(), labels: Labels::of(&choice.labels) };
        let columns = match &field.ty {
            schema::FieldType::Lines(columns) => columns.iter().map(Self::of).collect(),
            _ => Vec::new(),
        };
        Self {
            name: field.name.to_string(),
            kind: FieldKind::of(&field.ty),
            labels: Labels::of(&field.labels),
            required: field.required,
            searchable: field.searchable,
            winner: field.winner.spec(),
            choices: field.ty.choices().iter().map(choice).collect(),
            target: field.ty.target().map(ToString::to_string),
            columns,
        }
    }
}

impl FieldKind {
    fn of(ty: &schema::FieldType) -> Self {
        use schema::{FieldType, SetOf};
        match ty {
            FieldType::Text => Self::Text,
            FieldType::LongText => Self::LongText,
            FieldType::Integer => Self::Integer,
            FieldType::Decimal => Self::Decimal,
            FieldType::Money => Self::Money,
            FieldType::Boolean => Self::Boolean,
            FieldType::Date => Self::Date,
            FieldType::Instant => Self::Instant,
            FieldType::Choice(_) => Self::Choice,
            FieldType::Reference(_) => Self::Reference,
            FieldType::Set(SetOf::Text) => Self::TextSet,
            FieldType::Set(SetOf::Choice(_)) => Self::ChoiceSet,
            FieldType::Set(SetOf::Reference(_)) => Self::ReferenceSet,
            FieldType::Lines(_) => Self::Lines,
            FieldType::Counter => Self::Counter,
            FieldType::Attachment => Self::Attachment,
            FieldType::Location => Self::Location,
        }
    }
}
