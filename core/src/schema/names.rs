//! Which names collections and fields may have.

use super::Name;
use crate::error::{Error, Result};
use crate::limits::NAME_BYTES_MAX;

/// The name in this text, if it is `[a-z][a-z0-9_]*` and at most [`NAME_BYTES_MAX`] bytes.
///
/// # Errors
/// `bad_name` with the text.
pub fn check_name(text: &str) -> Result<Name> {
    let mut bytes = text.bytes();
    let opens = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let goes_on = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if opens && goes_on && text.len() <= NAME_BYTES_MAX {
        Ok(Name::from(text))
    } else {
        Err(Error::invalid("bad-name").with("name", text).with("limit", NAME_BYTES_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_ascii_words() {
        for good in ["a", "tax_id", "x2", &"a".repeat(NAME_BYTES_MAX)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "2x", "_a", "Name", "a-b", "a b", "имя", "a\"b", "~archived", &"a".repeat(NAME_BYTES_MAX + 1)]
        {
            assert_eq!(check_name(bad).map_err(|e| e.code()), Err("bad_name".to_owned()), "{bad}");
        }
    }
}
