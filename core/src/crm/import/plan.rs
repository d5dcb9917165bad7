//! A map held against the schema and the headings of a file: every name in it exists, every part knows its type.
//!
//! Made once per import; rows are then read without looking anything up by name. Nothing here reads records.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::format::{Item, StrftimeItems};
use rust_decimal::Decimal;

use super::map::{ColumnMap, ImportMap, LinesMap, LookupMap, Missing};
use crate::error::{Error, Result};
use crate::limits::KEY_FIELDS_MAX;
use crate::schema::{Collection, Currency, Field, FieldType, Kind, Name, Schema, SetOf, nearest};

/// A map that fits its file.
#[derive(Debug)]
pub(super) struct Plan {
    /// The collection of the records that rows write to.
    pub collection: Arc<Collection>,
    pub columns: Vec<Column>,
    /// Fields with one value for all rows, as text, read like cells.
    pub constants: Vec<(Column, String)>,
    /// Fields made of several cells.
    pub templates: Vec<Template>,
    pub key: Key,
    /// The fields that identify a row; `external_id` where the row itself does.
    pub keys: Vec<Field>,
    pub lines: Option<LinesPlan>,
    pub lookups: Vec<LookupPlan>,
    /// Texts that mean an empty cell.
    pub empty: Vec<String>,
}

/// What identifies a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Key {
    /// These columns, by their place in [`Plan::columns`], and the fields that they fill.
    Columns(Vec<usize>),
    /// The record's own id.
    Id(usize),
    /// Nothing: the row itself, within its batch.
    Row,
}

/// One column and its use.
#[derive(Debug)]
pub(super) struct Column {
    /// Its place in the file; past the end for a constant.
    pub at: usize,
    pub heading: String,
    pub target: Target,
    pub values: HashMap<String, String>,
    pub currency: Option<Currency>,
    pub format: Option<String>,
    pub scale: Option<Decimal>,
    /// Its place in [`Plan::lookups`].
    pub lookup: Option<usize>,
}

/// A field made of several cells.
#[derive(Debug)]
pub(super) struct Template {
    pub column: Column,
    pub parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// The cell at this place in the file.
    Cell(usize),
}

/// Where a cell goes.
#[derive(Debug)]
pub(super) enum Target {
    /// A field of the record, or with lines of the line.
    Field(Field),
    /// The currency of the money field of this name.
    CurrencyOf(Name),
    /// The record's own id.
    Id,
}

/// How the cells of one or more columns are turned into references.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::crm) struct LookupPlan {
    pub collection: Arc<Collection>,
    /// The fields that a cell may hold, the most telling first.
    pub by: Vec<Name>,
    pub missing: Missing,
    pub take: Option<Name>,
    /// The collection is the one that the rows go to: a later row may bring what is missing.
    pub own: bool,
}

impl LookupPlan {
    /// Finds records by any of their natural keys, and leaves a field empty where there is none.
    pub(in crate::crm) fn by_natural_keys(collection: &Arc<Collection>, rows: &Collection) -> Self {
        Self {
            collection: collection.clone(),
            by: collection.natural_keys.clone(),
            missing: Missing::Empty,
            take: None,
            own: collection.name == rows.name,
        }
    }
}

/// Rows that are lines.
#[derive(Debug)]
pub(super) struct LinesPlan {
    /// The lines field of the parent.
    pub field: Field,
    /// The column that names the parent, by its place in the file.
    pub parent_at: usize,
    pub parent_heading: String,
    /// The parent's field that the column holds.
    pub by: Name,
    /// The columns that identify a line, by their place in the file.
    pub line: Vec<usize>,
}

impl Plan {
    /// Holds `map` against the schema and the file's headings; `collection` is the caller's, if he named one.
    pub(super) fn new(map: &ImportMap, collection: Option<&str>, schema: &Schema, headings: &[String]) -> Result<Self> {
        let collection = schema.require(&collection_name(map, collection)?)?.clone();
        let mut plan = Self {
            collection: collection.clone(),
            columns: Vec::with_capacity(map.columns.len()),
            constants: Vec::new(),
            templates: Vec::new(),
            key: Key::Row,
            keys: Vec::new(),
            lines: None,
            lookups: Vec::new(),
            empty: map.empty.clone(),
        };
        let fields = match &map.lines {
            None => collection.fields.to_vec(),
            Some(lines) => {
                let planned = lines_plan(lines, &collection, headings)?;
                let FieldType::Lines(subs) = &planned.field.ty else {
                    return Err(Error::invalid("import-map-lines").with("field", &*planned.field.name));
                };
                let subs = subs.clone();
                plan.lines = Some(planned);
                subs
            }
        };
        for (heading, column) in &map.columns {
            let at = place_of(heading, headings)?;
            let column = plan.column(at, heading, column, &fields, schema)?;
            plan.columns.push(column);
        }
        plan.columns.sort_by_key(|column| column.at);
        for (name, constant) in &map.constants {
            let wanted = ColumnMap { field: name.clone(), ..ColumnMap::default() };
            let column = plan.column(usize::MAX, name, &wanted, &collection.fields, schema)?;
            plan.constants.push((column, constant.text()));
        }
        for (name, text) in &map.templates {
            let wanted = ColumnMap { field: name.clone(), ..ColumnMap::default() };
            let column = plan.column(usize::MAX, name, &wanted, &fields, schema)?;
            if column.lookup.is_some() {
                return Err(Error::invalid("import-map-template").with("field", name).with("template", text));
            }
            let parts = template_parts(name, text, headings)?;
            plan.templates.push(Template { column, parts });
        }
        plan.key = plan.key_of(map)?;
        plan.keys = plan.key_fields();
        Ok(plan)
    }

