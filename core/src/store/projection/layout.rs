//! Which table and which columns a collection is projected to.
//!
//! | field type | columns |
//! |---|---|
//! | text, long text, choice, decimal | `F` TEXT; a decimal as written, `12.50` is `12.5` |
//! | integer, boolean (0, 1), counter | `F` INTEGER |
//! | date, instant | `F` TEXT, `2017-03-01` and RFC 3339 in UTC with milliseconds: they sort and compare as text |
//! | money | `F_minor` INTEGER (cents), `F_currency` TEXT |
//! | reference | `F` TEXT, the id |
//! | set | `F` TEXT, a JSON array of its items in order |
//! | location | `F` TEXT, `55.750000,37.610000` |
//! | attachment | `F` TEXT, a JSON object |
//! | lines | a table `<collection>_<field>` with `record` (= `n`), `line` and the columns of its sub-fields |
//!
//! Around them stand `n` (the row, = `record.n`), `id`, `archived`, `merged_into`, `created_at`, `created_by`,
//! `updated_at`, `updated_by`. A name that is taken (a field `n`, a collection called like one of the store's own
//! tables) gets an underscore behind it.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::schema::{Collection, Field, FieldType, Name, Schema};

/// Tables that are the store's own.
const RESERVED_TABLES: &[&str] = &[
    "meta",
    "actor",
    "projection",
    "record",
    "log",
    "log_commit",
    "scope",
    "record_scope",
    "scope_log",
    "outbox",
    "quarantine",
    "review",
    "link",
    "invitation",
    "import_batch",
    "blob",
    "search",
    "search_data",
    "search_idx",
    "search_content",
    "search_docsize",
    "search_config",
    "backup_key",
    "backup_blob",
];

/// Columns that every projected table has in front of and behind its fields.
const RESERVED_COLUMNS: &[&str] = &[
    "n",
    "id",
    "archived",
    "merged_into",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "rowid",
    "oid",
    "_rowid_",
    "record",
    "line",
];

/// A column of a projected table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name, unquoted.
    pub(crate) name: String,
    /// `TEXT` or `INTEGER`.
    pub(crate) sql_type: &'static str,
    /// The index of its own, if it has one.
    pub(crate) index: Index,
}

/// The index of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Index {
    /// It has none.
    None,
    /// Of all rows: it also finds the empty ones and has all in order.
    Whole,
    /// Of the rows that have a value: enough to follow a reference backwards, and most references of a record are empty.
    Filled,
}

/// Where the values of one field are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the column at this index of [`Table::columns`].
    Column(usize),
    /// In the column at this index and the next one: minor units, currency.
    Money(usize),
    /// In the table of lines at this index of [`Table::lines`].
    Lines(usize),
}

/// A field with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The field.
    pub(crate) field: Field,
    /// Where its values are.
    pub(crate) place: Place,
}

/// The table of a lines field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinesTable {
    /// Its name, unquoted.
    pub(crate) name: String,
    /// The columns of its sub-fields.
    pub(crate) columns: Vec<Column>,
    /// The sub-fields.
    pub(crate) fields: Vec<Placed>,
}

/// The table of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name, unquoted.
    pub(crate) name: String,
    /// The collection.
    pub(crate) collection: Arc<Collection>,
    /// The columns of its fields.
    pub(crate) columns: Vec<Column>,
    /// Its fields in the schema's order.
    pub(crate) fields: Vec<Placed>,
    /// The tables of its lines fields.
    pub(crate) lines: Vec<LinesTable>,
    /// Inserts a row: `n`, `id`, the columns, then [`MARKS`].
    pub(crate) insert_sql: String,
    by_name: HashMap<Name, usize>,
}

/// The columns behind those of the fields.
pub(crate) const MARKS: [&str; 6] = ["archived", "merged_into", "created_at", "created_by", "updated_at", "updated_by"];

impl Table {
    /// A field with its place.
    pub(crate) fn placed(&self, field: &str) -> Option<&Placed> {
        self.by_name.get(field).and_then(|at| self.fields.get(*at))
    }

    /// The column of a field that has exactly one.
    pub(crate) fn column_of(&self, placed: &Placed) -> Option<&Column> {
        match placed.place {
            Place::Column(at) | Place::Money(at) => self.columns.get(at),
            Place::Lines(_) => None,
        }
    }

