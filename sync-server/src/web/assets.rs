//! The workplace's own style and script, under names that change with their bytes, so that browsers keep them.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("workplace.css");
const SCRIPT: &str = include_str!("workplace.js");

/// Only this server's own style, script, pictures and answers.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                                 img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Where the style is.
pub(super) fn style() -> &'static str {
    static PLACE: OnceLock<String> = OnceLock::new();
    PLACE.get_or_init(|| place(STYLE, "css"))
}

/// Where the script is.
pub(super) fn script() -> &'static str {
    static PLACE: OnceLock<String> = OnceLock::new();
    PLACE.get_or_init(|| place(SCRIPT, "js"))
}

fn place(text: &str, kind: &str) -> String {
    let hash = HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
    format!("/assets/{}.{kind}", hash.get(..12).unwrap_or_default())
}

/// `/assets/{name}`.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let known = [(style(), "text/css; charset=utf-8", STYLE), (script(), "text/javascript; charset=utf-8", SCRIPT)];
    let Some((_, kind, text)) = known.into_iter().find(|(place, _, _)| place.ends_with(&format!("/{name}"))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, text).into_response()
}
