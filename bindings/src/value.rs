//! Values and edits as they cross the border, and their way to the core's and back.

use std::collections::{BTreeMap, HashMap};

use branchline_core::id::{BlobHash, RecordId};
use branchline_core::message::Language;
use branchline_core::replica;
use branchline_core::schema::{self, Collection, Currency, Field, FieldType, Name, ParseContext, SetOf};
use branchline_core::time::{Day, Millis};
use branchline_core::{Error, Result};

/// The value of a field.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Value {
    /// Empty.
    Empty,
    /// Of a text, long text or choice field; of a choice it is the stored value, not its label.
    Text {
        /// The text.
        text: String,
    },
    /// Of an integer or counter field.
    Integer {
        /// The number.
        number: i64,
    },
    /// Of a decimal field.
    Decimal {
        /// The exact number, `12.5`.
        number: String,
    },
    /// Of a money field.
    Money {
        /// The exact amount, `1054.00`.
        amount: String,
        /// Its currency, `EUR`.
        currency: String,
    },
    /// Of a boolean field.
    Boolean {
        /// Yes or no.
        yes: bool,
    },
    /// Of a date field.
    Date {
        /// The day, `2017-03-01`.
        day: String,
    },
    /// Of an instant field.
    Instant {
        /// Milliseconds since 1970 in UTC.
        ms: i64,
    },
    /// Of a reference field.
    Reference {
        /// The record's id; in what is written also a natural key or `FIELD=VALUE`.
        id: String,
        /// Its title, where it is held here; ignored in what is written.
        #[uniffi(default = None)]
        label: Option<String>,
    },
    /// Of a set field.
    Set {
        /// Its items: texts, stored values of choices, or ids of records.
        items: Vec<Item>,
    },
    /// Of a lines field.
    Lines {
        /// Its lines, in the order of their ids.
        lines: Vec<Line>,
    },
    /// Of an attachment field.
    Attachment {
        /// The file.
        file: Attachment,
    },
    /// Of a location field.
    Location {
        /// Degrees, north positive.
        latitude: f64,
        /// Degrees, east positive.
        longitude: f64,
    },
    /// What a person typed, for a field of any type, in the forms of the command line: `1054.00 USD`, `yes`,
    /// `name=Acme`. Only in what is written.
    Typed {
        /// The text.
        text: String,
    },
    /// A reference to the record that an earlier write of the same transaction makes. Only in what is written.
    Created {
        /// The place of that write, from 0.
        write: u32,
    },
}

/// An item of a set.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Item {
    /// The text, the stored value of a choice, or the id of a record.
    pub value: String,
    /// What people read; ignored in what is written.
    #[uniffi(default = None)]
    pub label: Option<String>,
}

/// A line of a lines field.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Line {
    /// Its id: letters, digits, `-` and `_`.
    pub id: String,
    /// Its cells by column; empty ones are left out.
    pub cells: HashMap<String, Value>,
}

/// A file by content.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Attachment {
    /// SHA-256 of its bytes, hexadecimal.
    pub hash: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its media type, `image/jpeg`.
    pub media: String,
    /// Its file name.
    pub name: String,
}

/// An edit of a record. Setting a field settles its conflict.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Edit {
    /// Puts a whole value into a field; of a set or of lines it replaces what is there, item by item.
    Set {
        /// The field.
        field: String,
        /// The value.
        value: Value,
    },
    /// Adds an item to a set; wins over a concurrent removal.
    Add {
        /// The field.
        field: String,
        /// The item.
        item: String,
    },
    /// Takes an item out of a set.
    Remove {
        /// The field.
        field: String,
        /// The item.
        item: String,
    },
    /// Adds to a counter; a negative number subtracts.
    Increment {
        /// The field.
        field: String,
        /// By how much.
        by: i64,
    },
    /// Puts a value into a cell of a line; the line appears with its first cell.
    SetCell {
        /// The lines field.
        field: String,
        /// The line.
        line: String,
        /// The column.
        column: String,
        /// The value.
        value: Value,
    },
    /// Removes a line.
    RemoveLine {
        /// The lines field.
        field: String,
        /// The line.
        line: String,
    },
}

