//! Root keys of a record's document: what each names.
//!
//! A plain field is its name; an item of a set is `field/item`; a cell of a line is `field/line/sub`; a system key
//! begins with `~`. Which of them a slash means depends on the field's type, so a key is read against a collection.

use crate::limits::{LINE_ID_BYTES_MAX, NAME_BYTES_MAX, ROOT_KEY_BYTES_MAX, SET_ITEM_BYTES_MAX};
use crate::schema::{Collection, Field, FieldType, SetOf};

/// Boolean: the record is archived.
pub(super) const ARCHIVED: &str = "~archived";
/// Bytes of the record that this one was merged into, or null.
pub(super) const MERGED_INTO: &str = "~merged_into";
/// In a creating change: the names of the fields whose values its id was derived from, joined by commas.
pub(super) const KEY: &str = "~key";
/// Bytes: the refused changes of this record that the change brings again, 32 bytes each.
pub(super) const CITES: &str = "~cites";
/// `~text/<field>`, true: this change follows the genesis of that long text and no earlier change did.
pub(super) const TEXT_PREFIX: &str = "~text/";

/// What a root key names in a collection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target<'c, 'k> {
    /// A field of scalar type, or a counter.
    Plain(&'c Field),
    /// An item of a set.
    Item(&'c Field, &'k str),
    /// A cell of a line: the lines field, the line, the field of the line.
    Cell(&'c Field, &'k str, &'c Field),
    /// [`ARCHIVED`].
    Archived,
    /// [`MERGED_INTO`].
    MergedInto,
    /// [`KEY`].
    Key,
    /// [`CITES`].
    Cites,
    /// The mark of a long text, with the text's field name.
    TextMark(&'k str),
    /// Well formed, but of a newer schema.
    Unknown,
}

/// Reads a root key; `None` where no schema can mean it.
pub(super) fn target<'c, 'k>(collection: &'c Collection, key: &'k str) -> Option<Target<'c, 'k>> {
    if let Some(system) = key.strip_prefix('~') {
        return system_target(key, system);
    }
    let (name, rest) = match key.split_once('/') {
        Some((name, rest)) => (name, Some(rest)),
        None => (key, None),
    };
    let Some(field) = collection.field(name) else {
        let bounded = key.len() <= ROOT_KEY_BYTES_MAX && rest.is_none_or(|rest| !rest.is_empty());
        return (is_name(name) && bounded && !key.contains(char::is_control)).then_some(Target::Unknown);
    };
    match (&field.ty, rest) {
        (FieldType::Set(of), Some(item)) => is_item(of, item).then_some(Target::Item(field, item)),
        (FieldType::Lines(subs), Some(rest)) => {
            let (line, sub) = rest.split_once('/')?;
            if !is_line_id(line) {
                return None;
            }
            match subs.iter().find(|f| &*f.name == sub) {
                Some(sub) => Some(Target::Cell(field, line, sub)),
                None => is_name(sub).then_some(Target::Unknown),
            }
        }
        (FieldType::Set(_) | FieldType::Lines(_), None) | (_, Some(_)) => None,
        (_, None) => Some(Target::Plain(field)),
    }
}

fn system_target<'k>(key: &'k str, system: &'k str) -> Option<Target<'static, 'k>> {
    match key {
        ARCHIVED => Some(Target::Archived),
        MERGED_INTO => Some(Target::MergedInto),
        KEY => Some(Target::Key),
        CITES => Some(Target::Cites),
        _ => match key.strip_prefix(TEXT_PREFIX) {
            Some(field) => is_name(field).then_some(Target::TextMark(field)),
            None => is_name(system).then_some(Target::Unknown),
        },
    }
}

/// Whether this may name a field: `[a-z][a-z0-9_]*` of bounded length.
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= NAME_BYTES_MAX
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether this may be an item of such a set.
pub(super) fn is_item(of: &SetOf, item: &str) -> bool {
    let short = !item.is_empty() && item.len() <= SET_ITEM_BYTES_MAX;
    match of {
        SetOf::Text | SetOf::Choice(_) => short && !item.contains(char::is_control),
        SetOf::Reference(_) => crate::id::RecordId::parse(item).is_some_and(|id| id.to_string() == item),
    }
}

/// Whether this may be the id of a line.
pub(super) fn is_line_id(line: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !line.is_empty() && line.len() <= LINE_ID_BYTES_MAX && line.bytes().all(allowed)
}
