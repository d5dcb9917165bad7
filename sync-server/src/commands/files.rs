//! Attachments by content: `attach`, `fetch`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use branchline_core::access::{Act, Action, Place, may};
use branchline_core::document::Edit;
use branchline_core::id::{BlobHash, RecordId};
use branchline_core::message::Message;
use branchline_core::net;
use branchline_core::replica::{BlobReader, Principal, Replica};
use branchline_core::schema::{Collection, Field, FieldType, Name, Value};
use branchline_core::{Error, Result};
use clap::Args;
use serde_json::json;

use super::exchange::write_file;
use crate::cli::wrong_usage;
use crate::context::Context;
use crate::output::Answer;
use crate::runtime::{block_on, parse_span};

/// Put a file into an attachment field; its bytes go up when everything smaller has.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline attach document name=Contract file ./contract.pdf")]
pub struct Attach {
    /// The collection.
    collection: String,
    /// An id, a unique prefix of one, or FIELD=VALUE of a natural key.
    record: String,
    /// The attachment field.
    field: String,
    /// The file.
    file: PathBuf,
}

impl Attach {
    /// Takes the file in and sets the field.
    ///
    /// # Errors
    /// A field of another type, a file that cannot be read or is too large, rights.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let schema = replica.schema();
        let field = schema.require(&self.collection)?.require_field(&self.field)?;
        if field.ty != FieldType::Attachment {
            return Err(Error::usage("not-an-attachment").with("field", &self.field));
        }
        let id = replica.find(&self.collection, &self.record)?;
        let attachment = replica.attach_file(&self.file, media_type(&self.file))?;
        let edit = Edit::Set(field.name.clone(), Value::Attachment(attachment.clone()));
        replica.transact(|tx| tx.edit(&self.collection, &id, vec![edit]))?;
        Ok(Answer::of(
            context,
            || {
                json!({
                    "id": id.to_string(),
                    "hash": attachment.hash.to_string(),
                    "size": attachment.size,
                    "media": attachment.media,
                    "name": attachment.name,
                })
            },
            || {
                let said = Message::new("attached").with("name", &attachment.name).with("bytes", attachment.size);
                said.with("hash", attachment.hash.to_string()).render(context.language())
            },
        ))
    }
}

/// The field by which files belong to records of a collection.
///
/// # Errors
/// `comment_nowhere` where none can.
pub(crate) fn link_to(files: &Collection, collection: &Collection) -> Result<Name> {
    let refers = |field: &&Field| field.ty.target() == Some(&collection.name);
    let link = files.fields.iter().find(refers).map(|field| field.name.clone());
    link.ok_or_else(|| Error::invalid("comment-nowhere"))
}

/// As [`link_to`], for somebody who may make files: asked before the bytes are taken in.
///
/// # Errors
/// As there; `denied_action`.
pub(crate) fn attaching(principal: &Principal, collection: &Collection) -> Result<Name> {
    let (schema, me) = (principal.schema(), principal.me()?.id);
    let files = schema.require("attachment")?;
    let here = Place { owners: vec![me], ..Place::default() };
    let act = Act { person: me, action: Action::Create, collection: files, before: None, after: Some(&here) };
    may(&principal.grants()?, &act)?;
    link_to(files, collection)
}

/// Makes a record of a file that came in and belongs to another record.
///
/// # Errors
/// `comment_nowhere` where files cannot refer to the collection; rights, and those of [`Replica::attach_beside`].
pub(crate) fn attached(
    principal: &Principal,
    collection: &Collection,
    id: &RecordId,
    (name, media, file): (&str, &str, &Path),
) -> Result<RecordId> {
    let link = attaching(principal, collection)?;
    // Browsers may send a whole path.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let file = principal.attach_beside(file, name.to_owned(), media)?;
    let values: Vec<(Name, Value)> = vec![
        ("name".into(), Value::Text(name.to_owned())),
        ("file".into(), Value::Attachment(file)),
        (link, Value::Reference(*id)),
    ];
    principal.transact(|tx| tx.create("attachment", values))
}

// What programs need to open a file again; anything unknown is plain bytes.
fn media_type(file: &Path) -> &'static str {
    let extension = file.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "txt" | "log" => "text/plain",
        "csv" => "text/csv",
        "json" => "application/json",
        "xml" => "application/xml",
        "zip" => "application/zip",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "eml" => "message/rfc822",
        "doc" => "application/msword",
        "xls" => "application/vnd.ms-excel",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        _ => "application/octet-stream",
    }
}

/// Bring an attachment here, if it is not yet, and copy it to a file.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  branchline fetch 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --out contract.pdf"
)]
pub struct Fetch {
    /// The attachment's SHA-256, as `show` prints it.
    hash: String,
    /// Where to copy it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How long it may take to arrive; what has arrived by then stays.
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = parse_span)]
    deadline: Duration,
}

impl Fetch {
    /// Fetches from the upstream where needed.
    ///
    /// # Errors
    /// `blob_not_held` where nobody above has it, an upstream that cannot be reached; `blob_damaged`; a file that cannot be
    /// written.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let hash = BlobHash::parse(&self.hash).ok_or_else(|| wrong_usage(format!("HASH: {}", self.hash)))?;
        let replica = context.open()?;
        let held = match replica.blob(&hash)? {
            Some(held) => held,
            None => self.bring(&replica, &hash)?,
        };
        let size = held.size();
        if let Some(out) = &self.out {
            write_file(out, |mut to| replica.copy_blob(&hash, &mut to))?;
        }
        // Where an encrypted folder keeps it is nobody's business.
        let file = self.out.as_deref().or(held.path()).map(|path| path.display().to_string());
        Ok(Answer::of(
            context,
            || json!({"hash": self.hash, "size": size, "file": file}),
            || {
                let said = Message::new(if file.is_some() { "fetched" } else { "fetched-encrypted" });
                said.with("file", file.as_deref().unwrap_or_default()).with("bytes", size).render(context.language())
            },
        ))
    }

    fn bring(&self, replica: &Replica, hash: &BlobHash) -> Result<BlobReader> {
        let absent = || Error::not_found("blob-not-held").with("hash", &self.hash);
        if !replica.settings()?.role.has_upstream() {
            return Err(absent());
        }
        replica.want_blob(hash)?;
        block_on(async { net::sync_once(replica, self.deadline, |_| ()).await })?;
        replica.blob(hash)?.ok_or_else(absent)
    }
}
