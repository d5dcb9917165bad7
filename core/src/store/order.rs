//! The order of a list: its keys, and where a next page begins.

use rusqlite::Connection;
use rusqlite::types::Value as Cell;

use super::condition::{Path, Sql};
use super::projection::layout::{Index, Table, quoted};
use super::query::{Direction, Query};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{FieldType, system_field};

/// One key of a sort.
struct Key {
    expression: String,
    direction: Direction,
    /// The column, where an index on it has the rows in this order.
    indexed: Option<usize>,
}

/// The keys that a query sorts by, the last of them so that no two rows are equal: records that tie stand by their ids,
/// which are the same on every replica; without any sort, rows stand in the order in which they came here.
pub(super) struct Order {
    keys: Vec<Key>,
}

impl Order {
    pub(super) fn of(table: &Table, query: &Query) -> Result<Self> {
        let mut keys = Vec::with_capacity(query.sort.len() + 1);
        for (name, direction) in &query.sort {
            let key = match table.placed(name) {
                Some(placed) => {
                    let column = table.column_of(placed).ok_or_else(|| {
                        Error::invalid("sort-does-not-fit")
                            .with("field", &**name)
                            .with("collection", &*table.collection.name)
                    })?;
                    let at = table.columns.iter().position(|known| known == column);
                    let name = format!("t.{}", quoted(&column.name));
                    if placed.field.ty == FieldType::Decimal {
                        Key { expression: format!("CAST({name} AS REAL)"), direction: *direction, indexed: None }
                    } else {
                        Key {
                            expression: name,
                            direction: *direction,
                            indexed: at.filter(|_| column.index == Index::Whole),
                        }
                    }
                }
                None if system_field(name).is_some() => {
                    Key { expression: format!("t.{name}"), direction: *direction, indexed: None }
                }
                None => {
                    table.collection.require_field(name)?;
                    continue;
                }
            };
            keys.push(key);
        }
        let direction = query.sort.last().map_or(Direction::Ascending, |(_, direction)| *direction);
        let tie = if query.sort.is_empty() { "t.n" } else { "t.id" };
        keys.push(Key { expression: tie.to_owned(), direction, indexed: None });
        Ok(Self { keys })
    }

    /// The way along which the rows come in this order by themselves, if there is one.
    pub(super) fn path(&self) -> Option<Path> {
        match self.keys.as_slice() {
            [] | [_] => Some(Path::Along(None)),
            [first, ..] => first.indexed.map(|column| Path::Along(Some(column))),
        }
    }

    /// ` ORDER BY …` for rows that come along `path`: an index on a key is no reason to leave it.
    pub(super) fn push(&self, path: Path, sql: &mut Sql) {
        sql.push(" ORDER BY ");
        for (at, key) in self.keys.iter().enumerate() {
            if at > 0 {
                sql.push(", ");
            }
            match key.indexed {
                Some(_) => sql.push(&path.written(key.indexed, key.expression.clone())),
                None => sql.push(&key.expression),
            }
            if key.direction == Direction::Descending {
                sql.push(" DESC");
            }
        }
    }

    /// The values of the keys in the row of a record.
    pub(super) fn place_of(&self, conn: &Connection, table: &Table, record: &RecordId) -> Result<Vec<Cell>> {
        let list: Vec<&str> = self.keys.iter().map(|key| key.expression.as_str()).collect();
        let select = format!("SELECT {} FROM {} t WHERE t.id = ?", list.join(", "), quoted(&table.name));
        let mut statement = conn.prepare_cached(&select)?;
        let mut rows = statement.query([record.to_string()])?;
        let Some(found) = rows.next()? else {
            return Err(Error::not_found("record-not-found")
                .with("collection", &*table.collection.name)
                .with("record", record.to_string()));
        };
        Ok((0..self.keys.len()).map(|at| found.get(at)).collect::<rusqlite::Result<_>>()?)
    }

    /// Only rows behind this place: equal in the first keys, behind in the next one. Empty values sort first.
    pub(super) fn push_behind(&self, place: &[Cell], sql: &mut Sql) {
        sql.push("(0");
        for (at, (key, value)) in self.keys.iter().zip(place).enumerate() {
            // Written so that no index is taken for a branch of the OR.
            let expression = &key.expression;
            let behind = match (key.direction, value) {
                (Direction::Ascending, Cell::Null) => format!("{expression} IS NOT NULL"),
                (Direction::Ascending, _) => format!("+{expression} > ?"),
                (Direction::Descending, Cell::Null) => continue,
                (Direction::Descending, _) => format!("({expression} IS NULL OR +{expression} < ?)"),
            };
            sql.push(" OR (");
            for (equal, value) in self.keys.iter().zip(place).take(at) {
                sql.push(&format!("+{} IS ", equal.expression));
                sql.param(value.clone());
                sql.push(" AND ");
            }
            sql.push(&behind);
            if *value != Cell::Null {
                sql.params.push(value.clone());
            }
            sql.push(")");
        }
        sql.push(")");
    }

    /// The stretches of the first key's index that hold the rows from this place on, in order: a walk begins there
    /// instead of passing all that came before.
    pub(super) fn stretches(&self, place: &[Cell]) -> Vec<Sql> {
        let (Some(key), Some(value)) = (self.keys.first(), place.first()) else { return vec![Sql::default()] };
        let stretch = |test: &str, value: Option<&Cell>| Sql {
            text: format!(" AND {}{test}", key.expression),
            params: value.into_iter().cloned().collect(),
        };
        match (key.direction, value) {
            (Direction::Ascending, Cell::Null) => vec![stretch(" IS NULL", None), stretch(" IS NOT NULL", None)],
            (Direction::Ascending, _) => vec![stretch(" >= ?", Some(value))],
            (Direction::Descending, Cell::Null) => vec![stretch(" IS NULL", None)],
            (Direction::Descending, _) => vec![stretch(" <= ?", Some(value)), stretch(" IS NULL", None)],
        }
    }
}
