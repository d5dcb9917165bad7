//! `/admin/schema`: the collections and their fields; a workspace's own ones are added and changed here.
//!
//! A form is made into the same declarations that `schema apply` reads, so that both take and refuse the same.

use axum::extract::{Form, Path, State as Shared};
use axum::response::Response;
use branchline_core::replica::Query;
use branchline_core::schema::{
    Choice, Collection, DeclarationRecord, Field, FieldType, Kind, Labels, Name, Value, parse_declarations,
};
use branchline_core::{Error, Result, crm};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::{administers, require};
use crate::commands::schema::declare;
use crate::server::Node;
use crate::web::desk::{Desk, Reply, Visitor};
use crate::web::frame;

/// The types that a form offers; those with a target or choices ask for it.
const TYPES: [&str; 12] = [
    "text",
    "long_text",
    "integer",
    "decimal",
    "money",
    "boolean",
    "date",
    "instant",
    "choice",
    "reference",
    "set:text",
    "set:choice",
];
const WINNERS: [&str; 5] = ["latest", "earliest", "highest", "lowest", "ask"];

/// What the forms send.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Typed {
    name: String,
    kind: String,
    ty: String,
    target: String,
    en: String,
    ru: String,
    uk: String,
    required: String,
    winner: String,
    choices: String,
    position: String,
}

#[derive(Serialize)]
struct FieldToml<'a> {
    name: &'a str,
    r#type: String,
    label: [&'a str; 3],
    required: bool,
    search: bool,
    index: bool,
    winner: &'a str,
    choices: Vec<[String; 4]>,
}

#[derive(Serialize)]
struct ExtendToml<'a> {
    collection: &'a str,
    fields: Vec<FieldToml<'a>>,
}

#[derive(Serialize)]
struct CollectionToml<'a> {
    name: &'a str,
    kind: &'a str,
    label: [&'a str; 3],
    title: Vec<&'a str>,
    natural_keys: Vec<&'a str>,
    fields: Vec<FieldToml<'a>>,
}

#[derive(Default, Serialize)]
struct FileToml<'a> {
    collection: Vec<CollectionToml<'a>>,
    extend: Vec<ExtendToml<'a>>,
}

/// `GET /admin/schema`.
pub(in crate::web) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, |desk| Ok(Reply::Page(desk.say("web-admin-schema"), all(desk, &Typed::default(), None)?))).await
}

fn all(desk: &Desk, typed: &Typed, error: Option<&Error>) -> Result<Markup> {
    require(administers(desk), desk)?;
    Ok(html! {
        p.trail { a href="/admin" { (desk.say("web-admin")) } }
        h1 { (desk.say("web-admin-schema")) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        div.scroll { table {
            thead { tr { @for id in ["col-label", "col-name", "col-kind"] { th scope="col" { (desk.say(id)) } } th.number scope="col" { (desk.say("col-fields")) } } }
            tbody { @for collection in desk.schema.collections() { tr {
                td { a href={ "/admin/schema/" (collection.name) } { (collection.labels.text(desk.language)) } @if collection.custom { " " span.badge { (desk.say("web-own")) } } }
                td { code { (collection.name) } }
                td { (desk.say(kind_label(collection.kind))) }
                td.number { (collection.fields.len()) }
            } } }
        } }
        section.panel {
            h2 { (desk.say("web-add-collection")) }
            form method="post" action="/admin/schema" {
                div.fields {
                    (named(desk, typed))
                    div.field { label for="kind" { (desk.say("col-kind")) } select #kind name="kind" {
                        @for kind in ["branch", "shared"] { option value=(kind) selected[typed.kind == kind] { (desk.say(if kind == "shared" { "kind-shared" } else { "kind-branch" })) } }
                    } }
                }
                div.row { button { (desk.say("web-add-collection")) } }
            }
            p.quiet { (desk.say("web-add-collection-hint")) }
        }
    })
}

fn kind_label(kind: Kind) -> &'static str {
    if kind == Kind::Shared { "kind-shared" } else { "kind-branch" }
}

