//! Records: lists, one record, its history, what is written to it; search and conflicts.

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use branchline_core::id::{ChangeHash, RecordId};
use branchline_core::replica::{Conflict, Hit, Principal, Query, Record, Tx};
use branchline_core::schema::{Collection, Name};
use branchline_core::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::ROOT;
use super::caller::{Asks, Body, Caller, Reply};
use super::typed;
use crate::commands::query::{known_field, sort_key, where_filter};
use crate::commands::records::{document, history_object};
use crate::commands::shape::Shaper;
use crate::commands::{conflicts, schema};
use crate::server::Node;

/// Records of a page unless asked otherwise, and hits of a search.
pub(super) const ROWS_DEFAULT: usize = 50;
/// Most records of a page.
pub(super) const ROWS_MAX: usize = 1_000;

/// `GET /me`.
pub(super) async fn me(Shared(node): Shared<Node>, caller: Caller) -> Response {
    caller
        .run(node, |principal| {
            let (me, grants) = (principal.me()?, principal.grants()?);
            let scopes: Vec<String> = grants.scopes.iter().map(ToString::to_string).collect();
            let settings = principal.replica().settings()?;
            Ok(Reply::Found(json!({
                "id": me.id.to_string(), "name": me.name, "role": &**grants.role.name(), "scopes": scopes,
                "workspace": settings.name, "replica": settings.role.as_str(),
            })))
        })
        .await
}

/// `GET /schema`.
pub(super) async fn schema(Shared(node): Shared<Node>, caller: Caller) -> Response {
    caller
        .run(node, |principal| {
            let schema = principal.replica().schema();
            Ok(Reply::Found(schema.collections().iter().map(|c| schema::collection_object(c)).collect()))
        })
        .await
}

/// What a list is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Listing {
    r#where: Option<String>,
    sort: String,
    fields: String,
    limit: Option<usize>,
    after: Option<String>,
    archived: bool,
    count: bool,
}

/// `GET /records/{collection}`.
pub(super) async fn list(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path(name): Path<String>,
    Asks(asked): Asks<Listing>,
) -> Response {
    caller.run(node, move |principal| listed(principal, &name, &asked)).await
}

fn listed(principal: &Principal, name: &str, asked: &Listing) -> Result<Reply> {
    let schema = principal.replica().schema();
    let collection = schema.require(name)?;
    let split = |text: &str| {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let (fields, mut query) = (split(&asked.fields), Query::of(name));
    query.filter = where_filter(principal.replica(), collection, asked.r#where.as_deref())?;
    query.sort = split(&asked.sort).iter().map(|key| sort_key(collection, key)).collect::<Result<_>>()?;
    let wanted = (!fields.is_empty()).then_some(fields.as_slice());
    query.fields = wanted.map(|all| all.iter().map(|name| known_field(collection, name)).collect()).transpose()?;
    let counted = if asked.count { Some(principal.count(&query)?) } else { None };
    query.limit = Some(limited(asked.limit)?);
    query.archived = asked.archived;
    query.after = asked.after.as_deref().map(|text| principal.find(name, text)).transpose()?;
    let page = principal.list(&query)?;
    let shaper = Shaper::by(principal);
    let rows: Vec<Json> = page.rows.iter().map(|r| Json::Object(shaper.object(collection, r, wanted))).collect();
    let mut answer = json!({"records": rows, "next": page.next.map(|id| id.to_string())});
    if let Some(count) = counted {
        answer["count"] = json!(count);
    }
    Ok(Reply::Found(answer))
}

/// How many records a page has.
///
/// # Errors
/// `api_limit`.
pub(super) fn limited(asked: Option<usize>) -> Result<usize> {
    match asked.unwrap_or(ROWS_DEFAULT) {
        0 => Err(Error::invalid("api-limit").with("limit", ROWS_MAX)),
        many if many > ROWS_MAX => Err(Error::invalid("api-limit").with("limit", ROWS_MAX)),
        many => Ok(many),
    }
}

/// `POST /records/{collection}`.
pub(super) async fn create(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path(name): Path<String>,
    body: Body,
) -> Response {
    let what = format!("create {name}");
    caller
        .send(node, what, body, move |principal, asked, fields: Map<String, Json>| {
            let schema = principal.replica().schema();
            let values = typed::values(principal, schema.require(&name)?, &fields)?;
            asked.write(
                principal,
                |tx| Ok(json!({"id": tx.create(&name, values)?.to_string()})),
                |made| place(&name, made),
            )
        })
        .await
}

fn place(collection: &str, made: &Json) -> Option<String> {
    Some(format!("{ROOT}/records/{collection}/{}", made.get("id")?.as_str()?))
}

/// `GET /records/{collection}/{record}`.
pub(super) async fn read(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, record)): Path<(String, String)>,
) -> Response {
    caller.run(node, move |principal| whole(principal, &name, &principal.find(&name, &record)?).map(Reply::Found)).await
}

