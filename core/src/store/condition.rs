//! A filter as SQL: names from the layout, values only as parameters.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Model;
use super::fold::fold;
use super::lookup;
use super::projection::layout::{Index, Place, Placed, Table, quoted};
use super::search;
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{FieldType, Filter, Literal, Name, Op, system_field};

/// SQL with its parameters, in order.
#[derive(Debug, Default)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) params: Vec<Cell>,
}

impl Sql {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn param(&mut self, value: impl Into<Cell>) {
        self.text.push('?');
        self.params.push(value.into());
    }
}

/// Writes conditions on the rows of one table, whose alias is `t`.
#[derive(Clone)]
pub(crate) struct Conditions<'a> {
    conn: &'a Connection,
    model: &'a Model,
    table: &'a Table,
    path: Path,
    /// The ids behind each natural key met so far: looking one up may read a whole table.
    families: Rc<RefCell<Families>>,
}

/// By collection and text.
type Families = HashMap<(Name, String), BTreeSet<RecordId>>;

/// Which index SQLite may take to the rows. It has no statistics of them and cannot know; see [`super::page`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// Any.
    Free,
    /// No other than that of this column (an index into [`Table::columns`]) or the rows themselves.
    Along(Option<usize>),
}

impl Path {
    /// An expression kept out of the choice of an index, unless it is this path's own column.
    pub(crate) fn written(self, column: Option<usize>, expression: String) -> String {
        match self {
            Path::Along(own) if own.is_none() || own != column => format!("+{expression}"),
            _ => expression,
        }
    }
}

/// Where the values of a field are, in SQL.
enum Source {
    /// An expression of the type that the literal's cell has.
    Plain(String),
    /// A decimal kept as text.
    Decimal(String),
    Money {
        minor: String,
        currency: String,
    },
    /// A JSON array.
    Set(String),
    /// A table of lines.
    Lines(String),
    /// The id: a prefix of it is enough.
    Id,
}

impl<'a> Conditions<'a> {
    pub(crate) fn new(conn: &'a Connection, model: &'a Model, table: &'a Table) -> Self {
        Self { conn, model, table, path: Path::Free, families: Rc::default() }
    }

    /// The same for rows that come along this path.
    pub(crate) fn along(&self, path: Path) -> Self {
        Self { path, ..self.clone() }
    }

