//! Whether values may stand in a record: types, lengths, ranges, choice lists.
//!
//! What a person types is judged strictly; what an import brings is lenient where a person can mend it later: an
//! unknown choice comes in with a warning that names the nearest known one. Whether a referenced record exists is not
//! judged here.

use super::{Attachment, Choice, Collection, Field, FieldType, Name, SetOf, Value, format_value, nearest};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::limits::{FIELDS_MAX, ITEMS_MAX, LONG_TEXT_CHARS_MAX, SET_ITEM_BYTES_MAX, TEXT_BYTES_MAX};
use crate::message::Message;
use crate::time::{Day, Millis};

/// How strictly values are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Typed by a person: a value outside a choice list is refused.
    Strict,
    /// Brought by an import: it comes in with a warning.
    Lenient,
}

/// Something that came in but that a person should look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Warning {
    /// The field concerned.
    pub field: Name,
    /// The value as it stands.
    pub value: String,
    /// The known value that was probably meant.
    pub nearest: Option<String>,
    /// Why, in words of the catalogue.
    pub reason: Message,
}

/// Judges values that are to be written into a record of the collection.
///
/// # Errors
/// The first value that breaks a rule: `unknown_field`, `wrong_type`, `required_field`, `unknown_choice` (strict mode),
/// `text_too_long`, `bad_text`, `bad_item`, `out_of_range`, `too_many_items`, `bad_attachment`, each with field, value
/// and rule.
pub fn validate(collection: &Collection, values: &[(Name, Value)], mode: Mode) -> Result<Vec<Warning>> {
    if values.len() > FIELDS_MAX {
        return Err(Error::limit("too-many-fields").with("limit", FIELDS_MAX));
    }
    let mut check = Check { mode, warnings: Vec::new() };
    for (name, value) in values {
        let field = collection.require_field(name)?;
        if field.required && mode == Mode::Strict && is_empty(value) {
            return Err(missing(field, collection));
        }
        check.value(field, &field.name, value)?;
    }
    Ok(check.warnings)
}

/// The fields that the collection requires and a record made of these values lacks.
pub fn required_missing<'c>(collection: &'c Collection, values: &[(Name, Value)]) -> impl Iterator<Item = &'c Field> {
    let held = |field: &Field| values.iter().any(|(name, value)| *name == field.name && !is_empty(value));
    collection.fields.iter().filter(move |field| field.required && !held(field))
}

/// Whether a record made of these values has all that its collection requires.
///
/// # Errors
/// `required_field` for the first one that is missing.
pub fn require_all(collection: &Collection, values: &[(Name, Value)]) -> Result<()> {
    match required_missing(collection, values).next() {
        Some(field) => Err(missing(field, collection)),
        None => Ok(()),
    }
}

fn missing(field: &Field, collection: &Collection) -> Error {
    Error::invalid("required-field").with("field", &*field.name).with("collection", &*collection.name)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.trim().is_empty(),
        Value::Set(items) => items.is_empty(),
        _ => false,
    }
}

struct Check {
    mode: Mode,
    warnings: Vec<Warning>,
}

impl Check {
    // `path` is the field's name, for a line `lines/<line>/<column>`.
    fn value(&mut self, field: &Field, path: &str, value: &Value) -> Result<()> {
        match (&field.ty, value) {
            (_, Value::Null)
            | (FieldType::Integer | FieldType::Counter, Value::Integer(_))
            | (FieldType::Decimal, Value::Decimal(_))
            | (FieldType::Money, Value::Money(_))
            | (FieldType::Boolean, Value::Boolean(_))
            | (FieldType::Reference(_), Value::Reference(_)) => Ok(()),
            (FieldType::Text, Value::Text(text)) => plain_text(path, text),
            (FieldType::LongText, Value::Text(text)) => long_text(path, text),
            (FieldType::Choice(choices), Value::Text(text)) => {
                item(path, text)?;
                self.choice(field, path, choices, text)
            }
            (FieldType::Date, Value::Date(day)) => in_range(path, field, value, day_fits(*day)),
            (FieldType::Instant, Value::Instant(at)) => in_range(path, field, value, instant_fits(*at)),
            (FieldType::Location, Value::Location(place)) => {
                let fits =
                    place.lat_micro.unsigned_abs() <= 90_000_000 && place.lon_micro.unsigned_abs() <= 180_000_000;
                in_range(path, field, value, fits)
            }
            (FieldType::Attachment, Value::Attachment(file)) => attachment(path, file),
            (FieldType::Set(of), Value::Set(items)) => {
                bounded(path, items.len())?;
                items.iter().try_for_each(|text| self.set_item(field, path, of, text))
            }
            (FieldType::Lines(columns), Value::Lines(lines)) => {
                bounded(path, lines.len())?;
                for (line, cells) in lines {
                    item(path, line)?;
                    self.line(columns, &format!("{path}/{line}"), cells)?;
                }
                Ok(())
            }
            _ => Err(wrong_type(path, field, value)),
        }
    }

