//! Making, joining and opening a replica's folder.

use std::path::Path;
use std::sync::Arc;

use super::identity::{Identity, KEY_FILE};
use super::inner::Inner;
use super::making::Making;
use super::{Environment, Folder, Init, Joining, NodeRole, Replica, Settings};
use crate::access::Scope;
use crate::document::{Author, create};
use crate::error::{Error, Result};
use crate::id::{ActorId, RecordId, RecordIds, Timeline, WorkspaceId};
use crate::schema::{Mode, Name, Schema, Value, validate};
use crate::store::{self, Access, Assigned, Duties, Held, Home, Node, Origin, Readers, Store, StoreKey};

/// The small files that an encrypted folder seals.
const SECRETS: &[&str] = &[KEY_FILE];

impl Replica {
    /// Makes a folder the hub of a new workspace, with its owner; encrypted, if it comes with a key. `schema` is the program's built-in one.
    ///
    /// # Errors
    /// `replica_exists` where the folder already is a replica; `no_encryption`, `key_missing` and `key_wrong` as
    /// [`Replica::open`]; whatever SQLite or the file system says. Nothing of a
    /// failed attempt stays.
    pub fn init(folder: impl Into<Folder>, init: &Init, schema: Schema, env: Arc<dyn Environment>) -> Result<Self> {
        let owner = RecordIds::new(random_u64(&*env)).next_id(env.now());
        let mut workspace = WorkspaceId::default();
        env.fill_random(&mut workspace.0);
        let assigned =
            Assigned { person: owner, role: "owner".to_owned(), branch: None, scopes: vec![Scope::Workspace] };
        let birth = Birth {
            workspace,
            name: init.name.clone(),
            node_name: init.name.clone(),
            role: NodeRole::Hub,
            init,
            assigned,
        };
        Self::begin(&folder.into(), birth, None, schema, env, |replica| replica.write_owner(init, owner))
    }

    /// Makes a folder a replica of an existing workspace, empty until its first sync. A `device.key` that is already there
    /// is kept: it was enrolled.
    ///
    /// # Errors
    /// As [`Replica::init`].
    pub fn join(
        folder: impl Into<Folder>,
        joining: &Joining,
        schema: Schema,
        env: Arc<dyn Environment>,
    ) -> Result<Self> {
        Self::join_with(&folder.into(), joining, None, schema, env, |_| Ok(()))
    }

    // With an image, the store begins as that, but for what the folder says about itself; of that, the image's keys that
    // are named stay. What `complete` writes is there with the replica or nothing is.
    pub(super) fn join_with(
        folder: &Folder,
        joining: &Joining,
        image: Option<(&Path, &[&str])>,
        schema: Schema,
        env: Arc<dyn Environment>,
        complete: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        let init = Init {
            name: joining.name.clone(),
            owner_name: None,
            owner_email: None,
            currency: joining.currency,
            language: joining.language,
        };
        let assigned = Assigned {
            person: joining.person,
            role: joining.person_role.clone(),
            branch: joining.branch,
            scopes: joining.scopes.clone(),
        };
        let birth = Birth {
            workspace: joining.workspace,
            name: joining.name.clone(),
            node_name: joining.node_name.clone(),
            role: joining.role,
            init: &init,
            assigned,
        };
        Self::begin(folder, birth, image, schema, env, complete)
    }

    /// Opens the replica in a folder. `schema` is the program's built-in one; the workspace's own collections and fields
    /// are added to it.
    ///
    /// # Errors
    /// `no_replica`, `store_foreign`, `store_newer`, `store_corrupt` (the database is left as it is; where only some of it
    /// cannot be read it opens, and nothing is written), `key_missing`, `key_wrong`, `folder_not_encrypted`,
    /// `no_encryption`, `folder_converted`, whatever SQLite or the file system says.
    pub fn open(folder: impl Into<Folder>, schema: Schema, env: Arc<dyn Environment>) -> Result<Self> {
        let (home, held) = enter(&folder.into(), &*env)?;
        let conn = store::open(&home, Access::Write)?;
        let node = store::read_node(&conn)?;
        let identity = Identity::read(&home)?;
        if identity.device() != node.device {
            let path = home.dir.join(KEY_FILE).display().to_string();
            return Err(Error::corrupt("device-key-differs").with("path", path));
        }
        Self::assemble(home, Some(held), conn, &node, identity, schema, env)
    }

    /// Encrypts the plain replica in a folder. Nobody may have it open. A process that dies meanwhile leaves the folder as it
    /// was or encrypted, and as whole.
    ///
    /// # Errors
    /// `folder_open`, `folder_encrypted`, `no_encryption`; whatever SQLite or the file system says.
    pub fn encrypt(dir: &Path, key: &StoreKey, env: &dyn Environment) -> Result<()> {
        store::convert(&Folder::from(dir), Some(key), SECRETS, &|bytes| env.fill_random(bytes))
    }

    /// Decrypts the encrypted replica in a folder; otherwise as [`Replica::encrypt`].
    ///
    /// # Errors
    /// `folder_open`; `key_missing`, `key_wrong` and `folder_not_encrypted` as [`Replica::open`]; whatever SQLite or the file
    /// system says.
    pub fn decrypt(folder: &Folder, env: &dyn Environment) -> Result<()> {
        store::convert(folder, None, SECRETS, &|bytes| env.fill_random(bytes))
    }