    /// The records that a list shows when nobody asks for more: not archived, not merged into one that is held.
    pub(crate) fn shown(&self, sql: &mut Sql) {
        let table = quoted(&self.table.name);
        sql.push("t.archived = 0 AND (t.merged_into IS NULL");
        sql.push(&format!(" OR NOT EXISTS (SELECT 1 FROM {table} k WHERE k.id = t.merged_into)"));
        // In a cycle of crossed merges the smallest id stands for all.
        sql.push(&format!(
            " OR t.id = (WITH RECURSIVE chain (id) AS (SELECT t.merged_into UNION SELECT k.merged_into FROM chain
             JOIN {table} k ON k.id = chain.id WHERE k.merged_into IS NOT NULL)
             SELECT min(id) FROM chain HAVING sum(id = t.id) > 0))"
        ));
    }

    pub(crate) fn filter(&self, filter: &Filter, sql: &mut Sql) -> Result<()> {
        match filter {
            Filter::And(parts) => self.joined(parts, " AND ", "1", sql),
            Filter::Or(parts) => self.joined(parts, " OR ", "0", sql),
            Filter::Not(part) => {
                // Comparisons with an empty field are unknown to SQL and untrue to people.
                sql.push("NOT coalesce(");
                self.filter(part, sql)?;
                sql.push(", 0)");
                Ok(())
            }
            Filter::Compare { field, op, value } => self.compare(field, *op, value, sql),
            Filter::In { field, values } => {
                match self.source(field)? {
                    Source::Plain(column) => return self.listed(field, &column, values, sql),
                    // However many: a chain of OR may only be so deep.
                    Source::Id if values.iter().all(is_whole_id) => return self.listed(field, "t.id", values, sql),
                    _ => {}
                }
                sql.push("(0");
                for value in values {
                    sql.push(" OR ");
                    self.compare(field, Op::Eq, value, sql)?;
                }
                sql.push(")");
                Ok(())
            }
            Filter::Empty { field, negated } => {
                let not = if *negated { "NOT " } else { "" };
                let test = match self.source(field)? {
                    Source::Plain(column) if !self.may_hold_nothing(field) => format!("{not}({column} IS NULL)"),
                    Source::Plain(column) | Source::Decimal(column) | Source::Set(column) => {
                        format!("{not}({column} IS NULL OR {column} = '')")
                    }
                    Source::Money { minor, .. } => format!("{not}({minor} IS NULL)"),
                    Source::Lines(table) => {
                        format!("{not}(NOT EXISTS (SELECT 1 FROM {table} WHERE record = t.n))")
                    }
                    Source::Id => format!("{not}(0)"),
                };
                sql.push(&test);
                Ok(())
            }
            Filter::Words(text) => {
                match search::all_of(text) {
                    Some(expression) => {
                        sql.push("t.n IN (SELECT rowid FROM search WHERE search MATCH ");
                        sql.param(expression);
                        sql.push(")");
                    }
                    None => sql.push("0"),
                }
                Ok(())
            }
        }
    }

    fn joined(&self, parts: &[Filter], with: &str, none: &str, sql: &mut Sql) -> Result<()> {
        if parts.is_empty() {
            sql.push(none);
            return Ok(());
        }
        sql.push("(");
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                sql.push(with);
            }
            self.filter(part, sql)?;
        }
        sql.push(")");
        Ok(())
    }

    fn compare(&self, field: &Name, op: Op, value: &Literal, sql: &mut Sql) -> Result<()> {
        match self.source(field)? {
            Source::Id => self.compare_id(op, value, sql),
            Source::Money { minor, currency } => compare_money(field, &minor, &currency, op, value, sql),
            Source::Decimal(column) => {
                let Literal::Decimal(number) = value else { return Err(self.wrong(field)) };
                let number = number.to_f64().unwrap_or(f64::MAX);
                self.compare_plain(&format!("CAST({column} AS REAL)"), op, Cell::Real(number), sql)
            }
            Source::Set(column) => self.compare_set(field, &column, op, value, sql),
            Source::Lines(_) => Err(self.wrong(field)),
            Source::Plain(column) => match value {
                Literal::Key { collection, text } => self.compare_reference(field, &column, op, collection, text, sql),
                _ if op == Op::Contains => {
                    sql.push(&format!("instr(fold({column}), "));
                    sql.param(fold(&self.text_of(field, value)?));
                    sql.push(") > 0");
                    Ok(())
                }
                _ => self.compare_plain(&column, op, self.cell(field, value)?, sql),
            },
        }
    }

    fn compare_plain(&self, column: &str, op: Op, cell: Cell, sql: &mut Sql) -> Result<()> {
        match op {
            // Written so that an index on the column still serves the common operators.
            Op::Ne => sql.push(&format!("({column} IS NULL OR {column} <> ")),
            _ => sql.push(&format!("({column} {} ", symbol(op))),
        }
        sql.param(cell);
        sql.push(")");
        Ok(())
    }

    // The record that the text names and all that are merged into it.
    fn family(&self, collection: &Name, text: &str) -> Result<BTreeSet<RecordId>> {
        let key = (collection.clone(), text.to_owned());
        if let Some(known) = self.families.borrow().get(&key) {
            return Ok(known.clone());
        }
        let family = lookup::merged_family(self.conn, self.model, collection, text)?;
        self.families.borrow_mut().insert(key, family.clone());
        Ok(family)
    }

    // ` IN (ids)`.
    fn one_of(&self, collection: &Name, text: &str, sql: &mut Sql) -> Result<()> {
        sql.push(" IN (");
        for (at, id) in self.family(collection, text)?.iter().enumerate() {
            if at > 0 {
                sql.push(", ");
            }
            sql.param(id.to_string());
        }
        sql.push(")");
        Ok(())
    }

    fn compare_reference(
        &self,
        field: &Name,
        column: &str,
        op: Op,
        collection: &Name,
        text: &str,
        sql: &mut Sql,
    ) -> Result<()> {
        let (begin, end) = match op {
            Op::Eq => ("(", ")"),
            Op::Ne => ("(coalesce(", ", 0) = 0)"),
            _ => return Err(self.wrong(field)),
        };
        sql.push(begin);
        sql.push(column);
        self.one_of(collection, text, sql)?;
        sql.push(end);
        Ok(())
    }

    // ` IN (…)` rather than a chain of OR, so that an index on the column serves it.
    fn listed(&self, field: &Name, column: &str, values: &[Literal], sql: &mut Sql) -> Result<()> {
        sql.push("(");
        sql.push(column);
        sql.push(" IN (");
        let mut is_first = true;
        for value in values {
            for cell in self.cells(field, value)? {
                if !std::mem::take(&mut is_first) {
                    sql.push(", ");
                }
                sql.param(cell);
            }
        }
        sql.push("))");
        Ok(())
    }

    // What a column may hold for this literal to be equal to it.
    fn cells(&self, field: &Name, value: &Literal) -> Result<Vec<Cell>> {
        let Literal::Key { collection, text } = value else { return Ok(vec![self.cell(field, value)?]) };
        Ok(self.family(collection, text)?.iter().map(|id| Cell::Text(id.to_string())).collect())
    }

    // Whether an empty value may also be a text of no characters.
    fn may_hold_nothing(&self, field: &Name) -> bool {
        let ty = self.table.placed(field).map(|placed| &placed.field.ty);
        matches!(ty, Some(FieldType::Text | FieldType::LongText | FieldType::Choice(_)))
    }

    fn compare_set(&self, field: &Name, column: &str, op: Op, value: &Literal, sql: &mut Sql) -> Result<()> {
        let not = if op == Op::Ne { "NOT " } else { "" };
        sql.push(&format!("{not}EXISTS (SELECT 1 FROM json_each(coalesce({column}, '[]')) item WHERE "));
        match (op, value) {
            (Op::Eq | Op::Ne, Literal::Key { collection, text }) => {
                sql.push("item.value");
                self.one_of(collection, text, sql)?;
            }
            (Op::Eq | Op::Ne, _) => {
                sql.push("item.value = ");
                sql.param(self.text_of(field, value)?);
            }
            (Op::Contains, _) => {
                sql.push("instr(fold(item.value), ");
                sql.param(fold(&self.text_of(field, value)?));
                sql.push(") > 0");
            }
            _ => return Err(self.wrong(field)),
        }
        sql.push(")");
        Ok(())
    }

    fn compare_id(&self, op: Op, value: &Literal, sql: &mut Sql) -> Result<()> {
        let prefix = self.text_of(&"id".into(), value)?.to_lowercase();
        match op {
            Op::Eq | Op::Ne => {
                sql.push(if op == Op::Ne { "NOT (t.id >= " } else { "(t.id >= " });
                sql.param(prefix.clone());
                sql.push(" AND t.id < ");
                sql.param(format!("{prefix}g"));
                sql.push(")");
                Ok(())
            }
            Op::Contains => {
                sql.push("instr(t.id, ");
                sql.param(prefix);
                sql.push(") > 0");
                Ok(())
            }
            _ => self.compare_plain("t.id", op, Cell::Text(prefix), sql),
        }
    }

    // The column of a field that has one, as this path writes it.
    fn column(&self, placed: &Placed) -> String {
        let (Place::Column(at) | Place::Money(at) | Place::Lines(at)) = placed.place;
        let name = self.table.column_of(placed).map(|c| format!("t.{}", quoted(&c.name))).unwrap_or_default();
        self.path.written(Some(at), name)
    }

    fn source(&self, field: &Name) -> Result<Source> {
        if let Some(placed) = self.table.placed(field) {
            let column = self.column(placed);
            return Ok(match (&placed.place, &placed.field.ty) {
                (Place::Lines(at), _) => {
                    let name = self.table.lines.get(*at).map(|lines| quoted(&lines.name)).unwrap_or_default();
                    Source::Lines(name)
                }
                (Place::Money(at), _) => {
                    let currency = self.table.columns.get(at + 1).map(|c| quoted(&c.name)).unwrap_or_default();
                    Source::Money { minor: column, currency: format!("t.{currency}") }
                }
                (_, FieldType::Set(_)) => Source::Set(column),
                (_, FieldType::Decimal) => Source::Decimal(column),
                _ => Source::Plain(column),
            });
        }
        match &**field {
            "id" => Ok(Source::Id),
            system if system_field(system).is_some() => Ok(Source::Plain(format!("t.{system}"))),
            _ => self.table.collection.require_field(field).map(|_| Source::Id),
        }
    }

    fn cell(&self, field: &Name, value: &Literal) -> Result<Cell> {
        Ok(match value {
            Literal::Text(text) => Cell::Text(text.clone()),
            Literal::Integer(number) => Cell::Integer(*number),
            Literal::Boolean(yes) => Cell::Integer(i64::from(*yes)),
            Literal::Date(day) => Cell::Text(day.iso()),
            Literal::Instant(at) => Cell::Text(at.rfc3339()),
            // A number between two whole ones still lies above and below some.
            Literal::Decimal(number) if self.is_whole(field) => number_cell(*number),
            Literal::Decimal(_) | Literal::Money(..) | Literal::Key { .. } => return Err(self.wrong(field)),
        })
    }

    fn is_whole(&self, field: &Name) -> bool {
        let ty = self.table.placed(field).map(|placed| &placed.field.ty);
        matches!(ty, Some(FieldType::Integer | FieldType::Counter))
    }

    fn text_of(&self, field: &Name, value: &Literal) -> Result<String> {
        match value {
            Literal::Text(text) => Ok(text.clone()),
            Literal::Key { text, .. } => Ok(text.clone()),
            _ => Err(self.wrong(field)),
        }
    }

    fn wrong(&self, field: &str) -> Error {
        Error::invalid("filter-does-not-fit").with("field", field).with("collection", &*self.table.collection.name)
    }
}

