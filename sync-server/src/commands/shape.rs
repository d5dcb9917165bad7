//! Records as JSON objects and as table cells: one place for the shapes of the contract.

use std::cell::RefCell;
use std::collections::HashMap;

use branchline_core::id::RecordId;
use branchline_core::message::Language;
use branchline_core::replica::{Principal, Record, Replica, Stamp};
use branchline_core::schema::{Collection, Field, FieldType, Schema, Value, format_value, json_value};
use serde_json::{Map, Value as Json, json};

/// Columns of a list for people that names none.
const LIST_COLUMNS_MAX: usize = 7;

/// Shapes records of one replica; remembers labels, since thousands of rows refer to a few records.
pub struct Shaper<'a> {
    replica: &'a Replica,
    /// Who may read the titles; without anybody, whoever has the folder.
    reader: Option<&'a Principal>,
    labels: RefCell<HashMap<RecordId, Option<String>>>,
}

impl<'a> Shaper<'a> {
    /// A shaper over this replica.
    pub fn new(replica: &'a Replica) -> Self {
        Self { replica, reader: None, labels: RefCell::default() }
    }

    /// A shaper that gives the titles this person may see.
    pub fn by(principal: &'a Principal) -> Self {
        Self { replica: principal.replica(), reader: Some(principal), labels: RefCell::default() }
    }

    /// The replica whose records are shaped.
    pub fn replica(&self) -> &'a Replica {
        self.replica
    }

    /// The title of a record, if it is held here.
    pub fn label(&self, id: &RecordId) -> Option<String> {
        if let Some(known) = self.labels.borrow().get(id) {
            return known.clone();
        }
        let label = self.reader.map_or_else(|| self.replica.label(id), |reader| reader.title(id));
        self.labels.borrow_mut().insert(*id, label.clone());
        label
    }

    /// A reference as `{"id","label"}`; null for none.
    pub fn reference(&self, id: Option<&RecordId>) -> Json {
        id.map_or(Json::Null, |id| json!({"id": id.to_string(), "label": self.label(id)}))
    }

    /// One value in the shape of the contract.
    pub fn value(&self, field: &Field, value: &Value) -> Json {
        json_value(field, value, &|id| self.label(id))
    }

    /// One value as people read it.
    pub fn text(&self, field: &Field, value: &Value) -> String {
        format_value(field, value, &|id| self.label(id))
    }

    /// All fields of a record by name, empty ones as null.
    pub fn fields(&self, collection: &Collection, record: &Record) -> Map<String, Json> {
        let shape = |f: &Field| (f.name.to_string(), self.value(f, record.value(&f.name)));
        collection.fields.iter().map(shape).collect()
    }

    /// The system fields: archived, created and updated.
    pub fn system(&self, record: &Record) -> [(&'static str, Json); 5] {
        [
            ("archived", json!(record.archived)),
            ("created_at", json!(record.created.at.rfc3339())),
            ("created_by", self.person(&record.created)),
            ("updated_at", json!(record.updated.at.rfc3339())),
            ("updated_by", self.person(&record.updated)),
        ]
    }

    /// A record as one flat object: `id`, then `wanted` fields in that order, or all and the system fields.
    pub fn object(&self, collection: &Collection, record: &Record, wanted: Option<&[String]>) -> Map<String, Json> {
        let mut object = Map::new();
        object.insert("id".to_owned(), json!(record.id.to_string()));
        let system = self.system(record).map(|(name, value)| (name.to_owned(), value));
        match wanted {
            None => {
                object.extend(self.fields(collection, record));
                object.extend(system);
            }
            Some(wanted) => {
                for name in wanted {
                    let value = match collection.field(name) {
                        Some(field) => self.value(field, record.value(name)),
                        None => match system.iter().find(|(n, _)| n == name) {
                            Some((_, value)) => value.clone(),
                            None => continue,
                        },
                    };
                    object.insert(name.clone(), value);
                }
            }
        }
        object
    }

    /// One field or system field of a record as a table cell.
    pub fn cell(&self, collection: &Collection, record: &Record, name: &str) -> String {
        if let Some(field) = collection.field(name) {
            return self.text(field, record.value(name));
        }
        match name {
            "archived" => if record.archived { "✓" } else { "" }.to_owned(),
            "created_at" => record.created.at.rfc3339(),
            "updated_at" => record.updated.at.rfc3339(),
            "created_by" => self.person_name(&record.created),
            "updated_by" => self.person_name(&record.updated),
            _ => String::new(),
        }
    }

    /// The person of a stamp as a reference.
    pub fn person(&self, stamp: &Stamp) -> Json {
        self.reference(stamp.by.as_ref())
    }

    /// The person of a stamp by name.
    pub fn person_name(&self, stamp: &Stamp) -> String {
        stamp.by.as_ref().and_then(|id| self.label(id)).unwrap_or_default()
    }
}

/// The fields that people look for, for a list that names none: the title, then what is indexed.
pub fn telling_fields(collection: &Collection) -> Vec<String> {
    let mut names: Vec<String> = collection.title.iter().map(ToString::to_string).collect();
    let short = |ty: &FieldType| !matches!(ty, FieldType::LongText | FieldType::Lines(_) | FieldType::Attachment);
    let rest = collection.facts().filter(|f| short(&f.ty) && (f.indexed || f.required));
    let other = collection.facts().filter(|f| short(&f.ty));
    for field in rest.chain(other) {
        if names.len() < LIST_COLUMNS_MAX && !names.iter().any(|n| **n == *field.name) {
            names.push(field.name.to_string());
        }
    }
    names
}

/// Whether values of this type stand at the right of a column.
pub fn is_number(ty: &FieldType) -> bool {
    matches!(ty, FieldType::Integer | FieldType::Decimal | FieldType::Money | FieldType::Counter)
}

/// The label of a collection; its name where the schema lacks it.
pub fn collection_label(schema: &Schema, name: &str, language: Language) -> String {
    schema.collection(name).map_or_else(|| name.to_owned(), |c| c.labels.text(language).to_owned())
}

/// A scope as people write it: the stable `branch:<id>` becomes `branch:<code>`.
pub fn scope_text(replica: &Replica, scope: &str) -> String {
    let Some((kind, id)) = scope.split_once(':').and_then(|(kind, id)| Some((kind, RecordId::parse(id)?))) else {
        return scope.to_owned();
    };
    let (collection, name) = if kind == "user" { ("user", "email") } else { (kind, "code") };
    let code = replica.record(collection, &id).ok().map(|record| record.text(name).to_owned());
    let code = code.filter(|code| !code.is_empty()).or_else(|| replica.label(&id));
    code.map_or_else(|| scope.to_owned(), |code| format!("{kind}:{code}"))
}
