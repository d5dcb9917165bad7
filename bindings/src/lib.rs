//! The replica for other languages, through UniFFI: Kotlin, Swift and Python are generated from this facade.
//!
//! Every call blocks until it is done and may come from any thread; each language's package adds what is usual there
//! (suspending functions, streams). Every failure is one [`ReplicaError`]; a panic inside becomes one, too. Callbacks come
//! from threads of the engine and may throw: the engine goes on.
//!
//! What is absent: sync logic and SQL. This crate calls the replica's facade, the CRM and the link's driver, nothing below.

uniffi::setup_scaffolding!("branchline");

mod error;
mod files;
mod log;
mod record;
mod records;
mod refused;
mod replica;
mod report;
mod schema;
mod sync;
mod value;
mod watch;

pub use error::{CallbackError, Problem, ReplicaError};
pub use files::{AttachmentState, ProgressListener};
pub use log::{LogLevel, LogListener, set_log};
pub use record::{Change, Conflict, ConflictValue, Field, FieldChange, Hit, Page, Record, RecordState, Stamp};
pub use records::{Query, Sort, Write};
pub use refused::{RefusedChange, Retried};
pub use replica::{BlockingReplica, Config, Counts, Health, KeyProvider, NodeKind, Person, Scope, Workspace, version};
pub use replica::{decrypt_folder, encrypt_folder};
pub use report::{Agenda, AgendaClient, AgendaEntry, Converted, Report, ReportColumn, ReportRequest, Through};
pub use schema::{Choice, CollectionSchema, FieldKind, FieldSchema, Labels};
pub use sync::{Exchange, Hints, SyncHandle, SyncListener, SyncPhase, SyncStatus};
pub use value::{Attachment, Edit, Item, Line, Value};
pub use watch::{PageListener, Watch};
