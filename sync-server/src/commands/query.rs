//! Many records: `list`, `search`, `sql`.

use branchline_core::Result;
use branchline_core::message::Message;
use branchline_core::replica::{Direction, Hit, Query, Record, Replica};
use branchline_core::schema::{Collection, Filter, Name, parse_filter, system_field};
use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::shape::{Shaper, collection_label, is_number, telling_fields};
use crate::context::Context;
use crate::output::{Answer, Table};

/// Records that a search shows unless told otherwise.
const SEARCH_HITS_DEFAULT: usize = 50;

/// List the records of a collection.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline list opportunity --where 'stage = \"won\" and amount > 1000' \
                        --sort -amount --fields name,account,amount --limit 20")]
pub struct List {
    /// The collection.
    collection: String,
    /// Only these: `=` `!=` `<` `<=` `>` `>=` `~`, `in (…)`, `is empty`, `and`, `or`, `not`, parentheses.
    #[arg(long = "where", value_name = "EXPRESSION")]
    filter: Option<String>,
    /// By these fields, comma between; `-` in front sorts downwards.
    #[arg(long, value_name = "FIELDS", allow_hyphen_values = true, value_delimiter = ',')]
    sort: Vec<String>,
    /// Only these fields, comma between.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    fields: Vec<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only what follows this record in the order asked for.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Archived records too.
    #[arg(long)]
    archived: bool,
}

impl List {
    /// Lists all that fits, unless limited.
    ///
    /// # Errors
    /// `unknown_collection`, `unknown_field`, a filter that does not parse, a look-up that finds nothing.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let schema = replica.schema();
        let collection = schema.require(&self.collection)?;
        let query = self.query(&replica, collection)?;
        if context.json {
            self.rows(&replica, collection, &query)
        } else {
            self.table(context, &replica, collection, &query)
        }
    }

    fn query(&self, replica: &Replica, collection: &Collection) -> Result<Query> {
        let mut query = Query::of(&self.collection);
        query.filter = where_filter(replica, collection, self.filter.as_deref())?;
        query.sort = self.sort.iter().map(|key| sort_key(collection, key)).collect::<Result<_>>()?;
        if !self.fields.is_empty() {
            let known = self.fields.iter().map(|name| known_field(collection, name));
            query.fields = Some(known.collect::<Result<_>>()?);
        }
        query.limit = self.limit;
        query.archived = self.archived;
        query.after = match &self.after {
            Some(text) => Some(replica.find(&self.collection, text)?),
            None => None,
        };
        Ok(query)
    }

    // Row by row into one buffer: a list of a whole collection must not hold every row as a tree.
    fn rows(&self, replica: &Replica, collection: &Collection, query: &Query) -> Result<Answer> {
        let shaper = Shaper::new(replica);
        let wanted = (!self.fields.is_empty()).then_some(self.fields.as_slice());
        let mut body = b"[".to_vec();
        replica.each(query, &mut |record| {
            if body.len() > 1 {
                body.extend_from_slice(b",\n");
            }
            let object = Json::Object(shaper.object(collection, &record, wanted));
            body.extend_from_slice(object.to_string().as_bytes());
            Ok(())
        })?;
        body.extend_from_slice(b"]\n");
        Ok(Answer::raw(body))
    }

    fn table(&self, context: &Context, replica: &Replica, collection: &Collection, query: &Query) -> Result<Answer> {
        let language = context.language();
        let shaper = Shaper::new(replica);
        let columns = if self.fields.is_empty() { telling_fields(collection) } else { self.fields.clone() };
        let headings = columns.iter().map(|name| heading(context, collection, name));
        let mut table = Table::new(std::iter::once("id".to_owned()).chain(headings));
        replica.each(query, &mut |record: Record| {
            let cells = columns.iter().map(|name| shaper.cell(collection, &record, name));
            table.row(std::iter::once(replica.short_id(&record.id)).chain(cells));
            Ok(())
        })?;
        let numeric = |name: &String| collection.field(name).is_some_and(|f| is_number(&f.ty));
        table.numbers(columns.iter().enumerate().filter(|(_, n)| numeric(n)).map(|(at, _)| at + 1));
        let count = table.rows();
        let said = Message::new("count-records").with("count", count).render(language);
        Ok(Answer::of(context, || Json::Null, || format!("{}\n{said}", table.text())))
    }
}

