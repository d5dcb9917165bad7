//! What the columns of an uploaded file are: guessed, shown with a preview, chosen.

use std::collections::BTreeMap;

use axum::extract::{Form, Path, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use branchline_core::crm::import::{ColumnMap, Constant, ImportMap, LookupMap, Missing, Table};
use branchline_core::replica::Query;
use branchline_core::schema::{Collection, Field, FieldType, Kind, SetOf};
use maud::{Markup, html};

use super::runs::Job;
use crate::server::Node;
use crate::web::desk::{Desk, Reply, Visitor};
use crate::web::form::Typed;
use crate::web::frame;
use crate::web::uploads::Uploads;

/// Rows of the preview.
const PREVIEW_ROWS: usize = 6;
/// Different texts of a column that are offered to be matched to choices.
const VALUES_MAX: usize = 40;
/// Branches to choose from.
const BRANCHES_MAX: usize = 500;

/// `GET /import/{upload}`: what the columns are.
pub(in crate::web) async fn mapping(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(upload): Path<String>,
) -> Response {
    visitor.read(node, move |desk| shown(desk, &upload)).await
}

fn shown(desk: &Desk, upload: &str) -> Result<Reply> {
    let uploads = Uploads::of(&desk.principal);
    let about = uploads.about(upload, &desk.me.id)?;
    let collection = desk.schema.require(&about.collection)?;
    let table = Table::parse(&uploads.bytes(upload)?)?;
    let map = uploads.map(upload)?;
    let values = values(collection, &table, &map);
    let body = html! {
        p.trail { a href="/import" { (desk.say("web-import-title")) } }
        h1 { (about.name) " → " (collection.labels.text(desk.language)) }
        p.quiet { (frame::count(desk, table.len() as u64)) }
        h2 { (desk.say("web-import-preview")) }
        (preview(&table))
        h2 { (desk.say("web-import-columns")) }
        @if map.lines.is_some() { p.quiet { (desk.say("web-import-lines")) } }
        form.record.mapping method="post" action={ "/import/" (upload) } {
            div.scroll { table {
                thead { tr {
                    th scope="col" { (desk.say("web-import-column")) }
                    th scope="col" { (desk.say("web-import-field")) }
                    th scope="col" { (desk.say("web-import-how")) }
                } }
                tbody { @for (at, heading) in table.headings().iter().enumerate().filter(|(_, heading)| !heading.is_empty()) {
                    @let column = map.columns.get(heading);
                    tr {
                        th scope="row" { (heading) }
                        td { (field_choice(desk, collection, at, heading, column)) }
                        td { @if let Some(column) = column { (options(desk, collection, at, column, values.get(&at))) } }
                    }
                } }
            } }
            div.fields { (whole_file(desk, collection, &table, &map)?) }
            p.actions {
                button name="act" value="map" { (desk.say("web-import-keep")) } " "
                button name="act" value="check" { (desk.say("web-import-check")) } " "
                button name="act" value="run" { (desk.say("web-import-run")) }
            }
        }
    };
    Ok(Reply::Page(about.name, body))
}

fn preview(table: &Table) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for heading in table.headings() { th scope="col" { (heading) } } } }
            tbody { @for row in table.rows().take(PREVIEW_ROWS) { tr { @for cell in &row.cells { td { (&**cell) } } } } }
        } }
    }
}

fn field_choice(desk: &Desk, collection: &Collection, at: usize, heading: &str, column: Option<&ColumnMap>) -> Markup {
    let now = column.map(|column| column.field.as_str()).unwrap_or_default();
    let known = now.is_empty() || now == "id" || collection.field(now).is_some();
    html! {
        select name={ "to." (at) } aria-label=(heading) {
            option value="" selected[now.is_empty()] { (desk.say("web-import-skip")) }
            option value="id" selected[now == "id"] { "id" }
            @for field in collection.facts().filter(|field| !matches!(field.ty, FieldType::Attachment)) {
                option value=(field.name) selected[*field.name == *now] { (field.labels.text(desk.language)) }
            }
            @for field in collection.fields.iter().filter(|field| field.ty == FieldType::Money) {
                @let name = format!("{}_currency", field.name);
                option value=(name) selected[name == now] { (field.labels.text(desk.language)) ": " (desk.say("web-currency")) }
            }
            @if !known && !now.ends_with("_currency") { option value=(now) selected { (now) } }
        }
    }
}

