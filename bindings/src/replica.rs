//! A replica: opening, making, enrolling, closing, and what it is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use branchline_core::access;
use branchline_core::message::Language;
use branchline_core::net;
use branchline_core::replica::link::InvitationCode;
use branchline_core::replica::{self, Folder, NodeRole, StoreKey, SystemEnvironment};
use branchline_core::schema::Currency;
use branchline_core::{Error, Result as CoreResult, crm};
use tokio::sync::watch;

use crate::error::{CallbackError, ReplicaError, guarded};
use crate::schema::CollectionSchema;

pub(crate) type Result<T> = std::result::Result<T, ReplicaError>;

/// The version of Branchline inside this package.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// How a replica is opened.
#[derive(Debug, Clone, PartialEq, Eq, Default, uniffi::Record)]
pub struct Config {
    /// The language of labels and errors, `en`, `ru` or `uk`; without it, the workspace's.
    #[uniffi(default = None)]
    pub language: Option<String>,
}

/// Gives the key that a replica's folder is encrypted with, from wherever the platform keeps such things.
#[uniffi::export(with_foreign)]
pub trait KeyProvider: Send + Sync {
    /// The key: 32 random bytes. Called once while the folder is opened, from the calling thread.
    fn key(&self) -> std::result::Result<Vec<u8>, CallbackError>;
}

/// Encrypts the plain replica in a folder that nobody has open. It takes the time and the room of a copy. A process that is
/// killed meanwhile leaves the folder plain or encrypted, as whole as it was.
///
/// # Errors
/// `Busy` where somebody has it open, `Usage` where it holds no replica or is encrypted, `Storage` where the disk fails.
#[uniffi::export]
pub fn encrypt_folder(path: String, config: Config, keys: Arc<dyn KeyProvider>) -> Result<()> {
    opening(&config, |_| replica::Replica::encrypt(Path::new(&path), &key_of(&*keys)?, &SystemEnvironment))
}

/// Decrypts the encrypted replica in a folder; otherwise as `encrypt_folder`.
///
/// # Errors
/// As there; `Locked` where the key is wrong.
#[uniffi::export]
pub fn decrypt_folder(path: String, config: Config, keys: Arc<dyn KeyProvider>) -> Result<()> {
    opening(&config, |_| replica::Replica::decrypt(&folder(path, Some(keys))?, &SystemEnvironment))
}

/// The place of a replica among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum NodeKind {
    /// Head office: no upstream.
    Hub,
    /// A branch: an upstream, and downstreams of its own.
    Branch,
    /// A phone or laptop: an upstream only.
    Device,
}

/// Whom the replica acts for.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Person {
    /// The id of the person's record.
    pub id: String,
    /// The name; the id until the person's record has arrived.
    pub name: String,
    /// The role: `owner`, `manager`, `seller`, `reader`, or one of the workspace's own.
    pub role: String,
    /// The branch whose records the person makes.
    pub home_branch: Option<String>,
}

/// A part of the workspace that the replica was granted.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Scope {
    /// `workspace`, `branch:ID`, `team:ID` or `user:ID`.
    pub text: String,
    /// The title of the branch, team or person, where there is one and it is held here.
    pub label: Option<String>,
}

/// The workspace and the replica's place in it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Workspace {
    /// The company's name.
    pub name: String,
    /// The currency of a bare number.
    pub currency: String,
    /// The workspace's language.
    pub language: String,
    /// The replica's name among the others.
    pub device_name: String,
    /// The replica's id.
    pub device: String,
    /// Its place.
    pub kind: NodeKind,
    /// The upstream's address; none at a hub.
    pub upstream: Option<String>,
}

/// A replica in numbers.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Counts {
    /// Changes that the upstream has not acknowledged yet.
    pub outbox: u64,
    /// Own changes that the upstream refused and that wait for a person.
    pub quarantine: u64,
    /// Records with an open conflict.
    pub conflicts: u64,
    /// Of these, records with a conflict that only a person may settle.
    pub conflicts_asking: u64,
    /// Attachments that wait to go up.
    pub attachments_waiting: u64,
    /// Records by collection, without archived ones.
    pub records: HashMap<String, u64>,
    /// Equal on replicas that hold the same records in the same state.
    pub digest: String,
}

/// What a check of the folder has found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Health {
    /// Whether nothing is wrong now.
    pub sound: bool,
    /// Changes that were checked.
    pub changes: u64,
    /// Damage that only the upstream, a backup or another replica can mend, in words.
    pub damage: Vec<String>,
    /// Damaged records and attachments that the next exchange fetches anew.
    pub fetching: u64,
    /// Whether what differed was written anew.
    pub repaired: bool,
}

