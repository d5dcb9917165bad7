//! Import of CSV and XLSX files: a file becomes a [`Table`], an [`ImportMap`] says what its columns are.

mod csv;
mod map;
mod sheet;
mod table;
mod text;

pub use map::{ColumnMap, Constant, ImportMap, LinesMap, LookupMap, Missing, ParentMap};
pub(crate) use table::FORMULA_STARTS;
pub use table::{Row, Rows, Table};
