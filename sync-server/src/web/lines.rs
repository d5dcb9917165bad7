//! Lines of a record: a table, and the same as inputs. A row that is left empty at the end is no line.

use axum::extract::{Form, Path, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use branchline_core::document::Edit;
use branchline_core::replica::Record;
use branchline_core::schema::{Collection, Field, FieldType, LineId, Value};
use data_encoding::HEXLOWER;
use maud::{Markup, html};
use std::collections::BTreeMap;

use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use crate::server::Node;

/// Empty rows below the lines that are there.
const NEW_ROWS: usize = 2;
const LINE_ID_BYTES: usize = 8;

type Lines = BTreeMap<LineId, BTreeMap<String, Value>>;

/// The lines of a record, or the inputs for those of the field that is `edited`.
///
/// # Errors
/// Those of the store, for lists to choose from.
pub(super) fn shown(
    desk: &Desk,
    collection: &Collection,
    record: &Record,
    home: &str,
    edited: Option<&str>,
    may: bool,
) -> Result<Markup> {
    let none = Lines::new();
    let mut tables = Vec::new();
    for field in &*collection.fields {
        let FieldType::Lines(columns) = &field.ty else { continue };
        let lines = match record.value(&field.name) {
            Value::Lines(lines) => lines,
            _ => &none,
        };
        let is_edited = edited == Some(&*field.name);
        let inner = if is_edited { inputs(desk, field, columns, lines, home)? } else { table(desk, columns, lines) };
        tables.push(html! {
            h3 { (field.labels.text(desk.language))
                @if may && !is_edited { " " a.pencil href={ (home) "?edit=" (field.name) "#edited" } aria-label={ (desk.say("web-edit")) ": " (field.labels.text(desk.language)) } { "✎" } }
            }
            (inner)
        });
    }
    Ok(html! { @for table in tables { (table) } })
}

fn table(desk: &Desk, columns: &[Field], lines: &Lines) -> Markup {
    html! {
        @if !lines.is_empty() { div.scroll { table {
            thead { tr { @for column in columns { th scope="col" { (column.labels.text(desk.language)) } } } }
            tbody { @for line in lines.values() { tr {
                @for column in columns { td { @if let Some(value) = line.get(&*column.name) { (desk.text(column, value)) } } }
            } } }
        } } }
    }
}

fn inputs(desk: &Desk, field: &Field, columns: &[Field], lines: &Lines, home: &str) -> Result<Markup> {
    let mut rows = Vec::new();
    let new = (0..NEW_ROWS).map(|n| (format!("new{n}"), None));
    for (line, cells) in lines.iter().map(|(line, cells)| (line.clone(), Some(cells))).chain(new) {
        let mut row = Vec::new();
        for column in columns {
            let now = cells.and_then(|cells| cells.get(&*column.name)).map(|value| form::shown(desk, column, value));
            row.push(form::cell(desk, column, &format!("{line}.{}", column.name), &now.unwrap_or_default())?);
        }
        rows.push((line, cells.is_some(), row));
    }
    Ok(html! {
        form.record #edited method="post" action={ (home) "/lines" } {
            input type="hidden" name="field" value=(field.name);
            div.scroll { table {
                thead { tr { @for column in columns { th scope="col" { (column.labels.text(desk.language)) } } th { (desk.say("web-remove")) } } }
                tbody { @for (line, held, row) in rows { tr {
                    @for cell in row { td { (cell) } }
                    td { @if held { input type="checkbox" name={ "remove." (line) } aria-label=(desk.say("web-remove")); } }
                } } }
            } }
            p { button { (desk.say("web-save")) } " " a href=(home) { (desk.say("web-cancel")) } }
        }
    })
}

/// `POST /c/{collection}/{id}/lines`: the cells that were changed.
pub(super) async fn edit(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let id = desk.principal.find(&name, &id)?;
            let field = collection.require_field(form::text(&typed, "field"))?;
            let edits = edits(desk, field, &typed)?;
            if !edits.is_empty() {
                desk.principal.transact(|tx| tx.edit(&name, &id, edits))?;
            }
            Ok(Reply::Go(format!("/c/{name}/{id}")))
        })
        .await
}

fn edits(desk: &Desk, field: &Field, typed: &Typed) -> Result<Vec<Edit>> {
    let FieldType::Lines(columns) = &field.ty else { return Ok(Vec::new()) };
    let mut edits = Vec::new();
    let mut fresh: BTreeMap<&str, LineId> = BTreeMap::new();
    let mut cells: Vec<(&str, &str)> = typed
        .iter()
        .filter_map(|(key, now)| Some((key.strip_prefix("f.")?, now.trim())))
        .filter(|(place, now)| typed.get(&format!("was.{place}")).map(|was| was.trim()).unwrap_or_default() != *now)
        .collect();
    cells.sort_unstable();
    for (place, now) in cells {
        let Some((line, sub)) = place.rsplit_once('.') else { continue };
        let Some(column) = columns.iter().find(|column| *column.name == *sub) else { continue };
        if typed.contains_key(&format!("remove.{line}")) {
            continue;
        }
        let line = match line.starts_with("new") {
            true => fresh.entry(line).or_insert_with(|| drawn(desk)).clone(),
            false => line.to_owned(),
        };
        let value = form::parse(desk, column, now)?;
        edits.push(Edit::SetLine { field: field.name.clone(), line, sub: column.name.clone(), value });
    }
    let removed = typed.keys().filter_map(|key| key.strip_prefix("remove."));
    edits.extend(removed.map(|line| Edit::RemoveLine { field: field.name.clone(), line: line.to_owned() }));
    Ok(edits)
}

fn drawn(desk: &Desk) -> LineId {
    HEXLOWER.encode(&crate::output::drawn::<LINE_ID_BYTES>(desk.principal.environment()))
}
