//! Declarations: collections and fields written as TOML. The CRM's own collections are such files, and so is what
//! `branchline schema apply FILE.toml` reads.
//!
//! ```toml
//! [[collection]]                        # a collection of one's own
//! name = "vehicle"
//! kind = "branch"                       # of a branch; or "shared": one card for the whole company
//! label = ["Vehicles", "Автомобили", "Автомобілі"]   # English, Russian, Ukrainian; or one text for all
//! title = ["plate"]                     # the fields that title a record
//! natural_keys = ["plate"]              # the fields that name one, the most telling first
//! fields = [
//!     { name = "plate", type = "text", label = "Number plate", required = true, index = true, search = true },
//!     { name = "fuel", type = "choice", choices = ["diesel", ["electric", "Electric", "Электро", "Електро"]] },
//!     { name = "driver", type = "reference:user" },
//!     { name = "features", type = "set:text" },
//!     { name = "price", type = "money", winner = "highest" },
//!     { name = "repairs", type = "lines", columns = [{ name = "day", type = "date" }, { name = "cost", type = "money" }] },
//! ]
//!
//! [[extend]]                            # fields added to a collection that exists
//! collection = "account"
//! fields = [
//!     { name = "tier", type = "choice", choices = ["gold", "silver"], label = "Tier" },
//!     { name = "industry", type = "choice", choices = ["brewing"] },   # one more choice of a field that exists
//! ]
//!
//! [[role]]                              # a role besides owner, manager, seller, reader
//! name = "dispatcher"
//! actions = ["create:branch", "edit:branch", "reassign:branch"]
//! ```
//!
//! Types: `text`, `long_text`, `integer`, `decimal`, `money`, `boolean`, `date`, `instant`, `choice`,
//! `reference:COLLECTION`, `set:text`, `set:choice`, `set:reference:COLLECTION`, `lines`, `counter`, `attachment`,
//! `location`. Winner rules: `latest` (the default), `earliest`, `highest`, `lowest`, `ask`, `state:VALUE`
//! (of a text or choice); an empty field is neither highest nor lowest. A label that
//! is left out is made of the name. Every collection also has `external_id`, one of a branch also `branch`, `team` and
//! `owner`.

use std::collections::HashSet;

use serde::Deserialize;

use super::{Choice, Collection, Field, FieldType, Kind, Labels, Name, SYSTEM_FIELDS, Winner, check_name};
use crate::error::{Error, Result};
use crate::limits::{COLLECTIONS_MAX, FIELDS_MAX, ITEMS_MAX, SET_ITEM_BYTES_MAX};

/// What a file declares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declarations {
    /// New collections, each with its standard fields.
    pub collections: Vec<Collection>,
    /// Fields added to collections that exist, and choices added to fields that exist, by collection.
    pub extensions: Vec<(Name, Vec<Field>)>,
    /// Roles besides the built-in ones; they are also added to the choices of `user.role` and `device.role`.
    pub roles: Vec<RoleDeclaration>,
}

/// A role that a workspace defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDeclaration {
    /// Its name.
    pub name: Name,
    /// What it may do, as the room `access` spells it: `edit:branch`.
    pub actions: Vec<String>,
}

/// Reads declarations; see the example in the source of this module.
///
/// # Errors
/// `schema_file` with the line for what is no TOML or has an unknown key; `bad_name`, `unknown_type`, `unknown_winner`, `bad_winner`,
/// `declared_twice`, `reserved_name`, `bad_column`, `bad_item`, `schema_too_large` with the place.
pub fn parse_declarations(text: &str) -> Result<Declarations> {
    let file: FileToml = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|b| *b == b'\n').count() + 1;
        Error::invalid("schema-file").with("line", line).with("reason", error.message())
    })?;
    let mut declared = Declarations::default();
    let mut names = HashSet::new();
    for collection in file.collection {
        let collection = collection.build()?;
        if !names.insert(collection.name.clone()) {
            return Err(Error::invalid("declared-twice").with("name", &*collection.name));
        }
        declared.collections.push(collection);
    }
    for extension in file.extend {
        let name = check_name(&extension.collection)?;
        let fields = build_fields(extension.fields).map_err(|e| e.at(&*name))?;
        declared.extensions.push((name, fields));
    }
    if declared.collections.len() > COLLECTIONS_MAX {
        return Err(Error::limit("schema-too-large").with("collections", COLLECTIONS_MAX).with("fields", FIELDS_MAX));
    }
    add_roles(&mut declared, file.role)?;
    Ok(declared)
}

