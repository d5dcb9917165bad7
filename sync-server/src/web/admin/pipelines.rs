//! `/admin/pipelines`: the ways that deals go, stage by stage: in which order, how likely, how long at most.

use std::collections::{BTreeMap, HashMap};

use axum::extract::{Form, State as Shared};
use axum::response::Response;
use branchline_core::document::Edit;
use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Choice, Field, FieldType, Name, ParseContext, Value, parse_value};
use branchline_core::{Error, Result};
use maud::{Markup, html};

use super::{administers, require};
use crate::server::Node;
use crate::web::desk::{Desk, Reply, Visitor};
use crate::web::{form, frame};

const PIPELINE: &str = "pipeline";
const PIPELINES_MAX: usize = 50;
/// Columns of a stage that are typed.
const COLUMNS: [&str; 3] = ["position", "probability", "days_max"];

/// `GET /admin/pipelines`.
pub(in crate::web) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, |desk| Ok(Reply::Page(title(desk), shown(desk, None)?))).await
}

fn title(desk: &Desk) -> String {
    crate::commands::shape::collection_label(&desk.schema, PIPELINE, desk.language)
}

fn stages(desk: &Desk) -> Result<Vec<Choice>> {
    Ok(desk.schema.require("opportunity")?.require_field("stage")?.ty.choices().to_vec())
}

fn shown(desk: &Desk, error: Option<&Error>) -> Result<Markup> {
    require(administers(desk), desk)?;
    let all =
        desk.principal.list(&Query::of(PIPELINE).sorted("name", Direction::Ascending).limited(PIPELINES_MAX))?.rows;
    let stages = stages(desk)?;
    Ok(html! {
        p.trail { a href="/admin" { (desk.say("web-admin")) } }
        h1 { (title(desk)) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        p.quiet { (desk.say("web-pipeline-hint")) " " a href="/admin/schema/opportunity/stage" { (desk.say("web-more-stages")) } }
        @for pipeline in &all { (form(desk, &stages, Some(pipeline))?) }
        (form(desk, &stages, None)?)
    })
}

fn columns(desk: &Desk) -> Result<Vec<Field>> {
    let field = desk.schema.require(PIPELINE)?.require_field("stages")?.clone();
    let FieldType::Lines(columns) = field.ty else { return Ok(Vec::new()) };
    Ok(columns.into_iter().filter(|column| COLUMNS.contains(&&*column.name)).collect())
}

fn form(desk: &Desk, stages: &[Choice], pipeline: Option<&Record>) -> Result<Markup> {
    let columns = columns(desk)?;
    let name = desk.schema.require(PIPELINE)?.require_field("name")?.labels.text(desk.language).to_owned();
    let whole = pipeline.map(|row| desk.principal.record(PIPELINE, &row.id)).transpose()?;
    let cell = |stage: &str, column: &Field| match whole.as_ref().map(|record| record.value("stages")) {
        Some(Value::Lines(lines)) => {
            lines.get(stage).and_then(|line| line.get(&*column.name)).map(|value| desk.written(column, value))
        }
        _ => None,
    };
    Ok(html! {
        section.panel {
            h2 { @match pipeline { Some(pipeline) => { (pipeline.text("name")) } None => { (desk.say("web-add-pipeline")) } } }
            form method="post" action="/admin/pipelines" {
                @if let Some(pipeline) = pipeline { input type="hidden" name="id" value=(pipeline.id); }
                label { (name) " " input name="name" required value=(pipeline.map(|row| row.text("name")).unwrap_or_default()); }
                div.scroll { table {
                    thead { tr { th scope="col" { (desk.say("web-stage")) } @for column in &columns { th scope="col" { (column.labels.text(desk.language)) } } } }
                    tbody { @for stage in stages { tr {
                        th scope="row" { (stage.labels.text(desk.language)) }
                        @for column in &columns {
                            td { input.short inputmode="decimal" name={ (column.name) "." (stage.value) } value=(cell(&stage.value, column).unwrap_or_default())
                                aria-label={ (stage.labels.text(desk.language)) ", " (column.labels.text(desk.language)) }; }
                        }
                    } } }
                } }
                button { (desk.say("web-save")) }
            }
        }
    })
}

/// `POST /admin/pipelines`: a new one, or what was changed in one.
pub(in crate::web) async fn save(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Form(typed): Form<HashMap<String, String>>,
) -> Response {
    visitor
        .write(node, move |desk| match saved(desk, &typed) {
            Ok(()) => Ok(Reply::Go("/admin/pipelines".to_owned())),
            Err(error) => Ok(Reply::Again(title(desk), shown(desk, Some(&error))?)),
        })
        .await
}

fn saved(desk: &Desk, typed: &HashMap<String, String>) -> Result<()> {
    require(administers(desk), desk)?;
    let text = |name: &str| form::text(typed, name);
    let currency = desk.principal.replica().settings()?.currency;
    let mut lines: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for stage in stages(desk)? {
        let mut line = BTreeMap::new();
        for column in columns(desk)? {
            let typed = text(&format!("{}.{}", column.name, stage.value));
            if !typed.is_empty() {
                let mut resolve = |collection: &str, text: &str| desk.principal.find(collection, text);
                let mut context = ParseContext { currency, resolve: &mut resolve };
                line.insert(column.name.to_string(), parse_value(&column, typed, &mut context)?);
            }
        }
        if !line.is_empty() {
            line.insert("stage".to_owned(), Value::Text(stage.value.clone()));
            lines.insert(stage.value, line);
        }
    }
    let name = Value::Text(text("name").to_owned());
    match typed.get("id") {
        Some(id) => {
            let id = desk.principal.find(PIPELINE, id)?;
            let edits = vec![Edit::Set("name".into(), name), Edit::Set("stages".into(), Value::Lines(lines))];
            desk.principal.transact(|tx| tx.edit(PIPELINE, &id, edits)).map(drop)
        }
        None => {
            let mut values: Vec<(Name, Value)> = vec![("name".into(), name), ("active".into(), Value::Boolean(true))];
            if !lines.is_empty() {
                values.push(("stages".into(), Value::Lines(lines)));
            }
            desk.principal.transact(|tx| tx.create(PIPELINE, values)).map(drop)
        }
    }
}