/// The titles of the records that some values refer to.
pub(crate) type Titles = HashMap<RecordId, String>;

/// What reading a value from outside needs to know besides the field.
pub(crate) struct Reading<'a> {
    /// The currency of a bare number.
    pub(crate) currency: Currency,
    /// Finds the record of a collection that a text names.
    pub(crate) resolve: &'a mut dyn FnMut(&str, &str) -> Result<RecordId>,
    /// What the earlier writes of the transaction have made or touched.
    pub(crate) written: &'a [RecordId],
}

impl Reading<'_> {
    /// Field name to value.
    pub(crate) fn values(
        &mut self,
        collection: &Collection,
        values: HashMap<String, Value>,
    ) -> Result<Vec<(Name, schema::Value)>> {
        let one = |(name, value): (String, Value)| {
            let field = collection.require_field(&name)?;
            Ok((field.name.clone(), self.value(field, value)?))
        };
        values.into_iter().map(one).collect()
    }

    /// The core's edits.
    pub(crate) fn edits(&mut self, collection: &Collection, edits: Vec<Edit>) -> Result<Vec<replica::Edit>> {
        edits.into_iter().map(|edit| self.edit(collection, edit)).collect()
    }

    fn edit(&mut self, collection: &Collection, edit: Edit) -> Result<replica::Edit> {
        Ok(match edit {
            Edit::Set { field, value } => {
                let field = collection.require_field(&field)?;
                replica::Edit::Set(field.name.clone(), self.value(field, value)?)
            }
            Edit::Add { field, item } => {
                let field = collection.require_field(&field)?;
                replica::Edit::Add(field.name.clone(), self.item(field, item)?)
            }
            Edit::Remove { field, item } => {
                let field = collection.require_field(&field)?;
                replica::Edit::Remove(field.name.clone(), self.item(field, item)?)
            }
            Edit::Increment { field, by } => replica::Edit::Increment(field.into(), by),
            Edit::SetCell { field, line, column, value } => {
                let field = collection.require_field(&field)?;
                let column = column_of(field, &column)?;
                let value = self.value(column, value)?;
                replica::Edit::SetLine { field: field.name.clone(), line, sub: column.name.clone(), value }
            }
            Edit::RemoveLine { field, line } => replica::Edit::RemoveLine { field: field.into(), line },
        })
    }

    /// The core's value of a field.
    pub(crate) fn value(&mut self, field: &Field, value: Value) -> Result<schema::Value> {
        let wrong = || wrong_type(field, &value);
        Ok(match (&field.ty, &value) {
            (_, Value::Empty) => schema::Value::Null,
            (_, Value::Typed { text }) => self.typed(field, text)?,
            (FieldType::Text | FieldType::LongText | FieldType::Choice(_), Value::Text { text }) => match text.as_str()
            {
                "" => schema::Value::Null,
                text => schema::Value::Text(text.to_owned()),
            },
            (FieldType::Integer | FieldType::Counter, Value::Integer { number }) => schema::Value::Integer(*number),
            (FieldType::Decimal, Value::Decimal { number }) => self.typed(field, number)?,
            (FieldType::Money, Value::Money { amount, currency }) => {
                self.typed(field, &format!("{} {currency}", amount.trim()))?
            }
            (FieldType::Boolean, Value::Boolean { yes }) => schema::Value::Boolean(*yes),
            (FieldType::Date, Value::Date { day }) => schema::Value::Date(Day::parse(day).ok_or_else(wrong)?),
            (FieldType::Instant, Value::Instant { ms }) => schema::Value::Instant(Millis(*ms)),
            (FieldType::Reference(target), Value::Reference { id, .. }) => {
                schema::Value::Reference((self.resolve)(target, id)?)
            }
            (FieldType::Reference(_), Value::Created { write }) => {
                schema::Value::Reference(*self.written.get(*write as usize).ok_or_else(wrong)?)
            }
            (FieldType::Set(_), Value::Set { items }) => {
                let items = items.iter().map(|item| self.item(field, item.value.clone()));
                match items.collect::<Result<std::collections::BTreeSet<_>>>()? {
                    items if items.is_empty() => schema::Value::Null,
                    items => schema::Value::Set(items),
                }
            }
            (FieldType::Lines(_), Value::Lines { lines }) => self.lines(field, lines)?,
            (FieldType::Attachment, Value::Attachment { file }) => {
                let Attachment { size, media, name, .. } = file.clone();
                let hash = BlobHash::parse(&file.hash).ok_or_else(wrong)?;
                schema::Value::Attachment(schema::Attachment { hash, size, media, name })
            }
            (FieldType::Location, Value::Location { latitude, longitude }) => {
                schema::Value::Location(location(*latitude, *longitude).ok_or_else(wrong)?)
            }
            _ => return Err(wrong()),
        })
    }

    fn typed(&mut self, field: &Field, text: &str) -> Result<schema::Value> {
        let mut context = ParseContext { currency: self.currency, resolve: &mut *self.resolve };
        schema::parse_value(field, text, &mut context)
    }

    // An item of a set; a text stays as it is, for a semicolon in it is part of it.
    fn item(&mut self, field: &Field, item: String) -> Result<String> {
        match &field.ty {
            FieldType::Set(SetOf::Reference(target)) => (self.resolve)(target, &item).map(|id| id.to_string()),
            FieldType::Set(SetOf::Choice(_)) => match self.typed(field, &item)? {
                schema::Value::Set(items) => Ok(items.into_iter().next().unwrap_or(item)),
                _ => Ok(item),
            },
            _ => Ok(item.trim().to_owned()),
        }
    }

    fn lines(&mut self, field: &Field, lines: &[Line]) -> Result<schema::Value> {
        let mut all = BTreeMap::new();
        for line in lines {
            let mut cells = BTreeMap::new();
            for (name, value) in &line.cells {
                let value = self.value(column_of(field, name)?, value.clone())?;
                if value != schema::Value::Null {
                    cells.insert(name.clone(), value);
                }
            }
            all.insert(line.id.clone(), cells);
        }
        Ok(if all.is_empty() { schema::Value::Null } else { schema::Value::Lines(all) })
    }
}

