//! What is around every page: navigation, search, who is signed in, what went wrong.

use branchline_core::Error;
use branchline_core::message::{Language, Message};
use branchline_core::schema::Kind;
use maud::{DOCTYPE, Markup, html};

use super::desk::Desk;
use super::{admin, assets, help, notices, reminders};
use crate::commands::shape::collection_label;

/// Collections that the navigation shows first; a workspace's own ones and the others are below.
const FIRST: [&str; 6] = ["account", "contact", "lead", "opportunity", "activity", "case"];
/// A person's own name for each language.
const LANGUAGES: [(Language, &str); 3] =
    [(Language::En, "English"), (Language::Ru, "Русский"), (Language::Uk, "Українська")];

/// The place of a collection among those that people work with; others come after these.
pub(super) fn place(name: &str) -> usize {
    FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len())
}
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cg fill='none' \
                    stroke='%230a7d5a' stroke-width='2'%3E%3Cpath d='M4 3v10M4 9c0-3 8-1 8-5'/%3E%3C/g%3E%3C/svg%3E";

/// A whole page for somebody who signed in.
pub(super) fn whole(desk: &Desk, title: &str, body: &Markup) -> Markup {
    // What cannot be told must not take the page with it, and must not go unseen.
    let told = notices::count(desk).inspect_err(|error| tracing::warn!(%error, "notices cannot be told"));
    let reminders = reminders::shown(desk).inspect_err(|error| tracing::warn!(%error, "reminders cannot be shown"));
    let (told, reminders) = (told.unwrap_or_default(), reminders.unwrap_or_default());
    let inner = html! {
        a.skip href="#main" { (desk.say("web-skip")) }
        header.top {
            a.brand href="/today" { (desk.workspace) }
            form.find action="/search" role="search" {
                input type="search" name="q" aria-label=(desk.say("web-search")) placeholder=(desk.say("web-search"))
                    accesskey="k" autocomplete="off";
            }
            a.plain href={ "/help#" (help::section(&desk.target)) } accesskey="?" { (desk.say("web-help")) }
            @if told > 0 { a.told href="/today#told" title=(desk.say("web-told")) aria-label={ (desk.say("web-told")) ": " (told) } { "● " (told) } }
            a.who href="/account" title=(desk.say("web-account")) { (desk.me.name) }
            form method="post" action="/sign-out" { button.plain { (desk.say("web-sign-out")) } }
        }
        (reminders)
        div.sides {
            (navigation(desk))
            main #main tabindex="-1" { (body) }
        }
        (languages(desk.language))
    };
    document(desk.language, desk.is_open, &format!("{title} · {}", desk.workspace), &inner)
}

/// A page for somebody who has not signed in.
pub(super) fn outside(language: Language, is_open: bool, title: &str, body: &Markup) -> Markup {
    let inner = html! {
        main #main.alone { (body) }
        (languages(language))
    };
    document(language, is_open, title, &inner)
}

fn document(language: Language, is_open: bool, title: &str, inner: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(assets::style());
                script type="module" src=(assets::script()) {}
            }
            body {
                @if is_open { p.clear role="alert" { (Message::new("web-in-the-clear").render(language)) } }
                (inner)
            }
        }
    }
}

fn navigation(desk: &Desk) -> Markup {
    let entry = |name: &str| {
        html! { li { a href={ "/c/" (name) } { (collection_label(&desk.schema, name, desk.language)) } } }
    };
    let rest = desk.schema.collections().iter().filter(|collection| !FIRST.contains(&&*collection.name));
    let (own, other): (Vec<_>, Vec<_>) = rest.partition(|collection| collection.custom);
    html! {
        nav aria-label=(desk.say("web-navigation")) {
            ul {
                li { a href="/today" { (desk.say("web-today")) } }
                li { a href="/board/opportunity" { (desk.say("web-board")) } }
                li { a href="/calendar" { (desk.say("web-calendar")) } }
                li { a href="/tree" { (desk.say("web-tree")) } }
                li { a href="/conflicts" { (desk.say("web-conflicts")) } }
                li { a href="/review" { (desk.say("web-review")) } }
                li { a href="/duplicates" { (desk.say("web-duplicates")) } }
                li { a href="/import" { (desk.say("web-import-title")) } }
                li { a href="/reports" { (desk.say("web-reports")) } }
                li { a href="/sync" { (desk.say("web-sync")) } }
                @if admin::may_look(desk) { li { a href="/admin" { (desk.say("web-admin")) } } }
            }
            ul { @for name in FIRST { (entry(name)) } }
            @if !own.is_empty() { ul { @for collection in own { (entry(&collection.name)) } } }
            details {
                summary { (desk.say("web-more")) }
                ul { @for collection in other.iter().filter(|c| c.kind == Kind::Branch || &*c.name != "device") { (entry(&collection.name)) } }
            }
        }
    }
}

fn languages(language: Language) -> Markup {
    html! {
        footer.languages {
            form method="post" action="/language" {
                @for (other, name) in LANGUAGES {
                    button.plain name="language" value=(other.code()) lang=(other.code()) aria-pressed=(other == language) { (name) }
                }
            }
        }
    }
}

/// What went wrong, and what to do.
pub(super) fn failure(desk: &Desk, error: &Error) -> Markup {
    html! {
        h1 { (desk.say("web-failed")) }
        (problem(desk.language, error))
        p { a href="/today" { (desk.say("web-back")) } }
    }
}

/// An error inside a page that keeps what was typed.
pub(super) fn problem(language: Language, error: &Error) -> Markup {
    html! {
        div.problem role="alert" {
            p { strong { (error.what(language)) } }
            @let advice = error.advice(language);
            @if !advice.is_empty() { p { (advice) } }
        }
    }
}

/// “3 records”, in the language's plural.
pub(super) fn count(desk: &Desk, count: u64) -> String {
    Message::new("count-records").with("count", count).render(desk.language)
}