    fn column(
        &mut self,
        at: usize,
        heading: &str,
        map: &ColumnMap,
        fields: &[Field],
        schema: &Schema,
    ) -> Result<Column> {
        let target = target(&self.collection, fields, heading, &map.field)?;
        let lookup = match &target {
            Target::Field(field) => {
                self.lookups_of_lines(field, schema)?;
                self.lookup(field, heading, map.lookup.as_ref(), schema)?
            }
            _ => None,
        };
        let refused = |what: &'static str, value: &str| {
            Error::invalid("import-map-value").with("column", heading).with("key", what).with("value", value)
        };
        let currency = map.currency.as_deref();
        let currency = currency.map(|c| Currency::parse(c).ok_or_else(|| refused("currency", c))).transpose()?;
        let scale = map.scale.as_ref().map(super::Constant::text);
        let scale = scale.map(|s| s.parse::<Decimal>().map_err(|_| refused("scale", &s))).transpose()?;
        if let Some(format) = map.format.as_deref().filter(|f| StrftimeItems::new(f).any(|i| i == Item::Error)) {
            return Err(refused("format", format));
        }
        Ok(Column {
            at,
            heading: heading.to_owned(),
            target,
            values: map.values.clone().into_iter().collect(),
            currency,
            format: map.format.clone(),
            scale,
            lookup,
        })
    }

    /// The look-up of a reference column; equal ones are shared.
    fn lookup(
        &mut self,
        field: &Field,
        heading: &str,
        map: Option<&LookupMap>,
        schema: &Schema,
    ) -> Result<Option<usize>> {
        let target = match &field.ty {
            FieldType::Reference(target) | FieldType::Set(SetOf::Reference(target)) => target,
            _ if map.is_some() => {
                let error = Error::invalid("import-map-no-reference");
                return Err(error.with("column", heading).with("field", &*field.name));
            }
            _ => return Ok(None),
        };
        let planned = match map {
            None => LookupPlan::by_natural_keys(schema.require(target)?, &self.collection),
            Some(map) => self.lookup_of(map, target, heading, schema)?,
        };
        let at = self.lookups.iter().position(|l| *l == planned);
        Ok(Some(at.unwrap_or_else(|| {
            self.lookups.push(planned);
            self.lookups.len() - 1
        })))
    }

    /// Look-ups for the references inside a lines field that a cell holds whole.
    fn lookups_of_lines(&mut self, field: &Field, schema: &Schema) -> Result<()> {
        let FieldType::Lines(subs) = &field.ty else { return Ok(()) };
        for target in subs.iter().filter_map(|sub| sub.ty.target()) {
            let planned = LookupPlan::by_natural_keys(schema.require(target)?, &self.collection);
            if !self.lookups.contains(&planned) {
                self.lookups.push(planned);
            }
        }
        Ok(())
    }

    fn lookup_of(&self, map: &LookupMap, target: &str, heading: &str, schema: &Schema) -> Result<LookupPlan> {
        let collection = schema.require(&map.collection)?.clone();
        let by = collection.require_field(&map.by)?.name.clone();
        let found = match &map.take {
            None => collection.name.clone(),
            Some(take) => match &collection.require_field(take)?.ty {
                FieldType::Reference(taken) => taken.clone(),
                _ => collection.name.clone(),
            },
        };
        if *found != *target {
            return Err(Error::invalid("import-map-lookup")
                .with("column", heading)
                .with("found", &*found)
                .with("target", target));
        }
        if map.take.is_some() && map.missing == Missing::Create {
            return Err(Error::invalid("import-map-take").with("column", heading));
        }
        let own = collection.name == self.collection.name && map.take.is_none();
        let take = map.take.as_deref().map(Name::from);
        Ok(LookupPlan { collection, by: vec![by], missing: map.missing, take, own })
    }

    fn key_of(&self, map: &ImportMap) -> Result<Key> {
        let places = map.key.iter().map(|heading| {
            let at = self.columns.iter().position(|c| c.heading == *heading);
            at.ok_or_else(|| Error::invalid("import-map-key").with("column", heading))
        });
        let places = places.collect::<Result<Vec<_>>>()?;
        if places.len() > KEY_FIELDS_MAX {
            return Err(Error::limit("import-map-key-long").with("limit", KEY_FIELDS_MAX));
        }
        if let [at] = places.as_slice()
            && self.columns.get(*at).is_some_and(|c| matches!(c.target, Target::Id))
        {
            return Ok(Key::Id(*at));
        }
        for column in places.iter().filter_map(|at| self.columns.get(*at)) {
            if !matches!(&column.target, Target::Field(field) if identifies(&field.ty)) {
                return Err(Error::invalid("import-map-key-type").with("column", column.heading.as_str()));
            }
        }
        Ok(if places.is_empty() { Key::Row } else { Key::Columns(places) })
    }

    /// Whether columns of the file identify a row.
    pub(super) fn key_is_columns(&self) -> bool {
        matches!(self.key, Key::Columns(_))
    }

    /// Whether rows have a branch.
    pub(super) fn of_branch(&self) -> bool {
        self.collection.kind == Kind::Branch
    }
}

