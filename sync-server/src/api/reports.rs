//! Reports over what the person sees: the same figures as the command line's and the workplace's.

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use branchline_core::crm::report::Kind;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::caller::{Asks, Caller, Reply};
use crate::commands::report::made;
use crate::server::Node;

/// `GET /reports`.
pub(super) async fn list(Shared(node): Shared<Node>, caller: Caller) -> Response {
    let language = caller.language();
    let report = move |kind: Kind| {
        let (collection, by) = kind.grouping();
        json!({"name": kind.name(), "title": kind.title().render(language), "collection": collection, "by": by})
    };
    caller.run(node, move |_| Ok(Reply::Found(json!({"reports": Kind::ALL.map(report).to_vec()})))).await
}

/// What a report is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Figures {
    by: String,
    from: String,
    to: String,
}

/// `GET /reports/{report}`.
pub(super) async fn figures(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path(name): Path<String>,
    Asks(asked): Asks<Figures>,
) -> Response {
    caller
        .run(node, move |principal| {
            let figures = made(principal, Kind::parse(&name)?, [&asked.by, &asked.from, &asked.to])?;
            Ok(Reply::Found(figures.json()))
        })
        .await
}

/// The schema of a report's figures.
pub(super) fn schema() -> Json {
    json!({
        "type": "object", "required": ["complete_through", "rows"],
        "properties": {
            "complete_through": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
            "rows": {"type": "array", "items": {"type": "object"}},
        },
    })
}
