//! Import of CSV and XLSX files: a file becomes a [`Table`], an [`ImportMap`] says what its columns are, [`Import`] brings
//! the rows in.
//!
//! What holds whatever a file contains: a row comes in whole or is refused with its line and the reason; importing the
//! same again changes nothing; two replicas that import the same file without knowing of each other make the same
//! records; an old file overwrites no later hand edit; what an import did can be taken back. Nothing here speaks SQL or
//! knows how a record is stored: everything goes through the replica.

mod cell;
mod csv;
mod guess;
mod held;
mod issue;
mod lines;
mod lookup;
mod map;
mod parts;
mod plan;
mod rows;
mod run;
mod sheet;
mod table;
mod text;
mod undo;

pub use guess::guess_map;
pub use issue::{Issue, Outcome, Progress, Reason};
pub(super) use lookup::{Found, Lookup};
pub use map::{ColumnMap, Constant, ImportMap, LinesMap, LookupMap, Missing, ParentMap};
pub(super) use plan::LookupPlan;
pub use run::Import;
pub(super) use table::FORMULA_STARTS;
pub use table::{Row, Rows, Table};
pub use undo::{Undone, undo};
