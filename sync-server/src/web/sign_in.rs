//! Signing in by password, with a code where somebody wants one, or by a one-time link; choosing a new password by a link
//! of an administrator; signing out, and the choice of a language.

use axum::extract::{Form, Query, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use branchline_core::id::RecordId;
use branchline_core::message::{Language, Message};
use branchline_core::replica::{Credential, NodeRole, Replica};
use branchline_core::{Error, Result};
use data_encoding::BASE64URL_NOPAD;
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::{LANGUAGE_COOKIE, SESSION_COOKIE, Visitor, secured};
use super::frame;
use super::guard::Guard;
use super::password::{self, Second};
use super::sessions::{Kind, SESSION_MS, Sessions, mark_of};
use crate::server::Node;

/// Longest address to come back to, in bytes.
const NEXT_BYTES_MAX: usize = 2_000;
/// How long a choice of language is kept, in seconds.
const LANGUAGE_S: i64 = 365 * 24 * 3600;

/// What the address of the page and its forms carry.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    link: String,
    next: String,
    email: String,
    password: String,
    again: String,
    half: String,
    code: String,
}

/// What the page shows.
enum Door {
    /// A link lets this person in.
    Welcome(String),
    /// A link lets this person choose a password.
    Choose(String),
    /// Address and password, where people can have one; else links alone.
    Password(bool),
    /// The code of the second factor.
    Code,
}

/// Who came through, or why nobody did and what is shown then.
enum Came {
    In(String),
    Code(String),
    Again(Door, Error),
}

/// Where one signs in, to come back to `target` then.
pub(super) fn address(target: &str) -> String {
    match target.len() <= NEXT_BYTES_MAX {
        true => format!("/sign-in?next={}", BASE64URL_NOPAD.encode(target.as_bytes())),
        false => "/sign-in".to_owned(),
    }
}

/// `GET /sign-in`: a link's button, so that a program that only looks at links spends none.
pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    let link = asked.link.clone();
    let found = node.blocking(move |replica| Ok((replica.settings()?.name, door_of(replica, &link)?))).await;
    match found {
        Ok((workspace, door)) => {
            let plain = matches!(door, Door::Password(_));
            let spent = (plain && !asked.link.is_empty()).then(|| Error::denied("link-spent"));
            let body = drawn(&visitor, &workspace, &door, &asked, spent.as_ref());
            secured(
                frame::outside(visitor.language, visitor.is_open, &workspace, &body).into_response(),
                visitor.language,
            )
        }
        Err(error) => refused(&visitor, &error),
    }
}

fn door_of(replica: &Replica, link: &str) -> Result<Door> {
    let invited = Sessions::of(replica.dir()).invited(replica.environment().now(), link);
    let Some((person, kind)) = invited else {
        return Ok(Door::Password(replica.settings()?.role != NodeRole::Device));
    };
    let name = replica.principal(&person)?.me()?.name;
    Ok(if kind == Kind::Reset { Door::Choose(name) } else { Door::Welcome(name) })
}

fn drawn(visitor: &Visitor, workspace: &str, door: &Door, asked: &Asked, error: Option<&Error>) -> Markup {
    let say = |id: &'static str| Message::new(id).render(visitor.language);
    let welcome = |name: &str| Message::new("web-welcome").with("name", name).render(visitor.language);
    html! {
        h1 { (workspace) }
        @if let Some(error) = error { (frame::problem(visitor.language, error)) }
        form.door method="post" action="/sign-in" {
            input type="hidden" name="next" value=(asked.next);
            @match door {
                Door::Welcome(name) => {
                    p { (welcome(name)) }
                    input type="hidden" name="link" value=(asked.link);
                    button { (say("web-sign-in")) }
                }
                Door::Choose(name) => {
                    p { (welcome(name)) " " (say("web-choose-password")) }
                    input type="hidden" name="link" value=(asked.link);
                    (new_password(visitor.language))
                    button { (say("web-save-password")) }
                }
                Door::Code => {
                    p { (say("web-give-code")) }
                    input type="hidden" name="half" value=(asked.half);
                    (code_input(visitor.language))
                    button { (say("web-sign-in")) }
                }
                Door::Password(true) => {
                    label { (say("web-email")) input type="email" name="email" value=(asked.email) required autocomplete="username" autofocus[asked.email.is_empty()]; }
                    label { (say("web-password")) input type="password" name="password" required autocomplete="current-password" autofocus[!asked.email.is_empty()]; }
                    button { (say("web-sign-in")) }
                }
                Door::Password(false) => {}
            }
        }
        @if let Door::Password(usual) = door {
            @if *usual {
                details { summary { (say("web-no-password")) } (ask_for_link(visitor.language)) }
            } @else { (ask_for_link(visitor.language)) }
        }
    }
}

fn ask_for_link(language: Language) -> Markup {
    html! {
        p { (Message::new("web-ask-for-link").render(language)) }
        pre { code { "branchline users sign-in anna@acme.example" } }
    }
}

