//! Writes a class with typed fields for each built-in collection, as Kotlin: `typed-collections FILE`.
//!
//! What the classes stand on is written by hand: `Typed.kt` of the Kotlin package.

use std::fmt::Write as _;
use std::process::ExitCode;

use branchline_core::crm;
use branchline_core::schema::{Collection, FieldType};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: typed-collections FILE");
        return ExitCode::from(2);
    };
    match std::fs::write(&path, kotlin()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn kotlin() -> String {
    let mut text = String::from("// Written by `typed-collections` from the built-in collections.\n\n");
    text.push_str("package dev.branchline.crm\n\nimport dev.branchline.Record\n");
    for collection in crm::builtin().collections() {
        text.push_str(&class(collection));
    }
    text
}

fn class(collection: &Collection) -> String {
    let mut text = String::new();
    let (name, label) = (camel(&collection.name, true), &collection.labels.en);
    // Writing to a text never fails.
    let _ = writeln!(
        text,
        "\n/** {label}. */\nclass {name}(record: Record? = null) : Typed(\"{}\", record) {{",
        collection.name
    );
    for field in &collection.fields {
        let (property, kind) = (camel(&field.name, false), kind(&field.ty));
        let _ = writeln!(text, "    /** {}. */\n    var `{property}` by {kind}(\"{}\")\n", field.labels.en, field.name);
    }
    text.truncate(text.trim_end().len());
    text.push_str("\n}\n");
    text
}

/// The delegate of `Typed` that reads and writes such a field.
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