    fn line(&mut self, columns: &[Field], path: &str, cells: &std::collections::BTreeMap<String, Value>) -> Result<()> {
        for (name, value) in cells {
            let column = columns.iter().find(|c| *c.name == **name);
            let column =
                column.ok_or_else(|| Error::not_found("unknown-column").with("column", name).with("field", path))?;
            self.value(column, &format!("{path}/{name}"), value)?;
        }
        Ok(())
    }

    fn set_item(&mut self, field: &Field, path: &str, of: &SetOf, text: &str) -> Result<()> {
        item(path, text)?;
        match of {
            SetOf::Text => Ok(()),
            SetOf::Choice(choices) => self.choice(field, path, choices, text),
            SetOf::Reference(_) if RecordId::parse(text).is_some_and(|id| id.to_string() == text) => Ok(()),
            SetOf::Reference(_) => Err(bad_item(path, text)),
        }
    }

    fn choice(&mut self, field: &Field, path: &str, choices: &[Choice], text: &str) -> Result<()> {
        if choices.iter().any(|c| c.value == text) {
            return Ok(());
        }
        let near = nearest(text, choices.iter().map(|c| c.value.as_str()));
        let known = choices.iter().map(|c| c.value.as_str()).collect::<Vec<_>>().join(", ");
        match self.mode {
            Mode::Strict => Err(Error::invalid("unknown-choice")
                .with("field", path)
                .with("value", text)
                .with("near", usize::from(near.is_some()))
                .with("nearest", near.unwrap_or_default())
                .with("known", known)),
            Mode::Lenient => {
                self.warnings.push(Warning {
                    field: field.name.clone(),
                    value: text.to_owned(),
                    nearest: near.map(str::to_owned),
                    reason: Message::new("choice-not-in-list")
                        .with("field", path)
                        .with("value", text)
                        .with("near", usize::from(near.is_some()))
                        .with("nearest", near.unwrap_or_default()),
                });
                Ok(())
            }
        }
    }
}

fn plain_text(path: &str, text: &str) -> Result<()> {
    if text.len() > TEXT_BYTES_MAX {
        let error = Error::invalid("text-too-long").with("field", path).with("limit", TEXT_BYTES_MAX);
        return Err(error.with("value", short(text)));
    }
    no_control(path, text)
}

fn long_text(path: &str, text: &str) -> Result<()> {
    if text.len() > LONG_TEXT_CHARS_MAX && text.chars().count() > LONG_TEXT_CHARS_MAX {
        let error = Error::invalid("text-too-long").with("field", path).with("limit", LONG_TEXT_CHARS_MAX);
        return Err(error.with("value", short(text)));
    }
    no_control(path, text)
}

fn no_control(path: &str, text: &str) -> Result<()> {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Error::invalid("bad-text").with("field", path).with("value", short(text)));
    }
    Ok(())
}

// Items become part of a key and are joined by `; ` in CSV.
fn item(path: &str, text: &str) -> Result<()> {
    let fits = !text.is_empty()
        && text.len() <= SET_ITEM_BYTES_MAX
        && text.trim() == text
        && !text.contains(|c: char| c == ';' || c.is_control());
    if fits { Ok(()) } else { Err(bad_item(path, text)) }
}

fn bad_item(path: &str, text: &str) -> Error {
    let error = Error::invalid("bad-item").with("field", path).with("value", short(text));
    error.with("limit", SET_ITEM_BYTES_MAX)
}

fn bounded(path: &str, count: usize) -> Result<()> {
    if count > ITEMS_MAX {
        return Err(Error::limit("too-many-items").with("field", path).with("count", count).with("limit", ITEMS_MAX));
    }
    Ok(())
}

fn in_range(path: &str, field: &Field, value: &Value, fits: bool) -> Result<()> {
    if fits {
        return Ok(());
    }
    let shown = format_value(field, value, &|_| None);
    Err(Error::invalid("out-of-range").with("field", path).with("value", shown).with("type", field.ty.spec()))
}