fn add_roles(declared: &mut Declarations, roles: Vec<RoleToml>) -> Result<()> {
    let mut choices = Vec::new();
    for role in roles {
        let name = check_name(&role.name)?;
        choices.push(Choice { value: name.to_string(), labels: role.label.build(&name) });
        declared.roles.push(RoleDeclaration { name, actions: role.actions });
    }
    if choices.is_empty() {
        return Ok(());
    }
    let choices = checked_choices(choices)?;
    for collection in ["user", "device"] {
        let mut field = standard("role", FieldType::Choice(choices.clone()), ["Role", "Роль", "Роль"]);
        field.indexed = false;
        declared.extensions.push((collection.into(), vec![field]));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileToml {
    #[serde(default)]
    collection: Vec<CollectionToml>,
    #[serde(default)]
    extend: Vec<ExtendToml>,
    #[serde(default)]
    role: Vec<RoleToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleToml {
    name: String,
    #[serde(default)]
    label: LabelToml,
    actions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CollectionToml {
    name: String,
    kind: Kind,
    #[serde(default)]
    label: LabelToml,
    title: Vec<String>,
    #[serde(default)]
    natural_keys: Vec<String>,
    #[serde(default)]
    priority: Option<u8>,
    #[serde(default)]
    fields: Vec<FieldToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtendToml {
    collection: String,
    fields: Vec<FieldToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldToml {
    name: String,
    #[serde(rename = "type")]
    ty: String,
    #[serde(default)]
    label: LabelToml,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    index: bool,
    #[serde(default)]
    search: bool,
    #[serde(default)]
    winner: String,
    #[serde(default)]
    choices: Vec<ChoiceToml>,
    #[serde(default)]
    columns: Vec<FieldToml>,
}

#[derive(Deserialize, Default)]
#[serde(untagged)]
enum LabelToml {
    #[default]
    Name,
    One(String),
    Each([String; 3]),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ChoiceToml {
    Value(String),
    Labelled([String; 4]),
}

impl LabelToml {
    fn build(self, name: &str) -> Labels {
        match self {
            LabelToml::Name => Labels { en: words(name), ..Labels::default() },
            LabelToml::One(en) => Labels { en, ..Labels::default() },
            LabelToml::Each([en, ru, uk]) => Labels { en, ru, uk },
        }
    }
}

impl ChoiceToml {
    fn build(self) -> Choice {
        match self {
            ChoiceToml::Value(value) => Choice { labels: Labels { en: words(&value), ..Labels::default() }, value },
            ChoiceToml::Labelled([value, en, ru, uk]) => Choice { value, labels: Labels { en, ru, uk } },
        }
    }
}

impl CollectionToml {
    fn build(self) -> Result<Collection> {
        let name = check_name(&self.name)?;
        let place = |e: Error| if e.place().is_empty() { e.at(&*name) } else { e };
        let fields = build_fields(self.fields).map_err(place)?;
        let names = |texts: Vec<String>| texts.into_iter().map(Name::from).collect();
        let collection = Collection {
            labels: self.label.build(&name),
            name: name.clone(),
            kind: self.kind,
            fields: fields.into(),
            natural_keys: names(self.natural_keys),
            title: names(self.title),
            priority: self.priority.unwrap_or(default_priority(self.kind)),
            custom: false,
        }
        .with_standard_fields();
        let named = collection.title.iter().chain(&collection.natural_keys);
        for field in named {
            if collection.field(field).is_none() {
                let known = collection.fields.iter().map(|f| &*f.name).collect::<Vec<_>>().join(", ");
                let error = Error::invalid("unknown-key-field").with("field", &**field).with("known", known);
                return Err(error.with("collection", &*name));
            }
        }
        Ok(collection)
    }
}

/// The order in a first sync of a collection that names none: after what others refer to.
pub(super) fn default_priority(kind: Kind) -> u8 {
    match kind {
        Kind::Shared => 3,
        Kind::Branch | Kind::Servers => 5,
    }
}

fn build_fields(fields: Vec<FieldToml>) -> Result<Vec<Field>> {
    if fields.len() > FIELDS_MAX {
        return Err(Error::limit("schema-too-large").with("collections", COLLECTIONS_MAX).with("fields", FIELDS_MAX));
    }
    let mut names = HashSet::new();
    let mut built = Vec::with_capacity(fields.len());
    for field in fields {
        let field = field.build()?;
        if SYSTEM_FIELDS.contains(&&*field.name) {
            return Err(Error::invalid("reserved-name").with("name", &*field.name));
        }
        if !names.insert(field.name.clone()) {
            return Err(Error::invalid("declared-twice").with("name", &*field.name));
        }
        built.push(field);
    }
    Ok(built)
}

impl FieldToml {
    fn build(self) -> Result<Field> {
        let name = check_name(&self.name)?;
        let choices = checked_choices(self.choices.into_iter().map(ChoiceToml::build).collect())?;
        let columns = build_fields(self.columns)?;
        check_columns(&columns)?;
        let ty = FieldType::from_spec(&self.ty, choices, columns).map_err(|e| e.at(&*name))?;
        Ok(Field {
            winner: Winner::from_spec(&self.winner)?.on(&ty)?,
            ty,
            labels: self.label.build(&name),
            name,
            required: self.required,
            indexed: self.index,
            searchable: self.search,
            placing: false,
        })
    }
}

/// Choices without twins, each fit to be an item and a line of the record that declares them.
pub(super) fn checked_choices(choices: Vec<Choice>) -> Result<Vec<Choice>> {
    let mut values = HashSet::new();
    for choice in &choices {
        let value = choice.value.as_str();
        let fits = !value.is_empty() && value.trim() == value && value.len() <= SET_ITEM_BYTES_MAX;
        if !fits || value.contains(|c: char| matches!(c, ';' | '/') || c.is_control()) {
            return Err(Error::invalid("bad-choice").with("value", value).with("limit", SET_ITEM_BYTES_MAX));
        }
        if !values.insert(value) {
            return Err(Error::invalid("declared-twice").with("name", value));
        }
    }
    if choices.len() > ITEMS_MAX {
        let error = Error::limit("too-many-items").with("field", "choices");
        return Err(error.with("count", choices.len()).with("limit", ITEMS_MAX));
    }
    Ok(choices)
}

/// Columns hold scalars, and `line` is how JSON and CSV name the line itself.
pub(super) fn check_columns(columns: &[Field]) -> Result<()> {
    match columns.iter().find(|c| !c.ty.is_scalar() || &*c.name == "line") {
        Some(column) => Err(Error::invalid("bad-column").with("name", &*column.name).with("type", column.ty.spec())),
        None => Ok(()),
    }
}

fn words(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut chars = spaced.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn standard(name: &str, spec: FieldType, [en, ru, uk]: [&str; 3]) -> Field {
    Field {
        name: name.into(),
        ty: spec,
        labels: Labels { en: en.into(), ru: ru.into(), uk: uk.into() },
        required: false,
        indexed: true,
        searchable: name == "external_id",
        winner: Winner::Latest,
        placing: false,
    }
}

impl Collection {
    /// The same collection with what every one has: `external_id`, which is also a natural key, and of a branch
    /// `branch`, `team` and `owner`. What is declared already stays as it is.
    #[must_use]
    pub fn with_standard_fields(mut self) -> Self {
        let reference = |target: &str| FieldType::Reference(target.into());
        let mut fields =
            vec![standard("external_id", FieldType::Text, ["External id", "Внешний код", "Зовнішній код"])];
        if self.kind == Kind::Branch {
            fields.push(standard("branch", reference("branch"), ["Branch", "Филиал", "Філія"]));
            fields.push(standard("team", reference("team"), ["Team", "Команда", "Команда"]));
            fields.push(standard("owner", reference("user"), ["Owner", "Ответственный", "Відповідальний"]));
        }
        // What is declared already stays.
        fields.into_iter().for_each(|field| self.fields.push(field));
        if !self.natural_keys.iter().any(|key| &**key == "external_id") {
            self.natural_keys.push("external_id".into());
        }
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_documentation_parses() {
        let source = include_str!("declare.rs");
        let text = source.lines().map_while(|line| line.strip_prefix("//!"));
        let example: Vec<&str> = text.skip_while(|l| *l != " ```toml").skip(1).take_while(|l| *l != " ```").collect();
        let declared = parse_declarations(&example.join("\n")).unwrap();
        let vehicle = &declared.collections[0];
        assert_eq!((&*vehicle.name, vehicle.labels.uk.as_str()), ("vehicle", "Автомобілі"));
        assert_eq!(vehicle.fields.len(), 6 + 4);
        assert_eq!(vehicle.field("driver").unwrap().labels.en, "Driver");
        assert_eq!(vehicle.field("price").unwrap().winner, Winner::Highest);
        assert_eq!(vehicle.natural_keys.join(" "), "plate external_id");
        assert_eq!(
            declared.extensions.iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
            ["account", "user", "device"]
        );
        assert_eq!(&*declared.roles[0].name, "dispatcher");
    }

    #[test]
    fn a_broken_file_is_refused_with_the_place() {
        let check = |fields: &str, code: &str, words: &str| {
            let text =
                format!("[[collection]]\nname = \"a\"\nkind = \"shared\"\ntitle = []\nfields = [\n{fields}\n]\n");
            let error = parse_declarations(&text).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        };
        check("{ name = \"x\", kind = \"text\" }", "schema_file", "Line 6");
        check("{ name = \"x\" }", "schema_file", "type");
        check("{ name = \"X\", type = \"text\" }", "bad_name", "X");
        check("{ name = \"x\", type = \"txt\" }", "unknown_type", "txt");
        check("{ name = \"x\", type = \"text\", winner = \"best\" }", "unknown_winner", "best");
        check("{ name = \"x\", type = \"text\" }, { name = \"x\", type = \"text\" }", "declared_twice", "x");
        check("{ name = \"updated_at\", type = \"instant\" }", "reserved_name", "updated_at");
        check("{ name = \"x\", type = \"choice\", choices = [\"a\", \"a\"] }", "declared_twice", "a");
        check("{ name = \"x\", type = \"choice\", choices = [\"a/b\"] }", "bad_choice", "a/b");
        let columns = "columns = [{ name = \"y\", type = \"set:text\" }]";
        check(&format!("{{ name = \"x\", type = \"lines\", {columns} }}"), "bad_column", "set:text");
        let columns = "columns = [{ name = \"line\", type = \"text\" }]";
        check(&format!("{{ name = \"x\", type = \"lines\", {columns} }}"), "bad_column", "line");
        assert_eq!(parse_declarations("[[collection").unwrap_err().code(), "schema_file");
        let titled = "[[collection]]\nname = \"a\"\nkind = \"shared\"\ntitle = [\"nane\"]\nfields = [{ name = \"name\", type = \"text\" }]";
        let error = parse_declarations(titled).unwrap_err();
        assert!(error.code() == "unknown_key_field" && error.to_string().contains("(name, external_id)"), "{error}");
    }
}
