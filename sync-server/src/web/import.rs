//! `/import`: a CSV or XLSX file becomes records, in steps: upload, mapping with a preview, trial run, run, result, undo.
//!
//! The rules of an import are the core's; here a map is made by choosing, and a run is followed. A run goes on in a
//! thread of its own, page or no page; stopped with the server it goes on when it is asked for again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use axum::extract::{Form, Multipart, Path, Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::access::Action;
use branchline_core::crm::import::{
    self, ColumnMap, Constant, Import, ImportMap, Issue, LookupMap, Missing, Outcome, Progress, Table,
};
use branchline_core::message::Message;
use branchline_core::replica::Query;
use branchline_core::schema::{Collection, Field, FieldType, Kind, SetOf};
use branchline_core::{Error, Result};
use maud::{Markup, html};
use tempfile::NamedTempFile;

use super::desk::{Desk, Reply, Visitor};
use super::form::Typed;
use super::uploads::{self, FILE_BYTES_MAX, Uploads};
use super::{frame, sign_in};
use crate::server::{Node, transfer};

/// Rows of the preview.
const PREVIEW_ROWS: usize = 6;
/// Different texts of a column that are offered to be matched to choices.
const VALUES_MAX: usize = 40;
/// Errors and warnings that a page shows.
const ISSUES_MAX: usize = 200;
/// Runs remembered at once, ended ones among them.
const RUNS_MAX: usize = 64;
/// Branches to choose from.
const BRANCHES_MAX: usize = 500;

/// The imports that run in this process, and how the last ones ended, by their upload.
#[derive(Debug, Clone, Default)]
pub(crate) struct Imports(Arc<Mutex<HashMap<String, Run>>>);

#[derive(Debug, Clone)]
struct Run {
    dry: bool,
    done: Option<Progress>,
    ended: Option<Result<Outcome>>,
}

impl Imports {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Run>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn of(&self, upload: &str) -> Option<Run> {
        self.with(|runs| runs.get(upload).cloned())
    }

    // False where it runs already, or too many do.
    fn begin(&self, upload: &str, dry: bool) -> bool {
        self.with(|runs| {
            if runs.get(upload).is_some_and(|run| run.ended.is_none()) {
                return false;
            }
            if runs.len() >= RUNS_MAX {
                runs.retain(|_, run| run.ended.is_none());
            }
            runs.len() < RUNS_MAX && {
                runs.insert(upload.to_owned(), Run { dry, done: None, ended: None });
                true
            }
        })
    }

    fn note(&self, upload: &str, change: impl FnOnce(&mut Run)) {
        self.with(|runs| runs.get_mut(upload).map(change));
    }
}

/// `GET /import`: which file, and into what.
pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Asked(asked): Asked<HashMap<String, String>>,
) -> Response {
    let wanted = asked.get("collection").cloned().unwrap_or_default();
    visitor.read(node, move |desk| Ok(Reply::Page(desk.say("web-import-title"), begin(desk, &wanted, None)))).await
}

fn begin(desk: &Desk, wanted: &str, error: Option<&Error>) -> Markup {
    let mut may: Vec<_> = desk.schema.collections().iter().filter(|c| desk.may(Action::Import, c)).collect();
    may.sort_by_key(|collection| frame::place(&collection.name));
    let own = Uploads::of(&desk.principal).all(&desk.me.id);
    html! {
        h1 { (desk.say("web-import-title")) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        @if may.is_empty() { p.empty { (desk.say("web-import-denied")) } } @else {
            p.quiet { (desk.say("web-import-what")) }
            form.record method="post" action="/import" enctype="multipart/form-data" {
                div.fields {
                    div.field {
                        label for="collection" { (desk.say("web-import-into")) }
                        select #collection name="collection" {
                            @for c in &may { option value=(c.name) selected[*c.name == *wanted] { (c.labels.text(desk.language)) } }
                        }
                    }
                    div.field {
                        label for="file" { (desk.say("web-import-file")) }
                        input #file type="file" name="file" accept=".csv,.tsv,.txt,.xlsx" required;
                    }
                    div.field {
                        label for="map" { (desk.say("web-import-map")) }
                        input #map type="file" name="map" accept=".toml";
                    }
                }
                p.actions { button { (desk.say("web-import-upload")) } }
            }
        }
        @if !own.is_empty() {
            h2 { (desk.say("web-import-own")) }
            ul.work { @for (upload, about) in &own {
                li { a href={ "/import/" (upload) } { (about.name) }
                    span.badge { (desk.schema.collection(&about.collection).map(|c| c.labels.text(desk.language)).unwrap_or(&about.collection)) } }
            } }
        }
    }
}

/// What a form with files held.
#[derive(Default)]
struct Sent {
    collection: String,
    name: String,
    file: Option<NamedTempFile>,
    map: String,
}