/// The text that names a value of a conflict, as the core looks for it among the values.
pub(crate) fn written(field: &Field, value: Value, reading: &mut Reading<'_>) -> Result<String> {
    if let Value::Typed { text } = value {
        return Ok(text);
    }
    let value = reading.value(field, value)?;
    Ok(schema::format_value(field, &value, &|_| None))
}

/// The records that a value refers to.
pub(crate) fn referred<'v>(value: &'v schema::Value, found: &mut Vec<RecordId>) {
    match value {
        schema::Value::Reference(id) => found.push(*id),
        schema::Value::Set(items) => found.extend(items.iter().filter_map(|item| RecordId::parse(item))),
        schema::Value::Lines(lines) => {
            let cells = lines.values().flat_map(|cells| cells.values());
            cells.for_each(|cell: &'v schema::Value| referred(cell, found));
        }
        _ => {}
    }
}

/// A value for outside; references with their titles, choices of a set with their labels.
pub(crate) fn shown(field: &Field, value: &schema::Value, titles: &Titles, language: Language) -> Value {
    match value {
        schema::Value::Null => Value::Empty,
        schema::Value::Text(text) => Value::Text { text: text.clone() },
        schema::Value::Integer(number) => Value::Integer { number: *number },
        schema::Value::Decimal(number) => Value::Decimal { number: number.normalize().to_string() },
        schema::Value::Money(money) => {
            Value::Money { amount: money.amount_text(), currency: money.currency.code().to_owned() }
        }
        schema::Value::Boolean(yes) => Value::Boolean { yes: *yes },
        schema::Value::Date(day) => Value::Date { day: day.iso() },
        schema::Value::Instant(at) => Value::Instant { ms: at.0 },
        schema::Value::Reference(id) => Value::Reference { id: id.to_string(), label: titles.get(id).cloned() },
        schema::Value::Set(items) => {
            let item =
                |value: &String| Item { value: value.clone(), label: item_label(field, value, titles, language) };
            Value::Set { items: items.iter().map(item).collect() }
        }
        schema::Value::Lines(lines) => {
            let cell = |(name, value): (&String, &schema::Value)| {
                Some((name.clone(), shown(column_of(field, name).ok()?, value, titles, language)))
            };
            let line = |(id, cells): (&String, &BTreeMap<String, schema::Value>)| Line {
                id: id.clone(),
                cells: cells.iter().filter_map(cell).collect(),
            };
            Value::Lines { lines: lines.iter().map(line).collect() }
        }
        schema::Value::Attachment(file) => Value::Attachment { file: Attachment::of(file) },
        schema::Value::Location(place) => Value::location(place),
    }
}

/// A value as people read it: a choice by its label, a reference by its title.
pub(crate) fn words(field: &Field, value: &schema::Value, titles: &Titles, language: Language) -> String {
    let label = |value: &str| {
        let choice = field.ty.choices().iter().find(|choice| choice.value == value);
        choice.map(|choice| choice.labels.text(language).to_owned())
    };
    match value {
        schema::Value::Text(text) => label(text).unwrap_or_else(|| text.clone()),
        schema::Value::Set(items) if !field.ty.choices().is_empty() => {
            items.iter().map(|item| label(item).unwrap_or_else(|| item.clone())).collect::<Vec<_>>().join("; ")
        }
        _ => schema::format_value(field, value, &|id| titles.get(id).cloned()),
    }
}

impl Value {
    pub(crate) fn location(place: &schema::Location) -> Self {
        Self::Location { latitude: f64::from(place.lat_micro) / MICRO, longitude: f64::from(place.lon_micro) / MICRO }
    }
}

impl Attachment {
    pub(crate) fn of(file: &schema::Attachment) -> Self {
        let schema::Attachment { hash, size, media, name } = file;
        Self { hash: hash.to_string(), size: *size, media: media.clone(), name: name.clone() }
    }
}

/// Millionths of a degree in a degree.
const MICRO: f64 = 1_000_000.0;

fn location(latitude: f64, longitude: f64) -> Option<schema::Location> {
    let micro = |degrees: f64, most: f64| {
        // Not a number is not within its bounds.
        ((-most..=most).contains(&degrees)).then(|| (degrees * MICRO).round() as i32)
    };
    Some(schema::Location { lat_micro: micro(latitude, 90.0)?, lon_micro: micro(longitude, 180.0)? })
}

fn column_of<'f>(field: &'f Field, name: &str) -> Result<&'f Field> {
    let columns = match &field.ty {
        FieldType::Lines(columns) => columns.as_slice(),
        _ => &[],
    };
    let unknown = || Error::not_found("unknown-column").with("column", name).with("field", &*field.name);
    columns.iter().find(|column| &*column.name == name).ok_or_else(unknown)
}

