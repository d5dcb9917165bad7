//! Shapes and columns: what the changes of a batch have in common.

use super::texts::{Nature, TextColumn};
use crate::wire::chunk::leb::{put_signed, put_unsigned};
use crate::wire::chunk::{Action, Scalar};

/// What a column holds. The numbers are those of the wire, for scalars the type codes of Automerge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No values: null, a deletion, a new object.
    Nothing = 0,
    Bool = 1,
    Uint = 3,
    Int = 4,
    Float = 5,
    Str = 6,
    Bytes = 7,
    Counter = 8,
    Timestamp = 9,
    /// The whole initial text of a long text.
    Text = 10,
}

impl Kind {
    pub(crate) fn of_wire(number: i64) -> Option<Self> {
        Some(match number {
            0 => Kind::Nothing,
            1 => Kind::Bool,
            3 => Kind::Uint,
            4 => Kind::Int,
            5 => Kind::Float,
            6 => Kind::Str,
            7 => Kind::Bytes,
            8 => Kind::Counter,
            9 => Kind::Timestamp,
            10 => Kind::Text,
            _ => return None,
        })
    }

    pub(crate) fn of_value(value: &Scalar<'_>) -> Self {
        match value {
            Scalar::Null => Kind::Nothing,
            Scalar::Bool(_) => Kind::Bool,
            Scalar::Uint(_) => Kind::Uint,
            Scalar::Int(_) => Kind::Int,
            Scalar::Float(_) => Kind::Float,
            Scalar::Str(_) => Kind::Str,
            Scalar::Bytes(_) => Kind::Bytes,
            Scalar::Counter(_) => Kind::Counter,
            Scalar::Timestamp(_) => Kind::Timestamp,
        }
    }

    pub(crate) fn nature(self) -> Option<Nature> {
        match self {
            Kind::Str | Kind::Text => Some(Nature::Text),
            Kind::Bytes => Some(Nature::Noise),
            _ => None,
        }
    }
}

/// The values of one key and kind over the whole batch.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) numbers: Vec<i64>,
    pub(crate) texts: TextColumn,
    // Of keys with items: the item of each.
    pub(crate) items: TextColumn,
    // Predecessors: counters, and actors by number (0: the genesis of this key, else the actor table from 1).
    pub(crate) pred_ctrs: Vec<i64>,
    pub(crate) pred_actors: Vec<i64>,
}

impl Values {
    pub(crate) fn push(&mut self, value: &Scalar<'_>) {
        match value {
            Scalar::Null => {}
            Scalar::Bool(value) => self.numbers.push(i64::from(*value)),
            Scalar::Uint(value) => self.numbers.push(*value as i64),
            Scalar::Int(value) | Scalar::Counter(value) | Scalar::Timestamp(value) => self.numbers.push(*value),
            Scalar::Float(value) => self.numbers.push(value.to_bits() as i64),
            Scalar::Str(value) => self.texts.push(value.as_bytes()),
            Scalar::Bytes(value) => self.texts.push(value),
        }
    }

    /// The value at a place; `None` where it is not of this kind.
    pub(crate) fn value(&self, kind: Kind, place: usize) -> Option<Scalar<'_>> {
        let number = || self.numbers.get(place).copied();
        Some(match kind {
            Kind::Nothing => Scalar::Null,
            Kind::Bool => Scalar::Bool(match number()? {
                0 => false,
                1 => true,
                _ => return None,
            }),
            Kind::Uint => Scalar::Uint(number()? as u64),
            Kind::Int => Scalar::Int(number()?),
            Kind::Float => Scalar::Float(f64::from_bits(number()? as u64)),
            Kind::Counter => Scalar::Counter(number()?),
            Kind::Timestamp => Scalar::Timestamp(number()?),
            Kind::Str | Kind::Text => Scalar::Str(std::str::from_utf8(self.texts.get(place)?).ok()?),
            Kind::Bytes => Scalar::Bytes(self.texts.get(place)?),
        })
    }

    /// Appends the bytes of the value at a place and gives its length and type as Automerge writes them.
    ///
    /// A text is not looked at: who takes the change in does that anyway.
    pub(crate) fn put(&self, kind: Kind, place: usize, out: &mut Vec<u8>) -> Option<u64> {
        if kind.nature().is_some() {
            let text = self.texts.get(place)?;
            out.extend_from_slice(text);
            return Some((text.len() as u64) << 4 | kind as u64);
        }
        if kind == Kind::Nothing {
            return Some(0);
        }
        let number = *self.numbers.get(place)?;
        let start = out.len();
        match kind {
            Kind::Bool => return (0..=1).contains(&number).then_some(1 + number as u64),
            Kind::Uint => put_unsigned(out, number as u64),
            Kind::Float => out.extend_from_slice(&(number as u64).to_le_bytes()),
            _ => put_signed(out, number),
        }
        Some(((out.len() - start) as u64) << 4 | kind as u64)
    }
}

/// One operation of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShapeOp {
    pub(crate) column: usize,
    pub(crate) action: Action,
    pub(crate) preds: usize,
}

/// The operations of a change without their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) ops: Vec<ShapeOp>,
    /// Columns of initial texts.
    pub(crate) texts: Vec<usize>,
}

/// Numbers of shapes below this are no shapes.
pub(crate) const SHAPES_FROM: usize = 2;
/// The change travels without its header.
pub(crate) const HEADERLESS: usize = 0;
/// The change travels whole.
pub(crate) const WHOLE: usize = 1;

pub(crate) fn action_number(action: Action) -> i64 {
    match action {
        Action::Set => 1,
        Action::Delete => 3,
        Action::Increment => 5,
        Action::Make(kind) => i64::from(kind),
    }
}

pub(crate) fn action_of(number: i64) -> Option<Action> {
    Some(match number {
        1 => Action::Set,
        3 => Action::Delete,
        5 => Action::Increment,
        make @ (0 | 2 | 4 | 6) => Action::Make(make as u8),
        _ => return None,
    })
}

/// How a dependency is named.
pub(crate) mod dep {
    /// By actor and sequence of the same record.
    pub(crate) const NAMED: i64 = 0;
    /// The genesis change of a long text, by field.
    pub(crate) const TEXT_GENESIS: i64 = 1;
    /// The genesis change of a counter, by field.
    pub(crate) const COUNTER_GENESIS: i64 = 2;
    /// By its hash.
    pub(crate) const HASH: i64 = 3;
}

/// One check covers so many changes with named dependencies.
pub(crate) const CHECKED_TOGETHER: usize = 16;
/// Length of a check, in bytes.
pub(crate) const CHECK_BYTES: usize = 4;
