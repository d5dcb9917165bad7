//! A workspace's own collections and fields, kept as records of the collections `collection` and `field` and synced
//! like any other.
//!
//! The records have deterministic ids by their names, so that two replicas which declare the same thing make one record.
//! What a type was first declared as it stays: `type` and `kind` are won by the earliest value, and
//! [`Declarations::check_against`] refuses another one before it is written. A record that makes no sense (a newer
//! version's, a clash with a built-in name) is left out with a warning, never an error: the replica must open.

use std::collections::BTreeMap;

use super::declare::{check_columns, checked_choices, default_priority};
use super::{
    Choice, Collection, Declarations, Field, FieldType, Fields, Kind, Labels, Name, RoleDeclaration, SYSTEM_FIELDS,
    Schema, SetOf, Value, Warning, Winner, check_name,
};
use crate::error::{Error, Result};
use crate::limits::{COLLECTIONS_MAX, FIELDS_MAX, ITEMS_MAX};
use crate::message::Message;

/// A declaration as a record to be kept: which collection it belongs to, the fields of its key, its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclarationRecord {
    /// `collection`, `field` or `role`.
    pub collection: &'static str,
    /// The fields that its deterministic id is derived from.
    pub key: &'static [&'static str],
    /// Its values.
    pub values: Vec<(Name, Value)>,
}

impl Declarations {
    /// The records that keep these declarations, collections first.
    pub fn records(&self) -> Vec<DeclarationRecord> {
        let mut records = Vec::new();
        for (at, collection) in self.collections.iter().enumerate() {
            records.push(collection_record(collection, at));
        }
        let own = self.collections.iter().map(|c| (&c.name, &c.fields[..]));
        let added = self.extensions.iter().map(|(name, fields)| (name, &fields[..]));
        for (collection, fields) in own.chain(added) {
            for (at, field) in fields.iter().enumerate() {
                if !is_standard(&field.name) {
                    records.push(field_record(collection, field, at));
                }
            }
        }
        records.extend(self.roles.iter().map(role_record));
        records
    }

    /// Whether these declarations can be added to the schema as it stands.
    ///
    /// # Errors
    /// `builtin_name`, `type_changed`, `kind_changed`, `unknown_collection` (of an extension or a reference),
    /// `schema_too_large`.
    pub fn check_against(&self, schema: &Schema) -> Result<()> {
        for collection in &self.collections {
            if let Some(known) = schema.held(&collection.name) {
                if !known.custom {
                    return Err(Error::invalid("builtin-name").with("name", &*collection.name));
                }
                if known.kind != collection.kind {
                    return Err(Error::invalid("kind-changed").with("name", &*collection.name));
                }
                same_types(known, &collection.fields)?;
            }
        }
        for (name, fields) in &self.extensions {
            let declared = self.collections.iter().find(|c| c.name == *name);
            let known = declared.map_or_else(|| schema.require(name).map(|c| &**c), Ok)?;
            same_types(known, fields)?;
            if known.fields.len() + fields.len() > FIELDS_MAX {
                return Err(too_large());
            }
        }
        let fields = self.collections.iter().flat_map(|c| &c.fields).chain(self.extensions.iter().flat_map(|(_, f)| f));
        for target in fields.clone().filter(|f| !is_standard(&f.name)).flat_map(targets) {
            if !self.collections.iter().any(|c| c.name == *target) {
                schema.require(target)?;
            }
        }
        fields.flat_map(columns).try_for_each(plain_column)?;
        if schema.collections().len() + self.collections.len() > COLLECTIONS_MAX {
            return Err(too_large());
        }
        Ok(())
    }
}

fn columns(field: &Field) -> &[Field] {
    if let FieldType::Lines(columns) = &field.ty { columns } else { &[] }
}

fn targets(field: &Field) -> impl Iterator<Item = &Name> {
    columns(field).iter().chain([field]).filter_map(|f| f.ty.target())
}

// A record of a field keeps the choices of the field, but none of its columns.
fn plain_column(column: &Field) -> Result<()> {
    match column.ty {
        FieldType::Choice(_) => Err(Error::invalid("bad-column").with("name", &*column.name).with("type", "choice")),
        _ => Ok(()),
    }
}