/// The filter of a `--where`, with `today` as this replica's clock has it.
///
/// # Errors
/// The parser's own, with the place in the expression.
pub fn where_filter(replica: &Replica, collection: &Collection, text: Option<&str>) -> Result<Option<Filter>> {
    let today = replica.environment().now().day();
    text.map(|text| parse_filter(text, collection, today)).transpose()
}

/// A key of a sort: a field of the collection or a system field, `-` in front for downwards.
///
/// # Errors
/// `unknown_field`.
pub fn sort_key(collection: &Collection, key: &str) -> Result<(Name, Direction)> {
    let (name, direction) = match key.trim().strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (key.trim(), Direction::Ascending),
    };
    known_field(collection, name).map(|name| (name, direction))
}

/// A field of the collection or a system field, by name.
///
/// # Errors
/// `unknown_field`.
pub fn known_field(collection: &Collection, name: &str) -> Result<Name> {
    let name = name.trim();
    if system_field(name).is_some() {
        return Ok(Name::from(name));
    }
    collection.require_field(name).map(|f| f.name.clone())
}

fn heading(context: &Context, collection: &Collection, name: &str) -> String {
    match collection.field(name) {
        Some(field) => field.labels.text(context.language()).to_owned(),
        None => match name {
            "archived" => context.say("label-archived"),
            "created_at" | "created_by" => context.say("label-created"),
            "updated_at" | "updated_by" => context.say("label-updated"),
            other => other.to_owned(),
        },
    }
}

/// Search the texts of everything one may see.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline search \"ромашка\" --limit 10")]
pub struct Search {
    /// Words, each matched from its beginning, in any case.
    text: String,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = SEARCH_HITS_DEFAULT)]
    limit: usize,
}

impl Search {
    /// Finds the records, the best matches first.
    ///
    /// # Errors
    /// Those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let hits = replica.search(&self.text, self.limit)?;
        let schema = replica.schema();
        Ok(Answer::of(
            context,
            || {
                let object = |h: &Hit| json!({"collection": &*h.collection, "id": h.id.to_string(), "label": h.label, "excerpt": h.excerpt});
                hits.iter().map(object).collect()
            },
            || {
                let language = context.language();
                let mut table = Table::titled(language, &["col-collection", "col-id", "col-title", "col-excerpt"]);
                for hit in &hits {
                    let name = collection_label(&schema, &hit.collection, language);
                    table.row([name, replica.short_id(&hit.id), hit.label.clone(), hit.excerpt.clone()]);
                }
                table.text()
            },
        ))
    }
}

/// Read the tables with SQL; nothing can be written.
#[derive(Debug, Args)]
#[command(after_help = "One table for each collection, named like it (\"case\" needs quotes); references hold ids, a \
                        money field F is F_minor and F_currency.\n\nExample:\n  branchline sql 'SELECT stage, \
                        count(*) AS deals FROM opportunity GROUP BY stage'")]
pub struct Sql {
    /// One SELECT.
    select: String,
}

impl Sql {
    /// Runs the query.
    ///
    /// # Errors
    /// What SQLite has to say about the query; anything that would write.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let rows = replica.sql(&self.select)?;
        Ok(Answer::of(context, || Json::Array(rows.iter().cloned().map(Json::Object).collect()), || sql_table(&rows)))
    }
}

fn sql_table(rows: &[Map<String, Json>]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let mut table = Table::new(first.keys());
    for row in rows {
        table.row(row.values().map(|value| match value {
            Json::Null => String::new(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        }));
    }
    let numeric = first.values().enumerate().filter(|(_, v)| v.is_number()).map(|(at, _)| at);
    table.numbers(numeric.collect::<Vec<_>>());
    table.text()
}