// The name and its labels in three languages.
fn named(desk: &Desk, typed: &Typed) -> Markup {
    let labels = [("en", "English", &typed.en), ("ru", "Русский", &typed.ru), ("uk", "Українська", &typed.uk)];
    html! {
        div.field { label for="name" { (desk.say("col-name")) span.required { " *" } " " small { (desk.say("web-name-hint")) } }
            input #name name="name" required pattern="[a-z][a-z0-9_]*" value=(typed.name); }
        (labelled(desk, &labels))
    }
}

fn labelled(desk: &Desk, labels: &[(&str, &str, &String); 3]) -> Markup {
    html! {
        @for (code, language, text) in labels {
            div.field { label for=(code) { (desk.say("col-label")) " (" (language) ")" @if *code == "en" { span.required { " *" } } }
                input id=(code) name=(code) lang=(code) required[*code == "en"] value=(text); }
        }
    }
}

/// `POST /admin/schema`: a collection of the workspace's own, with a name to begin with.
pub(in crate::web) async fn add_collection(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let name =
                Typed { en: "Name".into(), ru: "Название".into(), uk: "Назва".into(), ..Typed::default() };
            let title = FieldToml { search: true, ..field(&name, "name", "text".to_owned(), Vec::new()) };
            let file = FileToml {
                collection: vec![CollectionToml {
                    name: &typed.name,
                    kind: &typed.kind,
                    label: labels(&typed),
                    title: vec!["name"],
                    natural_keys: vec!["name"],
                    fields: vec![FieldToml { required: true, ..title }],
                }],
                ..FileToml::default()
            };
            match applied(desk, &file, None) {
                Ok(()) => Ok(Reply::Go(format!("/admin/schema/{}", typed.name))),
                Err(error) => Ok(Reply::Again(desk.say("web-admin-schema"), all(desk, &typed, Some(&error))?)),
            }
        })
        .await
}

/// `GET /admin/schema/{collection}`.
pub(in crate::web) async fn collection(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Response {
    visitor
        .read(node, move |desk| {
            let body = one(desk, &name, &Typed::default(), None)?;
            Ok(Reply::Page(desk.say("web-admin-schema"), body))
        })
        .await
}

fn one(desk: &Desk, name: &str, typed: &Typed, error: Option<&Error>) -> Result<Markup> {
    require(administers(desk), desk)?;
    let collection = desk.schema.require(name)?;
    Ok(html! {
        p.trail { a href="/admin" { (desk.say("web-admin")) } " · " a href="/admin/schema" { (desk.say("web-admin-schema")) } }
        h1 { (collection.labels.text(desk.language)) " " span.badge { (desk.say(kind_label(collection.kind))) } }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        div.scroll { table {
            thead { tr { @for id in ["col-label", "col-name", "col-type", "col-required", "web-winner"] { th scope="col" { (desk.say(id)) } } th {} } }
            tbody { @for field in &collection.fields { tr {
                td { (field.labels.text(desk.language)) }
                td { code { (field.name) } }
                td { code { (field.ty.spec()) } @if !field.ty.choices().is_empty() { " " code.quiet title=(choice_values(field)) { (field.ty.choices().len()) } } }
                td { @if field.required { "✓" } }
                td { code { (field.winner.spec()) } }
                td { @if is_own(name, &field.name) || takes_choices(field) { a href={ "/admin/schema/" (name) "/" (field.name) } { (desk.say("web-edit")) } } }
            } } }
        } }
        section.panel {
            h2 { (desk.say("web-add-field")) }
            form method="post" action={ "/admin/schema/" (name) } {
                div.fields {
                    (named(desk, typed))
                    div.field { label for="ty" { (desk.say("col-type")) } select #ty name="ty" {
                        @for ty in TYPES { option value=(ty) selected[typed.ty == ty] { (desk.say(type_label(ty))) } }
                    } }
                    div.field { label for="target" { (desk.say("web-target")) } select #target name="target" {
                        option value="" { "–" }
                        @for other in desk.schema.collections() { option value=(other.name) selected[typed.target == *other.name] { (other.labels.text(desk.language)) } }
                    } }
                    (rules(desk, typed))
                }
                div.row { button { (desk.say("web-add-field")) } }
            }
        }
    })
}

// Which values are asked for, which win, in which order they stand.
fn rules(desk: &Desk, typed: &Typed) -> Markup {
    html! {
        div.field { label for="winner" { (desk.say("web-winner")) } select #winner name="winner" {
            @for winner in WINNERS { option value=(winner) selected[typed.winner == winner] { (desk.say(winner_label(winner))) } }
            @if !typed.winner.is_empty() && !WINNERS.contains(&&*typed.winner) { option value=(typed.winner) selected { (typed.winner) } }
        } }
        div.field { label for="position" { (desk.say("web-position")) } input #position type="number" step="1" name="position" value=(typed.position); }
        div.field { label { input type="checkbox" name="required" value="yes" checked[typed.required == "yes"]; " " (desk.say("col-required")) } }
        div.field.wide { label for="choices" { (desk.say("col-choices")) " " small { (desk.say("web-choices-hint")) } }
            textarea #choices name="choices" rows="4" spellcheck="false" { (typed.choices) } }
    }
}

fn type_label(ty: &str) -> &'static str {
    match ty {
        "long_text" => "type-long-text",
        "integer" => "type-integer",
        "decimal" => "type-decimal",
        "money" => "type-money",
        "boolean" => "type-boolean",
        "date" => "type-date",
        "instant" => "type-instant",
        "choice" => "type-choice",
        "reference" => "type-reference",
        "set:text" => "type-set-text",
        "set:choice" => "type-set-choice",
        _ => "type-text",
    }
}

