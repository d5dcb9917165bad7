//! Who calls: the person of a token, in the language that the request asks for.

use axum::Json;
use axum::body::{Body as Body_, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use branchline_core::message::Language;
use branchline_core::replica::{Principal, Tx};
use branchline_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value as Json_;

use super::BODY_BYTES_MAX;
use super::problem::{problem, with_status};
use crate::server::{Node, language_of, transfer};
use crate::web::Sessions;

/// What a request says of who sent it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    token: String,
    language: Language,
    /// The key under which the request is carried out once, where it has one.
    once: Option<String>,
}

/// What a call answers.
pub(super) enum Reply {
    /// A document.
    Found(Json_),
    /// A document of something made now, and where it is.
    Made(String, Json_),
    /// The answer that an earlier request with this key got.
    Again(Json_),
    /// A file of this name.
    File(String, Body_),
}

impl FromRequestParts<Node> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Node) -> std::result::Result<Self, Response> {
        let language = language_of(&parts.headers);
        let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION.as_str()).and_then(|value| value.split_once(' '));
        let token = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        match token {
            Some(token) => {
                let once = text("idempotency-key").map(str::to_owned);
                Ok(Self { token: token.to_owned(), language, once })
            }
            None => Err(unknown(language)),
        }
    }
}

/// What the address asks with, behind its `?`.
pub(super) struct Asks<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Node> for Asks<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Node) -> std::result::Result<Self, Response> {
        let malformed = |detail: String| Error::usage("query-malformed").with("detail", detail);
        let parsed = Query::<T>::try_from_uri(&parts.uri);
        parsed
            .map(|Query(asked)| Self(asked))
            .map_err(|e| problem(language_of(&parts.headers), &malformed(e.body_text())))
    }
}

/// The body of a request, within its bound.
pub(super) struct Body(Bytes);

impl FromRequest<Node> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, node: &Node) -> std::result::Result<Self, Response> {
        let language = language_of(request.headers());
        let large = || problem(language, &Error::limit("body-large").with("limit", BODY_BYTES_MAX));
        Bytes::from_request(request, node).await.map(Self).map_err(|_| large())
    }
}

fn unknown(language: Language) -> Response {
    with_status(StatusCode::UNAUTHORIZED, language, &Error::denied("token-unknown"))
}

impl Caller {
    /// The person of the token.
    ///
    /// # Errors
    /// The answer for one whose token is unknown or whose access has ended.
    pub(super) async fn principal(&self, node: &Node) -> std::result::Result<Principal, Response> {
        let token = self.token.clone();
        let found = node.blocking(move |replica| {
            let person = Sessions::of(replica.dir()).caller(replica.environment().now(), &token);
            person.map(|person| replica.principal(&person)).transpose()
        });
        match found.await {
            Ok(Some(principal)) => Ok(principal),
            Ok(None) => Err(unknown(self.language)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The language in which the caller is answered.
    pub(super) fn language(&self) -> Language {
        self.language
    }

    /// An error as this caller reads it.
    pub(super) fn failed(&self, error: &Error) -> Response {
        problem(self.language, error)
    }

    /// Answers with what `work` finds for the person.
    pub(super) async fn run(
        self,
        node: Node,
        work: impl FnOnce(&Principal) -> Result<Reply> + Send + 'static,
    ) -> Response {
        self.find(&node, work).await.map_or_else(|response| response, answered)
    }

    /// What `work` finds for the person.
    ///
    /// # Errors
    /// The answer that says why it does not.
    pub(super) async fn find<T: Send + 'static>(
        &self,
        node: &Node,
        work: impl FnOnce(&Principal) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, Response> {
        let principal = self.principal(node).await?;
        node.blocking(move |_| work(&principal)).await.map_err(|error| self.failed(&error))
    }

    /// As [`Caller::run`], with the body read as JSON. What `work` asks of [`Asked::write`] is carried out once where
    /// the request has a key.
    pub(super) async fn send<T: DeserializeOwned + Send + 'static>(
        self,
        node: Node,
        what: String,
        Body(body): Body,
        work: impl FnOnce(&Principal, Asked, T) -> Result<Reply> + Send + 'static,
    ) -> Response {
        let parsed =
            serde_json::from_slice(&body).map_err(|e| Error::usage("body-malformed").with("detail", e.to_string()));
        let asked = Asked { once: self.once.clone(), request: [what.as_bytes(), b"\n", &body].concat() };
        match parsed {
            Ok(value) => self.run(node, move |principal| work(principal, asked, value)).await,
            Err(error) => self.failed(&error),
        }
    }
}

/// A request that writes: under which key, and what it was.
pub(super) struct Asked {
    once: Option<String>,
    request: Vec<u8>,
}

impl Asked {
    /// Writes in one transaction, once for the request's key; `made` says where the document's record is.
    ///
    /// # Errors
    /// Those of `work`, and of [`Principal::transact_once`].
    pub(super) fn write(
        self,
        principal: &Principal,
        work: impl FnOnce(&mut Tx<'_>) -> Result<Json_>,
        made: impl FnOnce(&Json_) -> Option<String>,
    ) -> Result<Reply> {
        let Some(key) = self.once else {
            let document = principal.transact(work)?;
            return Ok(match made(&document) {
                Some(place) => Reply::Made(place, document),
                None => Reply::Found(document),
            });
        };
        let once = principal.transact_once(&key, &self.request, |tx| work(tx).map(|document| document.to_string()))?;
        let document = serde_json::from_str(&once.answer)
            .map_err(|e| Error::storage("server-task").with("detail", e.to_string()))?;
        Ok(match made(&document) {
            _ if once.again => Reply::Again(document),
            Some(place) => Reply::Made(place, document),
            None => Reply::Found(document),
        })
    }
}

fn answered(reply: Reply) -> Response {
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match reply {
        Reply::File(name, body) => {
            ([no_store], transfer::kept(&name, "application/octet-stream", body)).into_response()
        }
        Reply::Found(document) => ([no_store], Json(document)).into_response(),
        Reply::Again(document) => (
            [no_store, (header::HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"))],
            Json(document),
        )
            .into_response(),
        Reply::Made(place, document) => {
            let mut response = (StatusCode::CREATED, [no_store], Json(document)).into_response();
            if let Ok(place) = HeaderValue::from_str(&place) {
                response.headers_mut().insert(header::LOCATION, place);
            }
            response
        }
    }
}