    /// What the projection of each field depends on, one line for each: a line that changes means that the records
    /// holding the field must be projected again.
    pub(crate) fn signature(&self) -> String {
        let mut text = String::new();
        for placed in &self.fields {
            let field = &placed.field;
            let _ = write!(text, "{} {} {:?}", field.name, field.ty.spec(), field.winner);
            if let FieldType::Lines(columns) = &field.ty {
                for column in columns {
                    let _ = write!(text, " {}:{}", column.name, column.ty.spec());
                }
            }
            let _ = writeln!(text, " {}{}", u8::from(field.indexed), u8::from(field.searchable));
        }
        text
    }
}

/// The tables of a schema.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    tables: HashMap<Name, Arc<Table>>,
}

impl Layout {
    /// The tables that a schema's collections are projected to.
    pub(crate) fn of(schema: &Schema) -> Self {
        let names: HashSet<&str> = schema.collections().iter().map(|c| &*c.name).collect();
        let tables = schema.collections().iter().map(|c| (c.name.clone(), Arc::new(table(c, &names)))).collect();
        Self { tables }
    }

    /// The table of a collection.
    pub(crate) fn table(&self, collection: &str) -> Option<&Arc<Table>> {
        self.tables.get(collection)
    }
}

/// A name as SQL writes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn table(collection: &Arc<Collection>, collections: &HashSet<&str>) -> Table {
    let free = |name: &str| !RESERVED_TABLES.contains(&name) && !name.starts_with("sqlite_");
    let name =
        unused(&collection.name, |name| free(name) && (name == &*collection.name || !collections.contains(name)));
    let mut lines = Vec::new();
    let mut taken = HashSet::new();
    // A natural key is looked up whenever somebody names a record.
    let keyed = |field: &Field| field.indexed || collection.natural_keys.contains(&field.name);
    let (columns, fields) = place(&collection.fields, keyed, &mut taken, |field, subfields| {
        let wished = format!("{name}_{}", field.name);
        let name = unused(&wished, |name| free(name) && !collections.contains(name));
        let (columns, fields) = place(subfields, |_| false, &mut HashSet::new(), |_, _| None);
        lines.push(LinesTable { name, columns, fields });
        Some(lines.len() - 1)
    });
    let by_name = fields.iter().enumerate().map(|(at, placed)| (placed.field.name.clone(), at)).collect();
    let insert_sql = insert_sql(&name, &columns);
    Table { name, collection: collection.clone(), columns, fields, lines, insert_sql, by_name }
}

fn insert_sql(table: &str, columns: &[Column]) -> String {
    let names: String = columns.iter().map(|c| format!("{}, ", quoted(&c.name))).collect();
    let marks = vec!["?"; 2 + columns.len() + MARKS.len()].join(", ");
    format!("INSERT INTO {} (n, id, {names}{}) VALUES ({marks})", quoted(table), MARKS.join(", "))
}

fn place(
    fields: &[Field],
    indexed: impl Fn(&Field) -> bool,
    taken: &mut HashSet<String>,
    mut lines: impl FnMut(&Field, &[Field]) -> Option<usize>,
) -> (Vec<Column>, Vec<Placed>) {
    let mut columns = Vec::new();
    let mut placed = Vec::with_capacity(fields.len());
    for field in fields {
        let index = match field.ty {
            _ if !indexed(field) => Index::None,
            FieldType::Reference(_) => Index::Filled,
            _ if field.placing => Index::Filled,
            _ => Index::Whole,
        };
        let mut column = |wished: &str, sql_type, index| {
            let name = unused(wished, |name| !RESERVED_COLUMNS.contains(&name) && !taken.contains(name));
            taken.insert(name.clone());
            columns.push(Column { name, sql_type, index });
            columns.len() - 1
        };
        let at = match &field.ty {
            FieldType::Lines(subfields) => match lines(field, subfields) {
                Some(at) => Place::Lines(at),
                None => continue,
            },
            FieldType::Money => {
                let at = column(&format!("{}_minor", field.name), "INTEGER", index);
                column(&format!("{}_currency", field.name), "TEXT", Index::None);
                Place::Money(at)
            }
            FieldType::Integer | FieldType::Boolean | FieldType::Counter => {
                Place::Column(column(&field.name, "INTEGER", index))
            }
            _ => Place::Column(column(&field.name, "TEXT", index)),
        };
        placed.push(Placed { field: field.clone(), place: at });
    }
    (columns, placed)
}

fn unused(wished: &str, free: impl Fn(&str) -> bool) -> String {
    let mut name = wished.to_owned();
    while !free(&name) {
        name.push('_');
    }
    name
}
