//! A company with few collections: what the core itself needs, and some to work with. Opening one costs a fifth.

use branchline_core::crm;
use branchline_core::schema::Schema;

/// Collections that simulations use.
const KEPT: [&str; 10] =
    ["branch", "team", "user", "role", "device", "collection", "field", "account", "product", "opportunity"];

/// The built-in schema, without the collections that no simulation touches.
pub fn schema() -> Schema {
    let kept = |name: &str| KEPT.contains(&name);
    Schema::new(crm::builtin().collections().iter().filter(|c| kept(&c.name)).map(|c| (**c).clone()))
}

/// A map for [`import_csv`].
pub const IMPORT_MAP: &str = "collection = \"account\"\nkey = [\"account\"]\n\n[columns.account]\nfield = \"name\"\n\
    [columns.city]\nfield = \"city\"\n";

/// A file of accounts.
pub fn import_csv(rows: usize) -> String {
    let rows = (0..rows).map(|n| format!("Imported {n},City {}\n", n % 7));
    std::iter::once("account,city\n".to_owned()).chain(rows).collect()
}