/// The inputs of a new password.
pub(super) fn new_password(language: Language) -> Markup {
    let say = |id: &'static str| Message::new(id).with("count", password::CHARS_MIN).render(language);
    html! {
        label { (say("web-new-password")) small { (say("web-password-hint")) }
            input type="password" name="password" required minlength=(password::CHARS_MIN) autocomplete="new-password"; }
        label { (say("web-password-again"))
            input type="password" name="again" required minlength=(password::CHARS_MIN) autocomplete="new-password"; }
    }
}

/// The input of a code.
pub(super) fn code_input(language: Language) -> Markup {
    html! {
        label { (Message::new("web-code").render(language))
            input name="code" required inputmode="numeric" autocomplete="one-time-code" maxlength="12" autofocus; }
    }
}

/// `POST /sign-in`.
pub(super) async fn enter(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    if !visitor.is_own_page() {
        return refused(&visitor, &Error::denied("foreign-page"));
    }
    let came = if !asked.link.is_empty() {
        by_link(&node, &visitor, &asked).await
    } else if !asked.half.is_empty() {
        by_code(&node, &visitor, &asked).await
    } else {
        by_password(&node, &visitor, &asked).await
    };
    let (door, error, asked) = match came {
        Ok(Came::In(session)) => return signed_in(&node, &session, &next_of(&asked.next)).await,
        Ok(Came::Code(half)) => (Door::Code, None, Asked { half, ..asked }),
        Ok(Came::Again(door, error)) => (door, Some(error), asked),
        Err(error) => return refused(&visitor, &error),
    };
    let workspace = node.replica.settings().map(|settings| settings.name).unwrap_or_default();
    let body = drawn(&visitor, &workspace, &door, &asked, error.as_ref());
    let page = frame::outside(visitor.language, visitor.is_open, &workspace, &body);
    let status = error.as_ref().map_or(StatusCode::OK, status_of);
    secured((status, page).into_response(), visitor.language)
}

async fn by_link(node: &Node, visitor: &Visitor, asked: &Asked) -> Result<Came> {
    let (asked, from) = (asked.clone(), visitor.from.clone());
    let turn = node.guard.turn().await?;
    let came = node.blocking(move |replica| {
        let (sessions, env) = (Sessions::of(replica.dir()), replica.environment());
        let spent = || Error::denied("link-spent");
        let (person, kind) = sessions.invited(env.now(), &asked.link).ok_or_else(spent)?;
        let principal = replica.principal(&person)?;
        if kind == Kind::Reset {
            let email = replica.record("user", &person)?.text("email").to_owned();
            if let Err(error) = password::check_new(&asked.password, &asked.again, &email) {
                return Ok(Came::Again(Door::Choose(principal.me()?.name), error));
            }
        }
        sessions.spend(env.now(), &asked.link)?;
        if kind == Kind::Reset {
            password::set_password(&principal, &asked.password)?;
        }
        let mark = mark_of(principal.credential()?.as_ref());
        sessions.begin(env, &person, &mark, &from).map(Came::In)
    });
    let came = came.await;
    drop(turn);
    came
}

async fn by_password(node: &Node, visitor: &Visitor, asked: &Asked) -> Result<Came> {
    let again = |error| Ok(Came::Again(Door::Password(true), error));
    let (now, address) = (node.replica.environment().now(), visitor.address);
    if let Err(error) = node.guard.admit(now, &asked.email, address) {
        return again(error);
    }
    let turn = match node.guard.turn().await {
        Ok(turn) => turn,
        Err(error) => return again(error),
    };
    let (typed, from, guard) = (asked.clone(), visitor.from.clone(), node.guard.clone());
    let came = node.blocking(move |replica| {
        let Some((person, credential)) = known(replica, &typed)? else { return Ok(None) };
        let (env, mark) = (replica.environment(), mark_of(Some(&credential)));
        // Half a sign-in forgives nothing: who has the password could guess codes without end.
        if credential.second.is_empty() {
            guard.forgive(&typed.email, address);
            return Sessions::of(replica.dir())
                .begin(env, &person, &mark, &from)
                .map(|session| Some(Came::In(session)));
        }
        let damaged = || Error::storage("password-failed").with("detail", "second factor");
        let second = Second::opened(&credential.second, &typed.password, person.as_bytes()).ok_or_else(damaged)?;
        Ok(Some(Came::Code(guard.wait_for_code(env, person, &typed.email, mark, second))))
    });
    let came = came.await;
    drop(turn);
    came?.map_or_else(|| again(Error::denied("sign-in-wrong")), Ok)
}

// Whose password that is. Who is unknown, has none or has no access any more takes as long and reads the same.
fn known(replica: &Replica, typed: &Asked) -> Result<Option<(RecordId, Credential)>> {
    let found = match typed.email.trim() {
        "" => None,
        email => replica.find("user", &format!("email={email}")).ok(),
    };
    let found = found.map(|person| (person, replica.principal(&person)));
    let found = match found {
        Some((person, Ok(principal))) => principal.credential()?.map(|credential| (person, credential)),
        Some((_, Err(_))) | None => None,
    };
    let hash = found.as_ref().map(|(_, credential)| &*credential.password);
    Ok(if password::is_right(&typed.password, hash) { found } else { None })
}