fn winner_label(winner: &str) -> &'static str {
    match winner {
        "earliest" => "winner-earliest",
        "highest" => "winner-highest",
        "lowest" => "winner-lowest",
        "ask" => "winner-ask",
        _ => "winner-latest",
    }
}

fn takes_choices(field: &Field) -> bool {
    matches!(field.ty, FieldType::Choice(_)) && !field.ty.choices().is_empty()
}

fn choice_values(field: &Field) -> String {
    field.ty.choices().iter().map(|choice| choice.value.as_str()).collect::<Vec<_>>().join(", ")
}

// Whether the workspace itself has declared the field.
fn is_own(collection: &str, field: &str) -> bool {
    let builtin = crm::builtin().collection(collection).is_some_and(|known| known.field(field).is_some());
    !builtin && !matches!(field, "external_id" | "branch" | "team" | "owner")
}

/// `POST /admin/schema/{collection}`: a field more.
pub(in crate::web) async fn add_field(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| match field_added(desk, &name, &typed) {
            Ok(()) => Ok(Reply::Go(format!("/admin/schema/{name}"))),
            Err(error) => Ok(Reply::Again(desk.say("web-admin-schema"), one(desk, &name, &typed, Some(&error))?)),
        })
        .await
}

fn field_added(desk: &Desk, collection: &str, typed: &Typed) -> Result<()> {
    let known = desk.schema.require(collection)?;
    if known.field(&typed.name).is_some() {
        return Err(Error::invalid("declared-twice").with("name", &typed.name));
    }
    let ty = match &*typed.ty {
        "reference" if typed.target.is_empty() => return Err(Error::invalid("reference-without-target")),
        "reference" => format!("reference:{}", typed.target),
        other => other.to_owned(),
    };
    extended(desk, collection, &typed.name, ty, typed)
}

fn extended(desk: &Desk, collection: &str, name: &str, ty: String, typed: &Typed) -> Result<()> {
    let choices = if ty.ends_with("choice") { choices(&typed.choices) } else { Vec::new() };
    // What is there already is found and indexed as it was declared.
    let known = desk.schema.require(collection)?.field(name);
    let search = known.map_or(matches!(&*ty, "text" | "long_text"), |field| field.searchable);
    let index = known.is_some_and(|field| field.indexed);
    let field = FieldToml { search, index, ..field(typed, name, ty, choices) };
    let file = FileToml { extend: vec![ExtendToml { collection, fields: vec![field] }], ..FileToml::default() };
    let place = typed.position.trim();
    let position = match place.is_empty() {
        true => None,
        false => Some(place.parse().map_err(|_| Error::invalid("position-no-number").with("text", place))?),
    };
    applied(desk, &file, Some(position))
}

fn field<'a>(typed: &'a Typed, name: &'a str, ty: String, choices: Vec<[String; 4]>) -> FieldToml<'a> {
    let required = typed.required == "yes";
    FieldToml {
        name,
        r#type: ty,
        label: labels(typed),
        required,
        search: false,
        index: false,
        winner: &typed.winner,
        choices,
    }
}

// A language that is left out reads the English label.
fn labels(typed: &Typed) -> [&str; 3] {
    [typed.en.trim(), typed.ru.trim(), typed.uk.trim()]
}

// One choice a line: its value and labels, with “|” between.
fn choices(text: &str) -> Vec<[String; 4]> {
    let line = |line: &str| {
        let mut parts = line.split('|').map(|part| part.trim().to_owned());
        let value = parts.next().unwrap_or_default();
        let en = parts.next().filter(|text| !text.is_empty()).unwrap_or_else(|| value.clone());
        let [ru, uk] = [(); 2].map(|()| parts.next().filter(|text| !text.is_empty()).unwrap_or_else(|| en.clone()));
        [value, en, ru, uk]
    };
    text.lines().map(str::trim).filter(|text| !text.is_empty()).map(line).collect()
}

// `position`: of a single field; the place in the file otherwise.
fn applied(desk: &Desk, file: &FileToml<'_>, position: Option<Option<i64>>) -> Result<()> {
    require(administers(desk), desk)?;
    let text = toml::to_string(file).map_err(|e| Error::invalid("value-file").with("detail", e.to_string()))?;
    let declared = parse_declarations(&text)?;
    declared.check_against(&desk.schema)?;
    let mut rows = declared.records();
    if let Some(position) = position {
        rows.iter_mut().for_each(|row| placed(row, position));
    }
    desk.principal.transact(|tx| rows.iter().try_for_each(|row| declare(tx, row).map(drop)))
}

