//! Collections and fields: `schema show`, `schema apply`.

use std::path::{Path, PathBuf};

use branchline_core::access::Role;
use branchline_core::document::Edit;
use branchline_core::message::{Language, Message};
use branchline_core::replica::{Replica, Tx};
use branchline_core::schema::{
    Choice, Collection, DeclarationRecord, Field, FieldType, Kind, Labels, Name, Schema as Collections, SetOf, Value,
    parse_declarations,
};
use branchline_core::{Error, Result};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use crate::context::Context;
use crate::output::{Answer, Table};

/// Largest file of declarations, in bytes.
const DECLARATIONS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Collections and fields, built in and the workspace's own.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline schema show opportunity")]
pub struct Schema {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the collections, or the fields of one.
    #[command(after_help = "Example:\n  branchline schema show opportunity")]
    Show {
        /// Only this collection, with its fields.
        collection: Option<String>,
    },
    /// Declare collections, fields, choices and roles of the workspace's own; what is there already stays as it is.
    #[command(
        after_help = "Example:\n  branchline schema apply ./delivery.toml\n\nA file:\n  [[extend]]\n  collection = \"account\"\n  \
                            fields = [{ name = \"delivery_zone\", type = \"text\", label = \"Delivery zone\" }]"
    )]
    Apply {
        /// The declarations in TOML.
        file: PathBuf,
    },
}

impl Schema {
    /// Shows or applies.
    ///
    /// # Errors
    /// `unknown_collection`, a file that cannot be read or breaks a rule, and those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let schema = replica.schema();
        match &self.command {
            Command::Show { collection: Some(name) } => {
                let collection = schema.require(name)?;
                Ok(Answer::of(
                    context,
                    || json!([collection_object(collection)]),
                    || fields_table(context.language(), collection),
                ))
            }
            Command::Apply { file } => apply(context, &replica, file),
            Command::Show { collection: None } => Ok(Answer::of(
                context,
                || schema.collections().iter().map(|c| collection_object(c)).collect(),
                || collections_table(context.language(), &schema),
            )),
        }
    }
}

fn apply(context: &Context, replica: &Replica, file: &Path) -> Result<Answer> {
    let place = file.display().to_string();
    let unreadable = |detail: String| Error::invalid("value-file").with("detail", detail).at(&place);
    let size = std::fs::metadata(file).map_err(|e| unreadable(e.to_string()))?.len();
    if size > DECLARATIONS_BYTES_MAX {
        return Err(Error::limit("value-file-large").with("limit", DECLARATIONS_BYTES_MAX).at(place));
    }
    let text = std::fs::read_to_string(file).map_err(|e| unreadable(e.to_string()))?;
    let declared = parse_declarations(&text).map_err(|e| e.at(&place))?;
    declared.check_against(&replica.schema()).map_err(|e| e.at(&place))?;
    declared.roles.iter().try_for_each(Role::check).map_err(|e| e.at(&place))?;
    let rows = declared.records();
    let done = replica.transact(|tx| rows.iter().map(|row| declare(tx, row)).collect::<Result<Vec<_>>>())?;
    Ok(Answer::of(
        context,
        || rows.iter().zip(&done).map(|(row, done)| declared_object(row, *done)).collect(),
        || {
            let language = context.language();
            let mut table = Table::titled(language, &["col-kind", "col-name", "col-done"]);
            for (row, done) in rows.iter().zip(&done) {
                table.row([row.collection.to_owned(), name_of(row), context.say(done.message())]);
            }
            table.text()
        },
    ))
}

/// What applying one declaration did.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Done {
    Created,
    Updated,
    Unchanged,
}

impl Done {
    fn message(self) -> &'static str {
        match self {
            Done::Created => "done-created",
            Done::Updated => "done-updated",
            Done::Unchanged => "done-unchanged",
        }
    }
}

