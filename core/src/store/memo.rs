//! Answers that were hard to find, remembered until a commit touches their collection: how many records a list has, what
//! a column of a board comes to, which rows a page has that can be looked for in more than one way.
//!
//! Which commits touch what is known of those of this process; one that lies between them was somebody else's and counts
//! as touching everything.

use std::any::Any;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use rusqlite::Connection;

use super::feed;
use super::writer::Committed;
use crate::error::Result;
use crate::schema::Name;

/// Answers that are remembered.
const ANSWERS_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("it is not zero");

/// Answers that hold as long as nothing touches their collections.
#[derive(Default)]
pub(crate) struct Memo(Mutex<Known>);

struct Known {
    /// All commits after the first and up to the second sequence are known.
    span: (u64, u64),
    /// The last of them that touched a collection.
    touched: HashMap<Name, u64>,
    answers: LruCache<String, Answer>,
}

#[derive(Clone)]
struct Answer {
    collection: Name,
    /// The end of the log that it was read from.
    end: u64,
    found: Arc<dyn Any + Send + Sync>,
}

impl Default for Known {
    fn default() -> Self {
        Self { span: (0, 0), touched: HashMap::new(), answers: LruCache::new(ANSWERS_MAX) }
    }
}

impl Known {
    fn holds(&self, answer: &Answer, end: u64) -> bool {
        let (from, to) = self.span;
        let untouched = self.touched.get(&answer.collection).is_none_or(|at| *at <= answer.end);
        end == answer.end || (from <= answer.end && answer.end < end && end <= to && untouched)
    }
}

impl Memo {
    /// What `read` finds, which follows from the question and the rows of this collection alone; from memory where that
    /// still holds. Without a memo, where the connection has written what is not committed, it is always read.
    pub(super) fn ask<T: Send + Sync + 'static>(
        memo: Option<&Self>,
        conn: &Connection,
        collection: &Name,
        question: impl FnOnce() -> String,
        read: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let Some(memo) = memo else { return read().map(Arc::new) };
        let (question, end) = (question(), feed::log_end(conn)?);
        if let Some(known) = memo.known(&question, end) {
            return Ok(known);
        }
        let found = Arc::new(read()?);
        let answer = Answer { collection: collection.clone(), end, found: found.clone() };
        memo.0.lock().unwrap_or_else(PoisonError::into_inner).answers.put(question, answer);
        Ok(found)
    }

    fn known<T: Send + Sync + 'static>(&self, question: &str, end: u64) -> Option<Arc<T>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = known.answers.get(question)?.clone();
        if known.holds(&answer, end) { answer.found.downcast().ok() } else { None }
    }

    /// A commit of this process, in their order.
    pub(super) fn committed(&self, committed: &Committed) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if committed.last_seq == committed.begun_at {
            // The log does not show what it touched: a record that went, and nothing was said of it.
            if !committed.collections.is_empty() {
                known.answers.clear();
            }
            return;
        }
        if known.span.1 != committed.begun_at {
            known.span.0 = committed.begun_at;
        }
        known.span.1 = committed.last_seq;
        known.touched.extend(committed.collections.iter().map(|name| (name.clone(), committed.last_seq)));
    }

    /// Nothing that was found need hold: the rows were mended, or the schema is another one.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answers.clear();
    }
}