/// A replica: one folder. Every call blocks, so none belongs on a thread that draws. Close it when done; a call afterwards
/// is a `Usage` error with the code `replica_closed`.
#[derive(uniffi::Object)]
pub struct BlockingReplica {
    open: RwLock<Option<replica::Replica>>,
    pub(crate) language: Language,
    /// Changes when exchanges that run now are to end.
    pub(crate) interrupts: watch::Sender<u64>,
    /// Becomes true when it is closed.
    pub(crate) closed: watch::Sender<bool>,
}

#[uniffi::export]
impl BlockingReplica {
    /// Opens the replica in a folder, an encrypted one with its key.
    ///
    /// # Errors
    /// `Locked` where the key is wrong or missing, or the folder is plain and a key is given; `Usage` where the folder holds no
    /// replica, `Version` where a newer Branchline wrote it, `Corrupt` where
    /// it is damaged.
    #[uniffi::constructor]
    pub fn open(path: String, config: Config, keys: Option<Arc<dyn KeyProvider>>) -> Result<Arc<Self>> {
        opening(&config, |language| {
            let folder = folder(path, keys)?;
            replica::Replica::open(folder, crm::builtin().clone(), Arc::new(SystemEnvironment))
                .and_then(|replica| Self::around(replica, language))
        })
    }

    /// Makes a folder the hub of a new workspace with its owner. `currency` is that of bare numbers, `language` that of
    /// the workspace: `en`, `ru` or `uk`. With a key, everything in the folder is encrypted.
    ///
    /// # Errors
    /// `Usage` where the folder holds a replica already, `Invalid` for an unknown currency or language.
    #[uniffi::constructor]
    pub fn found(
        path: String,
        name: String,
        owner_email: Option<String>,
        currency: String,
        language: String,
        config: Config,
        keys: Option<Arc<dyn KeyProvider>>,
    ) -> Result<Arc<Self>> {
        opening(&config, |shown| {
            let folder = folder(path, keys)?;
            let unknown = || Error::invalid("unknown-currency").with("value", &currency);
            let init = replica::Init {
                name,
                owner_name: None,
                owner_email,
                currency: Currency::parse(&currency).ok_or_else(unknown)?,
                language: language_of(&language)?,
            };
            replica::Replica::init(folder, &init, crm::builtin().clone(), Arc::new(SystemEnvironment))
                .and_then(|replica| Self::around(replica, shown))
        })
    }

    /// Enrols: makes a folder a replica under the upstream that gave this invitation code. It holds nothing until its
    /// first exchange. With a key, everything in the folder is encrypted.
    ///
    /// # Errors
    /// `Invalid` for a text that is no code, `Usage` where the folder holds a replica already, `Refused` for a code that
    /// was used or has expired, `Unreachable` where the upstream does not answer; the folder is no replica then, and the
    /// same code can be tried again.
    #[uniffi::constructor]
    pub fn join(path: String, code: String, config: Config, keys: Option<Arc<dyn KeyProvider>>) -> Result<Arc<Self>> {
        opening(&config, |language| {
            let folder = folder(path, keys)?;
            let code = InvitationCode::parse(&code)?;
            let env = Arc::new(SystemEnvironment);
            runtime()?
                .block_on(net::join(folder, &code, crm::builtin().clone(), env))
                .and_then(|replica| Self::around(replica, language))
        })
    }

    /// Whether the folder is encrypted.
    ///
    /// # Errors
    /// `Usage` after it was closed.
    pub fn is_encrypted(&self) -> Result<bool> {
        self.call(|replica| Ok(replica.is_encrypted()))
    }

    /// Has another key open the folder from now on; the old one opens it no more. Keep both until this has returned: a process
    /// that is killed meanwhile leaves the folder, as whole as it was, under the one or the other.
    ///
    /// # Errors
    /// `Locked` where the folder is plain, or the app gives no key; `Invalid` for what is no key; `Storage` where the disk
    /// fails.
    pub fn rekey(&self, keys: Arc<dyn KeyProvider>) -> Result<()> {
        self.call(|replica| replica.rekey(&key_of(&*keys)?))
    }

    /// Whom it acts for.
    ///
    /// # Errors
    /// `Usage` after it was closed, `Storage` where the disk fails.
    pub fn who_am_i(&self) -> Result<Person> {
        self.call(|replica| {
            let me = replica.me()?;
            let home_branch = me.home_branch.map(|id| id.to_string());
            Ok(Person { id: me.id.to_string(), name: me.name, role: me.role, home_branch })
        })
    }

    /// What of the workspace it was granted. Besides, it holds what the whole company shares.
    ///
    /// # Errors
    /// As `who_am_i`.
    pub fn scopes(&self) -> Result<Vec<Scope>> {
        self.call(|replica| {
            let scopes = replica.grants()?.scopes;
            let label = |scope: &access::Scope| scope.subject().and_then(|id| replica.label(&id));
            Ok(scopes.iter().map(|scope| Scope { text: scope.to_string(), label: label(scope) }).collect())
        })
    }

