//! Errors as problem documents.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use branchline_core::Error;
use branchline_core::message::Language;
use serde_json::json;

use crate::server::language_of;

/// Seconds after which something that only has to wait is worth trying again.
const RETRY_S: &str = "1";

/// An error in the caller's language.
pub(super) fn problem(language: Language, error: &Error) -> Response {
    with_status(status_of(error), language, error)
}

/// An error under a status that its kind does not say.
pub(super) fn with_status(status: StatusCode, language: Language, error: &Error) -> Response {
    let document = json!({
        "type": format!("urn:branchline:error:{}", error.code()),
        "title": error.what(language),
        "status": status.as_u16(),
        "detail": error.advice(language),
        "code": error.code(),
        "where": error.place(),
        "retryable": error.retryable(),
    });
    let mut response = (status, Json(document)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.code()));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if error.retryable() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_S));
    }
    response
}

fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::NotFound(_) if error.code() == "cursor_unknown" => StatusCode::GONE,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Denied(_) => StatusCode::FORBIDDEN,
        Error::Invalid(_) if error.code() == "once_key_reused" => StatusCode::CONFLICT,
        Error::Usage(_) => StatusCode::BAD_REQUEST,
        Error::Invalid(_) | Error::Ambiguous(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Limit(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Busy(_) | Error::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What is answered where nothing is.
pub(super) async fn nothing_here(headers: HeaderMap, uri: axum::http::Uri) -> Response {
    problem(language_of(&headers), &Error::not_found("api-path").with("path", uri.path()))
}
