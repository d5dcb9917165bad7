//! One request of somebody who signed in: who it is, in which language, and how an answer leaves.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use branchline_core::access::{Act, Action, Grants, Place, Role, Scope, may};
use branchline_core::id::RecordId;
use branchline_core::message::{Language, Message};
use branchline_core::replica::{Person, Preferences, Principal, Record, Replica};
use branchline_core::schema::{Collection, Field, FieldType, Schema, SetOf, Value, format_value};
use branchline_core::time::{Day, Millis};
use branchline_core::{Error, Result};
use maud::{Markup, html};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use super::formats::Formats;
use super::notices::Notices;
use super::sessions::{Origin, Session, Sessions, mark_of};
use super::{assets, frame, sign_in};
use crate::server::accept::Peer;
use crate::server::{Node, language_of, transfer};

/// The cookie of a session.
pub(super) const SESSION_COOKIE: &str = "branchline_session";
/// The cookie of a chosen language.
pub(super) const LANGUAGE_COOKIE: &str = "branchline_language";
/// The cookie of the browser's time zone, which the script sets: it counts for who has chosen none.
const ZONE_COOKIE: &str = "branchline_zone";

/// Longest name of a browser that is kept, in characters.
const BROWSER_CHARS_MAX: usize = 200;

/// What a request says of who sent it.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) session: Option<String>,
    pub(super) language: Language,
    zone: String,
    /// The program and address that it comes from.
    pub(super) from: Origin,
    pub(super) address: Option<IpAddr>,
    /// Whether the page goes over a network that anybody can read.
    pub(super) is_open: bool,
    /// Where it goes, to come back to after signing in.
    target: String,
    /// Whether a page of this server sent it; asked of everything that writes.
    own_page: bool,
}

impl FromRequestParts<Node> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, node: &Node) -> std::result::Result<Self, Infallible> {
        let headers = &parts.headers;
        let peer = parts.extensions.get::<Peer>().map(|Peer(address)| address.ip());
        let address = address_of(headers, peer);
        let browser = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let browser = browser.chars().take(BROWSER_CHARS_MAX).collect();
        let from = Origin { browser, address: address.map(|address| address.to_string()).unwrap_or_default() };
        let chosen = cookie(headers, LANGUAGE_COOKIE).and_then(|code| Language::parse(&code));
        Ok(Self {
            session: cookie(headers, SESSION_COOKIE),
            language: chosen.unwrap_or_else(|| language_of(headers)),
            zone: cookie(headers, ZONE_COOKIE).unwrap_or_default().replace("%2F", "/"),
            from,
            address,
            is_open: node.is_open,
            target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            own_page: is_own_page(headers),
        })
    }
}

