//! The description of the API in OpenAPI 3.1, made from the table of routes and the workspace's schema.

use axum::Json as Document;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse, Response};
use branchline_core::crm::report::Kind;
use branchline_core::message::{Language, Message};
use branchline_core::schema::{Collection, Field, FieldType, Schema, SetOf};
use serde_json::{Map, Value as Json, json};

use super::ROOT;
use super::caller::Caller;
use super::problem::problem;
use super::routes::{Call, Carried, Route, routes};
use crate::server::{Node, language_of};

/// `GET /openapi.json`. The workspace's own collections and fields are told to those with a token.
pub(super) async fn document(
    Shared(node): Shared<Node>,
    headers: HeaderMap,
    caller: Result<Caller, Response>,
) -> Response {
    let language = language_of(&headers);
    let all = headers.contains_key(AUTHORIZATION);
    if all {
        let known = match caller {
            Ok(caller) => caller.principal(&node).await.map(drop),
            Err(response) => Err(response),
        };
        if let Err(response) = known {
            return response;
        }
    }
    let made = node.blocking(move |replica| {
        let name = replica.settings()?.name;
        Ok(described(language, &name, &replica.schema(), all))
    });
    match made.await {
        Ok(document) => Document(document).into_response(),
        Err(error) => problem(language, &error),
    }
}

/// The whole document.
pub(super) fn described(language: Language, workspace: &str, schema: &Schema, all: bool) -> Json {
    let collections: Vec<&Collection> =
        schema.collections().iter().map(|c| &**c).filter(|collection| all || !collection.custom).collect();
    let mut paths = Map::new();
    for route in routes() {
        let calls =
            route.calls.iter().map(|call| (call.method.to_owned(), operation(language, &route, call, &collections)));
        paths.insert(route.path.to_owned(), Json::Object(calls.collect()));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Branchline · {workspace}"),
            "version": "1",
            "description": Message::new("api-about").render(language),
        },
        "servers": [{"url": ROOT}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(language, &collections),
        },
    })
}