/// `POST /import`: takes a file in and guesses its map.
pub(super) async fn upload(Shared(node): Shared<Node>, visitor: Visitor, form: Multipart) -> Response {
    if !visitor.may_send(&node) {
        return sign_in::refused(&visitor, &Error::denied("foreign-page"));
    }
    let sent = taken_in(node.replica.dir(), form).await;
    visitor
        .write(node, move |desk| {
            let (wanted, kept) = match sent {
                Ok(sent) => (sent.collection.clone(), kept(desk, sent)),
                Err(error) => (String::new(), Err(error)),
            };
            Ok(match kept {
                Ok(upload) => Reply::Go(format!("/import/{upload}")),
                Err(error) => Reply::Again(desk.say("web-import-title"), begin(desk, &wanted, Some(&error))),
            })
        })
        .await
}

async fn taken_in(dir: &std::path::Path, mut form: Multipart) -> Result<Sent> {
    let cut = |_| Error::limit("upload-cut").with("limit", FILE_BYTES_MAX >> 20);
    let mut sent = Sent::default();
    while let Some(part) = form.next_field().await.map_err(cut)? {
        let part_name = part.name().unwrap_or_default().to_owned();
        match part_name.as_str() {
            "collection" => sent.collection = part.text().await.map_err(cut)?,
            "map" => sent.map = part.text().await.map_err(cut)?,
            "file" => {
                sent.name =
                    part.file_name().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
                sent.file = Some(transfer::incoming(dir, part, FILE_BYTES_MAX as u64).await?);
            }
            _ => {}
        }
    }
    Ok(sent)
}

fn kept(desk: &Desk, sent: Sent) -> Result<String> {
    let collection = desk.schema.require(&sent.collection)?.clone();
    desk.require(Action::Import, &collection)?;
    let file = sent.file.ok_or_else(|| Error::limit("upload-cut").with("limit", FILE_BYTES_MAX >> 20))?;
    let table = Table::parse(&uploads::read(file.path())?)?;
    let map = match sent.map.trim() {
        "" => import::guess_map(&collection, table.headings()),
        text => ImportMap::parse(text)?,
    };
    let (env, uploads) = (desk.principal.environment(), Uploads::of(&desk.principal));
    uploads.add(env, &desk.me.id, (&sent.collection, &sent.name), file, &map)
}

/// `GET /import/{upload}`: what the columns are.
pub(super) async fn mapping(Shared(node): Shared<Node>, visitor: Visitor, Path(upload): Path<String>) -> Response {
    visitor.read(node, move |desk| shown(desk, &upload)).await
}

