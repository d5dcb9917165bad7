//! Values of fields to and from the scalars of a document.
//!
//! The mapping is fixed by the protocol version: a scalar that a field's type does not map to is no value of it.

use std::borrow::Cow;

use rust_decimal::Decimal;

use crate::id::{BlobHash, RecordId};
use crate::limits::{ATTACHMENT_MEDIA_BYTES_MAX, ATTACHMENT_NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::schema::{Attachment, Currency, FieldType, Location, Money, Value};
use crate::time::{Day, Millis};
use crate::wire::chunk::Scalar;

/// A scalar on its way into a change; texts of plain fields stay borrowed from their value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Timestamp(i64),
    Str(Cow<'a, str>),
    Id(RecordId),
    Bytes(Vec<u8>),
}

impl Plain<'_> {
    pub(super) fn scalar(&self) -> Scalar<'_> {
        match self {
            Plain::Null => Scalar::Null,
            Plain::Bool(b) => Scalar::Bool(*b),
            Plain::Int(i) => Scalar::Int(*i),
            Plain::Timestamp(t) => Scalar::Timestamp(*t),
            Plain::Str(s) => Scalar::Str(s),
            Plain::Id(id) => Scalar::Bytes(id.as_bytes()),
            Plain::Bytes(bytes) => Scalar::Bytes(bytes),
        }
    }
}

/// The scalar that stores `value` in a field of this type; `None` where the value is none of the type's or is out of
/// bounds. Sets, lines, long texts and counters have no single scalar.
pub(super) fn plain<'a>(ty: &FieldType, value: &'a Value) -> Option<Plain<'a>> {
    Some(match (ty, value) {
        (_, Value::Null) if is_scalar(ty) => Plain::Null,
        (FieldType::Text | FieldType::Choice(_), Value::Text(text)) => {
            (text.len() <= TEXT_BYTES_MAX).then_some(Plain::Str(Cow::Borrowed(text)))?
        }
        (FieldType::Integer, Value::Integer(n)) => Plain::Int(*n),
        (FieldType::Decimal, Value::Decimal(d)) => Plain::Str(d.normalize().to_string().into()),
        (FieldType::Money, Value::Money(m)) => Plain::Str(format!("{} {}", m.minor, m.currency.code()).into()),
        (FieldType::Boolean, Value::Boolean(b)) => Plain::Bool(*b),
        (FieldType::Date, Value::Date(day)) => Plain::Int(i64::from(day.0)),
        (FieldType::Instant, Value::Instant(at)) => Plain::Timestamp(at.0),
        (FieldType::Reference(_), Value::Reference(id)) => Plain::Id(*id),
        (FieldType::Attachment, Value::Attachment(a)) => Plain::Str(attachment_text(a)?.into()),
        (FieldType::Location, Value::Location(l)) => Plain::Str(format!("{},{}", l.lat_micro, l.lon_micro).into()),
        _ => return None,
    })
}

/// The value that a scalar is in a field of this type; `None` where it is none.
pub fn value_of(ty: &FieldType, scalar: Scalar<'_>) -> Option<Value> {
    Some(match (ty, scalar) {
        (_, Scalar::Null) if is_scalar(ty) => Value::Null,
        (FieldType::Text | FieldType::Choice(_), Scalar::Str(text)) => {
            (text.len() <= TEXT_BYTES_MAX).then(|| Value::Text(text.to_owned()))?
        }
        (FieldType::Integer, Scalar::Int(n)) => Value::Integer(n),
        (FieldType::Decimal, Scalar::Str(text)) => Value::Decimal(decimal(text)?),
        (FieldType::Money, Scalar::Str(text)) => Value::Money(money(text)?),
        (FieldType::Boolean, Scalar::Bool(b)) => Value::Boolean(b),
        (FieldType::Date, Scalar::Int(day)) => Value::Date(Day(i32::try_from(day).ok()?)),
        (FieldType::Instant, Scalar::Timestamp(at)) => Value::Instant(Millis(at)),
        (FieldType::Reference(_), Scalar::Bytes(bytes)) => Value::Reference(RecordId::from_slice(bytes)?),
        (FieldType::Attachment, Scalar::Str(text)) => Value::Attachment(attachment(text)?),
        (FieldType::Location, Scalar::Str(text)) => Value::Location(location(text)?),
        _ => return None,
    })
}

/// Whether a scalar is a value of this type, without building it where that costs an allocation.
pub(super) fn fits(ty: &FieldType, scalar: Scalar<'_>) -> bool {
    match (ty, scalar) {
        (FieldType::Text | FieldType::Choice(_), Scalar::Str(text)) => text.len() <= TEXT_BYTES_MAX,
        (ty, scalar) => value_of(ty, scalar).is_some(),
    }
}

/// Whether a field of this type holds one scalar at its own key.
pub(super) fn is_scalar(ty: &FieldType) -> bool {
    !matches!(ty, FieldType::LongText | FieldType::Counter | FieldType::Set(_) | FieldType::Lines(_))
}

// One spelling for one number: the same value must be the same bytes on every replica.
fn decimal(text: &str) -> Option<Decimal> {
    let number = Decimal::from_str_exact(text).ok()?;
    (number.normalize().to_string() == text).then_some(number)
}

fn money(text: &str) -> Option<Money> {
    let (minor, code) = text.split_once(' ')?;
    Some(Money { minor: integer(minor)?, currency: Currency::parse(code).filter(|c| c.code() == code)? })
}

fn location(text: &str) -> Option<Location> {
    let (lat, lon) = text.split_once(',')?;
    let (lat, lon) = (integer(lat)?, integer(lon)?);
    let on_earth = (-90_000_000..=90_000_000).contains(&lat) && (-180_000_000..=180_000_000).contains(&lon);
    on_earth.then_some(Location { lat_micro: lat as i32, lon_micro: lon as i32 })
}

fn integer(text: &str) -> Option<i64> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let canonical = (plain == "0" && plain.len() == text.len()) || (!plain.starts_with('0') && !plain.starts_with('+'));
    if canonical { text.parse().ok() } else { None }
}

fn attachment_text(a: &Attachment) -> Option<String> {
    let text = format!("{} {} {} {}", a.hash, a.size, a.media, a.name);
    attachment(&text).filter(|read| read == a).map(|_| text)
}

fn attachment(text: &str) -> Option<Attachment> {
    let mut parts = text.splitn(4, ' ');
    let (hash, size, media, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hash = BlobHash::parse(hash).filter(|h| h.to_string() == hash)?;
    let size = integer(size).and_then(|size| u64::try_from(size).ok())?;
    let media_fits = !media.is_empty() && media.len() <= ATTACHMENT_MEDIA_BYTES_MAX && media.is_ascii();
    // A name is shown and offered for saving: it must not reach into another folder.
    let name_fits = !name.is_empty()
        && name.len() <= ATTACHMENT_NAME_BYTES_MAX
        && !name.contains(|c: char| c == '/' || c == '\\' || c.is_control())
        && name != "."
        && name != "..";
    (media_fits && name_fits).then(|| Attachment { hash, size, media: media.to_owned(), name: name.to_owned() })
}