    /// Has another key open the folder from now on, whoever else works on it. One small write does it: a process that dies
    /// meanwhile leaves the folder under the old key or under the new one.
    ///
    /// # Errors
    /// `folder_not_encrypted`; `key_wrong` where another process has changed the key meanwhile; whatever the file system says.
    pub fn rekey(&self, key: &StoreKey) -> Result<()> {
        self.inner.home.rekey(key, &|bytes| self.inner.env.fill_random(bytes))
    }

    /// Whether the folder is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.inner.home.is_encrypted()
    }

    fn begin(
        folder: &Folder,
        birth: Birth<'_>,
        image: Option<(&Path, &[&str])>,
        schema: Schema,
        env: Arc<dyn Environment>,
        complete: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        let dir = folder.path();
        if store::is_replica(dir) {
            return Err(Error::usage("replica-exists").with("path", dir.display().to_string()));
        }
        let home = Home::prepare(folder, &|bytes| env.fill_random(bytes))?;
        let identity = Identity::ensured(&home, &*env)?;
        let mut timeline = Timeline::default();
        env.fill_random(&mut timeline.0);
        let node = Node {
            workspace: birth.workspace,
            name: birth.name,
            node_name: birth.node_name,
            device: identity.device(),
            role: birth.role.as_str().to_owned(),
            branch: birth.assigned.branch,
            currency: birth.init.currency,
            language: birth.init.language,
            clock_offset_ms: 0,
        };
        let fill = |conn: &store::Opened| store::fill_node(conn, &node, &birth.assigned, &timeline);
        let making = Making::begin(&home)?;
        let conn = match image {
            None => store::create(making.within(), fill)?,
            Some((image, kept)) => store::adopt_image(image, making.within(), birth.role.serves(), kept, fill)?,
        };
        let made = Self::assemble(making.within().clone(), None, conn, &node, identity, schema.clone(), env.clone())?;
        complete(&made)?;
        drop(made);
        making.finish()?;
        Self::open(folder.clone(), schema, env)
    }

    fn assemble(
        home: Home,
        held: Option<Held>,
        conn: store::Opened,
        node: &Node,
        identity: Identity,
        schema: Schema,
        env: Arc<dyn Environment>,
    ) -> Result<Self> {
        let role = NodeRole::parse(&node.role).ok_or_else(|| store::damaged("meta role"))?;
        let settings = Settings {
            workspace: node.workspace,
            name: node.name.clone(),
            node_name: node.node_name.clone(),
            device: node.device,
            role,
            branch: node.branch,
            currency: node.currency,
            language: node.language,
        };
        let builtin = Arc::new(schema);
        let duties = Duties { serves: role.serves(), has_upstream: role.has_upstream() };
        let now = env.now().plus(node.clock_offset_ms);
        // A log that cannot be written any more can still be read, as far as it goes: it may be the only copy.
        let (store, damaged) = match Store::start(conn, &home, builtin.clone(), duties, now) {
            Err(Error::Corrupt(_)) => (Store::unwritten(&home, builtin.clone(), duties)?, true),
            started => (started?, false),
        };
        let readers = Readers::new(home.clone(), builtin, store.model().clone());
        let inner = Inner::new((home, held), env, identity, settings, node.clock_offset_ms, store, readers);
        if damaged {
            inner.note_damage();
        }
        Ok(Self { inner: Arc::new(inner), person: None, settled: None })
    }

    /// The owner's record, written by the owner: the first change of the workspace.
    fn write_owner(&self, init: &Init, owner: RecordId) -> Result<()> {
        let text = |name: &str, value: &str| (Name::from(name), Value::Text(value.to_owned()));
        let name = init.owner_name.as_deref().or_else(|| init.owner_email.as_deref().and_then(|e| e.split('@').next()));
        let mut values = vec![text("name", name.unwrap_or(&init.name)), text("role", "owner")];
        values.extend(init.owner_email.as_deref().map(|email| text("email", email)));
        values.push((Name::from("active"), Value::Boolean(true)));
        let mut random = [0; 8];
        self.inner.env.fill_random(&mut random);
        let actor = ActorId::from_random(random, false);
        let settings = self.inner.settings();
        let binding = self.inner.identity.bind(&settings.workspace, actor, &settings.node_name, owner, None);
        self.inner.write(Origin::Local, |writer| {
            let users = writer.schema().require("user")?.clone();
            validate(&users, &values, Mode::Strict)?;
            writer.bind_actor(&binding)?;
            let change = create(owner, &users, &values, None, &Author { actor, now: writer.now() })?;
            writer.append(owner, &users, &change, true)
        })?;
        Ok(())
    }
}

// Holds the folder; ends first what a conversion has left of the other form.
fn enter(folder: &Folder, env: &dyn Environment) -> Result<(Home, Held)> {
    let dir = folder.path();
    if store::is_replica(dir) && store::is_converting(dir) {
        store::settle(folder, SECRETS, &|bytes| env.fill_random(bytes))?;
    }
    // Found first: what is no replica stays untouched. Found again once nobody converts it any more.
    Home::find(folder)?;
    let held = Held::shared(dir)?;
    Ok((Home::find(folder)?, held))
}

struct Birth<'a> {
    workspace: WorkspaceId,
    name: String,
    node_name: String,
    role: NodeRole,
    init: &'a Init,
    assigned: Assigned,
}

fn random_u64(env: &dyn Environment) -> u64 {
    let mut bytes = [0; 8];
    env.fill_random(&mut bytes);
    u64::from_be_bytes(bytes)
}
