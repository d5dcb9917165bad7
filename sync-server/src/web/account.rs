//! `/account`: the own password, second factor, sessions and choices.

use axum::extract::{Form, State as Shared};
use axum::response::{Redirect, Response};
use branchline_core::replica::Credential;
use branchline_core::{Error, Result};
use maud::{Markup, PreEscaped, html};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;

use super::choices;
use super::desk::{Desk, Reply, Visitor};
use super::frame;
use super::password::{self, Second};
use super::sessions::{Sessions, mark_of};
use super::sign_in::{code_input, is_code_good, new_password};
use crate::server::Node;

/// Side of a picture of a code, in pixels.
const PICTURE_PIXELS: u32 = 220;

/// What the forms of the page send.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    current: String,
    password: String,
    again: String,
    secret: String,
    code: String,
    session: String,
}

/// `GET /account`.
pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, |desk| shown(desk, None).map(|body| Reply::Page(desk.say("web-account"), body))).await
}

/// Where a form leads whose answer is asked for again, for instance in another language.
pub(super) async fn home() -> Redirect {
    Redirect::to("/account")
}

pub(super) fn shown(desk: &Desk, error: Option<&Error>) -> Result<Markup> {
    let credential = desk.principal.credential()?;
    let kept = desk.principal.keeps_sealed();
    let env = desk.principal.replica().environment();
    let sessions = Sessions::of(desk.principal.replica().dir()).of_person(env.now(), &desk.me.id);
    Ok(html! {
        h1 { (desk.say("web-account")) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        div.panels {
            section.panel {
                h2 { (desk.say("web-password")) }
                @match &kept {
                    Err(error) => { p { (error.what(desk.language)) } p.quiet { (error.advice(desk.language)) } }
                    Ok(()) => { (password_form(desk, credential.is_some())) }
                }
            }
            @if let Some(credential) = &credential {
                section.panel {
                    h2 { (desk.say("web-second")) }
                    @if credential.second.is_empty() {
                        p { (desk.say("web-second-off")) }
                        p { a.button href="/account/second" { (desk.say("web-second-begin")) } }
                    } @else {
                        p { (desk.say("web-second-on")) }
                        form.door method="post" action="/account/second/off" {
                            (current_input(desk))
                            button { (desk.say("web-second-end")) }
                        }
                    }
                }
            }
            (choices::formats(desk))
            (choices::notices(desk))
        }
        section {
            h2 { (desk.say("web-sessions")) " " span.quiet { (sessions.len()) } }
            ul.work { @for session in &sessions {
                li {
                    span { (browser(&session.from.browser)) }
                    span.quiet { (session.from.address) }
                    span.quiet { (desk.say("web-since")) " " (desk.moment(session.since)) }
                    @if session.name == desk.session.name { span.badge { (desk.say("web-this-session")) } }
                    @else { (end_form(desk, &session.name, "web-end-session")) }
                }
            } }
            @if sessions.len() > 1 { (end_form(desk, "others", "web-end-others")) }
        }
    })
}

fn password_form(desk: &Desk, has_one: bool) -> Markup {
    html! {
        @if !has_one { p { (desk.say("web-password-none")) } }
        form.door method="post" action="/account/password" {
            input type="hidden" name="username" autocomplete="username" value=(desk.me.name);
            @if has_one { (current_input(desk)) }
            (new_password(desk.language))
            button { (desk.say("web-save-password")) }
            p.quiet { (desk.say("web-password-ends-sessions")) }
        }
    }
}

fn current_input(desk: &Desk) -> Markup {
    html! {
        label { (desk.say("web-current-password")) input type="password" name="current" required autocomplete="current-password"; }
    }
}

fn end_form(desk: &Desk, session: &str, label: &'static str) -> Markup {
    html! {
        form method="post" action="/account/sessions" {
            button.plain name="session" value=(session) { (desk.say(label)) }
        }
    }
}

// The program and the system, which are what one recognises a session by.
fn browser(agent: &str) -> String {
    let find =
        |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let program = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} · {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => agent.chars().take(40).collect(),
    }
}

/// `POST /account/password`: other sessions end, also those on other servers once they hear of it.
pub(super) async fn change(Shared(node): Shared<Node>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    guarded(node, visitor, move |desk, node| {
        let (current, email) = proven(desk, node, &typed.current)?;
        password::check_new(&typed.password, &typed.again, &email)?;
        let env = desk.principal.replica().environment();
        let person = desk.me.id;
        let second = match current.filter(|current| !current.second.is_empty()) {
            None => String::new(),
            Some(current) => {
                let opened = Second::opened(&current.second, &typed.current, person.as_bytes());
                let damaged = || Error::storage("password-failed").with("detail", "second factor");
                opened.ok_or_else(damaged)?.sealed(env, &typed.password, person.as_bytes())?
            }
        };
        let password = password::hashed(env, &typed.password)?;
        renewed(desk, &Credential { password, second })
    })
    .await
}

/// `GET /account/second`: a new secret, as a picture and as text.
pub(super) async fn enrolment(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor
        .read(node, |desk| {
            let second = Second::drawn(desk.principal.replica().environment());
            Ok(Reply::Page(desk.say("web-second"), enrolling(desk, &second, None)?))
        })
        .await
}

