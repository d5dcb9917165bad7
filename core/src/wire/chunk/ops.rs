//! The operations of flat changes: scalars under root keys, and whole texts put into empty genesis texts.
//!
//! A change that is anything else, or is encoded in any other way than [`super::build`] would, has no flat operations
//! and goes through Automerge.

use super::columns::{DeltaReader, RleReader};
use super::genesis::GENESIS_ACTOR_BYTES;
use super::leb::Reader;
use super::{Chunk, spec};
use crate::limits::{CHANGE_OPS_MAX, OP_COUNTER_MAX};

/// A scalar value of an operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// No value.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// The start of a counter.
    Counter(i64),
    /// Milliseconds since 1970.
    Timestamp(i64),
}

/// What an operation does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Puts a scalar there.
    Set,
    /// Removes what the operation's predecessors put there.
    Delete,
    /// Adds an [`Scalar::Int`] to the counters that its predecessors put there.
    Increment,
    /// Makes an object there: 0 a map, 2 a list, 4 a text, 6 a table.
    Make(u8),
}

/// The operation that another one supersedes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pred<'a> {
    /// Its counter.
    pub ctr: u64,
    /// Its actor.
    pub actor: &'a [u8],
}

/// An operation on a root key. Its counter is the change's `start_op` plus its place in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct RootOp<'a> {
    /// The key.
    pub key: &'a str,
    /// What is done.
    pub action: Action,
    /// The value that is set or added; [`Scalar::Null`] for other actions.
    pub value: Scalar<'a>,
    /// What it supersedes, ascending by counter, then actor.
    pub preds: Vec<Pred<'a>>,
}

/// A whole text inserted at the head of a genesis text, one operation for each character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitialText<'a> {
    /// The genesis actor whose first operation made the text object, 16 bytes.
    pub genesis: &'a [u8],
    /// The text, never empty.
    pub text: &'a str,
}

/// All operations of a flat change: those on root keys come first, the texts' characters after them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FlatOps<'a> {
    /// Operations on root keys.
    pub root: Vec<RootOp<'a>>,
    /// Texts for genesis texts, each genesis at most once.
    pub texts: Vec<InitialText<'a>>,
}

/// The operations of a change that only works on root keys; `None` for any other change or encoding.
pub fn root_ops<'a>(chunk: &Chunk<'a>) -> Option<Vec<RootOp<'a>>> {
    flat_ops(chunk).filter(|ops| ops.texts.is_empty()).map(|ops| ops.root)
}

/// The operations of a change that sets root keys and fills genesis texts; `None` for any other change or encoding.
pub fn flat_ops<'a>(chunk: &Chunk<'a>) -> Option<FlatOps<'a>> {
    let flat = chunk.message.is_empty()
        && chunk.trailing.is_empty()
        && chunk.column(spec::EXPAND).is_empty()
        && chunk.column(spec::MARK_NAME).is_empty();
    if !flat {
        return None;
    }
    if chunk.columns.is_empty() {
        return chunk.other_actors.is_empty().then(FlatOps::default);
    }
    let (roots, inserts) = insert_runs(chunk)?;
    if chunk.start_op.checked_add((roots + inserts) as u64)? > OP_COUNTER_MAX {
        return None;
    }
    let mut columns = Columns::new(chunk);
    let root = columns.root_ops(roots)?;
    if roots > 0 {
        columns.keys.take(None, inserts as u64)?;
    }
    let texts = columns.texts(roots, inserts)?;
    columns.all_read().then_some(FlatOps { root, texts })
}

// The insert column of a flat change: so many operations on keys, then so many insertions.
fn insert_runs(chunk: &Chunk<'_>) -> Option<(usize, usize)> {
    let mut reader = Reader::new(chunk.column(spec::INSERT));
    let roots = reader.unsigned()?;
    let inserts = if reader.is_empty() { 0 } else { reader.unsigned().filter(|n| *n > 0)? };
    let total = roots.checked_add(inserts)?;
    (reader.is_empty() && total > 0 && total <= CHANGE_OPS_MAX as u64).then_some((roots as usize, inserts as usize))
}

// A column that holds texts. As a rule all of its bytes are valid UTF-8: then one check serves all of its texts.
#[derive(Clone, Copy)]
struct Text<'a> {
    whole: Option<&'a str>,
}

impl<'a> Text<'a> {
    fn new(column: &'a [u8]) -> Self {
        Self { whole: std::str::from_utf8(column).ok() }
    }

