//! Making, joining and opening a replica's folder.

use std::path::Path;
use std::sync::Arc;

use super::identity::{Identity, KEY_FILE};
use super::inner::Inner;
use super::making::Making;
use super::{Environment, Init, Joining, NodeRole, Replica, Settings};
use crate::access::Scope;
use crate::document::{Author, create};
use crate::error::{Error, Result};
use crate::id::{ActorId, RecordId, RecordIds, Timeline, WorkspaceId};
use crate::schema::{Mode, Name, Schema, Value, validate};
use crate::store::{self, Access, Assigned, Duties, Node, Origin, Readers, Store};

impl Replica {
    /// Makes `dir` the hub of a new workspace, with its owner. `schema` is the program's built-in one.
    ///
    /// # Errors
    /// `replica_exists` where the folder already is a replica; whatever SQLite or the file system says. Nothing of a
    /// failed attempt stays.
    pub fn init(dir: &Path, init: &Init, schema: Schema, env: Arc<dyn Environment>) -> Result<Self> {
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
        Self::begin(dir, birth, None, schema, env, |replica| replica.write_owner(init, owner))
    }

    /// Makes `dir` a replica of an existing workspace, empty until its first sync. A `device.key` that is already there
    /// is kept: it was enrolled.
    ///
    /// # Errors
    /// As [`Replica::init`].
    pub fn join(dir: &Path, joining: &Joining, schema: Schema, env: Arc<dyn Environment>) -> Result<Self> {
        Self::join_with(dir, joining, None, schema, env, |_| Ok(()))
    }

    // With an image, the store begins as that, but for what the folder says about itself; of that, the image's keys that
    // are named stay. What `complete` writes is there with the replica or nothing is.
    pub(super) fn join_with(
        dir: &Path,
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
        Self::begin(dir, birth, image, schema, env, complete)
    }

    /// Opens the replica in `dir`. `schema` is the program's built-in one; the workspace's own collections and fields
    /// are added to it.
    ///
    /// # Errors
    /// `no_replica`, `store_foreign`, `store_newer`, `store_corrupt` (the database is left as it is; where only some of it
    /// cannot be read it opens, and nothing is written), whatever SQLite or the file system says.
    pub fn open(dir: &Path, schema: Schema, env: Arc<dyn Environment>) -> Result<Self> {
        let conn = store::open(dir, Access::Write)?;
        let node = store::read_node(&conn)?;
        let identity = Identity::open(dir)?;
        if identity.device() != node.device {
            return Err(Error::corrupt("device-key-differs").with("path", dir.join(KEY_FILE).display().to_string()));
        }
        Self::assemble(dir, conn, &node, identity, schema, env)
    }

    fn begin(
        dir: &Path,
        birth: Birth<'_>,
        image: Option<(&Path, &[&str])>,
        schema: Schema,
        env: Arc<dyn Environment>,
        complete: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        if store::is_replica(dir) {
            return Err(Error::usage("replica-exists").with("path", dir.display().to_string()));
        }
        let identity = Identity::ensure(dir, &*env)?;
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
        let making = Making::begin(dir)?;
        let conn = match image {
            None => store::create(making.within(), fill)?,
            Some((image, kept)) => store::adopt_image(image, making.within(), birth.role.serves(), kept, fill)?,
        };
        let made = Self::assemble(making.within(), conn, &node, identity, schema.clone(), env.clone())?;
        complete(&made)?;
        drop(made);
        making.finish()?;
        Self::open(dir, schema, env)
    }

    fn assemble(
        dir: &Path,
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
        let (store, damaged) = match Store::start(conn, dir, builtin.clone(), duties, now) {
            Err(Error::Corrupt(_)) => (Store::unwritten(dir, builtin.clone(), duties)?, true),
            started => (started?, false),
        };
        let readers = Readers::new(dir, builtin, store.model().clone());
        let inner = Inner::new(dir.to_owned(), env, identity, settings, node.clock_offset_ms, store, readers);
        if damaged {
            inner.note_damage();
        }
        Ok(Self { inner: Arc::new(inner), person: None })
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