fn same_types(known: &Collection, fields: &[Field]) -> Result<()> {
    for field in fields {
        if let Some(old) = known.field(&field.name) {
            let changed = old.ty.spec() != field.ty.spec();
            let changed = changed
                || matches!((&old.ty, &field.ty), (FieldType::Lines(a), FieldType::Lines(b)) if columns_differ(a, b));
            if changed {
                let error = Error::invalid("type-changed").with("collection", &*known.name).with("field", &*field.name);
                return Err(error.with("type", old.ty.spec()).with("wanted", field.ty.spec()));
            }
        }
    }
    Ok(())
}

fn columns_differ(old: &[Field], new: &[Field]) -> bool {
    new.iter().any(|column| old.iter().any(|o| o.name == column.name && o.ty.spec() != column.ty.spec()))
}

fn is_standard(name: &str) -> bool {
    matches!(name, "external_id" | "branch" | "team" | "owner")
}

impl Schema {
    /// The built-in collections with those a workspace declared: `rows` are the values of its unarchived records, each
    /// with the collection it is from (`collection` or `field`; others are ignored). The result does not depend on
    /// their order. What cannot be used is left out and reported.
    pub fn with_custom<'a>(
        builtin: &Schema,
        rows: impl IntoIterator<Item = (&'a str, &'a [(Name, Value)])>,
    ) -> (Schema, Vec<Warning>) {
        let mut schema = builtin.clone();
        let mut warnings = Vec::new();
        let mut collections: Vec<Row<'_>> = Vec::new();
        let mut fields: Vec<Row<'_>> = Vec::new();
        for (from, values) in rows {
            match from {
                "collection" => collections.push(Row(values)),
                "field" => fields.push(Row(values)),
                _ => {}
            }
        }
        collections.sort_by_key(Row::order);
        fields.sort_by_key(Row::order);
        for row in collections {
            match collection_of(&row).and_then(|c| add_collection(&mut schema, builtin, c)) {
                Ok(()) => {}
                Err(error) => warnings.push(left_out("collection", row.text("name"), &error)),
            }
        }
        for row in fields {
            if let Err(error) = add_field(&mut schema, &row) {
                let name = format!("{}.{}", row.text("collection"), row.text("name"));
                warnings.push(left_out("field", &name, &error));
            }
        }
        (schema, warnings)
    }
}

fn left_out(kind: &str, name: &str, error: &Error) -> Warning {
    Warning {
        field: kind.into(),
        value: name.to_owned(),
        nearest: None,
        reason: Message::new("declaration-left-out").with("name", name).with("code", error.code()),
    }
}

fn add_collection(schema: &mut Schema, builtin: &Schema, collection: Collection) -> Result<()> {
    if builtin.held(&collection.name).is_some() {
        return Err(Error::invalid("builtin-name").with("name", &*collection.name));
    }
    if schema.collections().len() >= COLLECTIONS_MAX {
        return Err(too_large());
    }
    schema.insert(collection);
    Ok(())
}

fn add_field(schema: &mut Schema, row: &Row<'_>) -> Result<()> {
    let known = schema.require(row.text("collection"))?;
    let field = field_of(row)?;
    if SYSTEM_FIELDS.contains(&&*field.name) {
        return Err(Error::invalid("reserved-name").with("name", &*field.name));
    }
    same_types(known, std::slice::from_ref(&field))?;
    let mut collection = (**known).clone();
    let full = collection.fields.len() >= FIELDS_MAX;
    match collection.field(&field.name) {
        Some(_) => collection.fields.update(&field.name, |old| add_choices(&mut old.ty, &field.ty)),
        None if full => return Err(too_large()),
        None => collection.fields.push(field),
    }
    schema.insert(collection);
    Ok(())
}

// What a workspace adds to a field that is there already is its choices; the rest stays the built-in one's.
fn add_choices(known: &mut FieldType, added: &FieldType) {
    if let FieldType::Choice(choices) | FieldType::Set(SetOf::Choice(choices)) = known {
        for choice in added.choices() {
            if choices.len() < ITEMS_MAX && !choices.iter().any(|c| c.value == choice.value) {
                choices.push(choice.clone());
            }
        }
    }
}

fn too_large() -> Error {
    Error::limit("schema-too-large").with("collections", COLLECTIONS_MAX).with("fields", FIELDS_MAX)
}

/// The values of a record by name.
struct Row<'a>(&'a [(Name, Value)]);

