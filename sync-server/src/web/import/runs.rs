//! Imports that run: each in a thread, page or no page, a few at a time; stopped with the server one goes on when it is
//! asked for again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use branchline_core::crm::import::{self, Import, ImportMap, Issue, Outcome, Progress};
use branchline_core::message::Message;
use branchline_core::replica::Principal;
use branchline_core::{Error, Result};
use maud::{Markup, html};

use crate::server::Node;
use crate::web::desk::{Desk, Reply, Visitor};
use crate::web::frame;
use crate::web::uploads::Uploads;

/// Errors and warnings that a page shows.
const ISSUES_MAX: usize = 200;
/// Runs remembered at once, ended ones among them.
const RUNS_MAX: usize = 64;
/// Imports that run at once; one writes at a time, and others wait for their turn.
const AT_ONCE_MAX: usize = 2;

/// The imports of this process, and how the last ones ended.
#[derive(Clone, Default)]
pub(crate) struct Imports(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By their upload.
    runs: HashMap<String, Run>,
    waiting: VecDeque<(String, Job)>,
    threads: usize,
}

#[derive(Clone)]
struct Run {
    dry: bool,
    waits: bool,
    done: Option<Progress>,
    ended: Option<Arc<Result<Outcome>>>,
}

/// An import to be run.
pub(super) struct Job {
    pub(super) principal: Principal,
    pub(super) bytes: Vec<u8>,
    pub(super) collection: String,
    pub(super) map: ImportMap,
    pub(super) dry: bool,
}

impl Imports {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn of(&self, upload: &str) -> Option<Run> {
        self.with(|state| state.runs.get(upload).cloned())
    }

    /// Has an import run as soon as it may; not again where it does already, nor where too many wait.
    pub(super) fn begin(&self, upload: &str, job: Job) {
        let is_thread_needed = self.with(|state| {
            if state.runs.get(upload).is_some_and(|run| run.ended.is_none()) {
                return false;
            }
            if state.runs.len() >= RUNS_MAX {
                state.runs.retain(|_, run| run.ended.is_none());
            }
            if state.runs.len() >= RUNS_MAX {
                return false;
            }
            state.runs.insert(upload.to_owned(), Run { dry: job.dry, waits: true, done: None, ended: None });
            state.waiting.push_back((upload.to_owned(), job));
            let is_needed = state.threads < AT_ONCE_MAX;
            state.threads += usize::from(is_needed);
            is_needed
        });
        let imports = self.clone();
        let work = move || while imports.run_next() {};
        if is_thread_needed && let Err(error) = thread::Builder::new().name("import".to_owned()).spawn(work) {
            self.with(|state| state.threads -= 1);
            self.end(upload, Err(Error::storage("upload-file").with("detail", error.to_string())));
        }
    }

    // Runs one that waits; false where none does, and its thread ends.
    fn run_next(&self) -> bool {
        let next = self.with(|state| {
            let next = state.waiting.pop_front();
            match &next {
                Some((upload, _)) => _ = state.runs.get_mut(upload).map(|run| run.waits = false),
                None => state.threads -= 1,
            }
            next
        });
        let Some((upload, job)) = next else { return false };
        let mut progress = |progress: &Progress| {
            self.with(|state| state.runs.get_mut(&upload).map(|run| run.done = Some(*progress)));
        };
        let (collection, map) = (Some(job.collection), Some(job.map));
        let import = Import { collection, map, dry_run: job.dry, progress: Some(&mut progress) };
        let ended = import.run(job.principal.replica(), &job.bytes);
        self.end(&upload, ended);
        true
    }

    fn end(&self, upload: &str, ended: Result<Outcome>) {
        self.with(|state| state.runs.get_mut(upload).map(|run| run.ended = Some(Arc::new(ended))));
    }
}

/// `GET /import/{upload}/run`: how far it is, or what came of it.
pub(in crate::web) async fn running(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(upload): Path<String>,
) -> Response {
    let run = node.imports.of(&upload);
    visitor
        .read(node, move |desk| {
            let about = Uploads::of(&desk.principal).about(&upload, &desk.me.id)?;
            let Some(run) = run else { return Ok(Reply::Go(format!("/import/{upload}"))) };
            let waits = run.ended.is_none();
            let body = html! {
                p.trail { a href={ "/import/" (upload) } { (about.name) } }
                h1 { (desk.say(if run.dry { "web-import-checking" } else { "web-import-running" })) }
                @match run.ended.as_deref() {
                    None => { (going(desk, &run)) }
                    Some(Err(error)) => { (frame::problem(desk.language, error)) (again(desk, &upload, false)) }
                    Some(Ok(outcome)) => { (result(desk, &about.collection, outcome)) (after(desk, &upload, outcome)) }
                }
            };
            Ok(if waits { Reply::Waiting(about.name, body) } else { Reply::Page(about.name, body) })
        })
        .await
}

fn going(desk: &Desk, run: &Run) -> Markup {
    let (rows, total) = run.done.map_or((0, 0), |done| (done.rows, done.total));
    html! {
        @if run.waits { p { (desk.say("web-import-waits")) } } @else if total == 0 { p { (desk.say("web-import-reading")) } } @else {
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
pub(in crate::web) async fn undo(Shared(node): Shared<Node>, visitor: Visitor, Path(upload): Path<String>) -> Response {
    let run = node.imports.of(&upload);
    visitor
        .write(node, move |desk| {
            let about = Uploads::of(&desk.principal).about(&upload, &desk.me.id)?;
            // The batch of this run alone; that of an earlier process is undone at the command line.
            let ended = run.and_then(|run| run.ended);
            let outcome = ended.as_deref().and_then(|ended| ended.as_ref().ok());
            let outcome = outcome.ok_or_else(|| Error::not_found("import-batch-unknown").with("batch", &upload))?;
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
