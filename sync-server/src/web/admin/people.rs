//! `/admin/people`: who works here, as what and where; links with which somebody chooses a password; who has left.

use axum::extract::{Form, State as Shared};
use axum::response::{Redirect, Response};
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::message::Message;
use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Name, Value};
use branchline_core::{Error, Result};
use maud::{Markup, html};
use serde::Deserialize;

use super::{administers, may_look, require};
use crate::server::Node;
use crate::web::desk::{Desk, Reply, Visitor};
use crate::web::frame;
use crate::web::sessions::{RESET_MS, Sessions};

const USER: &str = "user";
/// People of a page; the list of the collection has all.
const PEOPLE_MAX: usize = 500;

/// What the forms send.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    person: String,
    name: String,
    email: String,
    role: String,
    branch: String,
    active: String,
}

/// `GET /admin/people`.
pub(in crate::web) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, |desk| Ok(Reply::Page(title(desk), shown(desk, &Asked::default(), None, None)?))).await
}

/// Where a form leads whose answer is asked for again, for instance in another language.
pub(in crate::web) async fn home() -> Redirect {
    Redirect::to("/admin/people")
}

fn title(desk: &Desk) -> String {
    crate::commands::shape::collection_label(&desk.schema, USER, desk.language)
}

fn shown(desk: &Desk, typed: &Asked, done: Option<&Markup>, error: Option<&Error>) -> Result<Markup> {
    require(may_look(desk), desk)?;
    let query = Query::of(USER).sorted("name", Direction::Ascending).limited(PEOPLE_MAX);
    let mut people = desk.principal.list(&query)?.rows;
    if !administers(desk) {
        people.retain(|person| stands_beneath(desk, &person.id));
    }
    Ok(html! {
        p.trail { a href="/admin" { (desk.say("web-admin")) } }
        h1 { (title(desk)) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        @if let Some(done) = done { (done) }
        div.scroll { table {
            thead { tr { @for name in ["name", "email", "role", "home_branch"] { th scope="col" { (label(desk, name)) } } th {} } }
            tbody { @for person in &people { (row(desk, person)) } }
        } }
        @if administers(desk) { (adding(desk, typed)?) }
    })
}

fn label(desk: &Desk, field: &str) -> String {
    let field = desk.schema.collection(USER).and_then(|users| users.field(field));
    field.map(|field| field.labels.text(desk.language).to_owned()).unwrap_or_default()
}

fn stands_beneath(desk: &Desk, person: &RecordId) -> bool {
    *person == desk.me.id || desk.principal.may_stand_in_for(person).is_ok()
}

fn row(desk: &Desk, person: &Record) -> Markup {
    let left = *person.value("active") == Value::Boolean(false);
    let text = |name: &str| {
        let field = desk.schema.collection(USER).and_then(|users| users.field(name));
        field.map(|field| desk.text(field, person.value(name))).unwrap_or_default()
    };
    let action = |to: &str, label: &'static str, active: &str| {
        html! {
            form method="post" action=(to) {
                input type="hidden" name="person" value=(person.id);
                @if !active.is_empty() { input type="hidden" name="active" value=(active); }
                button.plain { (desk.say(label)) }
            }
        }
    };
    html! {
        tr.archived[left] {
            td { a href={ "/c/user/" (person.id) } { (text("name")) } @if left { " " span.badge { (desk.say("web-has-left")) } } }
            td { (text("email")) } td { (text("role")) } td { (text("home_branch")) }
            td { div.row {
                @if !left && !person.text("email").is_empty() && stands_beneath(desk, &person.id) {
                    (action("/admin/people/link", "web-password-link", ""))
                }
                @if administers(desk) && person.id != desk.me.id {
                    @if left { (action("/admin/people/active", "web-let-back", "yes")) }
                    @else { (action("/admin/people/active", "web-let-go", "no")) }
                }
            } }
        }
    }
}

