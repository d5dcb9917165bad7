//! From the text of a cell to the record it means: one index per look-up, made once, and an answer per distinct text.
//!
//! Order of evidence: the text itself, then in another case; a record's own id; the text without blanks and punctuation where exactly one
//! record has it (the row comes in with a warning); nothing, with the nearest known text. Records that the import makes are added, so
//! that later rows find them. Nothing here writes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::guess::{fold, normal};
use super::plan::LookupPlan;
use crate::error::Result;
use crate::id::RecordId;
use crate::replica::{Query, Record, Replica};
use crate::schema::{Kind, Name, Value, nearest};

/// Comparisons that one import spends on naming the nearest known texts; beyond it, misses are told without.
const SUGGESTION_COMPARISONS_MAX: usize = 2_000_000;

/// What a text means.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::crm) enum Found {
    /// This record.
    Exact(RecordId),
    /// This record, known by another spelling.
    Near(RecordId, Arc<str>),
    /// Several records.
    Several(usize),
    /// None; the nearest known text, if any is alike.
    None(Option<Arc<str>>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    id: RecordId,
    branch: Option<RecordId>,
}

// Known values by their folded text.
type Folded = HashMap<String, Vec<(Entry, Arc<str>)>>;

/// The index of one look-up.
#[derive(Debug)]
pub(in crate::crm) struct Lookup {
    exact: HashMap<Arc<str>, Vec<Entry>>,
    ids: HashSet<RecordId>,
    // Made at the first miss: most look-ups never need it.
    folded: Option<Folded>,
    answers: HashMap<(Option<RecordId>, Box<str>), Found>,
    comparisons_left: usize,
    by_branch: bool,
}

impl Lookup {
    /// Indexes the records that `plan` may find.
    pub(in crate::crm) fn load(replica: &Replica, plan: &LookupPlan) -> Result<Self> {
        let mut lookup = Self {
            exact: HashMap::new(),
            ids: HashSet::new(),
            folded: None,
            answers: HashMap::new(),
            comparisons_left: SUGGESTION_COMPARISONS_MAX,
            by_branch: plan.collection.kind == Kind::Branch,
        };
        let wanted = plan.by.iter().chain(&plan.take).map(|name| &**name).chain(lookup.by_branch.then_some("branch"));
        let query = Query::of(&plan.collection.name).with_archived().fields(wanted);
        let mut merged = Vec::new();
        replica.each(&query, &mut |record| {
            match (record.merged_into, &plan.take) {
                (Some(_), None) => merged.push(record),
                (Some(_), Some(_)) => {}
                (None, _) if record.archived => {}
                (None, None) => lookup.index(&plan.by, &record, record.id),
                (None, Some(take)) => {
                    if let Some(taken) = record.reference(take) {
                        lookup.index(&plan.by, &record, taken);
                    }
                }
            }
            Ok(())
        })?;
        // Another spelling that a merge has settled leads to the record that was kept.
        for record in merged {
            let root = replica.root(&plan.collection.name, &record.id)?;
            lookup.index(&plan.by, &record, root);
        }
        Ok(lookup)
    }

    fn index(&mut self, by: &[Name], record: &Record, id: RecordId) {
        self.ids.insert(id);
        let entry = Entry { id, branch: record.reference("branch").filter(|_| self.by_branch) };
        for name in by {
            match record.value(name) {
                Value::Null => {}
                Value::Set(items) => items.iter().for_each(|item| self.put(item, entry)),
                Value::Text(text) => self.put(text.trim(), entry),
                Value::Integer(n) => self.put(&n.to_string(), entry),
                _ => {}
            }
        }
    }

    /// Adds a record that the import made.
    pub(super) fn add(&mut self, text: &str, id: RecordId, branch: Option<RecordId>) {
        let entry = Entry { id, branch: branch.filter(|_| self.by_branch) };
        self.ids.insert(id);
        self.put(text, entry);
        if let Some(folded) = &mut self.folded {
            folded.entry(fold(text)).or_default().push((entry, text.into()));
        }
        self.answers.clear();
    }

    fn put(&mut self, text: &str, entry: Entry) {
        let entries = match self.exact.get_mut(text) {
            Some(entries) => entries,
            None => self.exact.entry(text.into()).or_default(),
        };
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }

    /// What `text` means in a row of `branch`.
    pub(in crate::crm) fn find(&mut self, text: &str, branch: Option<RecordId>) -> Found {
        let branch = branch.filter(|_| self.by_branch);
        let key = (branch, Box::from(text));
        if let Some(found) = self.answers.get(&key) {
            return found.clone();
        }
        let found = self.search(text, branch);
        self.answers.insert(key, found.clone());
        found
    }