fn is_whole_id(value: &Literal) -> bool {
    matches!(value, Literal::Text(text) if RecordId::parse(text).is_some_and(|id| id.to_string() == *text))
}

fn symbol(op: Op) -> &'static str {
    match op {
        Op::Eq | Op::Contains => "=",
        Op::Ne => "<>",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    }
}

impl Conditions<'_> {
    /// The part of a condition that an index on one column answers by itself, with that column; wider than the condition
    /// where this needs more than the index. None where no index can help.
    pub(super) fn indexable(&self, filter: &Filter) -> Result<Option<Indexable>> {
        let (Filter::Compare { field, .. } | Filter::In { field, .. } | Filter::Empty { field, negated: false }) =
            filter
        else {
            return Ok(None);
        };
        let Some(placed) = self.table.placed(field) else { return Ok(None) };
        let (Place::Column(column) | Place::Money(column)) = placed.place else { return Ok(None) };
        match self.table.columns.get(column).map_or(Index::None, |column| column.index) {
            Index::None => return Ok(None),
            Index::Filled if matches!(filter, Filter::Empty { .. }) => return Ok(None),
            Index::Filled | Index::Whole => {}
        }
        let mut sql = Sql::default();
        let one_value = match (filter, self.source(field)?) {
            (Filter::Compare { op: Op::Contains | Op::Ne, .. }, _) => return Ok(None),
            (Filter::Compare { op, value: Literal::Money(units, currency), .. }, Source::Money { minor, .. }) => {
                let Some(currency) = currency else { return Ok(None) };
                let exact = *units * Decimal::from(10_i64.pow(currency.exponent()));
                self.compare_plain(&minor, *op, number_cell(exact), &mut sql)?;
                *op == Op::Eq
            }
            (Filter::Compare { op, .. }, Source::Plain(_)) => {
                self.filter(filter, &mut sql)?;
                *op == Op::Eq && sql.params.len() == 1
            }
            (Filter::In { .. }, Source::Plain(_)) => {
                self.filter(filter, &mut sql)?;
                sql.params.len() == 1
            }
            (Filter::Empty { .. }, Source::Plain(_)) if !self.may_hold_nothing(field) => {
                self.filter(filter, &mut sql)?;
                true
            }
            (Filter::Empty { .. }, Source::Money { .. }) => {
                self.filter(filter, &mut sql)?;
                true
            }
            _ => return Ok(None),
        };
        Ok(Some(Indexable { column, sql, one_value }))
    }
}