fn whole(principal: &Principal, name: &str, id: &RecordId) -> Result<Json> {
    let schema = principal.replica().schema();
    let record = principal.record(name, id)?;
    Ok(document(&Shaper::by(principal), schema.require(name)?, &record, None))
}

/// `GET /records/{collection}/{record}/history`.
pub(super) async fn history(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, record)): Path<(String, String)>,
) -> Response {
    caller
        .run(node, move |principal| {
            let schema = principal.replica().schema();
            let collection = schema.require(&name)?;
            let entries = principal.history(&name, &principal.find(&name, &record)?)?;
            let shaper = Shaper::by(principal);
            Ok(Reply::Found(entries.iter().map(|entry| history_object(&shaper, collection, entry)).collect()))
        })
        .await
}

/// `PATCH /records/{collection}/{record}`.
pub(super) async fn edit(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, record)): Path<(String, String)>,
    body: Body,
) -> Response {
    let what = format!("edit {name} {record}");
    caller
        .send(node, what, body, move |principal, asked, fields: Map<String, Json>| {
            let schema = principal.replica().schema();
            let id = principal.find(&name, &record)?;
            let edits = typed::edits(principal, schema.require(&name)?, &fields)?;
            let edited = |tx: &mut Tx<'_>| {
                let changed = !edits.is_empty() && tx.edit(&name, &id, edits)?;
                Ok(json!({"id": id.to_string(), "changed": changed}))
            };
            asked.write(principal, edited, |_| None)
        })
        .await
}

/// `PUT /records/{collection}/by/{field}/{value}`: the record with this key, made where there is none.
pub(super) async fn upsert(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, field, key)): Path<(String, String, String)>,
    body: Body,
) -> Response {
    let what = format!("upsert {name} {field} {key}");
    caller
        .send(node, what, body, move |principal, asked, fields: Map<String, Json>| {
            let schema = principal.replica().schema();
            let collection = schema.require(&name)?;
            let upsert = Upsert::of(principal, collection, &field, &key, fields)?;
            asked.write(
                principal,
                |tx| upsert.write(tx),
                |made| {
                    let created = made.get("created").and_then(Json::as_bool) == Some(true);
                    created.then(|| place(&name, made)).flatten()
                },
            )
        })
        .await
}

struct Upsert<'a> {
    collection: &'a Collection,
    key: Name,
    values: Vec<(Name, branchline_core::schema::Value)>,
    edits: Vec<branchline_core::document::Edit>,
    known: Option<Record>,
}