fn options(desk: &Desk, collection: &Collection, at: usize, column: &ColumnMap, texts: Option<&Vec<String>>) -> Markup {
    let Some(field) = collection.field(&column.field) else { return html! {} };
    let text = |name: &str, label: &'static str, value: &str, hint: &str| {
        html! { label { (desk.say(label)) " " input.short name={ (name) "." (at) } value=(value) placeholder=(hint); } }
    };
    match &field.ty {
        FieldType::Money => text("currency", "web-currency", column.currency.as_deref().unwrap_or_default(), "USD"),
        FieldType::Date | FieldType::Instant => {
            text("format", "web-import-format", column.format.as_deref().unwrap_or_default(), "%d.%m.%Y")
        }
        FieldType::Reference(target) | FieldType::Set(SetOf::Reference(target)) => lookup(desk, target, at, column),
        FieldType::Choice(_) | FieldType::Set(SetOf::Choice(_)) => choices(desk, field, at, column, texts),
        _ => html! {},
    }
}

fn lookup(desk: &Desk, target: &str, at: usize, column: &ColumnMap) -> Markup {
    let Some(collection) = desk.schema.collection(target) else { return html! {} };
    let (by, missing) = match &column.lookup {
        Some(lookup) => (lookup.by.as_str(), lookup.missing),
        None => ("", Missing::Empty),
    };
    let kinds = [
        (Missing::Empty, "empty", "web-import-missing-empty"),
        (Missing::Create, "create", "web-import-missing-create"),
        (Missing::Refuse, "refuse", "web-import-missing-refuse"),
    ];
    html! {
        label { (desk.say("web-import-by")) " "
            select name={ "by." (at) } {
                option value="" selected[by.is_empty()] { (desk.say("web-import-any-key")) }
                @for name in collection.natural_keys.iter().chain(&collection.title) { @if let Some(field) = collection.field(name) {
                    option value=(name) selected[**name == *by] { (field.labels.text(desk.language)) }
                } }
            }
        }
        " " label { (desk.say("web-import-missing")) " "
            select name={ "missing." (at) } {
                @for (kind, name, label) in kinds { option value=(name) selected[kind == missing] { (desk.say(label)) } }
            }
        }
    }
}

fn choices(desk: &Desk, field: &Field, at: usize, column: &ColumnMap, texts: Option<&Vec<String>>) -> Markup {
    let fold = |text: &str| text.trim().to_lowercase();
    html! {
        div.values { @for (n, text) in texts.into_iter().flatten().enumerate() {
            @let same = field.ty.choices().iter().find(|c| fold(&c.value) == fold(text) || [&c.labels.en, &c.labels.ru, &c.labels.uk].iter().any(|l| fold(l) == fold(text)));
            @let now = column.values.get(text).map(String::as_str).or(same.map(|choice| choice.value.as_str())).unwrap_or_default();
            label { (text) " → "
                input type="hidden" name={ "t." (at) "." (n) } value=(text);
                select name={ "v." (at) "." (n) } {
                    option value="" selected[now.is_empty()] { (desk.say("web-import-as-is")) }
                    @for choice in field.ty.choices() { option value=(choice.value) selected[choice.value == now] { (choice.labels.text(desk.language)) } }
                }
            }
        } }
    }
}

// The different texts of each column that goes to a choice.
fn values(collection: &Collection, table: &Table, map: &ImportMap) -> BTreeMap<usize, Vec<String>> {
    let chosen = |heading: &String| {
        let field = map.columns.get(heading).and_then(|column| collection.field(&column.field));
        field.is_some_and(|field| !field.ty.choices().is_empty())
    };
    let at = table.headings().iter().enumerate().filter(|(_, heading)| chosen(heading)).map(|(at, _)| (at, Vec::new()));
    let mut found: BTreeMap<usize, Vec<String>> = at.collect();
    if found.is_empty() {
        return found;
    }
    for row in table.rows() {
        for (at, texts) in &mut found {
            let text = row.cells.get(*at).map(|cell| cell.trim()).unwrap_or_default();
            if !text.is_empty() && texts.len() < VALUES_MAX && !texts.iter().any(|known| known == text) {
                texts.push(text.to_owned());
            }
        }
    }
    found
}

fn whole_file(desk: &Desk, collection: &Collection, table: &Table, map: &ImportMap) -> Result<Markup> {
    let key = map.key.first().map(String::as_str).unwrap_or_default();
    let titled = collection.title.first().and_then(|name| collection.field(name)).filter(|f| f.ty == FieldType::Text);
    let branches = match collection.kind {
        Kind::Branch => desk.principal.list(&Query::of("branch").limited(BRANCHES_MAX))?.rows,
        Kind::Shared | Kind::Servers => Vec::new(),
    };
    let branch = map.constants.get("branch").map(Constant::text).unwrap_or_default();
    Ok(html! {
        div.field {
            label for="key" { (desk.say("web-import-key")) }
            select #key name="key" {
                option value="" selected[key.is_empty()] { (desk.say("web-import-no-key")) }
                @for heading in table.headings().iter().filter(|heading| map.columns.contains_key(*heading)) {
                    option value=(heading) selected[heading == key] { (heading) }
                }
            }
        }
        @if !branches.is_empty() {
            div.field {
                label for="branch" { (desk.say("web-import-branch")) }
                select #branch name="branch" {
                    option value="" { (desk.say("web-import-branch-owner")) }
                    @for known in &branches {
                        @let code = known.text("code");
                        option value=(code) selected[code == branch] { (known.text("name")) }
                    }
                }
            }
        }
        @if let Some(titled) = titled {
            div.field {
                label for="template" { (titled.labels.text(desk.language)) " " small { (desk.say("web-import-template")) } }
                input #template name="template" value=(map.templates.get(&*titled.name).map(String::as_str).unwrap_or_default());
            }
        }
    })
}

