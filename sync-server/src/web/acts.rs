//! What is done with one record beyond editing it: convert a lead, win or lose a deal, plan the next contact, comment.

use axum::extract::{Form, Path, State as Shared};
use axum::response::Response;
use branchline_core::access::Action;
use branchline_core::crm::convert_lead;
use branchline_core::document::Edit;
use branchline_core::replica::Record;
use branchline_core::schema::{Collection, Name, Value};
use branchline_core::{Error, Result};
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use super::timeline;
use crate::server::Node;

/// Kinds of activities that are planned.
const PLANNED: [&str; 4] = ["call", "meeting", "visit", "task"];

/// The collection of deals, and the stages in which one has ended.
const DEALS: &str = "opportunity";
pub(super) const ENDS: [&str; 2] = ["won", "lost"];

/// What a record's page offers to do.
pub(super) fn offered(desk: &Desk, collection: &Collection, record: &Record) -> Markup {
    let home = format!("/c/{}/{}", collection.name, record.id);
    let open = &*collection.name == DEALS && !ENDS.contains(&record.text("stage"));
    let activities = desk.schema.collection("activity").filter(|activities| desk.may(Action::Create, activities));
    let planned = activities.filter(|activities| timeline::link(activities, collection).is_some());
    html! {
        div.tools {
            @if &*collection.name == "lead" && record.text("status") != "converted" {
                form.row method="post" action={ (home) "/convert" } { button { (desk.say("web-convert")) } }
            }
            @if open {
                form.row method="post" action={ (home) "/end" } { button name="stage" value="won" { (desk.say("web-won")) } }
                details { summary { (desk.say("web-lost")) }
                    form.row method="post" action={ (home) "/end" } {
                        input name="reason" required aria-label=(desk.say("web-lost-reason")) placeholder=(desk.say("web-lost-reason"));
                        button name="stage" value="lost" { (desk.say("web-lost")) }
                    }
                }
            }
            @if let Some((kind, due)) = planned.and_then(|planned| planned.field("kind").zip(planned.field("due_at"))) {
                details { summary { (desk.say("web-plan-next")) }
                    form.row method="post" action={ (home) "/plan" } {
                        select name="kind" aria-label=(kind.labels.text(desk.language)) {
                            @for choice in kind.ty.choices().iter().filter(|choice| PLANNED.contains(&choice.value.as_str())) {
                                option value=(choice.value) { (choice.labels.text(desk.language)) }
                            }
                        }
                        input name="subject" required aria-label=(desk.say("web-subject")) placeholder=(desk.say("web-subject"));
                        @let (kind, example) = desk.formats.picker("datetime-local");
                        label { (due.labels.text(desk.language)) " " small { (desk.formats.zone.name()) } " "
                            input type=(kind) name="due_at" placeholder=[example] required; }
                        button { (desk.say("web-plan")) }
                    }
                }
            }
        }
    }
}

/// `POST /c/lead/{id}/convert`.
pub(super) async fn convert(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
) -> Response {
    visitor
        .write(node, move |desk| {
            if name != "lead" {
                return Err(Error::not_found("unknown-collection").with("collection", name));
            }
            let id = desk.principal.find(&name, &id)?;
            let made = convert_lead(desk.principal.replica(), &id)?;
            Ok(Reply::Go(format!("/c/opportunity/{}", made.opportunity)))
        })
        .await
}

/// `POST /c/opportunity/{id}/end`: won, or lost with the reason.
pub(super) async fn end(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            if name != DEALS {
                return Err(Error::not_found("unknown-collection").with("collection", name));
            }
            let collection = desk.schema.require(&name)?;
            let id = desk.principal.find(&name, &id)?;
            if ENDS.contains(&desk.principal.record(&name, &id)?.text("stage")) {
                return Err(Error::invalid("deal-has-ended"));
            }
            let text = |name: &str| form::text(&typed, name);
            let stage = if text("stage") == "won" { "won" } else { "lost" };
            if stage == "lost" && text("reason").is_empty() {
                return Err(Error::invalid("lost-without-reason"));
            }
            let mut edits = vec![set("stage", Value::Text(stage.into())), closed_today(desk)];
            if stage == "lost" {
                let field = collection.require_field("lost_reason")?;
                edits.push(Edit::Set(field.name.clone(), form::parse(desk, field, text("reason"))?));
            }
            desk.principal.transact(|tx| tx.edit(&name, &id, edits))?;
            Ok(Reply::Go(format!("/c/{name}/{id}")))
        })
        .await
}

/// A deal that was moved to its end, on the board or in a form, is closed today unless somebody says when.
pub(super) fn close(desk: &Desk, collection: &Collection, record: &Record, edits: &mut Vec<Edit>) {
    let ends = |edit: &Edit| matches!(edit, Edit::Set(name, Value::Text(stage)) if &**name == "stage" && ENDS.contains(&stage.as_str()));
    let says_when = edits.iter().any(|edit| matches!(edit, Edit::Set(name, _) if &**name == "closed_on"));
    if &*collection.name == DEALS && edits.iter().any(ends) && !says_when && *record.value("closed_on") == Value::Null {
        edits.push(closed_today(desk));
    }
}

fn closed_today(desk: &Desk) -> Edit {
    set("closed_on", Value::Date(desk.today()))
}

fn set(field: &str, value: Value) -> Edit {
    Edit::Set(field.into(), value)
}

/// `POST /c/{collection}/{id}/plan`: the next contact.
pub(super) async fn plan(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let record = desk.principal.record(&name, &desk.principal.find(&name, &id)?)?;
            let values = planned(desk, collection, &record, &typed)?;
            desk.principal.transact(|tx| tx.create("activity", values))?;
            Ok(Reply::Go(format!("/c/{name}/{}", record.id)))
        })
        .await
}

fn planned(desk: &Desk, collection: &Collection, record: &Record, typed: &Typed) -> Result<Vec<(Name, Value)>> {
    let activities = desk.schema.require("activity")?;
    let link = timeline::link(activities, collection).ok_or_else(|| Error::invalid("comment-nowhere"))?;
    let mut values = vec![(link.name.clone(), Value::Reference(record.id))];
    for name in ["kind", "subject", "due_at"] {
        let field = activities.require_field(name)?;
        let text = form::text(typed, name);
        if text.is_empty() {
            return Err(Error::invalid("required-field").with("field", name).with("collection", &*activities.name));
        }
        values.push((field.name.clone(), form::parse(desk, field, text)?));
    }
    // What is planned with a deal or a person is planned with their client, too.
    for name in ["account", "contact"] {
        let known = values.iter().any(|(field, _)| **field == *name) || activities.field(name).is_none();
        if let Some(other) = record.reference(name).filter(|_| !known) {
            values.push((name.into(), Value::Reference(other)));
        }
    }
    Ok(values)
}

/// `POST /c/{collection}/{id}/comment`.
pub(super) async fn comment(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let id = desk.principal.find(&name, &id)?;
            desk.principal.record(&name, &id)?;
            let text = form::text(&typed, "text");
            if !text.is_empty() {
                timeline::write(desk, collection, &id, text)?;
            }
            Ok(Reply::Go(format!("/c/{name}/{id}")))
        })
        .await
}
