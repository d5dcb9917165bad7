//! Every address of the API with what it takes and gives: the router and the description are made from this table.

use axum::routing::{MethodRouter, delete, get, patch, post, put};
use serde_json::{Value as Json, json};

use super::{attachments, changes, hooks, records, reports, together};
use crate::server::Node;

/// One address and what it answers to.
pub(super) struct Route {
    /// Below the root, with the names of its parts in braces.
    pub(super) path: &'static str,
    pub(super) calls: Vec<Call>,
    pub(super) handler: MethodRouter<Node>,
}

/// One method of an address.
pub(super) struct Call {
    pub(super) method: &'static str,
    /// Its name for programs.
    pub(super) id: &'static str,
    /// What it does: a text of the catalogue.
    pub(super) summary: &'static str,
    /// What may follow `?`: name, JSON schema, text of the catalogue.
    pub(super) query: Vec<(&'static str, Json, &'static str)>,
    pub(super) body: Option<Carried>,
    /// Whether an `Idempotency-Key` makes it happen once.
    pub(super) once: bool,
    pub(super) answer: Carried,
    /// The status of a first answer.
    pub(super) status: &'static [u16],
}

/// What a body is.
pub(super) enum Carried {
    /// A document of this schema.
    Document(Json),
    /// A stream of server-sent events.
    Events,
    /// The bytes of a file.
    File,
}

impl Call {
    fn new(method: &'static str, id: &'static str, summary: &'static str, answer: Json) -> Self {
        let (query, answer) = (Vec::new(), Carried::Document(answer));
        Self { method, id, summary, query, body: None, once: false, answer, status: &[200] }
    }

    fn asking(mut self, name: &'static str, schema: Json, summary: &'static str) -> Self {
        self.query.push((name, schema, summary));
        self
    }

    fn sending(mut self, body: Json) -> Self {
        self.body = Some(Carried::Document(body));
        self
    }

    fn sending_a_file(mut self) -> Self {
        self.body = Some(Carried::File);
        self
    }

    fn giving(mut self, answer: Carried) -> Self {
        self.answer = answer;
        self
    }

    fn once(mut self) -> Self {
        self.once = true;
        self
    }

    fn making(mut self, status: &'static [u16]) -> Self {
        self.status = status;
        self
    }
}

fn text() -> Json {
    json!({"type": "string"})
}

fn word() -> Json {
    json!({"type": "string", "minLength": 1})
}

fn flag() -> Json {
    json!({"type": "boolean"})
}

fn page_size() -> Json {
    json!({"type": "integer", "minimum": 1, "maximum": records::ROWS_MAX, "default": records::ROWS_DEFAULT})
}

