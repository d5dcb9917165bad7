//! Attachments: from a file into a record, and from the upstream to the app.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use branchline_core::id::BlobHash;
use branchline_core::net;
use branchline_core::replica::{self, Edit};
use branchline_core::schema;
use branchline_core::sync::Event;
use branchline_core::{Error, Result as CoreResult};

use crate::error::{CallbackError, told};
use crate::replica::{BlockingReplica, Result, runtime};
use crate::value::Attachment;

/// How often an attachment that another thread or process brings is looked for.
const ARRIVAL_POLL: Duration = Duration::from_millis(100);

/// Hears how far something is. It comes from the calling thread.
#[uniffi::export(with_foreign)]
pub trait ProgressListener: Send + Sync {
    /// So many bytes of so many; `total` is 0 while it is not known.
    fn moved(&self, done: u64, total: u64) -> std::result::Result<(), CallbackError>;
}

/// What is known of an attachment here.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AttachmentState {
    /// Whether all of it is here.
    pub here: bool,
    /// Bytes that have arrived.
    pub received: u64,
    /// Whether it was asked for and has not arrived.
    pub wanted: bool,
    /// Whether it is here and waits to go up.
    pub unsent: bool,
}

#[uniffi::export]
impl BlockingReplica {
    /// Takes a file in as an attachment, for a value of a record. The file is copied; its bytes go up when everything
    /// smaller has. Without a name it gets the file's.
    ///
    /// # Errors
    /// `NotFound` where there is no such file, `Limit` where it is too large, `Storage` where the disk fails.
    pub fn attach(
        &self,
        path: String,
        media: String,
        name: Option<String>,
        progress: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Attachment> {
        self.call(|replica| take_in(replica, path, &media, name, progress.as_deref()).map(|file| Attachment::of(&file)))
    }

    /// Takes a file in and puts it into a field of a record.
    ///
    /// # Errors
    /// As `attach` and `edit`.
    pub fn attach_to(
        &self,
        collection: String,
        record: String,
        field: String,
        path: String,
        media: String,
        progress: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Attachment> {
        self.call(|replica| {
            let id = replica.find(&collection, &record)?;
            let file = take_in(replica, path, &media, None, progress.as_deref())?;
            let set = Edit::Set(field.into(), schema::Value::Attachment(file.clone()));
            replica.transact(|tx| tx.edit(&collection, &id, vec![set]))?;
            Ok(Attachment::of(&file))
        })
    }

    /// What is known of an attachment here.
    ///
    /// # Errors
    /// `Invalid` for a hash that is none, `Storage` where the disk fails.
    pub fn attachment(&self, hash: String) -> Result<AttachmentState> {
        self.call(|replica| replica.blob_state(&hash_of(&hash)?).map(AttachmentState::of))
    }

    /// Asks for an attachment: it comes with the next exchanges, or with the one that runs.
    ///
    /// # Errors
    /// As `attachment`.
    pub fn want(&self, hash: String) -> Result<()> {
        self.call(|replica| replica.want_blob(&hash_of(&hash)?))
    }

    /// The bytes of an attachment that is here; for large ones there is `save_attachment`.
    ///
    /// # Errors
    /// `NotFound` where it is not here, `Corrupt` where it is damaged, `Storage` where the disk fails.
    pub fn read_attachment(&self, hash: String) -> Result<Vec<u8>> {
        self.call(|replica| {
            let mut bytes = Vec::new();
            replica.copy_blob(&hash_of(&hash)?, &mut bytes)?;
            Ok(bytes)
        })
    }

    /// Copies an attachment that is here into a new file, for other programs. The copy is not encrypted.
    ///
    /// # Errors
    /// As `read_attachment`; nothing of a failed attempt stays.
    pub fn save_attachment(&self, hash: String, path: String) -> Result<()> {
        self.call(|replica| {
            let hash = hash_of(&hash)?;
            let unwritten = |e: std::io::Error| {
                Error::storage("file-failed").with("detail", e.to_string()).with("path", path.clone())
            };
            let mut file = File::create_new(&path).map_err(unwritten)?;
            let copied = replica.copy_blob(&hash, &mut file).and_then(|()| file.sync_all().map_err(unwritten));
            if copied.is_err() {
                let _ = std::fs::remove_file(&path);
            }
            copied
        })
    }

    /// Brings an attachment here. What has arrived by the deadline stays, and the next call goes on
    /// from there. It waits while attachments are held back by a hint.
    ///
    /// # Errors
    /// `NotFound` where nobody above has it, `Unreachable` where the upstream does not answer or the deadline passes.
    pub fn fetch(&self, hash: String, deadline_ms: u64, progress: Option<Arc<dyn ProgressListener>>) -> Result<()> {
        self.call(|replica| {
            let fetching = Fetching { replica, hash: hash_of(&hash)?, progress: progress.as_deref() };
            fetching.run(deadline_ms, self)
        })
    }
}

impl AttachmentState {
    fn of(state: replica::BlobState) -> Self {
        Self { here: state.here, received: state.received, wanted: state.wanted, unsent: state.unsent }
    }
}

struct Fetching<'a> {
    replica: &'a replica::Replica,
    hash: BlobHash,
    progress: Option<&'a dyn ProgressListener>,
}

impl Fetching<'_> {
    fn run(&self, deadline_ms: u64, of: &BlockingReplica) -> CoreResult<()> {
        if self.replica.blob_state(&self.hash)?.here {
            return Ok(());
        }
        if !self.replica.settings()?.role.has_upstream() {
            return Err(Error::not_found("blob-not-held").with("hash", self.hash.to_string()));
        }
        self.replica.want_blob(&self.hash)?;
        runtime()?.block_on(self.arrival(Duration::from_millis(deadline_ms), of))
    }