    /// The workspace and the replica's place in it.
    ///
    /// # Errors
    /// As `who_am_i`.
    pub fn workspace(&self) -> Result<Workspace> {
        self.call(|replica| {
            let settings = replica.settings()?;
            let upstream = if settings.role.has_upstream() { Some(replica.upstream()?.0) } else { None };
            Ok(Workspace {
                name: settings.name,
                currency: settings.currency.code().to_owned(),
                language: settings.language.code().to_owned(),
                device_name: settings.node_name,
                device: settings.device.to_string(),
                kind: match settings.role {
                    NodeRole::Hub => NodeKind::Hub,
                    NodeRole::Branch => NodeKind::Branch,
                    NodeRole::Device => NodeKind::Device,
                },
                upstream,
            })
        })
    }

    /// The collections of the workspace, its own ones too, with labels in three languages.
    ///
    /// # Errors
    /// As `who_am_i`.
    pub fn schema(&self) -> Result<Vec<CollectionSchema>> {
        self.call(|replica| {
            Ok(replica.schema().collections().iter().map(|collection| CollectionSchema::of(collection)).collect())
        })
    }

    /// The replica in numbers. It reads all that is held: `SyncStatus` has what a screen shows all the time.
    ///
    /// # Errors
    /// As `who_am_i`.
    pub fn counts(&self) -> Result<Counts> {
        self.call(|replica| {
            let status = replica.status()?;
            Ok(Counts {
                outbox: status.outbox,
                quarantine: status.quarantine,
                conflicts: status.conflicts,
                conflicts_asking: status.conflicts_asking,
                attachments_waiting: replica.unsent_blobs()?.count,
                records: status.records.into_iter().map(|(name, count)| (name.to_string(), count)).collect(),
                digest: status.digest,
            })
        })
    }

    /// Checks the folder against itself; with `repair`, writes anew what can be, and has the next exchange fetch the rest.
    ///
    /// # Errors
    /// As `who_am_i`.
    pub fn verify(&self, repair: bool) -> Result<Health> {
        self.call(|replica| {
            let found = replica.verify(repair)?;
            Ok(Health {
                sound: found.is_sound(),
                changes: found.changes,
                damage: found.damage,
                fetching: found.fetching,
                repaired: found.repaired,
            })
        })
    }

    /// Closes it: exchanges that run are stopped, other calls finish. Closing twice is no error.
    pub fn shut(&self) {
        self.closed.send_replace(true);
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it was closed.
    pub fn is_shut(&self) -> bool {
        self.open.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

impl BlockingReplica {
    fn around(replica: replica::Replica, language: Option<Language>) -> CoreResult<Arc<Self>> {
        let language = match language {
            Some(language) => language,
            None => replica.settings()?.language,
        };
        Ok(Arc::new(Self {
            open: RwLock::new(Some(replica)),
            language,
            interrupts: watch::Sender::new(0),
            closed: watch::Sender::new(false),
        }))
    }

    /// The replica, while it is open.
    pub(crate) fn opened(&self) -> CoreResult<replica::Replica> {
        // A clone, so that a long call holds up neither `shut` nor anybody's writes.
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner).clone();
        open.ok_or_else(|| Error::usage("replica-closed"))
    }

    pub(crate) fn call<T>(&self, work: impl FnOnce(&replica::Replica) -> CoreResult<T>) -> Result<T> {
        guarded(self.language, || work(&self.opened()?))
    }
}

/// What drives one exchange, on the calling thread.
pub(crate) fn runtime() -> CoreResult<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|failure| Error::storage("no-runtime").with("reason", failure.to_string()))
}

fn opening<T>(config: &Config, open: impl FnOnce(Option<Language>) -> CoreResult<T>) -> Result<T> {
    let wanted = config.language.as_deref().map(language_of).transpose();
    let said = wanted.as_ref().ok().copied().flatten().unwrap_or_default();
    guarded(said, || open(wanted?))
}

fn language_of(text: &str) -> CoreResult<Language> {
    Language::parse(text).ok_or_else(|| Error::invalid("unknown-language").with("value", text))
}

fn folder(path: String, keys: Option<Arc<dyn KeyProvider>>) -> CoreResult<Folder> {
    let path = PathBuf::from(path);
    match keys {
        Some(keys) => Ok(Folder::encrypted(path, key_of(&*keys)?)),
        None => Ok(Folder::from(path)),
    }
}

fn key_of(keys: &dyn KeyProvider) -> CoreResult<StoreKey> {
    let given = keys.key().map_err(|failure| Error::locked("key-not-given").with("reason", failure.to_string()))?;
    let key = <[u8; 32]>::try_from(given.as_slice());
    key.map(StoreKey::new).map_err(|_| Error::invalid("key-length").with("bytes", given.len()))
}