impl<'a> Upsert<'a> {
    fn of(
        principal: &Principal,
        collection: &'a Collection,
        field: &str,
        key: &str,
        mut fields: Map<String, Json>,
    ) -> Result<Self> {
        let keyed = collection.require_field(field)?;
        if !collection.natural_keys.contains(&keyed.name) {
            let keys = collection.natural_keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(Error::invalid("api-key").with("field", field).with("known", keys));
        }
        let known = match principal.find(&collection.name, &format!("{field}={key}")) {
            Ok(id) => Some(principal.record(&collection.name, &id)?),
            Err(Error::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        fields.insert(field.to_owned(), json!(key));
        let (values, edits) = match &known {
            None => (typed::values(principal, collection, &fields)?, Vec::new()),
            Some(_) => (Vec::new(), typed::edits(principal, collection, &fields)?),
        };
        Ok(Self { collection, key: keyed.name.clone(), values, edits, known })
    }

    fn write(self, tx: &mut Tx<'_>) -> Result<Json> {
        let name = &*self.collection.name;
        match self.known {
            Some(record) => {
                let changed = tx.edit(name, &record.id, self.edits)?;
                Ok(json!({"id": record.id.to_string(), "created": false, "changed": changed}))
            }
            None => {
                let made = tx.create_keyed(name, self.values, &[self.key])?;
                Ok(json!({"id": made.id.to_string(), "created": made.created, "changed": made.created}))
            }
        }
    }
}

/// What archives a record or brings it back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Archived {
    archived: bool,
}

/// `POST /records/{collection}/{record}/archive`.
pub(super) async fn archive(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, record)): Path<(String, String)>,
    body: Body,
) -> Response {
    let what = format!("archive {name} {record}");
    caller
        .send(node, what, body, move |principal, asked, wish: Archived| {
            let id = principal.find(&name, &record)?;
            let archived = |tx: &mut Tx<'_>| {
                tx.archive(&name, &id, wish.archived)?;
                Ok(json!({"id": id.to_string(), "archived": wish.archived}))
            };
            asked.write(principal, archived, |_| None)
        })
        .await
}

/// Which change is taken back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Undone {
    change: String,
}

/// `POST /records/{collection}/{record}/undo`.
pub(super) async fn undo(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, record)): Path<(String, String)>,
    body: Body,
) -> Response {
    let what = format!("undo {name} {record}");
    caller
        .send(node, what, body, move |principal, asked, wish: Undone| {
            let id = principal.find(&name, &record)?;
            let unknown = || Error::not_found("unknown-change").with("change", &wish.change);
            let change = ChangeHash::parse(&wish.change).ok_or_else(unknown)?;
            let undone = |tx: &mut Tx<'_>| {
                tx.undo(&name, &id, change)?;
                Ok(json!({"id": id.to_string(), "change": wish.change}))
            };
            asked.write(principal, undone, |_| None)
        })
        .await
}

/// Which value of a conflict is kept.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolved {
    field: String,
    keep: String,
}

/// `POST /records/{collection}/{record}/resolve`.
pub(super) async fn resolve(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, record)): Path<(String, String)>,
    body: Body,
) -> Response {
    caller
        .send(node, String::new(), body, move |principal, _, wish: Resolved| {
            let id = principal.find(&name, &record)?;
            principal.resolve(&name, &id, &wish.field, &wish.keep)?;
            whole(principal, &name, &id).map(Reply::Found)
        })
        .await
}

/// What a search is asked with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Searched {
    q: String,
    limit: Option<usize>,
}

/// `GET /search`.
pub(super) async fn search(Shared(node): Shared<Node>, caller: Caller, Asks(asked): Asks<Searched>) -> Response {
    caller
        .run(node, move |principal| {
            let hits = principal.search(&asked.q, limited(asked.limit)?)?;
            let hit = |hit: &Hit| {
                json!({"collection": &*hit.collection, "id": hit.id.to_string(), "label": hit.label, "excerpt": hit.excerpt})
            };
            Ok(Reply::Found(json!({"hits": hits.iter().map(hit).collect::<Vec<_>>()})))
        })
        .await
}

/// `GET /conflicts`.
pub(super) async fn conflicts(Shared(node): Shared<Node>, caller: Caller) -> Response {
    caller
        .run(node, |principal| {
            let (schema, shaper) = (principal.replica().schema(), Shaper::by(principal));
            let open = principal.conflicts()?;
            let object =
                |c: &Conflict| conflicts::object(&shaper, schema.collection(&c.collection).map(|found| &**found), c);
            Ok(Reply::Found(json!({"conflicts": open.iter().map(object).collect::<Vec<_>>()})))
        })
        .await
}