fn item_label(field: &Field, value: &str, titles: &Titles, language: Language) -> Option<String> {
    if let Some(choice) = field.ty.choices().iter().find(|choice| choice.value == value) {
        return Some(choice.labels.text(language).to_owned());
    }
    field.ty.target().and_then(|_| titles.get(&RecordId::parse(value)?).cloned())
}

fn wrong_type(field: &Field, value: &Value) -> Error {
    let given = match value {
        Value::Text { text } | Value::Typed { text } => text.clone(),
        Value::Integer { number } => number.to_string(),
        Value::Decimal { number } => number.clone(),
        Value::Money { amount, currency } => format!("{amount} {currency}"),
        Value::Boolean { yes } => yes.to_string(),
        Value::Date { day } => day.clone(),
        Value::Instant { ms } => Millis(*ms).rfc3339(),
        Value::Reference { id, .. } => id.clone(),
        Value::Set { items } => items.iter().map(|item| item.value.as_str()).collect::<Vec<_>>().join("; "),
        Value::Attachment { file } => file.name.clone(),
        Value::Location { latitude, longitude } => format!("{latitude}, {longitude}"),
        Value::Created { write } => format!("#{write}"),
        Value::Lines { .. } | Value::Empty => String::new(),
    };
    let spec = field.ty.spec();
    let kind = spec.split(':').next().unwrap_or_default();
    let given: String = given.chars().take(GIVEN_CHARS_MAX).collect();
    Error::invalid("wrong-type").with("field", &*field.name).with("value", given).with("type", kind)
}

/// Longest part of a wrong value that an error repeats, in characters.
const GIVEN_CHARS_MAX: usize = 80;