impl Row<'_> {
    fn value(&self, name: &str) -> &Value {
        self.0.iter().find(|(n, _)| &**n == name).map_or(&Value::Null, |(_, v)| v)
    }

    fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    fn flag(&self, name: &str) -> bool {
        *self.value(name) == Value::Boolean(true)
    }

    fn names(&self, name: &str) -> Vec<Name> {
        self.text(name).split(',').map(str::trim).filter(|n| !n.is_empty()).map(Name::from).collect()
    }

    fn labels(&self) -> Labels {
        let text = |name| self.text(name).to_owned();
        Labels { en: text("label_en"), ru: text("label_ru"), uk: text("label_uk") }
    }

    fn lines(&self, name: &str) -> Vec<(&str, Vec<(Name, Value)>)> {
        let Value::Lines(lines) = self.value(name) else { return Vec::new() };
        let cells =
            |cells: &BTreeMap<String, Value>| cells.iter().map(|(n, v)| (Name::from(n.as_str()), v.clone())).collect();
        let mut rows: Vec<_> = lines.iter().map(|(line, row)| (line.as_str(), cells(row))).collect();
        rows.sort_by_key(|(line, cells): &(&str, Vec<(Name, Value)>)| (Row(cells).position(), (*line).to_owned()));
        rows
    }

    fn position(&self) -> i64 {
        if let Value::Integer(at) = self.value("position") { *at } else { i64::MAX }
    }

    fn order(&self) -> (i64, String, String) {
        (self.position(), self.text("collection").to_owned(), self.text("name").to_owned())
    }
}

fn collection_of(row: &Row<'_>) -> Result<Collection> {
    let kind = match row.text("kind") {
        "shared" => Kind::Shared,
        "branch" => Kind::Branch,
        other => return Err(Error::invalid("unknown-type").with("type", other)),
    };
    let collection = Collection {
        name: check_name(row.text("name"))?,
        kind,
        labels: row.labels(),
        fields: Fields::default(),
        natural_keys: row.names("natural_keys"),
        title: row.names("title"),
        priority: match row.value("priority") {
            Value::Integer(order) => u8::try_from(*order).unwrap_or(u8::MAX),
            _ => default_priority(kind),
        },
        custom: true,
    };
    Ok(collection.with_standard_fields())
}

fn field_of(row: &Row<'_>) -> Result<Field> {
    let choice =
        |(value, cells): (&str, Vec<(Name, Value)>)| Choice { value: value.to_owned(), labels: Row(&cells).labels() };
    let choices = checked_choices(row.lines("choices").into_iter().map(choice).collect())?;
    let column = |(name, cells): (&str, Vec<(Name, Value)>)| {
        let row = Row(&cells);
        Ok(Field {
            name: check_name(name)?,
            ty: FieldType::from_spec(row.text("type"), Vec::new(), Vec::new())?,
            labels: row.labels(),
            required: false,
            indexed: false,
            searchable: false,
            winner: Winner::Latest,
            placing: false,
        })
    };
    let columns = row.lines("columns").into_iter().map(column).collect::<Result<Vec<_>>>()?;
    check_columns(&columns)?;
    let ty = FieldType::from_spec(row.text("type"), choices, columns)?;
    Ok(Field {
        name: check_name(row.text("name"))?,
        winner: Winner::from_spec(row.text("winner"))?.on(&ty)?,
        ty,
        labels: row.labels(),
        required: row.flag("required"),
        indexed: row.flag("indexed"),
        searchable: row.flag("searchable"),
        placing: false,
    })
}

fn collection_record(collection: &Collection, at: usize) -> DeclarationRecord {
    let kind = match collection.kind {
        Kind::Shared => "shared",
        Kind::Branch | Kind::Servers => "branch",
    };
    let mut values = vec![
        text("name", &collection.name),
        text("kind", kind),
        text("title", &collection.title.join(", ")),
        text("natural_keys", &collection.natural_keys.join(", ")),
        ("priority".into(), Value::Integer(i64::from(collection.priority))),
        position(at),
    ];
    values.extend(labels(&collection.labels));
    DeclarationRecord { collection: "collection", key: &["name"], values }
}

fn field_record(collection: &str, field: &Field, at: usize) -> DeclarationRecord {
    let mut values = vec![
        text("collection", collection),
        text("name", &field.name),
        text("type", &field.ty.spec()),
        text("winner", &field.winner.spec()),
        flag("required", field.required),
        flag("indexed", field.indexed),
        flag("searchable", field.searchable),
        position(at),
    ];
    values.extend(labels(&field.labels));
    if !field.ty.choices().is_empty() {
        let line = |(at, c): (usize, &Choice)| (c.value.clone(), cells(labels(&c.labels).chain([position(at)])));
        values.push(("choices".into(), Value::Lines(field.ty.choices().iter().enumerate().map(line).collect())));
    }
    if let FieldType::Lines(columns) = &field.ty {
        let line = |(at, c): (usize, &Field)| {
            let ty = text("type", &c.ty.spec());
            (c.name.to_string(), cells(labels(&c.labels).chain([ty, position(at)])))
        };
        values.push(("columns".into(), Value::Lines(columns.iter().enumerate().map(line).collect())));
    }
    DeclarationRecord { collection: "field", key: &["collection", "name"], values }
}

