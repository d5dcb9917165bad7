//! Writes a class with typed fields for each built-in collection: `typed-collections FILE`, as Kotlin, Python or Swift by the
//! ending of FILE.
//!
//! What the classes stand on is written by hand in each package: `Typed.kt`, `_typed.py`, `Typed.swift`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use branchline_core::crm;
use branchline_core::schema::{Collection, Field, FieldType};

const ENDINGS: &str = ".kt, .py or .swift";

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: typed-collections FILE, with a name that ends in {ENDINGS}");
        return ExitCode::from(2);
    };
    let text = match Path::new(&path).extension().and_then(|ending| ending.to_str()) {
        Some("kt") => whole(KOTLIN_HEAD, kotlin),
        Some("py") => whole(PYTHON_HEAD, python),
        Some("swift") => whole(SWIFT_HEAD, swift),
        _ => {
            eprintln!("{path}: a file that ends in {ENDINGS} is written, nothing else");
            return ExitCode::from(2);
        }
    };
    match std::fs::write(&path, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

const KOTLIN_HEAD: &str = "// Written by `typed-collections` from the built-in collections.\n\n\
    package dev.branchline.crm\n\nimport dev.branchline.Record\n";
const PYTHON_HEAD: &str = "\"\"\"The built-in collections with typed fields; written by `typed-collections`.\"\"\"\n\n\
    from . import _typed\nfrom ._typed import Typed\n";
// In a room of their own: `Field` and `Attachment` mean something else in the module.
const SWIFT_HEAD: &str = "// Written by `typed-collections` from the built-in collections.\n\n\
    import Foundation\n\n/// The built-in collections with typed fields.\npublic enum Crm {}\n";

fn whole(head: &str, class: fn(&mut String, &Collection) -> std::fmt::Result) -> String {
    let mut text = String::from(head);
    for collection in crm::builtin().collections() {
        // Writing to a text never fails.
        let _ = class(&mut text, collection);
    }
    text
}

fn kotlin(text: &mut String, collection: &Collection) -> std::fmt::Result {
    let class = camel(&collection.name, true);
    writeln!(text, "\n/** {}. */", collection.labels.en)?;
    write!(text, "class {class}(record: Record? = null) : Typed(\"{}\", record) {{", collection.name)?;
    for (n, Field { name, ty, labels, .. }) in collection.fields.iter().enumerate() {
        writeln!(text, "{}    /** {}. */", if n == 0 { "\n" } else { "\n\n" }, labels.en)?;
        write!(text, "    var `{}` by {}(\"{name}\")", camel(name, false), kind(ty))?;
    }
    writeln!(text, "\n}}")
}

fn python(text: &mut String, collection: &Collection) -> std::fmt::Result {
    writeln!(text, "\n\nclass {}(Typed):", camel(&collection.name, true))?;
    writeln!(text, "    \"\"\"{}.\"\"\"\n\n    collection_name = \"{}\"", collection.labels.en, collection.name)?;
    for Field { name, ty, labels, .. } in &collection.fields {
        writeln!(text, "    {name} = _typed.{}(\"{name}\")", kind(ty))?;
        writeln!(text, "    \"\"\"{}.\"\"\"", labels.en)?;
    }
    Ok(())
}

fn swift(text: &mut String, collection: &Collection) -> std::fmt::Result {
    writeln!(text, "\nextension Crm {{\n    /// {}.", collection.labels.en)?;
    writeln!(text, "    public final class {}: Typed {{", camel(&collection.name, true))?;
    writeln!(text, "        override public class var collectionName: String {{ \"{}\" }}", collection.name)?;
    for Field { name, ty, labels, .. } in &collection.fields {
        let (property, kind) = (camel(name, false), kind(ty));
        writeln!(text, "\n        /// {}.\n        public var `{property}`: {}? {{", labels.en, swift_type(ty))?;
        writeln!(text, "            get {{ read(\"{name}\", Kinds.{kind}.read) }}")?;
        writeln!(text, "            set {{ write(\"{name}\", newValue.map(Kinds.{kind}.write)) }}\n        }}")?;
    }
    writeln!(text, "    }}\n}}")
}

/// What of the hand-written part reads and writes such a field.
fn kind(ty: &FieldType) -> &'static str {
    match ty {
        FieldType::Text | FieldType::LongText | FieldType::Choice(_) => "text",
        FieldType::Integer | FieldType::Counter => "integer",
        FieldType::Decimal => "decimal",
        FieldType::Money => "money",
        FieldType::Boolean => "boolean",
        FieldType::Date => "date",
        FieldType::Instant => "instant",
        FieldType::Reference(_) => "reference",
        FieldType::Set(_) => "items",
        FieldType::Lines(_) => "lines",
        FieldType::Attachment => "attachment",
        FieldType::Location => "location",
    }
}

fn swift_type(ty: &FieldType) -> &'static str {
    match kind(ty) {
        "integer" | "instant" => "Int64",
        "decimal" => "Decimal",
        "money" => "Branchline.Money",
        "boolean" => "Bool",
        "items" => "[String]",
        "lines" => "[Branchline.Line]",
        "attachment" => "Branchline.Attachment",
        "location" => "Branchline.Location",
        _ => "String",
    }
}

/// `account_branch` as `AccountBranch` or `accountBranch`.
fn camel(name: &str, upper: bool) -> String {
    let mut text = String::with_capacity(name.len());
    let mut raise = upper;
    for letter in name.chars() {
        match letter {
            '_' => raise = true,
            letter if raise => {
                text.extend(letter.to_uppercase());
                raise = false;
            }
            letter => text.push(letter),
        }
    }
    text
}