/// What a page answers with.
pub(super) enum Reply {
    /// A page under this title.
    Page(String, Markup),
    /// The same, for input that was not taken: what was typed is in it.
    Again(String, Markup),
    /// A page that shows how something goes, and is asked for again until it is done.
    Waiting(String, Markup),
    /// Go on there.
    Go(String),
    /// A file to be kept under this name, of this media type.
    File(String, &'static str, Body),
    /// A picture to be shown in its place.
    Picture(&'static str, Body),
    /// Go on there under this session.
    Session(String, String),
    /// What went wrong.
    Failed(StatusCode, Markup),
}

/// A signed-in person's view of the replica during one request.
pub(super) struct Desk {
    pub(super) principal: Principal,
    pub(super) me: Person,
    grants: Grants,
    pub(super) language: Language,
    /// What the person has chosen for reading and being told things.
    pub(super) chosen: Preferences,
    pub(super) formats: Formats,
    pub(super) schema: Arc<Schema>,
    pub(super) workspace: String,
    /// Where the request goes.
    pub(super) target: String,
    /// Under which session the page is asked for.
    pub(super) session: Session,
    pub(super) from: Origin,
    pub(super) is_open: bool,
    pub(super) notices: Arc<Notices>,
    labels: RefCell<HashMap<RecordId, Option<String>>>,
}

impl Visitor {
    /// Runs a page that only reads.
    pub(super) async fn read(self, node: Node, page: impl FnOnce(&Desk) -> Result<Reply> + Send + 'static) -> Response {
        let visitor = self.clone();
        let notices = node.notices.clone();
        let done = node
            .blocking(move |replica| {
                let Some((session, principal)) = signed_in(replica, self.session.as_deref())? else { return Ok(None) };
                let desk = Desk::open(principal, session, &self, notices)?;
                let reply = page(&desk).unwrap_or_else(|error| desk.failure(&error));
                Ok(Some(desk.finish(reply)))
            })
            .await;
        match done {
            Ok(Some(response)) => secured(response, visitor.language),
            Ok(None) => Redirect::to(&sign_in::address(&visitor.target)).into_response(),
            Err(error) => sign_in::refused(&visitor, &error),
        }
    }

    /// Runs something that writes, if a page of this server asks for it.
    pub(super) async fn write(self, node: Node, act: impl FnOnce(&Desk) -> Result<Reply> + Send + 'static) -> Response {
        match self.own_page {
            true => self.read(node, act).await,
            false => sign_in::refused(&self, &Error::denied("foreign-page")),
        }
    }

    /// Whether somebody signed in sent a form of this server: asked before a body is taken in that is large.
    pub(super) fn may_send(&self, node: &Node) -> bool {
        let now = node.replica.environment().now();
        let sessions = Sessions::of(node.replica.dir());
        self.own_page && self.session.as_deref().is_some_and(|token| sessions.signed_in(now, token).is_some())
    }

    pub(super) fn is_own_page(&self) -> bool {
        self.own_page
    }
}

impl Desk {
    fn open(principal: Principal, session: Session, visitor: &Visitor, notices: Arc<Notices>) -> Result<Self> {
        let principal = principal.for_one_answer();
        let (me, grants) = (principal.me()?, principal.grants()?);
        let (schema, workspace) = (principal.replica().schema(), principal.replica().settings()?.name);
        let Visitor { language, zone, from, is_open, target, .. } = visitor.clone();
        let chosen = principal.preferences()?;
        let branch = me.home_branch.filter(|_| zone.is_empty()).and_then(|id| principal.record("branch", &id).ok());
        let usual = branch.as_ref().map(|branch| branch.text("time_zone")).unwrap_or_default();
        let formats = Formats::of(language, &chosen, [zone.as_str(), usual]);
        let labels = RefCell::default();
        Ok(Self {
            principal,
            me,
            grants,
            language,
            chosen,
            formats,
            schema,
            workspace,
            target,
            session,
            from,
            is_open,
            notices,
            labels,
        })
    }

    /// A text of the catalogue.
    pub(super) fn say(&self, id: &'static str) -> String {
        Message::new(id).render(self.language)
    }

    /// The title of a record that a field refers to, if the person may see it.
    pub(super) fn label(&self, collection: &str, id: &RecordId) -> Option<String> {
        if let Some(known) = self.labels.borrow().get(id) {
            return known.clone();
        }
        let label = self.principal.label(collection, id);
        self.labels.borrow_mut().insert(*id, label.clone());
        label
    }

    /// Looks up at once what these records refer to, and what they are called where their list did not say.
    pub(super) fn meet<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> Result<()> {
        let mut labels = self.labels.borrow_mut();
        let mut unknown = BTreeSet::new();
        for record in records {
            match &record.title {
                Some(title) => drop(labels.insert(record.id, Some(title.clone()))),
                None => drop(unknown.insert(record.id)),
            }
            unknown.extend(record.fields.iter().filter_map(|(_, value)| match value {
                Value::Reference(id) => Some(*id),
                _ => None,
            }));
        }
        unknown.retain(|id| !labels.contains_key(id));
        let mut found = self.principal.labels(&unknown)?;
        labels.extend(unknown.into_iter().map(|id| (id, found.remove(&id))));
        Ok(())
    }

    /// A person's name.
    pub(super) fn person(&self, id: Option<&RecordId>) -> String {
        id.and_then(|id| self.label("user", id)).unwrap_or_default()
    }

    /// The person's day.
    pub(super) fn today(&self) -> Day {
        self.formats.day_of(self.principal.environment().now())
    }

    /// A count in the person's format.
    pub(super) fn count(&self, count: impl ToString) -> String {
        self.formats.figure(&count.to_string())
    }

    /// A moment by the person's clock.
    pub(super) fn moment(&self, at: Millis) -> Markup {
        html! { time datetime=(at.rfc3339()) { (self.formats.moment(at)) } }
    }

    /// A value as people read it: choices by their labels, digits in groups.
    pub(super) fn text(&self, field: &Field, value: &Value) -> String {
        let label = |item: &str| {
            let choice = field.ty.choices().iter().find(|choice| choice.value == item);
            choice.map_or_else(|| item.to_owned(), |choice| choice.labels.text(self.language).to_owned())
        };
        match (value, &field.ty) {
            (Value::Text(text), FieldType::Choice(_)) => label(text),
            (Value::Set(items), FieldType::Set(SetOf::Choice(_))) => {
                items.iter().map(|item| label(item)).collect::<Vec<_>>().join(", ")
            }
            (Value::Money(_) | Value::Decimal(_), _) => self.formats.figure(&self.written(field, value)),
            (Value::Date(day), _) => self.formats.day(*day),
            (Value::Instant(at), _) => self.formats.moment(*at),
            (Value::Boolean(flag), _) => self.say(if *flag { "web-yes" } else { "web-no" }),
            _ => self.written(field, value),
        }
    }

    /// A value as it is typed; references by their titles.
    pub(super) fn written(&self, field: &Field, value: &Value) -> String {
        let target = field.ty.target().map(ToString::to_string);
        format_value(field, value, &|id| target.as_deref().and_then(|collection| self.label(collection, id)))
    }

    /// Whether the person's role has this action in a collection at all.
    pub(super) fn may(&self, action: Action, collection: &Collection) -> bool {
        self.require(action, collection).is_ok()
    }

    /// As [`Desk::may`], with the reason.
    ///
    /// # Errors
    /// `denied_action`.
    pub(super) fn require(&self, action: Action, collection: &Collection) -> Result<()> {
        let here = Place { owners: vec![self.me.id], ..Place::default() };
        let after = (action == Action::Create).then_some(&here);
        may(&self.grants, &Act { person: self.me.id, action, collection, before: None, after })
    }

    /// Whether nothing that is held here is kept from the person.
    pub(super) fn sees_all(&self) -> bool {
        self.grants.scopes.contains(&Scope::Workspace)
    }

    /// Whether the person may enrol devices here, and so look after them.
    pub(super) fn may_invite(&self) -> bool {
        self.grants.role.may_invite()
    }

    /// Whether nothing is kept from the person here.
    pub(super) fn is_owner(&self) -> bool {
        Role::owner().within(&self.grants.role)
    }

    /// The name of the role in which the person acts here.
    pub(super) fn role(&self) -> String {
        self.grants.role.name().to_string()
    }

    fn failure(&self, error: &Error) -> Reply {
        let status = match error {
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::Denied(_) => StatusCode::FORBIDDEN,
            Error::Invalid(_) | Error::Ambiguous(_) | Error::Usage(_) | Error::Limit(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Reply::Failed(status, frame::failure(self, error))
    }

    fn finish(&self, reply: Reply) -> Response {
        match reply {
            Reply::Page(title, body) => frame::whole(self, &title, &body).into_response(),
            Reply::Again(title, body) => {
                (StatusCode::UNPROCESSABLE_ENTITY, frame::whole(self, &title, &body)).into_response()
            }
            Reply::Waiting(title, body) => {
                ([(header::REFRESH, "2")], frame::whole(self, &title, &body)).into_response()
            }
            Reply::Go(address) => Redirect::to(&address).into_response(),
            Reply::Picture(media, bytes) => ([(header::CONTENT_TYPE, media)], bytes).into_response(),
            Reply::File(name, media, body) => transfer::kept(&name, media, body),
            Reply::Session(address, token) => {
                let public = self.principal.replica().public_address().ok().flatten();
                let secure = public.is_some_and(|(url, _)| url.starts_with("https://"));
                let cookie = sign_in::session_cookie(&token, secure);
                sign_in::with_cookie(Redirect::to(&address).into_response(), &cookie)
            }
            Reply::Failed(status, body) => (status, frame::whole(self, &self.say("web-failed"), &body)).into_response(),
        }
    }
}

/// Whose session a token is of, and what the person sees; none where it has ended, also because the person signs in with
/// something else by now.
///
/// # Errors
/// `person_disabled`; those of the store.
pub(super) fn signed_in(replica: &Replica, token: Option<&str>) -> Result<Option<(Session, Principal)>> {
    let now = replica.environment().now();
    let session = token.and_then(|token| Sessions::of(replica.dir()).signed_in(now, token));
    let Some(session) = session else { return Ok(None) };
    let principal = replica.principal(&session.person)?;
    let is_current = mark_of(principal.credential()?.as_ref()) == session.mark;
    Ok(is_current.then_some((session, principal)))
}

/// `/`: leads to the day's work, and so to signing in whoever has not.
pub(super) async fn front() -> Redirect {
    Redirect::to("/today")
}

/// The headers of every page.
pub(super) fn secured(mut response: Response, language: Language) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, assets::POLICY),
        (header::CONTENT_LANGUAGE, language.code()),
        (header::VARY, "Cookie, Accept-Language"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A cookie of the request.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE);
    let mut pairs = all.iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

// What speaks TLS in front of a server connects from the same machine and says for whom; anybody else is believed nothing.
fn address_of(headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
    let said = headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let client = said.and_then(|list| list.rsplit(',').next()).and_then(|last| last.trim().parse().ok());
    match peer {
        Some(peer) if peer.is_loopback() => client.or(Some(peer)),
        peer => peer,
    }
}

// Browsers say from where a form was sent. Whoever says nothing is no browser with a session of somebody else.
fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    match text(header::ORIGIN) {
        Some(origin) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        None => matches!(headers.get("sec-fetch-site").and_then(|v| v.to_str().ok()), None | Some("same-origin")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap_or(header::HOST), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_a_page_of_this_server_may_write() {
        let own = |pairs| is_own_page(&headers(pairs));
        assert!(own(&[("host", "hub:8787"), ("origin", "http://hub:8787")]));
        assert!(!own(&[("host", "hub:8787"), ("origin", "http://evil.example")]));
        assert!(!own(&[("host", "hub:8787"), ("origin", "null")]));
        assert!(!own(&[("host", "hub:8787"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn only_what_stands_on_this_machine_says_for_whom_it_asks() {
        let (near, far) = ("127.0.0.1".parse().ok(), "10.0.0.9".parse().ok());
        let said = headers(&[("x-forwarded-for", "1.1.1.1, 192.0.2.7")]);
        assert_eq!(address_of(&said, near), "192.0.2.7".parse().ok());
        assert_eq!(address_of(&said, far), far);
        assert_eq!(address_of(&headers(&[("x-forwarded-for", "nonsense")]), near), near);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let map = headers(&[("cookie", "a=1; branchline_session=xyz; branchline_session_old=q")]);
        assert_eq!(cookie(&map, SESSION_COOKIE).as_deref(), Some("xyz"));
        assert_eq!(cookie(&map, "b"), None);
    }
}