fn role_record(role: &RoleDeclaration) -> DeclarationRecord {
    let actions = Value::Set(role.actions.iter().cloned().collect());
    let values = vec![text("name", &role.name), ("actions".into(), actions)];
    DeclarationRecord { collection: "role", key: &["name"], values }
}

fn text(name: &str, value: &str) -> (Name, Value) {
    (name.into(), if value.is_empty() { Value::Null } else { Value::Text(value.to_owned()) })
}

fn flag(name: &str, on: bool) -> (Name, Value) {
    (name.into(), Value::Boolean(on))
}

fn position(at: usize) -> (Name, Value) {
    ("position".into(), Value::Integer(at as i64))
}

fn labels(labels: &Labels) -> impl Iterator<Item = (Name, Value)> {
    [text("label_en", &labels.en), text("label_ru", &labels.ru), text("label_uk", &labels.uk)].into_iter()
}

fn cells(values: impl Iterator<Item = (Name, Value)>) -> BTreeMap<String, Value> {
    values.filter(|(_, v)| *v != Value::Null).map(|(n, v)| (n.to_string(), v)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::schema::parse_declarations;

    const BUILTIN: &str = r#"
        [[collection]]
        name = "account"
        kind = "shared"
        title = ["name"]
        fields = [
            { name = "name", type = "text", label = ["Name", "Название", "Назва"] },
            { name = "industry", type = "choice", choices = ["retail"] },
        ]
        [[collection]]
        name = "user"
        kind = "shared"
        title = ["role"]
        fields = [{ name = "role", type = "choice", choices = ["owner"] }]
        [[collection]]
        name = "device"
        kind = "branch"
        title = ["role"]
        fields = [{ name = "role", type = "choice", choices = ["owner"] }]
    "#;
    const OWN: &str = r#"
        [[collection]]
        name = "vehicle"
        kind = "branch"
        label = ["Vehicles", "Автомобили", "Автомобілі"]
        title = ["plate"]
        natural_keys = ["plate"]
        priority = 9
        fields = [
            { name = "plate", type = "text", required = true, index = true, search = true },
            { name = "fuel", type = "choice", choices = [["gas", "Gas", "Газ", "Газ"], "diesel", "a b"], winner = "state:gas" },
            { name = "used_by", type = "set:reference:account" },
            { name = "repairs", type = "lines", columns = [{ name = "day", type = "date" }, { name = "cost", type = "money" }] },
        ]
        [[extend]]
        collection = "account"
        fields = [
            { name = "tier", type = "text", label = "Tier" },
            { name = "industry", type = "choice", choices = ["brewing"] },
        ]
        [[role]]
        name = "dispatcher"
        label = ["Dispatcher", "Диспетчер", "Диспетчер"]
        actions = ["edit:branch"]
    "#;

    fn builtin() -> Schema {
        Schema::new(parse_declarations(BUILTIN).unwrap().collections)
    }

    fn with(records: &[DeclarationRecord]) -> (Schema, Vec<Warning>) {
        Schema::with_custom(&builtin(), records.iter().map(|r| (r.collection, r.values.as_slice())))
    }

    #[test]
    fn declarations_survive_being_kept_as_records() {
        let declared = parse_declarations(OWN).unwrap();
        declared.check_against(&builtin()).unwrap();
        let (schema, warnings) = with(&declared.records());
        assert_eq!(warnings, Vec::new());
        let vehicle = schema.require("vehicle").unwrap();
        let mut expected = declared.collections[0].clone();
        expected.custom = true;
        let sorted = |mut fields: Vec<Field>| {
            fields.sort_by(|a, b| a.name.cmp(&b.name));
            fields
        };
        assert_eq!(sorted(vehicle.fields.to_vec()), sorted(expected.fields.to_vec()));
        let head = |c: &Collection| Collection { fields: Fields::default(), ..c.clone() };
        assert_eq!(head(vehicle), head(&expected));
        let account = schema.require("account").unwrap();
        assert_eq!(account.field("tier").unwrap().labels.en, "Tier");
        let values = |field: &Field| field.ty.choices().iter().map(|c| c.value.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!(values(account.field("industry").unwrap()), "retail brewing");
        for collection in ["user", "device"] {
            let role = schema.require(collection).unwrap().field("role").unwrap();
            assert_eq!(values(role), "owner dispatcher");
            assert_eq!(role.ty.choices()[1].labels.ru, "Диспетчер");
        }
    }

    #[test]
    fn the_schema_does_not_depend_on_the_order_of_its_records() {
        let mut records = parse_declarations(OWN).unwrap().records();
        let (forward, _) = with(&records);
        records.reverse();
        assert_eq!(with(&records).0, forward);
    }

    #[test]
    fn declarations_that_contradict_the_schema_are_refused() {
        let (schema, _) = with(&parse_declarations(OWN).unwrap().records());
        let check = |text: &str, code: &str| {
            let declared = parse_declarations(text).unwrap();
            assert_eq!(declared.check_against(&schema).map_err(|e| e.code()), Err(code.to_owned()), "{text}");
        };
        let collection = |name: &str, kind: &str, fields: &str| {
            format!("[[collection]]\nname = \"{name}\"\nkind = \"{kind}\"\ntitle = []\nfields = [{fields}]\n")
        };
        let extend = |name: &str, fields: &str| format!("[[extend]]\ncollection = \"{name}\"\nfields = [{fields}]\n");
        check(&collection("account", "shared", ""), "builtin_name");
        check(&collection("vehicle", "shared", ""), "kind_changed");
        check(&collection("vehicle", "branch", "{ name = \"plate\", type = \"integer\" }"), "type_changed");
        check(&extend("account", "{ name = \"name\", type = \"integer\" }"), "type_changed");
        check(&extend("account", "{ name = \"external_id\", type = \"integer\" }"), "type_changed");
        let columns = "columns = [{ name = \"day\", type = \"text\" }]";
        check(&extend("vehicle", &format!("{{ name = \"repairs\", type = \"lines\", {columns} }}")), "type_changed");
        check(&extend("ship", "{ name = \"a\", type = \"text\" }"), "unknown_collection");
        check(&extend("account", "{ name = \"a\", type = \"reference:ship\" }"), "unknown_collection");
        let columns = "columns = [{ name = \"a\", type = \"choice\" }]";
        check(&extend("account", &format!("{{ name = \"a\", type = \"lines\", {columns} }}")), "bad_column");
        let again = parse_declarations(OWN).unwrap();
        assert_eq!(again.check_against(&schema), Ok(()));
    }

    #[test]
    fn a_record_that_makes_no_sense_is_left_out_and_reported() {
        let own = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| text(n, v)).collect::<Vec<_>>();
        let rows = [
            ("collection", own(&[("name", "account"), ("kind", "shared")])),
            ("collection", own(&[("name", "Bad Name"), ("kind", "shared")])),
            ("collection", own(&[("name", "orbit"), ("kind", "galaxy")])),
            ("field", own(&[("collection", "account"), ("name", "id"), ("type", "text")])),
            ("field", own(&[("collection", "account"), ("name", "name"), ("type", "money")])),
            ("field", own(&[("collection", "account"), ("name", "novel"), ("type", "hologram")])),
            ("field", own(&[("collection", "nowhere"), ("name", "a"), ("type", "text")])),
            ("account", own(&[("name", "Acme")])),
        ];
        let (schema, warnings) = Schema::with_custom(&builtin(), rows.iter().map(|(c, v)| (*c, v.as_slice())));
        assert_eq!(schema, builtin());
        assert_eq!(warnings.len(), rows.len() - 1);
        assert!(warnings.iter().any(|w| w.value == "account.novel" && w.reason.to_string().contains("unknown_type")));
    }

    #[test]
    fn the_digest_changes_with_what_a_projection_depends_on() {
        let digest = |text: &str| parse_declarations(text).unwrap().collections[0].digest();
        let base = digest(OWN);
        let differs = |from: &str, to: &str| {
            assert!(OWN.contains(from), "{from}");
            digest(&OWN.replace(from, to)) != base
        };
        assert!(!differs("Автомобили", "Машины"));
        assert!(!differs("\"diesel\", ", ""));
        assert!(differs("index = true, ", ""));
        assert!(differs("state:gas", "ask"));
        assert!(differs("\"day\", type = \"date\"", "\"day\", type = \"text\""));
        assert!(differs("kind = \"branch\"", "kind = \"shared\""));
    }
}