fn template_parts(field: &str, text: &str, headings: &[String]) -> Result<Vec<Part>> {
    let malformed = || Error::invalid("import-map-template").with("field", field).with("template", text);
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (heading, after) = after.split_once('}').ok_or_else(malformed)?;
        parts.push(Part::Text(before.to_owned()));
        parts.push(Part::Cell(place_of(heading, headings)?));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    if parts.iter().any(|part| matches!(part, Part::Cell(_))) { Ok(parts) } else { Err(malformed()) }
}

/// Whether a value of this type can be part of a key: it has one text.
fn identifies(ty: &FieldType) -> bool {
    !matches!(ty, FieldType::Set(_) | FieldType::Lines(_) | FieldType::LongText | FieldType::Counter)
}

fn collection_name(map: &ImportMap, wanted: Option<&str>) -> Result<String> {
    let of_lines = map.lines.as_ref().map(|l| &l.parent.collection);
    let named = map.collection.as_ref().or(of_lines);
    match (named, wanted) {
        (Some(named), Some(wanted)) if named != wanted => {
            Err(Error::usage("import-map-collection").with("map", named.as_str()).with("wanted", wanted))
        }
        (Some(name), _) => Ok(name.clone()),
        (None, Some(name)) => Ok(name.to_owned()),
        (None, None) => Err(Error::usage("import-collection-missing")),
    }
}

fn place_of(heading: &str, headings: &[String]) -> Result<usize> {
    let mut places = headings.iter().enumerate().filter(|(_, h)| *h == heading);
    match (places.next(), places.next()) {
        (Some((at, _)), None) => Ok(at),
        (Some(_), Some(_)) => Err(Error::invalid("import-heading-twice").with("column", heading)),
        (None, _) => {
            let near = nearest(heading, headings.iter().map(String::as_str)).unwrap_or_default();
            Err(Error::invalid("import-map-column")
                .with("column", heading)
                .with("near", usize::from(!near.is_empty()))
                .with("nearest", near)
                .with("headings", headings.join(", ")))
        }
    }
}

fn target(collection: &Collection, fields: &[Field], heading: &str, name: &str) -> Result<Target> {
    if let Some(field) = fields.iter().find(|f| *f.name == *name) {
        return Ok(Target::Field(field.clone()));
    }
    if name == "id" {
        return Ok(Target::Id);
    }
    let money = name.strip_suffix("_currency").and_then(|m| fields.iter().find(|f| *f.name == *m));
    if let Some(field) = money.filter(|f| f.ty == FieldType::Money) {
        return Ok(Target::CurrencyOf(field.name.clone()));
    }
    let near = nearest(name, fields.iter().map(|f| &*f.name)).unwrap_or_default();
    Err(Error::invalid("import-map-field")
        .with("column", heading)
        .with("field", name)
        .with("collection", &*collection.name)
        .with("near", usize::from(!near.is_empty()))
        .with("nearest", near))
}

fn lines_plan(map: &LinesMap, collection: &Collection, headings: &[String]) -> Result<LinesPlan> {
    let field = collection.require_field(&map.field)?.clone();
    let by = collection.require_field(&map.parent.by)?.name.clone();
    let line = map.line.iter().map(|heading| place_of(heading, headings)).collect::<Result<Vec<_>>>()?;
    if line.is_empty() {
        return Err(Error::invalid("import-map-line"));
    }
    let parent_at = place_of(&map.parent.column, headings)?;
    Ok(LinesPlan { field, parent_at, parent_heading: map.parent.column.clone(), by, line })
}