    fn search(&mut self, text: &str, branch: Option<RecordId>) -> Found {
        if let Some(entries) = self.exact.get(text) {
            return match one_of(entries.iter().copied(), branch) {
                Ok(id) => Found::Exact(id),
                Err(count) => Found::Several(count),
            };
        }
        if let Some(id) = RecordId::parse(text).filter(|id| self.ids.contains(id)) {
            return Found::Exact(id);
        }
        let exact = &self.exact;
        let folded = self.folded.get_or_insert_with(|| {
            let mut folded: HashMap<String, Vec<(Entry, Arc<str>)>> = HashMap::new();
            for (text, entries) in exact {
                folded.entry(fold(text)).or_default().extend(entries.iter().map(|e| (*e, text.clone())));
            }
            folded
        });
        let like = folded.get(&fold(text)).map(Vec::as_slice).unwrap_or_default();
        match one_of(like.iter().map(|(entry, _)| *entry), branch) {
            Ok(id) => {
                let known =
                    like.iter().find(|(entry, _)| entry.id == id).map_or_else(|| text.into(), |(_, t)| t.clone());
                if normal(&known) == normal(text) { Found::Exact(id) } else { Found::Near(id, known) }
            }
            Err(0) => Found::None(self.suggest(text)),
            Err(count) => Found::Several(count),
        }
    }

    fn suggest(&mut self, text: &str) -> Option<Arc<str>> {
        self.comparisons_left = self.comparisons_left.checked_sub(self.exact.len())?;
        // Ordered, so that equal likeness always names the same one.
        let mut known: Vec<&Arc<str>> = self.exact.keys().collect();
        known.sort_unstable();
        nearest(text, known.into_iter().map(|k| &**k)).map(Arc::from)
    }
}

/// The one record among these, those of the row's branch first; else how many there are.
fn one_of(
    entries: impl Iterator<Item = Entry> + Clone,
    branch: Option<RecordId>,
) -> std::result::Result<RecordId, usize> {
    let mut ids: Vec<RecordId> = entries.clone().filter(|e| e.branch == branch).map(|e| e.id).collect();
    if ids.is_empty() {
        ids = entries.map(|e| e.id).collect();
    }
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [id] => Ok(*id),
        _ => Err(ids.len()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn id(n: u8) -> RecordId {
        RecordId([n; 16])
    }

    fn lookup(texts: &[(&str, u8)]) -> Lookup {
        let mut lookup = Lookup {
            exact: HashMap::new(),
            ids: HashSet::new(),
            folded: None,
            answers: HashMap::new(),
            comparisons_left: SUGGESTION_COMPARISONS_MAX,
            by_branch: false,
        };
        for (text, n) in texts {
            lookup.put(text, Entry { id: id(*n), branch: None });
        }
        lookup
    }

    #[test]
    fn a_text_is_found_as_it_is_then_without_blanks_and_case() {
        let mut products = lookup(&[("GTX Pro", 1), ("GTX Plus Pro", 2), ("Шлём", 3)]);
        assert_eq!(products.find("GTX Pro", None), Found::Exact(id(1)));
        assert_eq!(products.find("GTXPro", None), Found::Near(id(1), "GTX Pro".into()));
        assert_eq!(products.find("шлем", None), Found::Near(id(3), "Шлём".into()));
        assert_eq!(products.find("gtx  PRO", None), Found::Exact(id(1)));
        assert_eq!(products.find("GTX Plus Prro", None), Found::None(Some("GTX Plus Pro".into())));
        assert_eq!(products.find("zzzz", None), Found::None(None));
    }

    #[test]
    fn equal_names_of_two_records_are_never_guessed_between() {
        let mut accounts = lookup(&[("Ромашка", 1), ("Ромашка", 2), ("ЛУЧ", 3), ("Луч", 4)]);
        assert_eq!(accounts.find("Ромашка", None), Found::Several(2));
        assert_eq!(accounts.find("луч", None), Found::Several(2));
        assert_eq!(accounts.find("Луч", None), Found::Exact(id(4)));
    }

    #[test]
    fn what_the_import_makes_is_found_by_the_rows_after_it() {
        let mut accounts = lookup(&[("Acme", 1)]);
        assert_eq!(accounts.find("Umbrella Corp", None), Found::None(None));
        accounts.add("Umbrella Corp", id(9), None);
        assert_eq!(accounts.find("Umbrella Corp", None), Found::Exact(id(9)));
        assert_eq!(accounts.find("umbrellacorp", None), Found::Near(id(9), "Umbrella Corp".into()));
    }

    #[test]
    fn records_of_the_rows_own_branch_come_first() {
        let mut contacts = lookup(&[]);
        contacts.by_branch = true;
        contacts.put("Ivanov", Entry { id: id(1), branch: Some(id(101)) });
        contacts.put("Ivanov", Entry { id: id(2), branch: Some(id(102)) });
        assert_eq!(contacts.find("Ivanov", Some(id(102))), Found::Exact(id(2)));
        assert_eq!(contacts.find("Ivanov", None), Found::Several(2));
    }
}