    async fn arrival(&self, deadline: Duration, of: &BlockingReplica) -> CoreResult<()> {
        let late = || Error::unreachable("sync-deadline").with("seconds", deadline.as_secs());
        let until = of.interrupted_or(deadline);
        tokio::pin!(until);
        loop {
            let mut over = false;
            // While attachments are held back, an exchange would bring nothing.
            if !self.replica.holds_attachments() {
                let ending = async {
                    until.as_mut().await;
                    over = true;
                };
                net::sync_until(self.replica, ending, |event| self.note(&event)).await?;
            }
            self.report();
            let state = self.replica.blob_state(&self.hash)?;
            if state.here {
                return Ok(());
            }
            if !state.wanted {
                return Err(Error::not_found("blob-not-held").with("hash", self.hash.to_string()));
            }
            if over {
                return Err(late());
            }
            tokio::select! {
                () = &mut until => return Err(late()),
                () = tokio::time::sleep(ARRIVAL_POLL) => {}
            }
        }
    }

    fn note(&self, event: &Event) {
        if matches!(event, Event::Blob(_) | Event::Progress { .. } | Event::Pulled(_)) {
            self.report();
        }
    }

    fn report(&self) {
        let Some(progress) = self.progress else { return };
        if let Ok(state) = self.replica.blob_state(&self.hash) {
            told("attachment", || progress.moved(state.received, 0));
        }
    }
}

fn take_in(
    replica: &replica::Replica,
    path: String,
    media: &str,
    name: Option<String>,
    progress: Option<&dyn ProgressListener>,
) -> CoreResult<schema::Attachment> {
    let path = PathBuf::from(path);
    let own = || path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.unwrap_or_else(own);
    replica.attach_file_as(&path, name, media, &mut |done, total| {
        if let Some(progress) = progress {
            told("attachment", || progress.moved(done, total));
        }
    })
}

fn hash_of(text: &str) -> CoreResult<BlobHash> {
    BlobHash::parse(text).ok_or_else(|| Error::invalid("no-attachment-hash").with("value", text))
}
