//! What every clone of a [`Replica`](super::Replica) shares: the store, its readers, the key, who acts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::identity::Identity;
use super::turns::Turns;
use super::watch::Watchers;
use super::{Environment, Settings};
use crate::error::{Error, Result};
use crate::id::{ActorId, BatchId, DeviceId, RecordId, RecordIds};
use crate::store::{Committed, Held, Home, Origin, Readers, Store, View, Writer};
use crate::time::Millis;

/// What every clone of a replica shares.
pub(crate) struct Inner {
    pub(super) home: Home,
    pub(super) env: Arc<dyn Environment>,
    pub(super) identity: Identity,
    pub(super) settings: Mutex<Arc<Settings>>,
    pub(super) readers: Readers,
    pub(super) watchers: Watchers,
    pub(super) ids: Mutex<RecordIds>,
    pub(super) actors: Mutex<HashMap<Acting, ActorId>>,
    /// Held by every comparison with a downstream that goes on.
    pub(super) comparing: Arc<()>,
    clock_offset_ms: AtomicI64,
    store: Mutex<Store>,
    turns: Turns,
    seen_version: AtomicI64,
    damaged: AtomicBool,
    attachments_held: AtomicBool,
    nudges: AtomicU64,
    /// Nobody converts the folder while it is held: the last field, so that it goes after the connections.
    _held: Option<Held>,
}

/// For whom an actor writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Acting {
    pub(super) person: RecordId,
    pub(super) batch: Option<BatchId>,
}

impl Inner {
    pub(super) fn new(
        (home, held): (Home, Option<Held>),
        env: Arc<dyn Environment>,
        identity: Identity,
        settings: Settings,
        clock_offset_ms: i64,
        store: Store,
        readers: Readers,
    ) -> Self {
        let mut low = [0; 8];
        env.fill_random(&mut low);
        Self {
            home,
            env,
            identity,
            settings: Mutex::new(Arc::new(settings)),
            readers,
            watchers: Watchers::default(),
            ids: Mutex::new(RecordIds::new(u64::from_be_bytes(low))),
            actors: Mutex::new(HashMap::new()),
            comparing: Arc::default(),
            clock_offset_ms: AtomicI64::new(clock_offset_ms),
            store: Mutex::new(store),
            turns: Turns::default(),
            seen_version: AtomicI64::new(-1),
            damaged: AtomicBool::new(false),
            attachments_held: AtomicBool::new(false),
            nudges: AtomicU64::new(0),
            _held: held,
        }
    }

    /// The local clock, corrected by what the upstream's last told.
    pub(crate) fn now(&self) -> Millis {
        self.env.now().plus(self.clock_offset_ms.load(Ordering::Relaxed))
    }

    /// Sets the correction of the local clock; the caller stores it.
    pub(crate) fn set_clock_offset(&self, offset_ms: i64) {
        self.clock_offset_ms.store(offset_ms, Ordering::Relaxed);
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        lock(&self.settings).clone()
    }

    /// Reads the last commit.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&View<'_>) -> Result<T>) -> Result<T> {
        self.noting_damage(self.readers.read(work))
    }

    /// One transaction: what `work` appends is committed when it returns, or nothing is. Whoever watches hears of it.
    pub(crate) fn write<T>(
        &self,
        origin: Origin,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T>,
    ) -> Result<(T, Committed)> {
        self.write_owned(origin, |mut writer| {
            let value = work(&mut writer)?;
            Ok((value, writer))
        })
    }

    /// As [`Inner::write`], for work that keeps the writer for itself until it is done.
    pub(crate) fn write_owned<T>(
        &self,
        origin: Origin,
        work: impl for<'w> FnOnce(Writer<'w>) -> Result<(T, Writer<'w>)>,
    ) -> Result<(T, Committed)> {
        if self.damaged.load(Ordering::Relaxed) {
            return Err(Error::corrupt("store-corrupt").with("detail", "").at(self.home.dir.display().to_string()));
        }
        let result = self.noting_damage(self.write_once(origin, work));
        if result.is_err() {
            // An actor that wrote what was not kept must never write again: its numbers would be used twice.
            mark!("actor_dropped_after_a_failure");
            if !canary!("keep_actor_after_a_failure") {
                lock(&self.actors).clear();
            }
        }
        let (value, committed) = result?;
        if !committed.collections.is_empty() {
            self.watchers.committed(Some(&committed.collections));
        }
        Ok((value, committed))
    }

    fn write_once<T>(
        &self,
        origin: Origin,
        work: impl for<'w> FnOnce(Writer<'w>) -> Result<(T, Writer<'w>)>,
    ) -> Result<(T, Committed)> {
        let writer = if let Origin::Downstream(device) = &origin { Some(*device) } else { None };
        let _turn = self.turns.take(writer);
        let mut store = lock(&self.store);
        let (value, writer) = work(store.begin(origin, self.now())?)?;
        let committed = writer.finish()?;
        self.readers.committed(store.model(), &committed);
        Ok((value, committed))
    }

    /// Whether somebody else waits to write.
    pub(super) fn writers_wait(&self) -> bool {
        self.turns.are_awaited()
    }

    /// Whoever writes now has handled so many changes.
    pub(super) fn note_handled(&self, changes: usize) {
        self.turns.handled(changes);
    }

    /// Whether a downstream has kept others waiting and should not write yet.
    pub(super) fn rests(&self, device: &DeviceId) -> bool {
        self.turns.rests(device)
    }

    /// The store itself, for upkeep that is no transaction.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    /// Whether another process has committed since the last look. While this process writes, the answer is no: the
    /// next look will tell.
    pub(crate) fn changed_elsewhere(&self) -> Result<bool> {
        let store = match self.store.try_lock() {
            Ok(store) => store,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        let version = store.foreign_commits()?;
        let before = self.seen_version.swap(version, Ordering::Relaxed);
        Ok(before != version && before != -1)
    }

    /// Whether attachments wait, and whether that has changed.
    pub(super) fn hold_attachments(&self, held: bool) -> bool {
        self.attachments_held.swap(held, Ordering::Relaxed) != held
    }

    pub(super) fn are_attachments_held(&self) -> bool {
        self.attachments_held.load(Ordering::Relaxed)
    }

    /// Has the link look again for what waits, though no change was written.
    pub(super) fn nudge(&self) {
        self.nudges.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn nudges(&self) -> u64 {
        self.nudges.load(Ordering::Relaxed)
    }

    /// Nothing is written from now on.
    pub(super) fn note_damage(&self) {
        mark!("damage_ends_writing");
        self.damaged.store(!canary!("write_after_damage"), Ordering::Relaxed);
    }

    /// Writing again after a repair that left nothing wrong.
    pub(super) fn clear_damage(&self) {
        self.damaged.store(false, Ordering::Relaxed);
    }

    // A damaged database must not be written to: it may be the only copy.
    fn noting_damage<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(Error::Corrupt(_)) = &result {
            self.damaged.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// A panic while a lock was held left the store rolled back and the rest whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
