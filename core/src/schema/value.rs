//! The values of fields.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use crate::id::{BlobHash, RecordId};
use crate::time::{Day, Millis};

/// An ISO 4217 code in upper case, `USD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(pub [u8; 3]);

impl Currency {
    /// Parses three ASCII letters in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 3] = text.trim().as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphabetic).then(|| Self(bytes.map(|b| b.to_ascii_uppercase())))
    }

    /// The code; empty where the bytes are no letters, which [`Currency::parse`] never makes.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the decimal point: 0 for yen-like currencies, 3 for dinar-like ones, else 2.
    pub fn exponent(&self) -> u32 {
        match &self.0 {
            b"JPY" | b"KRW" | b"VND" | b"CLP" | b"ISK" | b"XAF" | b"XOF" | b"PYG" | b"UGX" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"OMR" | b"TND" | b"LYD" => 3,
            _ => 2,
        }
    }
}

/// An amount in minor units (cents, kopecks) with its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units.
    pub minor: i64,
    /// Its currency.
    pub currency: Currency,
}

/// The id of a line inside a record.
pub type LineId = String;

/// A file by content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// SHA-256 of its bytes.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub size: u64,
    /// Its media type, `image/png`.
    pub media: String,
    /// Its file name, without any path.
    pub name: String,
}

/// A place on earth in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    /// Latitude, north positive, in 1e-6 degrees.
    pub lat_micro: i32,
    /// Longitude, east positive, in 1e-6 degrees.
    pub lon_micro: i32,
}

/// The value of a field. `Null` is an empty field of any type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Empty.
    Null,
    /// Of a text, long text or choice field.
    Text(String),
    /// Of an integer or counter field.
    Integer(i64),
    /// Of a decimal field.
    Decimal(Decimal),
    /// Of a money field.
    Money(Money),
    /// Of a boolean field.
    Boolean(bool),
    /// Of a date field.
    Date(Day),
    /// Of an instant field.
    Instant(Millis),
    /// Of a reference field.
    Reference(RecordId),
    /// Of a set field; references are their ids as text.
    Set(BTreeSet<String>),
    /// Of a lines field.
    Lines(BTreeMap<LineId, BTreeMap<String, Value>>),
    /// Of an attachment field.
    Attachment(Attachment),
    /// Of a location field.
    Location(Location),
}
