//! Writing refused changes again, in one new change for each record, which cites them: what accepting, retrying and
//! replaying have in common. Whoever does it is judged as if the edits were typed now.

use super::known::Known;
use super::settle::records;
use crate::access::{Act, Action, Place, may};
use crate::document::{self, Author, Edit, State, Vetted, redo};
use crate::error::{Error, Result};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::replica::{Tx, rights};
use crate::schema::{Collection, Mode, Name, Value, require_all, validate};
use crate::store::kept_rows::KeptRow;

/// What refused changes come to on a record as it now stands.
struct Draft {
    edits: Vec<Edit>,
    cites: Vec<ChangeHash>,
    key: Option<String>,
    mode: Mode,
}

impl Tx<'_> {
    /// Does again, as the acting person, what these refused changes did. What another change has brought again already
    /// is left out.
    ///
    /// # Errors
    /// `record_not_found` where a change follows the making of a record that is not there; `change_key`, `change_type`
    /// where this schema does not know what was written; whatever validation answers, `denied_…`.
    pub(super) fn write_again(&mut self, rows: &[KeptRow]) -> Result<()> {
        for record in records(rows) {
            let rows: Vec<&KeptRow> = rows.iter().filter(|row| row.record == record).collect();
            self.record_again(record, &rows)?;
        }
        Ok(())
    }

    fn record_again(&mut self, record: RecordId, rows: &[&KeptRow]) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let collection = self.collection(&first.collection)?;
        let held = self.writer.held(&record)?;
        if held.as_ref().is_some_and(|held| held.hidden && !held.heads.is_empty()) {
            return Err(missing(&collection, &record));
        }
        let now = self.writer.state(&record)?.cloned().unwrap_or_else(|| State::new(record));
        let draft = self.draft(&now, &collection, rows)?;
        if draft.cites.is_empty() {
            return Ok(());
        }
        let values: Vec<(Name, Value)> = draft.edits.iter().filter_map(set).collect();
        validate(&collection, &values, draft.mode)?;
        let (before, after) = (rights::place_of(&now), rights::place_after(&now, &draft.edits));
        let author = self.author()?;
        let change = if now.is_empty() {
            if draft.mode == Mode::Strict {
                require_all(&collection, &values)?;
            }
            self.judge(Action::Create, &collection, None, Some(&after))?;
            if held.is_some() {
                self.writer.come_back(&record)?;
            }
            document::create_again(record, &collection, &draft.edits, draft.key.as_deref(), &author)?
        } else {
            let archives = draft.edits.iter().all(|edit| matches!(edit, Edit::Archive(_) | Edit::Cite(_)));
            let action = if archives { Action::Archive } else { Action::Edit };
            self.judge(action, &collection, Some(&before), Some(&after))?;
            let change = document::edit(&now, &collection, &draft.edits, &author)?;
            let Some(change) = change else { return Ok(()) };
            change
        };
        self.append(record, &collection, &change)
    }

    fn judge(
        &self,
        action: Action,
        collection: &Collection,
        before: Option<&Place>,
        after: Option<&Place>,
    ) -> Result<()> {
        may(&self.grants, &Act { person: self.person.id, action, collection, before, after })
    }

    fn draft(&mut self, now: &State, collection: &Collection, rows: &[&KeptRow]) -> Result<Draft> {
        let known = Known::of(self.writer.connection(), now)?;
        let mut draft = Draft { edits: Vec::new(), cites: Vec::new(), key: None, mode: Mode::Lenient };
        // Each change is done again on what those before it come to.
        let mut scratch = now.clone();
        let nobody = Author { actor: ActorId::default(), now: self.writer.now() };
        for row in rows.iter().filter(|row| !now.is_cited(&row.hash)) {
            let unreadable = || Error::invalid("refused-unreadable").with("change", row.hash.to_string());
            let change = row.change().ok_or_else(unreadable)?;
            let seen = known.with(&change).ok_or_else(unreadable)?;
            if scratch.is_empty() && seen.changes().len() > 1 {
                return Err(missing(collection, &now.record()));
            }
            let edits = redo(&scratch, &seen, collection, &change)?;
            let cited = [&edits[..], &[Edit::Cite(vec![row.hash])]].concat();
            let step: Option<Vetted> = if scratch.is_empty() {
                draft.key = change.key().map(str::to_owned);
                Some(document::create_again(now.record(), collection, &cited, change.key(), &nobody)?)
            } else {
                document::edit(&scratch, collection, &cited, &nobody)?
            };
            if let Some(step) = step {
                scratch.apply(&step)?;
            }
            if !change.actor().is_import() {
                draft.mode = Mode::Strict;
            }
            draft.edits.extend(edits);
            draft.cites.extend(change.cites());
            draft.cites.push(row.hash);
        }
        if !draft.cites.is_empty() {
            draft.edits.push(Edit::Cite(draft.cites.clone()));
        }
        Ok(draft)
    }
}

fn set(edit: &Edit) -> Option<(Name, Value)> {
    match edit {
        Edit::Set(name, value) => Some((name.clone(), value.clone())),
        Edit::Add(name, item) => Some((name.clone(), Value::Set([item.clone()].into()))),
        _ => None,
    }
}

fn missing(collection: &Collection, record: &RecordId) -> Error {
    Error::not_found("record-not-found").with("collection", &*collection.name).with("record", record.to_string())
}
