//! Keys with an item in them: `phones/+7495…`, `lines/<line>/qty`.
//!
//! Items of sets and lines are part of their keys, so that such keys differ from record to record. In a batch they
//! share a column under one name, in which a zero byte stands for the item, and the items are a column of texts.

const HOLE: char = '\0';

/// A key of a record, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    before: &'a str,
    item: Option<&'a str>,
    after: &'a str,
}

impl<'a> Key<'a> {
    /// `None` for a key that no name could stand for.
    pub(crate) fn split(key: &'a str) -> Option<Self> {
        if key.contains(HOLE) {
            return None;
        }
        let Some(first) = key.find('/') else { return Some(Self { before: key, item: None, after: "" }) };
        let (before, rest) = key.split_at(first + 1);
        let (item, after) = rest.split_at(rest.rfind('/').unwrap_or(rest.len()));
        Some(Self { before, item: Some(item), after })
    }

    pub(crate) fn item(&self) -> Option<&'a str> {
        self.item
    }

    /// The name under which all such keys stand.
    pub(crate) fn name(&self) -> String {
        match self.item {
            None => self.before.to_owned(),
            Some(_) => format!("{}{HOLE}{}", self.before, self.after),
        }
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        match self.item {
            None => name == self.before,
            Some(_) => {
                let behind = name.strip_prefix(self.before).and_then(|rest| rest.strip_prefix(HOLE));
                behind == Some(self.after)
            }
        }
    }
}

/// Whether keys of this name have items.
pub(crate) fn has_items(name: &str) -> bool {
    name.contains(HOLE)
}

/// Appends the key of a name and, where it has items, an item.
pub(crate) fn put_key(name: &str, item: &[u8], out: &mut Vec<u8>) {
    match name.split_once(HOLE) {
        None => out.extend_from_slice(name.as_bytes()),
        Some((before, after)) => {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(item);
            out.extend_from_slice(after.as_bytes());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_their_name_and_their_item() {
        for key in ["name", "tags/vip", "lines/0a1b/qty", "tags/a/b/c", "tags/", "~archived", "имя/ж"] {
            let split = Key::split(key).unwrap();
            assert!(split.is_named(&split.name()));
            let mut again = Vec::new();
            put_key(&split.name(), split.item().unwrap_or_default().as_bytes(), &mut again);
            assert_eq!(again, key.as_bytes());
        }
        assert_eq!(Key::split("lines/0a1b/qty").unwrap().name(), Key::split("lines/77/qty").unwrap().name());
        assert!(!Key::split("tags/vip").unwrap().is_named("tag"));
        assert_eq!(Key::split("a\0b"), None);
    }
}
