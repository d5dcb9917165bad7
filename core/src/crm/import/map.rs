//! The import map: which column goes to which field, and how. A TOML file, in the shape of the command line reference.
//!
//! A [`ImportMap`] is what the file says, checked for shape only; whether its fields and columns exist is checked
//! against the schema and the headings by the plan. Unknown keys are an error, so that a typing mistake is not read as
//! "no such wish".

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::IMPORT_MAP_BYTES_MAX;

/// An import map.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImportMap {
    /// The collection of the rows; may be left to the caller, and is that of the parent where rows are lines.
    pub collection: Option<String>,
    /// The columns that together identify a row.
    pub key: Vec<String>,
    /// Texts that mean an empty cell in every column, such as `NULL`.
    pub empty: Vec<String>,
    /// Fields with the same value in every row.
    pub constants: BTreeMap<String, Constant>,
    /// Fields made of several cells: `name = "{product} · {account}"`, each brace a column heading.
    pub templates: BTreeMap<String, String>,
    /// Column heading to its use.
    pub columns: BTreeMap<String, ColumnMap>,
    /// Set where the rows are lines of parent records.
    pub lines: Option<LinesMap>,
}

/// A constant as it is written in the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Constant {
    /// `branch = "central"`
    Text(String),
    /// `active = true`
    Boolean(bool),
    /// `probability = 50`
    Integer(i64),
    /// `rate = 0.5`
    Float(f64),
    /// `closed_on = 2017-03-01`
    Date(toml::value::Datetime),
}

impl Constant {
    /// The constant as the text of a cell.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Boolean(yes) => yes.to_string(),
            Self::Integer(n) => n.to_string(),
            Self::Float(n) => n.to_string(),
            Self::Date(date) => date.to_string(),
        }
    }
}

/// What one column is for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMap {
    /// The field; with `lines`, a field of the line. `F_currency` is the currency of the money field `F`, `id` the
    /// record's own id.
    pub field: String,
    /// Cell text to value; what is not listed goes on as it is, an empty value empties the cell.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// The currency of bare amounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// How dates are written, as in `%d.%m.%Y`; ISO 8601 is always understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// A number that amounts are multiplied by, for columns in thousands or millions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Constant>,
    /// How a reference is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupMap>,
}

/// How the record that a cell means is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupMap {
    /// Where to look; the collection that the field refers to unless `take` is set.
    pub collection: String,
    /// The field that the cell holds.
    pub by: String,
    /// What to do where there is none.
    #[serde(default)]
    pub missing: Missing,
    /// Use this reference of the found record instead of the record itself: the branch of a team, the manager of a
    /// person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<String>,
}

/// What to do with a cell whose record does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Make the record, under an id that every replica derives alike.
    Create,
    /// Refuse the row.
    #[default]
    Refuse,
    /// Leave the field empty, with a warning.
    Empty,
}

/// Rows that are lines of a parent record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinesMap {
    /// Which record a row belongs to.
    pub parent: ParentMap,
    /// The lines field of the parent.
    pub field: String,
    /// The columns that identify a line within its parent.
    pub line: Vec<String>,
}

/// The parent of a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParentMap {
    /// Its collection.
    pub collection: String,
    /// The column that names it.
    pub column: String,
    /// The field that the column holds.
    pub by: String,
}

impl ImportMap {
    /// Reads a map file.
    ///
    /// # Errors
    /// `import_map_unreadable`, and those of [`ImportMap::parse`], with the path as the place.
    pub fn open(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let unreadable = |reason: String| Error::not_found("import-map-unreadable").with("reason", reason);
        let size = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()).at(&place))?.len();
        if size > IMPORT_MAP_BYTES_MAX as u64 {
            return Err(Error::limit("import-map-max").with("size", IMPORT_MAP_BYTES_MAX >> 20).at(place));
        }
        let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()).at(&place))?;
        Self::parse(&text).map_err(|e| e.at(place))
    }

    /// Parses the text of a map.
    ///
    /// # Errors
    /// `import_map_invalid` with the parser's words, which name line and key.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|e| Error::invalid("import-map-invalid").with("reason", e.to_string().trim_end()))
    }

    /// Bytes that are equal for maps that say the same, whatever their order and comments.
    pub(super) fn canonical(&self) -> Vec<u8> {
        // All parts are plain data with text keys, which JSON always holds.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const MAP: &str = r#"
collection = "opportunity"
key = ["opportunity_id"]

[constants]
branch = "central"
probability = 50

[columns.opportunity_id]
field = "external_id"
[columns.deal_stage]
field = "stage"
values = { Won = "won", Lost = "lost" }
[columns.close_value]
field = "amount"
currency = "USD"
[columns.close_date]
field = "closed_on"
format = "%Y-%m-%d"
[columns.account]
field = "account"
lookup = { collection = "account", by = "name", missing = "create" }
"#;

    #[test]
    fn the_documented_map_reads() {
        let map = ImportMap::parse(MAP).unwrap();
        assert_eq!(map.collection.as_deref(), Some("opportunity"));
        assert_eq!(map.key, ["opportunity_id"]);
        assert_eq!(map.constants["probability"].text(), "50");
        assert_eq!(map.columns["deal_stage"].values["Won"], "won");
        let lookup = map.columns["account"].lookup.as_ref().unwrap();
        assert_eq!((lookup.by.as_str(), lookup.missing), ("name", Missing::Create));
    }

    #[test]
    fn lines_name_their_parent() {
        let map = ImportMap::parse(
            "[lines]\nparent = { collection = \"opportunity\", column = \"orderID\", by = \"external_id\" }\n\
             field = \"lines\"\nline = [\"productID\"]\n[columns.quantity]\nfield = \"quantity\"\n",
        );
        let lines = map.unwrap().lines.unwrap();
        assert_eq!((lines.parent.column.as_str(), lines.field.as_str()), ("orderID", "lines"));
    }

    #[test]
    fn a_mistyped_key_is_an_error_that_names_it_and_its_line() {
        let error = ImportMap::parse("collection = \"account\"\nkeys = [\"id\"]\n").unwrap_err();
        assert_eq!(error.code(), "import_map_invalid");
        assert!(error.to_string().contains("keys") && error.to_string().contains("line 2"), "{error}");
        let error = ImportMap::parse(
            "[columns.a]\nfield = \"x\"\nlookup = { collection = \"a\", by = \"b\", missing = \"make\" }",
        );
        assert!(error.unwrap_err().to_string().contains("make"));
    }

    #[test]
    fn comments_and_order_do_not_change_what_a_map_is() {
        let one = ImportMap::parse("# x\n[columns.b]\nfield = \"b\"\n[columns.a]\nfield = \"a\"\n").unwrap();
        let two = ImportMap::parse("[columns.a]\nfield = \"a\"\n[columns.b]\nfield = \"b\"\n").unwrap();
        assert_eq!(one.canonical(), two.canonical());
    }
}