fn placed(row: &mut DeclarationRecord, position: Option<i64>) {
    row.values.retain(|(name, _)| &**name != "position");
    row.values.extend(position.map(|at| (Name::from("position"), Value::Integer(at))));
}

/// `GET /admin/schema/{collection}/{field}`.
pub(in crate::web) async fn field_page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, field)): Path<(String, String)>,
) -> Response {
    visitor
        .read(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let typed = known(desk, collection, collection.require_field(&field)?)?;
            Ok(Reply::Page(desk.say("web-admin-schema"), changing(desk, collection, &field, &typed, None)?))
        })
        .await
}

// What the form of a field shows: as it was declared.
fn known(desk: &Desk, collection: &Collection, field: &Field) -> Result<Typed> {
    let Labels { en, ru, uk } = field.labels.clone();
    let own = is_own(&collection.name, &field.name);
    let shown = field.ty.choices().iter().filter(|choice| own || is_added(collection, field, &choice.value));
    let line = |c: &Choice| format!("{} | {} | {} | {}", c.value, c.labels.en, c.labels.ru, c.labels.uk);
    let mut position = String::new();
    desk.principal.each(&Query::of("field"), &mut |record| {
        if record.text("collection") == &*collection.name && record.text("name") == &*field.name {
            position = if let Value::Integer(at) = record.value("position") { at.to_string() } else { String::new() };
        }
        Ok(())
    })?;
    Ok(Typed {
        name: field.name.to_string(),
        ty: field.ty.spec(),
        en,
        ru,
        uk,
        required: if field.required { "yes".to_owned() } else { String::new() },
        winner: field.winner.spec(),
        choices: shown.map(line).collect::<Vec<_>>().join("\n"),
        position,
        ..Typed::default()
    })
}

// Whether the workspace has added this choice to a built-in field.
fn is_added(collection: &Collection, field: &Field, value: &str) -> bool {
    let builtin = crm::builtin().collection(&collection.name).and_then(|known| known.field(&field.name));
    builtin.is_none_or(|builtin| builtin.ty.choices().iter().all(|choice| choice.value != value))
}

fn changing(desk: &Desk, collection: &Collection, field: &str, typed: &Typed, error: Option<&Error>) -> Result<Markup> {
    require(administers(desk), desk)?;
    let own = is_own(&collection.name, field);
    let labels = [("en", "English", &typed.en), ("ru", "Русский", &typed.ru), ("uk", "Українська", &typed.uk)];
    let home = format!("/admin/schema/{}", collection.name);
    let title = collection.require_field(field)?.labels.text(desk.language);
    Ok(html! {
        p.trail { a href="/admin" { (desk.say("web-admin")) } " · " a href=(home) { (collection.labels.text(desk.language)) } }
        h1 { (title) " " span.badge { code { (typed.ty) } } }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        form method="post" action={ (home) "/" (field) } {
            div.fields {
                @if own { (labelled(desk, &labels)) (rules(desk, typed)) }
                @else {
                    div.field.wide { label for="choices" { (desk.say("web-more-choices")) " " small { (desk.say("web-choices-hint")) } }
                        textarea #choices name="choices" rows="4" spellcheck="false" { (typed.choices) } }
                }
            }
            div.actions { button { (desk.say("web-save")) } " " a href=(home) { (desk.say("web-cancel")) } }
        }
    })
}

/// `POST /admin/schema/{collection}/{field}`: labels, rules and choices; the type stays.
pub(in crate::web) async fn change_field(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, field)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let known = collection.require_field(&field)?.clone();
            match field_changed(desk, collection, &known, &typed) {
                Ok(()) => Ok(Reply::Go(format!("/admin/schema/{name}"))),
                Err(error) => {
                    let typed = Typed { ty: known.ty.spec(), ..typed };
                    let body = changing(desk, collection, &field, &typed, Some(&error))?;
                    Ok(Reply::Again(desk.say("web-admin-schema"), body))
                }
            }
        })
        .await
}

fn field_changed(desk: &Desk, collection: &Collection, field: &Field, typed: &Typed) -> Result<()> {
    if is_own(&collection.name, &field.name) {
        return extended(desk, &collection.name, &field.name, field.ty.spec(), typed);
    }
    // A built-in field keeps what it is; choices are added to it.
    let Labels { en, ru, uk } = field.labels.clone();
    let winner = field.winner.spec();
    let more = Typed { en, ru, uk, winner, choices: typed.choices.clone(), ..Typed::default() };
    extended(desk, &collection.name, &field.name, field.ty.spec(), &more)
}