fn enrolling(desk: &Desk, second: &Second, error: Option<&Error>) -> Result<Markup> {
    let address = second.address(&desk.workspace, &email_of(desk)?);
    Ok(html! {
        p.trail { a href="/account" { (desk.say("web-account")) } }
        h1 { (desk.say("web-second")) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        div.panels { section.panel {
            p { (desk.say("web-second-how")) }
            (picture(&address, &desk.say("web-second-picture")))
            p { (desk.say("web-second-by-hand")) br; code.secret { (second.text()) } }
            form.door method="post" action="/account/second" {
                input type="hidden" name="secret" value=(second.text());
                (code_input(desk.language))
                (current_input(desk))
                button { (desk.say("web-second-begin")) }
            }
        } }
    })
}

/// A text as a picture for a phone's camera, dark on light whatever the page's colours.
pub(super) fn picture(text: &str, label: &str) -> Markup {
    let drawn = QrCode::new(text).map(|code| {
        let svg = code.render::<svg::Color<'_>>().min_dimensions(PICTURE_PIXELS, PICTURE_PIXELS).build();
        svg.split_once("?>").map(|(_, rest)| rest.to_owned()).unwrap_or(svg)
    });
    html! { @if let Ok(svg) = drawn { div.picture role="img" aria-label=(label) { (PreEscaped(svg)) } } }
}

/// `POST /account/second`: the factor counts from now on, for whoever has shown a code of it and the password.
pub(super) async fn begin(Shared(node): Shared<Node>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    guarded(node, visitor, move |desk, node| {
        let second = Second::parse(&typed.secret).ok_or_else(|| Error::invalid("secret-damaged"))?;
        let proof = proven(desk, node, &typed.current).and_then(|(current, _)| {
            let now = desk.principal.replica().environment().now();
            match is_code_good(&node.guard, &second, desk.me.id, now, &typed.code) {
                true => current.ok_or_else(|| Error::denied("password-first")),
                false => Err(Error::denied("code-wrong")),
            }
        });
        match proof {
            Ok(current) => {
                let env = desk.principal.replica().environment();
                let sealed = second.sealed(env, &typed.current, desk.me.id.as_bytes())?;
                renewed(desk, &Credential { second: sealed, ..current })
            }
            Err(error) => Ok(Reply::Again(desk.say("web-second"), enrolling(desk, &second, Some(&error))?)),
        }
    })
    .await
}

/// `POST /account/second/off`.
pub(super) async fn end(Shared(node): Shared<Node>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    guarded(node, visitor, move |desk, node| {
        let (current, _) = proven(desk, node, &typed.current)?;
        let current = current.ok_or_else(|| Error::denied("password-first"))?;
        renewed(desk, &Credential { second: String::new(), ..current })
    })
    .await
}

/// `POST /account/sessions`: ends one of the own sessions, or all but this one.
pub(super) async fn end_session(Shared(node): Shared<Node>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    visitor
        .write(node, move |desk| {
            end_sessions(desk, |name| typed.session == "others" || typed.session == name);
            Ok(Reply::Go("/account".to_owned()))
        })
        .await
}

fn end_sessions(desk: &Desk, which: impl Fn(&str) -> bool) {
    let replica = desk.principal.replica();
    let sessions = Sessions::of(replica.dir());
    for session in sessions.of_person(replica.environment().now(), &desk.me.id) {
        if session.name != desk.session.name && which(&session.name) {
            sessions.end(&session.name);
        }
    }
}

// Forms that ask for a password wait for their turn, and an error leads back to the page.
async fn guarded(
    node: Node,
    visitor: Visitor,
    act: impl FnOnce(&Desk, &Node) -> Result<Reply> + Send + 'static,
) -> Response {
    let (own, guard) = (node.clone(), node.guard.clone());
    let turn = match guard.turn().await {
        Ok(turn) => turn,
        Err(error) => return super::sign_in::refused(&visitor, &error),
    };
    let done = visitor.write(node, move |desk| match act(desk, &own) {
        Err(error @ (Error::Denied(_) | Error::Invalid(_) | Error::Limit(_))) => {
            Ok(Reply::Again(desk.say("web-account"), shown(desk, Some(&error))?))
        }
        done => done,
    });
    let done = done.await;
    drop(turn);
    done
}

fn email_of(desk: &Desk) -> Result<String> {
    Ok(desk.principal.record("user", &desk.me.id)?.text("email").to_owned())
}

// The own credential, if what was typed is its password, and the own address. Whoever has none yet proves nothing.
fn proven(desk: &Desk, node: &Node, typed: &str) -> Result<(Option<Credential>, String)> {
    let (credential, email) = (desk.principal.credential()?, email_of(desk)?);
    if let Some(credential) = &credential {
        let who = desk.me.id.to_string();
        node.guard.admit(desk.principal.replica().environment().now(), &who, None)?;
        if !password::is_right(typed, Some(&credential.password)) {
            return Err(Error::denied("password-wrong"));
        }
        node.guard.forgive(&who, None);
    }
    Ok((credential, email))
}

// Keeps what the person signs in with from now on; this session goes on under a new token, the others end.
fn renewed(desk: &Desk, credential: &Credential) -> Result<Reply> {
    desk.principal.set_credential(credential)?;
    end_sessions(desk, |_| true);
    let replica = desk.principal.replica();
    let sessions = Sessions::of(replica.dir());
    let mark = mark_of(Some(credential));
    let token = sessions.begin(replica.environment(), &desk.me.id, &mark, &desk.from)?;
    sessions.end(&desk.session.name);
    Ok(Reply::Session("/account".to_owned(), token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_by_what_one_recognises() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome · Windows");
        assert_eq!(
            browser("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"),
            "Firefox · Linux"
        );
        assert_eq!(browser(""), "");
    }
}