fn day_fits(day: Day) -> bool {
    Day::parse(&day.iso()).is_some()
}

fn instant_fits(at: Millis) -> bool {
    day_fits(at.day())
}

fn attachment(path: &str, file: &Attachment) -> Result<()> {
    let name = &file.name;
    let plain = !name.is_empty() && name.len() <= SET_ITEM_BYTES_MAX && !matches!(name.as_str(), "." | "..");
    let plain = plain && !name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control());
    let media = file.media.split_once('/').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
    let media = media && file.media.len() <= SET_ITEM_BYTES_MAX && !file.media.contains(char::is_whitespace);
    if plain && media {
        return Ok(());
    }
    Err(Error::invalid("bad-attachment").with("field", path).with("value", short(&format!("{} {name}", file.media))))
}

fn wrong_type(path: &str, field: &Field, value: &Value) -> Error {
    let shown = match value {
        Value::Text(text) => short(text),
        other => short(&format!("{other:?}")),
    };
    let kind = field.ty.spec();
    let kind = kind.split(':').next().unwrap_or_default().to_owned();
    Error::invalid("wrong-type").with("field", path).with("value", shown).with("type", kind)
}

/// At most 60 characters, so that an error stays one line.
pub(super) fn short(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::schema::{Currency, Kind, Labels, Location, Money, Winner};

    fn field(name: &str, spec: &str) -> Field {
        let choices = ["retail", "technology"].map(|value| Choice { value: value.into(), labels: Labels::default() });
        let columns =
            if spec == "lines" { vec![field("product", "reference:product"), field("note", "text")] } else { vec![] };
        Field {
            name: name.into(),
            ty: FieldType::from_spec(spec, choices.to_vec(), columns).unwrap(),
            labels: Labels::default(),
            required: name == "name",
            indexed: false,
            searchable: false,
            winner: Winner::Latest,
            placing: false,
        }
    }

    fn collection() -> Collection {
        let fields = [
            ("name", "text"),
            ("notes", "long_text"),
            ("count", "integer"),
            ("share", "decimal"),
            ("amount", "money"),
            ("active", "boolean"),
            ("day", "date"),
            ("at", "instant"),
            ("industry", "choice"),
            ("account", "reference:account"),
            ("tags", "set:text"),
            ("kinds", "set:choice"),
            ("products", "set:reference:product"),
            ("lines", "lines"),
            ("visits", "counter"),
            ("file", "attachment"),
            ("place", "location"),
        ];
        Collection {
            name: "thing".into(),
            kind: Kind::Shared,
            labels: Labels::default(),
            fields: fields.into_iter().map(|(name, spec)| field(name, spec)).collect(),
            natural_keys: vec![],
            title: vec![],
            priority: 4,
            custom: false,
        }
    }

    fn judged(field: &str, value: Value, mode: Mode) -> Result<Vec<Warning>> {
        validate(&collection(), &[(field.into(), value)], mode)
    }

    fn code(field: &str, value: Value) -> String {
        judged(field, value, Mode::Strict).unwrap_err().code()
    }

    fn set(items: &[&str]) -> Value {
        Value::Set(items.iter().map(|i| (*i).to_owned()).collect::<BTreeSet<_>>())
    }

    fn file(media: &str, name: &str) -> Value {
        let hash = crate::id::BlobHash([1; 32]);
        Value::Attachment(Attachment { hash, size: 1, media: media.to_owned(), name: name.to_owned() })
    }

    fn line(column: &str, value: Value) -> Value {
        Value::Lines(BTreeMap::from([("1".to_owned(), BTreeMap::from([(column.to_owned(), value)]))]))
    }

    #[test]
    fn a_value_of_each_type_fits_its_own_field_and_no_other() {
        let id = RecordId::derived(&[b"x"]);
        let samples = [
            ("name", Value::Text("Кабель".into())),
            ("notes", Value::Text("a\nb".into())),
            ("count", Value::Integer(-1)),
            ("share", Value::Decimal(rust_decimal::Decimal::new(125, 1))),
            ("amount", Value::Money(Money { minor: 1, currency: Currency(*b"USD") })),
            ("active", Value::Boolean(true)),
            ("day", Value::Date(Day(0))),
            ("at", Value::Instant(Millis(0))),
            ("industry", Value::Text("retail".into())),
            ("account", Value::Reference(id)),
            ("tags", set(&["a", "б"])),
            ("kinds", set(&["retail"])),
            ("products", set(&[&id.to_string()])),
            ("lines", line("product", Value::Reference(id))),
            ("visits", Value::Integer(3)),
            ("file", file("image/png", "фото.png")),
            ("place", Value::Location(Location { lat_micro: 90_000_000, lon_micro: -180_000_000 })),
        ];
        for (name, value) in &samples {
            assert_eq!(judged(name, value.clone(), Mode::Strict), Ok(Vec::new()), "{name}");
            if *name != "name" {
                assert_eq!(judged(name, Value::Null, Mode::Strict), Ok(Vec::new()), "{name}");
            }
            for (_, other) in &samples {
                if std::mem::discriminant(other) != std::mem::discriminant(value) {
                    assert_eq!(code(name, other.clone()), "wrong_type", "{name} {other:?}");
                }
            }
        }
    }

    #[test]
    fn an_error_names_field_value_and_rule() {
        let error = judged("day", Value::Text("tomorrow".into()), Mode::Strict).unwrap_err().to_string();
        assert!(error.contains("day") && error.contains("tomorrow") && error.contains("2017-03-01"), "{error}");
        let error = judged("industry", Value::Text("technolgy".into()), Mode::Strict).unwrap_err();
        assert_eq!(error.code(), "unknown_choice");
        assert!(error.to_string().contains("retail, technology"), "{error}");
        assert!(error.advice(crate::message::Language::Uk).contains("technology"));
        assert!(!code("tags", set(&["a;b"])).is_empty());
    }

    #[test]
    fn each_rule_refuses_what_breaks_it() {
        assert_eq!(code("size", Value::Null), "unknown_field");
        assert_eq!(code("name", Value::Text(" ".into())), "required_field");
        assert_eq!(code("name", Value::Text("x".repeat(TEXT_BYTES_MAX + 1))), "text_too_long");
        assert_eq!(code("notes", Value::Text("x".repeat(LONG_TEXT_CHARS_MAX + 1))), "text_too_long");
        assert_eq!(judged("notes", Value::Text("ї".repeat(LONG_TEXT_CHARS_MAX)), Mode::Strict), Ok(Vec::new()));
        assert_eq!(code("name", Value::Text("a\u{0}b".into())), "bad_text");
        for item in ["", " a", "a;b", "a\nb", &"x".repeat(SET_ITEM_BYTES_MAX + 1)] {
            assert_eq!(code("tags", set(&[item])), "bad_item", "{item}");
        }
        assert_eq!(code("products", set(&["GTX Pro"])), "bad_item");
        let many: Vec<String> = (0..=ITEMS_MAX).map(|n| n.to_string()).collect();
        assert_eq!(code("tags", Value::Set(many.into_iter().collect())), "too_many_items");
        assert_eq!(code("day", Value::Date(Day(i32::MAX))), "out_of_range");
        assert_eq!(code("at", Value::Instant(Millis(i64::MIN))), "out_of_range");
        assert_eq!(code("place", Value::Location(Location { lat_micro: 90_000_001, lon_micro: 0 })), "out_of_range");
        for (media, name) in [("png", "a"), ("image/png", "../a"), ("image/png", ""), ("image/png", "..")] {
            assert_eq!(code("file", file(media, name)), "bad_attachment", "{media} {name}");
        }
        assert_eq!(code("lines", line("size", Value::Null)), "unknown_column");
        assert_eq!(code("lines", line("note", Value::Integer(1))), "wrong_type");
    }

    #[test]
    fn an_import_keeps_an_unknown_choice_and_warns_with_the_nearest() {
        let warnings = judged("industry", Value::Text("technolgy".into()), Mode::Lenient).unwrap();
        assert_eq!(warnings.len(), 1);
        assert_eq!((&*warnings[0].field, warnings[0].nearest.as_deref()), ("industry", Some("technology")));
        assert!(warnings[0].reason.render(crate::message::Language::Ru).contains("technology"));
        let warnings = judged("kinds", set(&["retail", "???"]), Mode::Lenient).unwrap();
        assert_eq!((warnings.len(), &warnings[0].nearest), (1, &None));
        assert_eq!(judged("name", Value::Null, Mode::Lenient), Ok(Vec::new()));
        assert_eq!(judged("name", Value::Integer(1), Mode::Lenient).unwrap_err().code(), "wrong_type");
    }

    #[test]
    fn a_new_record_needs_what_its_collection_requires() {
        let named = [("name".into(), Value::Text("Acme".into()))];
        assert_eq!(require_all(&collection(), &named), Ok(()));
        assert_eq!(require_all(&collection(), &[]).unwrap_err().code(), "required_field");
    }
}