/// `POST /import/{upload}`: keeps what was chosen, and checks or runs it.
pub(in crate::web) async fn mapped(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(upload): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    let imports = node.imports.clone();
    visitor
        .write(node, move |desk| {
            let uploads = Uploads::of(&desk.principal);
            let about = uploads.about(&upload, &desk.me.id)?;
            let collection = desk.schema.require(&about.collection)?;
            let bytes = uploads.bytes(&upload)?;
            let headings = Table::parse(&bytes)?.headings().to_vec();
            // A button of the page of a run sends no map.
            let map = match typed.contains_key("key") {
                true => chosen(collection, &headings, &uploads.map(&upload)?, &typed),
                false => uploads.map(&upload)?,
            };
            uploads.keep_map(&upload, &map)?;
            let dry = match typed.get("act").map(String::as_str) {
                Some("check") => true,
                Some("run") => false,
                _ => return Ok(Reply::Go(format!("/import/{upload}"))),
            };
            // A run goes on behind this answer: what is seen then is judged then.
            let (principal, collection) = (desk.principal.replica().principal(&desk.me.id)?, about.collection);
            imports.begin(&upload, Job { principal, bytes, collection, map, dry });
            Ok(Reply::Go(format!("/import/{upload}/run")))
        })
        .await
}

fn chosen(collection: &Collection, headings: &[String], before: &ImportMap, typed: &Typed) -> ImportMap {
    let said = |name: String| typed.get(&name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let mut map = ImportMap { columns: BTreeMap::new(), ..before.clone() };
    for (at, heading) in headings.iter().enumerate() {
        let Some(field) = said(format!("to.{at}")) else { continue };
        let same = before.columns.get(heading).filter(|column| column.field == field);
        let mut column = same.cloned().unwrap_or_default();
        if same.is_some() {
            column.currency = said(format!("currency.{at}"))
                .or(column.currency.filter(|_| !typed.contains_key(&format!("currency.{at}"))));
            column.format =
                said(format!("format.{at}")).or(column.format.filter(|_| !typed.contains_key(&format!("format.{at}"))));
            for n in 0..VALUES_MAX {
                let Some(text) = typed.get(&format!("t.{at}.{n}")) else { break };
                match said(format!("v.{at}.{n}")) {
                    Some(value) => column.values.insert(text.clone(), value),
                    None => column.values.remove(text),
                };
            }
            column.lookup = looked_up(
                collection,
                &field,
                column.lookup.take(),
                said(format!("by.{at}")),
                said(format!("missing.{at}")),
            );
        }
        map.columns.insert(heading.clone(), ColumnMap { field, ..column });
    }
    map.key = before
        .key
        .iter()
        .filter(|_| before.key.len() > 1 && said("key".into()) == before.key.first().cloned())
        .cloned()
        .collect();
    if map.key.is_empty() {
        map.key = said("key".into()).filter(|key| map.columns.contains_key(key)).into_iter().collect();
    }
    if let Some(code) = typed.get("branch") {
        match code.trim() {
            "" => map.constants.remove("branch"),
            code => map.constants.insert("branch".into(), Constant::Text(code.to_owned())),
        };
    }
    if let (Some(template), Some(title)) = (typed.get("template"), collection.title.first()) {
        match template.trim() {
            "" => map.templates.remove(&**title),
            template => map.templates.insert(title.to_string(), template.to_owned()),
        };
    }
    map
}

// How a reference is found: by one field, or by any natural key where nothing is made for what is missing.
fn looked_up(
    collection: &Collection,
    field: &str,
    before: Option<LookupMap>,
    by: Option<String>,
    missing: Option<String>,
) -> Option<LookupMap> {
    let target = match collection.field(field).map(|field| &field.ty) {
        Some(FieldType::Reference(target) | FieldType::Set(SetOf::Reference(target))) => target,
        _ => return before,
    };
    // The form of a page says nothing of a column that it did not show as a reference.
    let Some(missing) = missing else { return before };
    let missing = match missing.as_str() {
        "create" => Missing::Create,
        "refuse" => Missing::Refuse,
        _ => Missing::Empty,
    };
    let take = before.and_then(|lookup| lookup.take);
    let by = by.or_else(|| (missing != Missing::Empty).then(|| "name".to_owned()))?;
    Some(LookupMap { collection: target.to_string(), by, missing, take })
}