    // These bytes, behind which so many of the column are left, as text.
    fn of(&self, bytes: &'a [u8], unread: usize) -> Option<&'a str> {
        match self.whole {
            Some(whole) => {
                let end = whole.len().checked_sub(unread)?;
                whole.get(end.checked_sub(bytes.len())?..end)
            }
            None => std::str::from_utf8(bytes).ok(),
        }
    }
}

struct Columns<'c, 'a> {
    chunk: &'c Chunk<'a>,
    keys: RleReader<'a, &'a [u8]>,
    key_text: Text<'a>,
    actions: RleReader<'a, u64>,
    metas: RleReader<'a, u64>,
    values: Reader<'a>,
    value_text: Text<'a>,
    pred_counts: RleReader<'a, u64>,
    pred_actors: RleReader<'a, u64>,
    pred_ctrs: DeltaReader<'a>,
    // Which of the other actors some operation names: all of them must be.
    used: Vec<bool>,
}

impl<'c, 'a> Columns<'c, 'a> {
    fn new(chunk: &'c Chunk<'a>) -> Self {
        Self {
            chunk,
            keys: RleReader::new(chunk.column(spec::KEY_STR)),
            key_text: Text::new(chunk.column(spec::KEY_STR)),
            actions: RleReader::new(chunk.column(spec::ACTION)),
            metas: RleReader::new(chunk.column(spec::VALUE_META)),
            values: Reader::new(chunk.column(spec::VALUE)),
            value_text: Text::new(chunk.column(spec::VALUE)),
            pred_counts: RleReader::new(chunk.column(spec::PRED_COUNT)),
            pred_actors: RleReader::new(chunk.column(spec::PRED_ACTOR)),
            pred_ctrs: DeltaReader::new(chunk.column(spec::PRED_CTR)),
            used: vec![false; chunk.other_actors.len()],
        }
    }

    fn all_read(&self) -> bool {
        self.keys.done()
            && self.actions.done()
            && self.metas.done()
            && self.values.is_empty()
            && self.pred_counts.done()
            && self.pred_actors.done()
            && self.pred_ctrs.done()
            && self.used.iter().all(|used| *used)
    }

