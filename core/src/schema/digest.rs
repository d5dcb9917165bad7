//! When a projection must be made anew.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Collection, Field, FieldType};

impl Collection {
    /// A digest of all that a projected record depends on: the fields' names, types, indices, search and winner rules.
    /// Labels, choice lists and the order of fields are not in it. The same on every machine, for ever.
    pub fn digest(&self) -> [u8; 32] {
        let mut fields: Vec<String> = self.fields.iter().map(line).collect();
        fields.sort_unstable();
        let mut hash = Sha256::new();
        hash.update(format!("{} {:?}\n", self.name, self.kind));
        for field in fields {
            hash.update(field);
        }
        hash.finalize().into()
    }
}

fn line(field: &Field) -> String {
    let flags = (u8::from(field.indexed), u8::from(field.searchable));
    let mut text = format!("{} {} {flags:?} {}\n", field.name, field.ty.spec(), field.winner.spec());
    if field.placing {
        text.push_str(" placing\n");
    }
    if let FieldType::Lines(columns) = &field.ty {
        let mut columns: Vec<String> = columns.iter().map(line).collect();
        columns.sort_unstable();
        for column in columns {
            let _ = write!(text, " {}/{column}", field.name);
        }
    }
    text
}