fn operation(language: Language, route: &Route, call: &Call, collections: &[&Collection]) -> Json {
    let say = |id: &'static str| Message::new(id).render(language);
    let mut parameters: Vec<Json> = parts(route.path)
        .map(|name| {
            let schema = match name {
                "collection" => json!({"enum": collections.iter().map(|c| &*c.name).collect::<Vec<_>>()}),
                "report" => json!({"enum": Kind::ALL.map(Kind::name)}),
                _ => json!({"type": "string", "minLength": 1}),
            };
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    for (name, schema, summary) in &call.query {
        let required = matches!(*name, "q" | "name");
        parameters.push(
            json!({"name": name, "in": "query", "required": required, "schema": schema, "description": say(summary)}),
        );
    }
    if call.once {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": say("api-once"),
        }));
    }
    let content = |carried: &Carried| match carried {
        Carried::Document(schema) => json!({"application/json": {"schema": schema}}),
        Carried::Events => json!({"text/event-stream": {"schema": {"type": "string"}}}),
        Carried::File => json!({"application/octet-stream": {}}),
    };
    let answer = content(&call.answer);
    let mut answers: Map<String, Json> = call
        .status
        .iter()
        .map(|status| (status.to_string(), json!({"description": say("api-answer"), "content": answer})))
        .collect();
    let refusal = json!({
        "description": say("api-refusal"),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    answers.insert("default".to_owned(), refusal);
    let mut operation = json!({
        "operationId": call.id, "summary": say(call.summary), "parameters": parameters, "responses": answers,
    });
    if let Some(body) = &call.body {
        operation["requestBody"] = json!({"required": true, "content": content(body)});
    }
    operation
}

/// The names in braces of a path.
pub(super) fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn schemas(language: Language, collections: &[&Collection]) -> Json {
    let mut all = Map::new();
    for collection in collections {
        all.insert(collection.name.to_string(), fields(language, collection));
    }
    let any: Vec<Json> =
        collections.iter().map(|c| json!({"$ref": format!("#/components/schemas/{}", c.name)})).collect();
    let system = json!({
        "id": {"type": "string", "format": "uuid"}, "archived": {"type": "boolean"},
        "created_at": {"type": "string", "format": "date-time"}, "created_by": {"type": ["object", "null"]},
        "updated_at": {"type": "string", "format": "date-time"}, "updated_by": {"type": ["object", "null"]},
    });
    let text = json!({"type": "string"});
    let more = json!({
        "Record": {"type": "object", "required": ["id"], "properties": system},
        "Fields": {"anyOf": any},
        "Edits": {"type": "object"},
        "WholeRecord": {
            "type": "object", "required": ["id", "collection", "fields", "conflicts"],
            "properties": {
                "id": {"type": "string", "format": "uuid"}, "collection": text, "fields": {"anyOf": any},
                "archived": {"type": "boolean"}, "review": {"type": "boolean"},
                "merged_into": {"type": ["object", "null"]},
                "conflicts": {"type": "array", "items": {"$ref": "#/components/schemas/Conflict"}},
            },
        },
        "Conflict": {
            "type": "object", "required": ["collection", "id", "field", "rule", "values"],
            "properties": {
                "collection": text, "id": text, "label": {"type": ["string", "null"]}, "field": text, "rule": text,
                "values": {"type": "array", "items": {"type": "object", "required": ["value", "change", "shown"]}},
            },
        },
        "Entry": {"type": "object", "required": ["change", "at", "field", "from", "to"]},
        "Change": {
            "type": "object", "required": ["cursor", "collection", "id", "at", "record"],
            "properties": {"cursor": text, "collection": text, "id": text, "at": text, "record": {"type": ["object", "null"]}},
        },
        "Webhook": {
            "type": "object", "required": ["id", "url", "collections", "cursor", "failure"],
            "properties": {
                "id": text, "url": text, "secret": text, "person": text, "cursor": text,
                "collections": {"type": "array", "items": text}, "failure": {"type": ["object", "null"]},
            },
        },
        "Problem": {
            "type": "object", "required": ["type", "title", "status", "code", "retryable"],
            "properties": {
                "type": text, "title": text, "status": {"type": "integer"}, "detail": text, "code": text, "where": text,
                "retryable": {"type": "boolean"},
            },
        },
    });
    all.extend(more.as_object().cloned().unwrap_or_default());
    Json::Object(all)
}

fn fields(language: Language, collection: &Collection) -> Json {
    let named = collection.fields.iter().map(|field| (field.name.to_string(), shape(language, field)));
    json!({
        "type": "object", "title": collection.labels.text(language),
        "properties": named.collect::<Map<String, Json>>(), "additionalProperties": false,
    })
}

// What is read and what may be written: a text is taken wherever one can be typed.
fn shape(language: Language, field: &Field) -> Json {
    let reference = json!({"type": "object", "required": ["id"]});
    let mut schema = match &field.ty {
        FieldType::Text | FieldType::LongText => json!({"type": ["string", "null"]}),
        FieldType::Choice(choices) => {
            let values: Vec<&str> = choices.iter().map(|choice| choice.value.as_str()).collect();
            json!({"type": ["string", "null"], "examples": values})
        }
        FieldType::Integer | FieldType::Counter => json!({"type": ["integer", "string", "null"]}),
        FieldType::Decimal => json!({"type": ["string", "number", "null"]}),
        FieldType::Money => json!({
            "anyOf": [
                {"type": "object", "required": ["value", "currency"], "properties": {"value": {"type": "string"}, "currency": {"type": "string"}}},
                {"type": ["string", "number", "null"]},
            ],
        }),
        FieldType::Boolean => json!({"type": ["boolean", "string", "null"]}),
        FieldType::Date | FieldType::Instant => json!({"type": ["string", "null"]}),
        FieldType::Reference(_) => json!({"anyOf": [reference, {"type": ["string", "null"]}]}),
        FieldType::Set(SetOf::Reference(_)) => {
            json!({"type": ["array", "null"], "items": {"anyOf": [reference, {"type": "string"}]}})
        }
        FieldType::Set(_) => json!({"type": ["array", "null"], "items": {"type": "string"}}),
        FieldType::Lines(columns) => {
            let cells: Map<String, Json> = columns.iter().map(|c| (c.name.to_string(), shape(language, c))).collect();
            json!({"type": ["array", "null"], "items": {"type": "object", "properties": cells}})
        }
        FieldType::Attachment => json!({"type": ["object", "null"]}),
        FieldType::Location => json!({"type": ["object", "string", "null"]}),
    };
    schema["title"] = json!(field.labels.text(language));
    schema
}