fn refers(name: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn many(name: &str) -> Json {
    json!({"type": "array", "items": refers(name)})
}

fn object(properties: &Json) -> Json {
    let required: Vec<&String> = properties.as_object().map(|all| all.keys().collect()).unwrap_or_default();
    json!({"type": "object", "properties": properties, "required": required})
}

fn written(more: &Json) -> Json {
    let mut properties = json!({"id": {"type": "string", "format": "uuid"}});
    for (name, schema) in more.as_object().into_iter().flatten() {
        properties[name] = schema.clone();
    }
    object(&properties)
}

/// The table.
pub(super) fn routes() -> Vec<Route> {
    [whole(), one(), steps(), files(), across(), figures()].into_iter().flatten().collect()
}

fn whole() -> Vec<Route> {
    let me = object(&json!({
        "id": text(), "name": text(), "role": text(), "scopes": {"type": "array", "items": text()},
        "workspace": text(), "replica": text(),
    }));
    vec![
        Route {
            path: "/me",
            calls: vec![Call::new("get", "me", "api-me", me)],
            handler: get(records::me),
        },
        Route {
            path: "/schema",
            calls: vec![Call::new("get", "schema", "api-schema", json!({"type": "array", "items": {"type": "object"}}))],
            handler: get(records::schema),
        },
        Route {
            path: "/records/{collection}",
            calls: vec![
                Call::new(
                    "get",
                    "listRecords",
                    "api-list",
                    json!({
                        "type": "object", "required": ["records", "next"],
                        "properties": {
                            "records": many("Record"), "next": {"type": ["string", "null"]}, "count": {"type": "integer"},
                        },
                    }),
                )
                .asking("where", word(), "api-where")
                .asking("sort", text(), "api-sort")
                .asking("fields", text(), "api-fields")
                .asking("limit", page_size(), "api-limit-asked")
                .asking("after", word(), "api-after")
                .asking("archived", flag(), "api-archived")
                .asking("count", flag(), "api-count"),
                Call::new("post", "createRecord", "api-create", written(&json!({})))
                    .sending(refers("Fields"))
                    .once()
                    .making(&[201, 200]),
            ],
            handler: get(records::list).post(records::create),
        },
    ]
}

fn one() -> Vec<Route> {
    vec![
        Route {
            path: "/records/{collection}/{record}",
            calls: vec![
                Call::new("get", "readRecord", "api-read", refers("WholeRecord")),
                Call::new("patch", "editRecord", "api-edit", written(&json!({"changed": flag()})))
                    .sending(refers("Edits"))
                    .once(),
            ],
            handler: get(records::read).merge(patch(records::edit)),
        },
        Route {
            path: "/records/{collection}/{record}/history",
            calls: vec![Call::new("get", "readHistory", "api-history", many("Entry"))],
            handler: get(records::history),
        },
        Route {
            path: "/records/{collection}/by/{field}/{value}",
            calls: vec![
                Call::new("put", "upsertRecord", "api-upsert", written(&json!({"created": flag(), "changed": flag()})))
                    .sending(refers("Edits"))
                    .once()
                    .making(&[200, 201]),
            ],
            handler: put(records::upsert),
        },
    ]
}

fn steps() -> Vec<Route> {
    let operation = |does: &str, with: &[(&str, Json)], may: &[(&str, Json)]| {
        let mut properties = json!({"do": {"const": does}, "collection": text()});
        with.iter().chain(may).for_each(|(name, schema)| properties[*name] = schema.clone());
        let required: Vec<&str> = ["do", "collection"].into_iter().chain(with.iter().map(|(name, _)| *name)).collect();
        json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
    };
    let fields = || ("fields", refers("Edits"));
    let operation = json!({"oneOf": [
        operation("create", &[fields()], &[("name", json!({"type": ["string", "null"]}))]),
        operation("edit", &[("record", text()), fields()], &[]),
        operation("archive", &[("record", text()), ("archived", flag())], &[]),
    ]});
    vec![
        Route {
            path: "/records/{collection}/{record}/archive",
            calls: vec![
                Call::new("post", "archiveRecord", "api-archive", written(&json!({"archived": flag()})))
                    .sending(closed(&json!({"archived": flag()})))
                    .once(),
            ],
            handler: post(records::archive),
        },
        Route {
            path: "/records/{collection}/{record}/undo",
            calls: vec![
                Call::new("post", "undoChange", "api-undo", written(&json!({"change": text()})))
                    .sending(closed(&json!({"change": text()})))
                    .once(),
            ],
            handler: post(records::undo),
        },
        Route {
            path: "/records/{collection}/{record}/resolve",
            calls: vec![
                Call::new("post", "resolveConflict", "api-resolve", refers("WholeRecord"))
                    .sending(closed(&json!({"field": text(), "keep": text()}))),
            ],
            handler: post(records::resolve),
        },
        Route {
            path: "/transactions",
            calls: vec![
                Call::new(
                    "post",
                    "transact",
                    "api-transact",
                    object(&json!({"operations": {"type": "array", "items": written(&json!({"changed": flag()}))}})),
                )
                .sending(closed(&json!({"operations": {"type": "array", "items": operation}})))
                .once(),
            ],
            handler: post(together::run),
        },
    ]
}

fn files() -> Vec<Route> {
    let list = object(&json!({"attachments": many("Record"), "next": {"type": ["string", "null"]}}));
    vec![
        Route {
            path: "/records/{collection}/{record}/attachments",
            calls: vec![
                Call::new("get", "listAttachments", "api-attachments", list)
                    .asking("limit", page_size(), "api-limit-asked")
                    .asking("after", word(), "api-after"),
                Call::new("post", "attach", "api-attach", written(&json!({})))
                    .asking("name", word(), "api-file-name")
                    .sending_a_file()
                    .making(&[201]),
            ],
            handler: get(attachments::list).post(attachments::add),
        },
        Route {
            path: "/records/{collection}/{record}/files/{attachment}",
            calls: vec![Call::new("get", "downloadFile", "api-file", Json::Null).giving(Carried::File)],
            handler: get(attachments::down),
        },
    ]
}

fn figures() -> Vec<Route> {
    let by = json!({"type": ["string", "null"]});
    let report = object(&json!({"name": text(), "title": text(), "collection": text(), "by": by}));
    vec![
        Route {
            path: "/reports",
            calls: vec![Call::new(
                "get",
                "listReports",
                "api-reports",
                object(&json!({"reports": {"type": "array", "items": report}})),
            )],
            handler: get(reports::list),
        },
        Route {
            path: "/reports/{report}",
            calls: vec![
                Call::new("get", "report", "api-report", reports::schema())
                    .asking("by", text(), "api-report-by")
                    .asking("from", text(), "api-report-from")
                    .asking("to", text(), "api-report-to"),
            ],
            handler: get(reports::figures),
        },
    ]
}

fn closed(properties: &Json) -> Json {
    let mut schema = object(properties);
    schema["additionalProperties"] = json!(false);
    schema
}

fn across() -> Vec<Route> {
    let hit = object(&json!({"collection": text(), "id": text(), "label": text(), "excerpt": text()}));
    let changes = object(&json!({"changes": many("Change"), "next": text(), "all": flag()}));
    let stream = Call::new("get", "followChanges", "api-stream", Json::Null)
        .asking("after", word(), "api-changed-after")
        .giving(Carried::Events);
    vec![
        Route {
            path: "/search",
            calls: vec![
                Call::new("get", "search", "api-search", object(&json!({"hits": {"type": "array", "items": hit}})))
                    .asking("q", json!({"type": "string"}), "api-words")
                    .asking("limit", page_size(), "api-limit-asked"),
            ],
            handler: get(records::search),
        },
        Route {
            path: "/conflicts",
            calls: vec![Call::new(
                "get",
                "conflicts",
                "api-conflicts",
                object(&json!({"conflicts": many("Conflict")})),
            )],
            handler: get(records::conflicts),
        },
        Route {
            path: "/changes",
            calls: vec![
                Call::new("get", "changes", "api-changes", changes)
                    .asking("after", word(), "api-changed-after")
                    .asking("limit", page_size(), "api-limit-asked"),
            ],
            handler: get(changes::list),
        },
        Route { path: "/changes/stream", calls: vec![stream], handler: get(changes::stream) },
        Route {
            path: "/webhooks",
            calls: vec![
                Call::new("get", "listWebhooks", "api-webhooks", object(&json!({"webhooks": many("Webhook")}))),
                Call::new("post", "createWebhook", "api-webhook-create", refers("Webhook"))
                    .sending(json!({
                        "type": "object", "required": ["url"], "additionalProperties": false,
                        "properties": {"url": {"type": "string", "pattern": "^https?://"}, "collections": {"type": "array", "items": text()}},
                    }))
                    .making(&[201]),
            ],
            handler: get(hooks::list).post(hooks::create),
        },
        Route {
            path: "/webhooks/{id}",
            calls: vec![Call::new("delete", "deleteWebhook", "api-webhook-delete", object(&json!({"id": text()})))],
            handler: delete(hooks::remove),
        },
    ]
}