// Applying a file twice must change nothing the second time, and labels may be corrected by applying it again.
pub(crate) fn declare(tx: &mut Tx<'_>, row: &DeclarationRecord) -> Result<Done> {
    let key: Vec<Name> = row.key.iter().map(|name| Name::from(*name)).collect();
    let keyed = tx.create_keyed(row.collection, row.values.clone(), &key)?;
    if keyed.created {
        return Ok(Done::Created);
    }
    let edits = row.values.iter().map(|(name, value)| Edit::Set(name.clone(), value.clone())).collect();
    let changed = tx.edit(row.collection, &keyed.id, edits)?;
    Ok(if changed { Done::Updated } else { Done::Unchanged })
}

fn declared_object(row: &DeclarationRecord, done: Done) -> Json {
    let result = match done {
        Done::Created => "created",
        Done::Updated => "updated",
        Done::Unchanged => "unchanged",
    };
    json!({"kind": row.collection, "name": name_of(row), "result": result})
}

// Its key: `delivery` for a collection, `account.delivery_zone` for a field.
fn name_of(row: &DeclarationRecord) -> String {
    let value = |key: &&str| {
        row.values.iter().find_map(|(name, value)| match value {
            Value::Text(text) if **name == **key => Some(text.clone()),
            _ => None,
        })
    };
    row.key.iter().filter_map(value).collect::<Vec<_>>().join(".")
}

/// A collection with its fields in the shape of the contract.
pub fn collection_object(collection: &Collection) -> Json {
    json!({
        "name": &*collection.name,
        "kind": match collection.kind { Kind::Shared => "shared", Kind::Branch | Kind::Servers => "branch" },
        "labels": labels(&collection.labels),
        "natural_keys": collection.natural_keys.iter().map(|n| &**n).collect::<Vec<_>>(),
        "custom": collection.custom,
        "fields": collection.fields.iter().map(field_object).collect::<Vec<_>>(),
    })
}

fn field_object(field: &Field) -> Json {
    let mut object = json!({
        "name": &*field.name,
        "type": field.ty.spec(),
        "labels": labels(&field.labels),
        "required": field.required,
        "indexed": field.indexed,
        "searchable": field.searchable,
        "winner": field.winner.spec(),
    });
    let (key, detail) = match &field.ty {
        FieldType::Choice(list) | FieldType::Set(SetOf::Choice(list)) => ("choices", choices(list)),
        FieldType::Reference(to) | FieldType::Set(SetOf::Reference(to)) => ("references", json!(&**to)),
        FieldType::Lines(subs) => ("fields", subs.iter().map(field_object).collect()),
        _ => return object,
    };
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), detail);
    }
    object
}

fn choices(list: &[Choice]) -> Json {
    list.iter().map(|c| json!({"value": c.value, "labels": labels(&c.labels)})).collect()
}

fn labels(labels: &Labels) -> Json {
    Language::ALL
        .into_iter()
        .map(|l| (l.code().to_owned(), json!(labels.text(l))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn collections_table(language: Language, schema: &Collections) -> String {
    let mut table = Table::titled(language, &["col-name", "col-label", "col-kind", "col-fields"]);
    for collection in schema.collections() {
        let kind = match collection.kind {
            Kind::Shared => "kind-shared",
            Kind::Branch | Kind::Servers => "kind-branch",
        };
        table.row([
            collection.name.to_string(),
            collection.labels.text(language).to_owned(),
            Message::new(kind).render(language),
            collection.fields.len().to_string(),
        ]);
    }
    table.numbers([3]);
    table.text()
}

fn fields_table(language: Language, collection: &Collection) -> String {
    let mut table = Table::titled(language, &["col-name", "col-label", "col-type", "col-required", "col-choices"]);
    for field in &collection.fields {
        let detail = match &field.ty {
            FieldType::Choice(list) | FieldType::Set(SetOf::Choice(list)) => {
                list.iter().map(|c| c.value.as_str()).collect::<Vec<_>>().join(", ")
            }
            FieldType::Reference(to) | FieldType::Set(SetOf::Reference(to)) => format!("→ {to}"),
            FieldType::Lines(subs) => subs.iter().map(|s| &*s.name).collect::<Vec<_>>().join(", "),
            _ => String::new(),
        };
        table.row([
            field.name.to_string(),
            field.labels.text(language).to_owned(),
            field.ty.spec(),
            if field.required { "✓" } else { "" }.to_owned(),
            detail,
        ]);
    }
    table.text()
}