fn shown(desk: &Desk, upload: &str) -> Result<Reply> {
    let uploads = Uploads::of(&desk.principal);
    let about = uploads.about(upload, &desk.me.id)?;
    let collection = desk.schema.require(&about.collection)?.clone();
    let table = Table::parse(&uploads.bytes(upload)?)?;
    let map = uploads.map(upload)?;
    let values = values(&collection, &table, &map);
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
                        td { (field_choice(desk, &collection, at, heading, column)) }
                        td { @if let Some(column) = column { (options(desk, &collection, at, column, values.get(&at))) } }
                    }
                } }
            } }
            div.fields { (whole_file(desk, &collection, &table, &map)?) }
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
            @for field in collection.fields.iter().filter(|field| !matches!(field.ty, FieldType::Attachment)) {
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
pub(super) async fn mapped(
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
            let collection = desk.schema.require(&about.collection)?.clone();
            let bytes = uploads.bytes(&upload)?;
            let headings = Table::parse(&bytes)?.headings().to_vec();
            // A button of the page of a run sends no map.
            let map = match typed.contains_key("key") {
                true => chosen(&collection, &headings, &uploads.map(&upload)?, &typed),
                false => uploads.map(&upload)?,
            };
            uploads.keep_map(&upload, &map)?;
            let dry = match typed.get("act").map(String::as_str) {
                Some("check") => true,
                Some("run") => false,
                _ => return Ok(Reply::Go(format!("/import/{upload}"))),
            };
            if imports.begin(&upload, dry) {
                start(desk, &imports, &upload, bytes, (about.collection, map, dry));
            }
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

fn start(
    desk: &Desk,
    imports: &Imports,
    upload: &str,
    bytes: Vec<u8>,
    (collection, map, dry): (String, ImportMap, bool),
) {
    let (principal, imports, upload) = (desk.principal.clone(), imports.clone(), upload.to_owned());
    let (told, name) = (imports.clone(), upload.clone());
    let work = move || {
        let mut progress = |progress: &Progress| imports.note(&upload, |run| run.done = Some(*progress));
        let import =
            Import { collection: Some(collection), map: Some(map), dry_run: dry, progress: Some(&mut progress) };
        let ended = import.run(principal.replica(), &bytes);
        imports.note(&upload, |run| run.ended = Some(ended));
    };
    if let Err(error) = thread::Builder::new().name("import".to_owned()).spawn(work) {
        let failed = Error::storage("upload-file").with("detail", error.to_string());
        told.note(&name, |run| run.ended = Some(Err(failed)));
    }
}

/// `GET /import/{upload}/run`: how far it is, or what came of it.
pub(super) async fn running(Shared(node): Shared<Node>, visitor: Visitor, Path(upload): Path<String>) -> Response {
    let run = node.imports.of(&upload);
    visitor
        .read(node, move |desk| {
            let about = Uploads::of(&desk.principal).about(&upload, &desk.me.id)?;
            let Some(run) = run else { return Ok(Reply::Go(format!("/import/{upload}"))) };
            let waits = run.ended.is_none();
            let body = html! {
                p.trail { a href={ "/import/" (upload) } { (about.name) } }
                h1 { (desk.say(if run.dry { "web-import-checking" } else { "web-import-running" })) }
                @match &run.ended {
                    None => { (going(desk, run.done.as_ref())) }
                    Some(Err(error)) => { (frame::problem(desk.language, error)) (again(desk, &upload, false)) }
                    Some(Ok(outcome)) => { (result(desk, &about.collection, outcome)) (after(desk, &upload, outcome)) }
                }
            };
            Ok(if waits { Reply::Waiting(about.name, body) } else { Reply::Page(about.name, body) })
        })
        .await
}

fn going(desk: &Desk, done: Option<&Progress>) -> Markup {
    let (rows, total) = done.map_or((0, 0), |done| (done.rows, done.total));
    html! {
        @if total == 0 { p { (desk.say("web-import-reading")) } } @else {
            p { progress max=(total) value=(rows) {} " " (rows) " / " (total) }
        }
        p.quiet { (desk.say("web-import-goes-on")) }
    }
}

fn result(desk: &Desk, collection: &str, outcome: &Outcome) -> Markup {
    let counts = [
        ("web-import-rows", outcome.rows),
        ("web-import-created", outcome.created),
        ("web-import-updated", outcome.updated),
        ("web-import-unchanged", outcome.unchanged),
        ("web-import-looked-up", outcome.looked_up),
        ("web-import-refused", outcome.refused),
    ];
    html! {
        @if outcome.dry_run { p.notice { (desk.say("web-import-dry")) } } @else {
            p { (desk.say("web-import-done")) " " a href={ "/c/" (collection) } { (desk.say("web-import-see")) } }
        }
        dl.facts { @for (label, count) in counts { dt { (desk.say(label)) } dd { (count) } } }
        (issues(desk, "web-import-errors", &outcome.errors, 0))
        (issues(desk, "web-import-warnings", &outcome.warnings, outcome.warnings_more))
    }
}

fn issues(desk: &Desk, heading: &'static str, issues: &[Issue], more: u64) -> Markup {
    let more = more + issues.len().saturating_sub(ISSUES_MAX) as u64;
    html! {
        @if !issues.is_empty() {
            h2 { (desk.say(heading)) " " span.quiet { (issues.len()) } }
            div.scroll { table {
                thead { tr {
                    th scope="col" .number { (desk.say("web-import-row")) }
                    th scope="col" { (desk.say("web-import-column")) }
                    th scope="col" { (desk.say("web-import-value")) }
                    th scope="col" { (desk.say("web-import-why")) }
                } }
                tbody { @for issue in issues.iter().take(ISSUES_MAX) { tr {
                    td.number { (issue.row) } td { (issue.column) } td { (issue.value) }
                    td.long { (issue.reason.render(desk.language)) @if let Some(nearest) = &issue.nearest { " → " strong { (nearest) } } }
                } } }
            } }
            @if more > 0 { p.quiet { (Message::new("web-more-rows").with("count", more).render(desk.language)) } }
        }
    }
}

fn after(desk: &Desk, upload: &str, outcome: &Outcome) -> Markup {
    html! {
        @if outcome.dry_run { (again(desk, upload, true)) } @else {
            form method="post" action={ "/import/" (upload) "/undo" } {
                p.actions { button.plain { (desk.say("web-import-undo")) } }
            }
        }
    }
}

fn again(desk: &Desk, upload: &str, run: bool) -> Markup {
    html! {
        form method="post" action={ "/import/" (upload) } {
            p.actions {
                a.button href={ "/import/" (upload) } { (desk.say("web-import-back")) } " "
                @if run { button name="act" value="run" { (desk.say("web-import-run")) } }
            }
        }
    }
}

/// `POST /import/{upload}/undo`: takes back what an import made or changed and nobody touched since.
pub(super) async fn undo(Shared(node): Shared<Node>, visitor: Visitor, Path(upload): Path<String>) -> Response {
    let run = node.imports.of(&upload);
    visitor
        .write(node, move |desk| {
            let about = Uploads::of(&desk.principal).about(&upload, &desk.me.id)?;
            // The batch of this run alone; that of an earlier process is undone at the command line.
            let ended = run.and_then(|run| run.ended).and_then(Result::ok);
            let outcome = ended.ok_or_else(|| Error::not_found("import-batch-unknown").with("batch", &upload))?;
            let undone = import::undo(desk.principal.replica(), outcome.batch)?;
            let counts = [
                ("web-import-archived", undone.archived),
                ("web-import-restored", undone.restored),
                ("web-import-kept", undone.kept),
            ];
            let body = html! {
                p.trail { a href={ "/import/" (upload) } { (about.name) } }
                h1 { (desk.say("web-import-undone")) }
                dl.facts { @for (label, count) in counts { dt { (desk.say(label)) } dd { (count) } } }
            };
            Ok(Reply::Page(about.name, body))
        })
        .await
}
