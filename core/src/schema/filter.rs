//! A condition on records, as the store runs it.
//!
//! The meaning of each node, for whoever runs it:
//! - `Ne` also holds where the field is empty; all other comparisons do not.
//! - On a set, `Eq` means "has this item", `Ne` "has it not", `Contains` "some item contains the text".
//! - `Contains` ignores case. Texts otherwise compare exactly.
//! - Money with a currency compares with amounts of that currency only; without one, with every amount in units.
//! - A moment compared with a day has already been turned into comparisons of moments.

use rust_decimal::Decimal;

use super::{Currency, FieldType, Name};
use crate::time::{Day, Millis};

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Eq,
    /// `!=`, also true where the field is empty.
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `~`: contains this text, in any case.
    Contains,
}

/// What a field is compared with, already of the field's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// For texts, choices, set items of either, and `id` (a unique prefix is enough).
    Text(String),
    /// For integers and counters.
    Integer(i64),
    /// For decimals.
    Decimal(Decimal),
    /// For money: units, and the currency if one was given.
    Money(Decimal, Option<Currency>),
    /// For booleans.
    Boolean(bool),
    /// For dates.
    Date(Day),
    /// For instants.
    Instant(Millis),
    /// For references: a natural key or an id of a record of this collection.
    Key {
        /// The collection referred to.
        collection: Name,
        /// The key as written.
        text: String,
    },
}

/// A condition on the fields of one collection (and the [`SYSTEM_FIELDS`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of these hold.
    And(Vec<Filter>),
    /// One of these holds.
    Or(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// A field compared with a value.
    Compare {
        /// The field.
        field: Name,
        /// How.
        op: Op,
        /// With what.
        value: Literal,
    },
    /// The field equals one of these.
    In {
        /// The field.
        field: Name,
        /// The values.
        values: Vec<Literal>,
    },
    /// The field is empty (or is not).
    Empty {
        /// The field.
        field: Name,
        /// True for `is not empty`.
        negated: bool,
    },
    /// The record's texts hold all these words: each begins one of theirs, in any case, ё as е. No text of the condition
    /// language says it.
    Words(String),
}

/// What every record has besides its collection's fields; usable in filters and sorting.
pub const SYSTEM_FIELDS: [&str; 6] = ["id", "archived", "created_at", "created_by", "updated_at", "updated_by"];

/// The type of a system field: `id` compares as text, the people are references to `user`.
pub fn system_field(name: &str) -> Option<FieldType> {
    match name {
        "id" => Some(FieldType::Text),
        "archived" => Some(FieldType::Boolean),
        "created_at" | "updated_at" => Some(FieldType::Instant),
        "created_by" | "updated_by" => Some(FieldType::Reference("user".into())),
        _ => None,
    }
}