async fn by_code(node: &Node, visitor: &Visitor, asked: &Asked) -> Result<Came> {
    let now = node.replica.environment().now();
    let Some(half) = node.guard.half(now, &asked.half) else {
        return Ok(Came::Again(Door::Password(true), Error::denied("sign-in-late")));
    };
    if let Err(error) = node.guard.admit(now, &half.email, visitor.address) {
        return Ok(Came::Again(Door::Code, error));
    }
    if !is_code_good(&node.guard, &half.second, half.person, now, &asked.code) {
        return Ok(Came::Again(Door::Code, Error::denied("code-wrong")));
    }
    node.guard.forgive(&half.email, visitor.address);
    node.guard.forget_half(&asked.half);
    let from = visitor.from.clone();
    let begun = node.blocking(move |replica| {
        replica.principal(&half.person)?;
        Sessions::of(replica.dir()).begin(replica.environment(), &half.person, &half.mark, &from)
    });
    begun.await.map(Came::In)
}

/// Whether a code is of now and was not used before.
pub(super) fn is_code_good(
    guard: &Guard,
    second: &Second,
    person: RecordId,
    now: branchline_core::time::Millis,
    code: &str,
) -> bool {
    second.step_of(now, code).is_some_and(|step| guard.is_new(person, step))
}

async fn signed_in(node: &Node, session: &str, next: &str) -> Response {
    let secure =
        node.blocking(|replica| Ok(replica.public_address()?.is_some_and(|(url, _)| url.starts_with("https://"))));
    let secure = secure.await.unwrap_or(false);
    with_cookie(Redirect::to(next).into_response(), &session_cookie(session, secure))
}

/// The cookie of a session.
pub(super) fn session_cookie(session: &str, secure: bool) -> String {
    let (age, secure) = (SESSION_MS / 1000, if secure { "; Secure" } else { "" });
    format!("{SESSION_COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}")
}

// Only a path of this server: `//elsewhere` and `/\elsewhere` lead away.
fn next_of(coded: &str) -> String {
    let decoded = BASE64URL_NOPAD.decode(coded.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let own = |path: &String| {
        path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']) && path.is_ascii()
    };
    decoded.filter(own).unwrap_or_else(|| "/today".to_owned())
}

/// `POST /sign-out`.
pub(super) async fn leave(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    if !visitor.is_own_page() {
        return refused(&visitor, &Error::denied("foreign-page"));
    }
    if let Some(session) = visitor.session {
        let left = node.blocking(move |replica| {
            Sessions::of(replica.dir()).leave(&session);
            Ok(())
        });
        // A session whose file could not be removed ends by its age.
        let _ = left.await;
    }
    let cookie = format!("{SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    with_cookie(Redirect::to("/sign-in").into_response(), &cookie)
}

/// The page that a form was sent from.
pub(super) fn came_from(headers: &HeaderMap) -> String {
    let from = headers.get(header::REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = from.splitn(4, '/').nth(3).map_or_else(|| "/today".to_owned(), |path| format!("/{path}"));
    next_of(&BASE64URL_NOPAD.encode(path.as_bytes()))
}

/// A choice of language.
#[derive(Debug, Deserialize)]
pub(super) struct Spoken {
    language: String,
}

/// `POST /language`: keeps the choice and goes back.
pub(super) async fn speak(headers: HeaderMap, Form(spoken): Form<Spoken>) -> Response {
    let back = came_from(&headers);
    match Language::parse(&spoken.language) {
        None => Redirect::to(&back).into_response(),
        Some(language) => {
            let code = language.code();
            let cookie = format!("{LANGUAGE_COOKIE}={code}; Path=/; SameSite=Lax; Max-Age={LANGUAGE_S}");
            with_cookie(Redirect::to(&back).into_response(), &cookie)
        }
    }
}

/// An answer that sets a cookie.
pub(super) fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Denied(_) | Error::NotFound(_) => StatusCode::FORBIDDEN,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Limit(_) => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What somebody reads who is not let in, or not signed in yet.
pub(super) fn refused(visitor: &Visitor, error: &Error) -> Response {
    let title = Message::new("web-failed").render(visitor.language);
    let body = html! { h1 { (title) } (frame::problem(visitor.language, error)) };
    secured(
        (status_of(error), frame::outside(visitor.language, visitor.is_open, &title, &body)).into_response(),
        visitor.language,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_a_page_of_this_server_only() {
        let next = |path: &str| next_of(&BASE64URL_NOPAD.encode(path.as_bytes()));
        assert_eq!(next("/c/account?q=a"), "/c/account?q=a");
        for away in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\r\nX: y"] {
            assert_eq!(next(away), "/today", "{away}");
        }
        assert_eq!(next_of("%%%"), "/today");
        assert_eq!(address("/today"), "/sign-in?next=L3RvZGF5");
    }
}
