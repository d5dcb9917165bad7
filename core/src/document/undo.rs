//! Taking back one change: the edits that put back what was there before, wherever nobody wrote since.
//!
//! Nothing is rewritten: the edits make a new change. What somebody else wrote after the change, or at the same time,
//! stays. A counter is counted back whatever happened since.

use std::collections::{BTreeSet, HashSet};

use super::keys::{self, Target};
use super::read::reference;
use super::state::State;
use super::vetted::{Op, Vetted};
use super::write::Edit;
use crate::error::{Error, Result};
use crate::id::ChangeHash;
use crate::schema::{Collection, FieldType, LineId, Name, Value, Winner};
use crate::wire::chunk::{Action, Scalar, genesis_actor};

/// The edits that take back a change. Taking back the change that made the record archives it.
///
/// # Errors
/// `unknown-change` where the record has no such change, `nothing-to-undo` where all that it did was changed since.
pub fn undo(state: &State, collection: &Collection, change: ChangeHash) -> Result<Vec<Edit>> {
    let unknown = || Error::not_found("unknown-change").with("change", change.to_string());
    let at = state.place(&change).ok_or_else(unknown)?;
    let target = state.changes().get(at).ok_or_else(unknown)?;
    let edits = if state.is_root(target) {
        if state.archived() { Vec::new() } else { vec![Edit::Archive(true)] }
    } else {
        Undo::new(state, collection, at, target).edits()
    };
    if edits.is_empty() {
        return Err(Error::invalid("nothing-to-undo").with("change", change.to_string()));
    }
    Ok(edits)
}

struct Undo<'s> {
    state: &'s State,
    collection: &'s Collection,
    at: usize,
    target: &'s Vetted,
    // Root keys and texts that somebody wrote who did not come before the change.
    written_since: HashSet<&'s str>,
    texts_since: HashSet<[u8; 16]>,
    // Lines of which the change made all that they now are.
    own_lines: BTreeSet<(Name, LineId)>,
}

impl<'s> Undo<'s> {
    fn new(state: &'s State, collection: &'s Collection, at: usize, target: &'s Vetted) -> Self {
        let seen = state.ancestors(&[target.hash()]);
        let others = || state.changes().iter().zip(&seen).filter(|(_, seen)| !**seen).map(|(change, _)| change);
        let mut undo = Self {
            state,
            collection,
            at,
            target,
            written_since: others().flat_map(|change| change.ops().map(|op| op.key)).collect(),
            texts_since: others().flat_map(|change| change.texts().map(|(genesis, _)| *genesis)).collect(),
            own_lines: BTreeSet::new(),
        };
        undo.own_lines = undo.find_own_lines();
        undo
    }

    fn edits(&self) -> Vec<Edit> {
        let removed = self.own_lines.iter().cloned().map(|(field, line)| Edit::RemoveLine { field, line });
        let mut edits: Vec<Edit> = removed.collect();
        edits.extend(self.target.ops().filter_map(|op| self.put_back(&op)));
        edits.extend(self.texts());
        edits
    }

    fn put_back(&self, op: &Op<'s>) -> Option<Edit> {
        if let (Action::Increment, Scalar::Int(by)) = (op.action, op.value) {
            let field = self.collection.field(op.key)?;
            return Some(Edit::Increment(field.name.clone(), by.checked_neg()?));
        }
        if self.written_since.contains(op.key) {
            return None;
        }
        let was_there = op.preds().len() > 0;
        match keys::target(self.collection, op.key)? {
            Target::Plain(field) => Some(Edit::Set(field.name.clone(), self.state.before(field, op))),
            Target::Item(field, item) => match op.action {
                Action::Delete => Some(Edit::Add(field.name.clone(), item.to_owned())),
                _ if was_there => None,
                _ => Some(Edit::Remove(field.name.clone(), item.to_owned())),
            },
            Target::Cell(field, line, sub) => {
                let line = line.to_owned();
                let is_gone = self.own_lines.contains(&(field.name.clone(), line.clone()));
                let value = self.state.before(sub, op);
                let field = field.name.clone();
                (!is_gone).then(|| Edit::SetLine { field, line, sub: sub.name.clone(), value })
            }
            Target::Archived => {
                Some(Edit::Archive(self.state.superseded(op).any(|(_, op)| op.value == Scalar::Bool(true))))
            }
            Target::MergedInto => {
                let before = match self.state.best(&Winner::Latest, &reference(), op) {
                    Value::Reference(id) => Some(id),
                    _ => None,
                };
                Some(Edit::MergeInto(before))
            }
            Target::Key | Target::Cites | Target::TextMark(_) | Target::Unknown => None,
        }
    }

    fn texts(&self) -> Vec<Edit> {
        let texts = self.collection.fields.iter().filter(|field| field.ty == FieldType::LongText);
        let untouched =
            texts.filter(|field| !self.texts_since.contains(&genesis_actor(&self.state.record(), &field.name)));
        let line = self.state.straight();
        let before = untouched.filter_map(|field| {
            let (before, _) = self.state.text_difference(field, self.at, line)?;
            Some(Edit::Set(field.name.clone(), before))
        });
        before.collect()
    }

    // A line that appeared with the change and in which nobody else wrote goes as a whole.
    fn find_own_lines(&self) -> BTreeSet<(Name, LineId)> {
        let mut lines = BTreeSet::new();
        for op in self.target.ops().filter(|op| op.action == Action::Set && op.preds().len() == 0) {
            if let Some(Target::Cell(field, line, _)) = keys::target(self.collection, op.key) {
                lines.insert((field.name.clone(), line.to_owned()));
            }
        }
        lines.retain(|(field, line)| {
            let prefix = format!("{field}/{line}/");
            self.state.fold().under(self.state.changes(), &prefix).all(|slot| {
                let mut writes = slot.writes(self.state.changes());
                writes.all(|(change, _)| change.hash() == self.target.hash())
            })
        });
        lines
    }
}