    fn root_ops(&mut self, count: usize) -> Option<Vec<RootOp<'a>>> {
        // A run makes many operations of a few bytes: the list grows as they prove real.
        let mut ops = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let key = self.keys.value()?;
            let key = self.key_text.of(key, self.keys.unread())?;
            let action = match self.actions.value()? {
                1 => Action::Set,
                3 => Action::Delete,
                5 => Action::Increment,
                make @ (0 | 2 | 4 | 6) => Action::Make(make as u8),
                _ => return None,
            };
            let value = self.value()?;
            let fits = match action {
                Action::Set => true,
                Action::Increment => matches!(value, Scalar::Int(_)),
                Action::Delete | Action::Make(_) => value == Scalar::Null,
            };
            if !fits {
                return None;
            }
            ops.push(RootOp { key, action, value, preds: self.preds()? });
        }
        Some(ops)
    }

    fn value(&mut self) -> Option<Scalar<'a>> {
        let meta = self.metas.value()?;
        let bytes = self.values.take(usize::try_from(meta >> 4).ok()?)?;
        let whole = |reader: Reader<'_>| reader.is_empty().then_some(());
        let mut reader = Reader::new(bytes);
        let value = match meta & 0xf {
            0 => Scalar::Null,
            1 => Scalar::Bool(false),
            2 => Scalar::Bool(true),
            3 => Scalar::Uint(reader.unsigned()?),
            4 => Scalar::Int(reader.signed()?),
            5 => Scalar::Float(f64::from_le_bytes(reader.array()?)),
            6 => return Some(Scalar::Str(self.value_text.of(bytes, self.values.rest().len())?)),
            7 => return Some(Scalar::Bytes(bytes)),
            8 => Scalar::Counter(reader.signed()?),
            9 => Scalar::Timestamp(reader.signed()?),
            _ => return None,
        };
        whole(reader)?;
        Some(value)
    }

    fn preds(&mut self) -> Option<Vec<Pred<'a>>> {
        let count = self.pred_counts.value()?;
        let mut preds: Vec<Pred<'a>> = Vec::new();
        for _ in 0..count {
            let actor = self.pred_actors.value()?;
            let actor = self.actor(actor)?;
            let ctr = u64::try_from(self.pred_ctrs.next()??).ok().filter(|ctr| (1..=OP_COUNTER_MAX).contains(ctr))?;
            let pred = Pred { ctr, actor };
            if preds.last().is_some_and(|last| *last >= pred) {
                return None;
            }
            preds.push(pred);
        }
        Some(preds)
    }

    fn actor(&mut self, index: u64) -> Option<&'a [u8]> {
        let Some(other) = index.checked_sub(1) else { return Some(self.chunk.actor) };
        let other = usize::try_from(other).ok()?;
        *self.used.get_mut(other)? = true;
        self.chunk.other_actors.get(other).copied()
    }

    fn texts(&mut self, roots: usize, inserts: usize) -> Option<Vec<InitialText<'a>>> {
        let mut at = InsertedAt::new(self.chunk, roots, inserts)?;
        let mut texts: Vec<InitialText<'a>> = Vec::new();
        let mut first_ctr = self.chunk.start_op + roots as u64;
        let mut left = inserts as u64;
        let mut any_neighbour = false;
        while left > 0 {
            // Characters of one text stand together: equal neighbours are always one run.
            let (object, chars) = at.objects.run(left)?;
            let object = object.filter(|object| *object > 0)?;
            let genesis = self.actor(object).filter(|actor| actor.len() == GENESIS_ACTOR_BYTES)?;
            if texts.iter().any(|text| text.genesis == genesis) {
                return None;
            }
            at.text(first_ctr, chars)?;
            self.actions.take(Some(1), chars)?;
            self.pred_counts.take(Some(0), chars)?;
            texts.push(InitialText { genesis, text: self.chars(chars)? });
            left -= chars;
            first_ctr += chars;
            any_neighbour |= chars > 1;
        }
        at.all_read(any_neighbour).then_some(texts)
    }

    // So many characters, each a value of its own, as one text.
    fn chars(&mut self, mut count: u64) -> Option<&'a str> {
        let start = self.values.rest();
        while count > 0 {
            let (meta, many) = self.metas.run(count)?;
            let meta = meta.filter(|meta| meta & 0xf == 6)?;
            let (width, many) = (usize::try_from(meta >> 4).ok()?, usize::try_from(many).ok()?);
            let chars = std::str::from_utf8(self.values.take(width.checked_mul(many)?)?).ok()?;
            if width == 0 || !chars.chars().all(|c| c.len_utf8() == width) {
                return None;
            }
            count -= many as u64;
        }
        let len = start.len() - self.values.rest().len();
        std::str::from_utf8(start.get(..len)?).ok()
    }
}

// Where the characters of initial texts go: the columns that name their object and neighbour.
struct InsertedAt<'a> {
    objects: RleReader<'a, u64>,
    object_ctrs: RleReader<'a, u64>,
    key_actors: RleReader<'a, u64>,
    key_ctrs: DeltaReader<'a>,
    key_actors_written: bool,
}

impl<'a> InsertedAt<'a> {
    fn new(chunk: &Chunk<'a>, roots: usize, inserts: usize) -> Option<Self> {
        let key_actors = chunk.column(spec::KEY_ACTOR);
        let mut at = Self {
            objects: RleReader::new(chunk.column(spec::OBJ_ACTOR)),
            object_ctrs: RleReader::new(chunk.column(spec::OBJ_CTR)),
            key_actors: RleReader::new(key_actors),
            key_ctrs: DeltaReader::new(chunk.column(spec::KEY_CTR)),
            key_actors_written: !key_actors.is_empty(),
        };
        if inserts > 0 {
            let roots = roots as u64;
            at.objects.take(None, roots)?;
            at.object_ctrs.take(None, roots)?;
            at.key_actors.take_nulls(roots)?;
            at.key_ctrs.take_nulls(roots)?;
        }
        Some(at)
    }

    // The places of one text: its first character goes to the head, each other one behind the one before.
    fn text(&mut self, first_ctr: u64, chars: u64) -> Option<()> {
        self.object_ctrs.take(Some(1), chars)?;
        self.key_actors.take_nulls(1)?;
        self.key_actors.take(Some(0), chars - 1)?;
        if self.key_ctrs.next()? != Some(0) {
            return None;
        }
        if chars > 1 {
            if self.key_ctrs.next()? != Some(first_ctr as i64) {
                return None;
            }
            self.key_ctrs.take_ascending(chars - 2)?;
        }
        Some(())
    }

    fn all_read(&self, any_neighbour: bool) -> bool {
        self.objects.done()
            && self.object_ctrs.done()
            && self.key_actors.done()
            && self.key_ctrs.done()
            && self.key_actors_written == any_neighbour
    }
}
