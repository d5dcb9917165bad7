//! `/admin/pipelines`: the ways that deals go, stage by stage: in which order, how likely, how long at most.

use std::collections::BTreeMap;

use axum::extract::{Form, State as Shared};
use axum::response::Response;
use branchline_core::document::Edit;
use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Choice, Field, FieldType, LineId, Value};
use branchline_core::{Error, Result};
use maud::{Markup, html};

use super::{administers, require};
use crate::server::Node;
use crate::web::desk::{Desk, Reply, Visitor};
use crate::web::form::{self, Typed};
use crate::web::frame;

/// The lines of a record's field.
type Lines = BTreeMap<LineId, BTreeMap<String, Value>>;

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

fn columns(desk: &Desk) -> Result<Vec<&Field>> {
    let field = desk.schema.require(PIPELINE)?.require_field("stages")?;
    let FieldType::Lines(columns) = &field.ty else { return Ok(Vec::new()) };
    Ok(columns.iter().filter(|column| COLUMNS.contains(&&*column.name)).collect())
}

fn form(desk: &Desk, stages: &[Choice], pipeline: Option<&Record>) -> Result<Markup> {
    let columns = columns(desk)?;
    let name = desk.schema.require(PIPELINE)?.require_field("name")?.labels.text(desk.language).to_owned();
    let whole = pipeline.map(|row| desk.principal.record(PIPELINE, &row.id)).transpose()?;
    let lines = whole.as_ref().map(|record| record.value("stages"));
    let cell = |stage: &str, column: &Field| -> String {
        let Some(Value::Lines(lines)) = lines else { return String::new() };
        let value = line_of(lines, stage).and_then(|(_, line)| line.get(&*column.name));
        value.map(|value| desk.written(column, value)).unwrap_or_default()
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
                            @let now = cell(&stage.value, column);
                            td {
                                input.short inputmode="decimal" name={ (column.name) "." (stage.value) } value=(now)
                                    aria-label={ (stage.labels.text(desk.language)) ", " (column.labels.text(desk.language)) };
                                input type="hidden" name={ "was." (column.name) "." (stage.value) } value=(now);
                            }
                        }
                    } } }
                } }
                button { (desk.say("web-save")) }
            }
        }
    })
}

/// `POST /admin/pipelines`: a new one, or what was changed in one.
pub(in crate::web) async fn save(Shared(node): Shared<Node>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    visitor
        .write(node, move |desk| match saved(desk, &typed) {
            Ok(()) => Ok(Reply::Go("/admin/pipelines".to_owned())),
            Err(error) => Ok(Reply::Again(title(desk), shown(desk, Some(&error))?)),
        })
        .await
}

// The line of a stage: its id, and what stands in it.
fn line_of<'a>(lines: &'a Lines, stage: &str) -> Option<(&'a LineId, &'a BTreeMap<String, Value>)> {
    let is_it = |line: &BTreeMap<String, Value>| line.get("stage") == Some(&Value::Text(stage.to_owned()));
    lines.iter().find(|(_, line)| is_it(line))
}

fn saved(desk: &Desk, typed: &Typed) -> Result<()> {
    require(administers(desk), desk)?;
    let name = Value::Text(form::text(typed, "name").to_owned());
    match typed.get("id") {
        Some(id) => {
            let id = desk.principal.find(PIPELINE, id)?;
            let record = desk.principal.record(PIPELINE, &id)?;
            let mut edits = changed(desk, typed, record.value("stages"))?;
            if *record.value("name") != name {
                edits.push(Edit::Set("name".into(), name));
            }
            if edits.is_empty() {
                return Ok(());
            }
            desk.principal.transact(|tx| tx.edit(PIPELINE, &id, edits)).map(drop)
        }
        None => {
            let lines = changed(desk, typed, &Value::Null)?;
            let values = vec![("name".into(), name), ("active".into(), Value::Boolean(true))];
            desk.principal.transact(|tx| {
                let id = tx.create(PIPELINE, values)?;
                if lines.is_empty() { Ok(()) } else { tx.edit(PIPELINE, &id, lines).map(drop) }
            })
        }
    }
}

// What was typed into the cells; everything else of the lines stays. A line all of whose cells were emptied goes.
fn changed(desk: &Desk, typed: &Typed, held: &Value) -> Result<Vec<Edit>> {
    let none = Lines::new();
    let lines = if let Value::Lines(lines) = held { lines } else { &none };
    let columns = columns(desk)?;
    let mut edits = Vec::new();
    for stage in stages(desk)? {
        let place = |column: &Field| format!("{}.{}", column.name, stage.value);
        let is_changed =
            |column: &&Field| form::text(typed, &place(column)) != form::text(typed, &format!("was.{}", place(column)));
        let changes: Vec<&Field> = columns.iter().copied().filter(is_changed).collect();
        if changes.is_empty() {
            continue;
        }
        let known = line_of(lines, &stage.value);
        let line = known.map_or_else(|| stage.value.clone(), |(id, _)| id.clone());
        let set = |sub: &str, value: Value| Edit::SetLine {
            field: "stages".into(),
            line: line.clone(),
            sub: sub.into(),
            value,
        };
        if known.is_some() && columns.iter().all(|column| form::text(typed, &place(column)).is_empty()) {
            edits.push(Edit::RemoveLine { field: "stages".into(), line });
            continue;
        }
        if known.is_none() {
            edits.push(set("stage", Value::Text(stage.value.clone())));
        }
        for column in changes {
            edits.push(set(&column.name, form::parse(desk, column, form::text(typed, &place(column)))?));
        }
    }
    Ok(edits)
}
