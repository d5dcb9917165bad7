//! The text of a long text field, folded from its operations.
//!
//! The same order as Automerge's: an inserted character stands behind the one that it names, before any older sibling.
//! Characters that nobody can place (their neighbour is unknown) are left out; vetting lets none in.

use std::collections::HashMap;

use super::vetted::{CharId, GenesisActor, TextChange, TextOp, Vetted};
use crate::id::ActorId;

struct Char {
    id: CharId,
    char: char,
    deleted: bool,
}

/// The text that changes in causal order make of one genesis.
pub(super) fn read<'c>(genesis: &GenesisActor, changes: impl IntoIterator<Item = &'c Vetted>) -> String {
    let mut touching = changes.into_iter().filter(|change| change.texts().any(|(touched, _)| touched == genesis));
    let (first, second) = (touching.next(), touching.next());
    // Most texts are typed once: then there is nothing to fold.
    if let (Some(first), None) = (first, second)
        && let Some((_, TextChange::Filled { text, .. })) = first.texts().find(|(touched, _)| *touched == genesis)
    {
        return text.to_owned();
    }
    Text::of(genesis, first.into_iter().chain(second).chain(touching)).read()
}

/// A text under construction.
#[derive(Default)]
pub(super) struct Text {
    chars: Vec<Char>,
    // Where a character was last seen: a lower bound, since characters only move back.
    seen: HashMap<CharId, usize>,
}

impl Text {
    /// The text of one genesis from changes in causal order.
    pub(super) fn of<'c>(genesis: &GenesisActor, changes: impl IntoIterator<Item = &'c Vetted>) -> Self {
        let mut text = Self::default();
        for change in changes {
            for (touched, work) in change.texts() {
                if touched == genesis {
                    text.apply(change.actor(), &work);
                }
            }
        }
        text
    }

    /// The visible characters.
    pub(super) fn read(&self) -> String {
        self.chars.iter().filter(|c| !c.deleted).map(|c| c.char).collect()
    }

    /// The visible characters with the operations that made them.
    pub(super) fn visible(&self) -> Vec<(CharId, char)> {
        self.chars.iter().filter(|c| !c.deleted).map(|c| (c.id, c.char)).collect()
    }

    /// Whether a character was ever inserted.
    pub(super) fn knows(&self, id: &CharId) -> bool {
        self.seen.contains_key(id)
    }

    pub(super) fn apply(&mut self, actor: ActorId, work: &TextChange<'_>) {
        match work {
            TextChange::Filled { counter, text } => self.fill(*counter, actor, text),
            TextChange::Edited(ops) => {
                for op in *ops {
                    match op {
                        TextOp::Insert { counter, after, char } => {
                            let id = CharId { counter: *counter, actor };
                            self.insert(id, after.as_ref(), *char);
                        }
                        TextOp::Delete { target } => {
                            if let Some(char) = self.place(target).and_then(|at| self.chars.get_mut(at)) {
                                char.deleted = true;
                            }
                        }
                    }
                }
            }
        }
    }

    /// As [`Text::apply`], for a change that followed others which are not here: a character whose neighbour is missing
    /// stands behind the nearest one before it, in the order of `whole`, that is here.
    pub(super) fn adopt(&mut self, actor: ActorId, work: &TextChange<'_>, whole: &Text) {
        let TextChange::Edited(ops) = work else { return self.apply(actor, work) };
        for op in *ops {
            match op {
                TextOp::Insert { counter, after, char } => {
                    let after = after.and_then(|after| self.nearest(after, whole));
                    self.insert(CharId { counter: *counter, actor }, after.as_ref(), *char);
                }
                TextOp::Delete { .. } => self.apply(actor, &TextChange::Edited(std::slice::from_ref(op))),
            }
        }
    }

    fn nearest(&self, id: CharId, whole: &Text) -> Option<CharId> {
        if self.knows(&id) {
            return Some(id);
        }
        let at = whole.chars.iter().position(|c| c.id == id)?;
        whole.chars.iter().take(at).rev().map(|c| c.id).find(|id| self.knows(id))
    }

    fn fill(&mut self, counter: u64, actor: ActorId, text: &str) {
        let mut after = None;
        for (at, char) in text.chars().enumerate() {
            let id = CharId { counter: counter + at as u64, actor };
            self.insert(id, after.as_ref(), char);
            after = Some(id);
        }
    }

    fn insert(&mut self, id: CharId, after: Option<&CharId>, char: char) {
        let mut at = match after {
            None => 0,
            Some(after) => match self.place(after) {
                Some(place) => place + 1,
                None => return,
            },
        };
        // Younger siblings, and all that stands behind them, come first.
        while self.chars.get(at).is_some_and(|next| next.id > id) {
            at += 1;
        }
        self.chars.insert(at, Char { id, char, deleted: false });
        self.seen.insert(id, at);
    }

    fn place(&mut self, id: &CharId) -> Option<usize> {
        let from = *self.seen.get(id)?;
        let at = from + self.chars.get(from..)?.iter().position(|c| c.id == *id)?;
        self.seen.insert(*id, at);
        Some(at)
    }
}
