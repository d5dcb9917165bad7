//! Signing in by a one-time link, signing out, and the choice of a language.

use axum::extract::{Form, Query, State as Shared};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use branchline_core::message::{Language, Message};
use branchline_core::{Error, Result};
use data_encoding::BASE64URL_NOPAD;
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::{LANGUAGE_COOKIE, SESSION_COOKIE, Visitor, secured};
use super::frame;
use super::sessions::{SESSION_MS, Sessions};
use crate::server::Node;

/// Longest address to come back to, in bytes.
const NEXT_BYTES_MAX: usize = 2_000;
/// How long a choice of language is kept, in seconds.
const LANGUAGE_S: i64 = 365 * 24 * 3600;

/// What the address of the page carries.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    link: String,
    next: String,
}

/// Where one signs in, to come back to `target` then.
pub(super) fn address(target: &str) -> String {
    match target.len() <= NEXT_BYTES_MAX {
        true => format!("/sign-in?next={}", BASE64URL_NOPAD.encode(target.as_bytes())),
        false => "/sign-in".to_owned(),
    }
}

/// `GET /sign-in`: the link's button, so that a program that only looks at links spends none.
pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    let language = visitor.language;
    let found = node
        .blocking(move |replica| {
            let person = Sessions::of(replica.dir()).invited(replica.environment().now(), &asked.link);
            let name = person.map(|person| replica.principal(&person)?.me()).transpose()?.map(|person| person.name);
            Ok((replica.settings()?.name, name, asked))
        })
        .await;
    match found {
        Ok((workspace, name, asked)) => {
            let body = door(language, &workspace, name.as_deref(), &asked);
            secured(frame::outside(language, &workspace, &body).into_response(), language)
        }
        Err(error) => refused(language, &error),
    }
}

fn door(language: Language, workspace: &str, name: Option<&str>, asked: &Asked) -> Markup {
    let say = |id: &'static str| Message::new(id).render(language);
    html! {
        h1 { (workspace) }
        @match name {
            Some(name) => {
                p { (Message::new("web-welcome").with("name", name).render(language)) }
                form method="post" action="/sign-in" {
                    input type="hidden" name="link" value=(asked.link);
                    input type="hidden" name="next" value=(asked.next);
                    button { (say("web-sign-in")) }
                }
            }
            None => {
                @if !asked.link.is_empty() { (frame::problem(language, &Error::denied("link-spent"))) }
                p { (say("web-ask-for-link")) }
                pre { code { "branchline users sign-in anna@acme.example" } }
            }
        }
    }
}

/// `POST /sign-in`: turns a link into a session.
pub(super) async fn enter(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    if !visitor.is_own_page() {
        return refused(visitor.language, &Error::denied("foreign-page"));
    }
    let next = next_of(&asked.next);
    let entered: Result<(String, bool)> = node
        .blocking(move |replica| {
            let session = Sessions::of(replica.dir()).enter(replica.environment(), &asked.link)?;
            Ok((session, replica.public_address()?.is_some_and(|(url, _)| url.starts_with("https://"))))
        })
        .await;
    match entered {
        Ok((session, secure)) => {
            let secure = if secure { "; Secure" } else { "" };
            let age = SESSION_MS / 1000;
            let cookie = format!("{SESSION_COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
            with_cookie(Redirect::to(&next).into_response(), &cookie)
        }
        Err(error) => refused(visitor.language, &error),
    }
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
        return refused(visitor.language, &Error::denied("foreign-page"));
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

/// A choice of language.
#[derive(Debug, Deserialize)]
pub(super) struct Spoken {
    language: String,
}

/// `POST /language`: keeps the choice and goes back.
pub(super) async fn speak(headers: axum::http::HeaderMap, Form(spoken): Form<Spoken>) -> Response {
    let from = headers.get(header::REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = from.splitn(4, '/').nth(3).map_or_else(|| "/today".to_owned(), |path| format!("/{path}"));
    let back = next_of(&BASE64URL_NOPAD.encode(path.as_bytes()));
    match Language::parse(&spoken.language) {
        None => Redirect::to(&back).into_response(),
        Some(language) => {
            let code = language.code();
            let cookie = format!("{LANGUAGE_COOKIE}={code}; Path=/; SameSite=Lax; Max-Age={LANGUAGE_S}");
            with_cookie(Redirect::to(&back).into_response(), &cookie)
        }
    }
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// What somebody reads who is not let in, or not signed in yet.
pub(super) fn refused(language: Language, error: &Error) -> Response {
    let status = match error {
        Error::Denied(_) | Error::NotFound(_) => StatusCode::FORBIDDEN,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let title = Message::new("web-failed").render(language);
    let body = html! { h1 { (title) } (frame::problem(language, error)) };
    secured((status, frame::outside(language, &title, &body)).into_response(), language)
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