/// What an index on one column answers by itself.
pub(super) struct Indexable {
    /// An index into [`Table::columns`].
    pub(super) column: usize,
    /// The condition.
    pub(super) sql: Sql,
    /// All its rows have one value there: the index has them in the order of their numbers.
    pub(super) one_value: bool,
}

impl Indexable {
    /// The way along its index.
    pub(super) fn path(&self) -> Path {
        Path::Along(Some(self.column))
    }
}

/// Compares amounts in thousandths of a unit, which hold the minor units of every currency.
fn compare_money(field: &Name, minor: &str, currency: &str, op: Op, value: &Literal, sql: &mut Sql) -> Result<()> {
    let Literal::Money(units, wanted) = value else {
        return Err(Error::invalid("filter-does-not-fit").with("field", &**field).with("collection", ""));
    };
    if let Some(wanted) = wanted {
        let exact = *units * Decimal::from(10_i64.pow(wanted.exponent()));
        if op == Op::Ne {
            sql.push(&format!("({minor} IS NULL OR {currency} <> "));
            sql.param(wanted.code().to_owned());
            sql.push(&format!(" OR {minor} <> "));
        } else {
            sql.push(&format!("({currency} = "));
            sql.param(wanted.code().to_owned());
            sql.push(&format!(" AND {minor} {} ", symbol(op)));
        }
        sql.param(number_cell(exact));
        sql.push(")");
        return Ok(());
    }
    let thousandths = format!("{minor} * money_scale({currency})");
    sql.push(&match op {
        Op::Ne => format!("({minor} IS NULL OR {thousandths} <> "),
        _ => format!("({thousandths} {} ", symbol(op)),
    });
    sql.param(number_cell(*units * Decimal::from(1_000)));
    // A bound that every currency meets lets an index on the minor units serve a search for large amounts.
    if matches!(op, Op::Gt | Op::Ge) && units.is_sign_positive() {
        sql.push(&format!(" AND {minor} >= "));
        sql.param(number_cell(units.floor()));
    }
    sql.push(")");
    Ok(())
}

fn number_cell(number: Decimal) -> Cell {
    match number.to_i64() {
        Some(whole) if Decimal::from(whole) == number => Cell::Integer(whole),
        _ => Cell::Real(number.to_f64().unwrap_or(f64::MAX)),
    }
}