fn adding(desk: &Desk, typed: &Asked) -> Result<Markup> {
    let users = desk.schema.require(USER)?;
    let roles = users.field("role").map(|field| field.ty.choices().to_vec()).unwrap_or_default();
    let branches =
        desk.principal.list(&Query::of("branch").sorted("name", Direction::Ascending).limited(PEOPLE_MAX))?.rows;
    Ok(html! {
        section.panel {
            h2 { (desk.say("web-add-person")) }
            form.asking method="post" action="/admin/people" {
                input name="name" required value=(typed.name) placeholder=(label(desk, "name")) aria-label=(label(desk, "name"));
                input type="email" name="email" value=(typed.email) placeholder=(label(desk, "email")) aria-label=(label(desk, "email"));
                select name="role" aria-label=(label(desk, "role")) {
                    @for role in &roles {
                        option value=(role.value) selected[role.value == if typed.role.is_empty() { "seller" } else { &*typed.role }] { (role.labels.text(desk.language)) }
                    }
                }
                select name="branch" aria-label=(label(desk, "home_branch")) {
                    option value="" { (label(desk, "home_branch")) ": –" }
                    @for branch in &branches {
                        option value=(branch.id) selected[branch.id.to_string() == typed.branch] { (branch.text("name")) }
                    }
                }
                button { (desk.say("web-add-person")) }
            }
        }
    })
}

/// `POST /admin/people`: a new person.
pub(in crate::web) async fn add(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    acting(node, visitor, asked, |desk, asked| {
        require(administers(desk), desk)?;
        let text = |text: &str| Value::Text(text.trim().to_owned());
        let mut values: Vec<(Name, Value)> = vec![
            ("name".into(), text(&asked.name)),
            ("role".into(), text(&asked.role)),
            ("active".into(), Value::Boolean(true)),
        ];
        if !asked.email.trim().is_empty() {
            let email = asked.email.trim();
            match desk.principal.find(USER, &format!("email={email}")) {
                Err(Error::NotFound(_)) => {}
                Ok(_) | Err(Error::Ambiguous(_)) => return Err(Error::invalid("email-taken").with("email", email)),
                Err(error) => return Err(error),
            }
            values.push(("email".into(), text(email)));
        }
        if !asked.branch.is_empty() {
            values.push(("home_branch".into(), Value::Reference(desk.principal.find("branch", &asked.branch)?)));
        }
        desk.principal.transact(|tx| tx.create(USER, values))?;
        Ok(html! { p.done role="status" { (Message::new("web-person-added").with("name", &asked.name).render(desk.language)) } })
    })
    .await
}

/// `POST /admin/people/active`: ends somebody's access, or gives it back.
pub(in crate::web) async fn active(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    acting(node, visitor, asked, |desk, asked| {
        require(administers(desk), desk)?;
        let id = desk.principal.find(USER, &asked.person)?;
        if id == desk.me.id {
            return Err(Error::invalid("user-disable-self").with("name", &desk.me.name));
        }
        let active = Value::Boolean(asked.active == "yes");
        desk.principal.transact(|tx| tx.edit(USER, &id, vec![Edit::Set("active".into(), active)]))?;
        Ok(html! { p.done role="status" { (desk.say("web-done")) } })
    })
    .await
}

/// `POST /admin/people/link`: a link with which somebody chooses a password, shown once. Whoever may enrol a device in that
/// person's name may make it.
pub(in crate::web) async fn link(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    acting(node, visitor, asked, |desk, asked| {
        let id = desk.principal.find(USER, &asked.person)?;
        require(may_look(desk), desk)?;
        if id != desk.me.id {
            desk.principal.may_stand_in_for(&id)?;
        }
        let replica = desk.principal.replica();
        replica.principal(&id)?.keeps_sealed()?;
        let (address, _) = replica.public_address()?.ok_or_else(|| Error::usage("no-public-address"))?;
        let token = Sessions::of(replica.dir()).reset(replica.environment(), &id)?;
        let link = format!("{}/sign-in?link={token}", address.trim_end_matches('/'));
        let said =
            Message::new("web-link-made").with("name", desk.person(Some(&id))).with("hours", RESET_MS / 3_600_000);
        Ok(html! {
            div.done role="status" {
                p { (said.render(desk.language)) }
                pre { code { (link) } }
            }
        })
    })
    .await
}

async fn acting(
    node: Node,
    visitor: Visitor,
    asked: Asked,
    act: impl FnOnce(&Desk, &Asked) -> Result<Markup> + Send + 'static,
) -> Response {
    visitor
        .write(node, move |desk| match act(desk, &asked) {
            Ok(done) => Ok(Reply::Page(title(desk), shown(desk, &Asked::default(), Some(&done), None)?)),
            Err(error) => Ok(Reply::Again(title(desk), shown(desk, &asked, None, Some(&error))?)),
        })
        .await
}
