//! Watching: a query that is reported again whenever its result has changed, by this process or another one.
//!
//! One thread of the replica runs the watched queries; it starts with the first watch and ends with the last. A commit
//! here wakes it at once; commits of other processes are noticed within [`POLL`].

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::inner::{Inner, lock};
use super::{Page, Query, Replica};
use crate::error::Result;
use crate::id::RecordId;
use crate::schema::Name;

/// How often commits of other processes are looked for.
const POLL: Duration = Duration::from_millis(250);

/// What is called with each new result of a watched query.
type Report = Box<dyn FnMut(&Page) + Send>;
/// What is called after each commit.
type Notice = Box<dyn FnMut() + Send>;

/// Keeps a watch alive; dropping it ends the watch.
#[must_use = "dropping the handle ends the watch"]
pub struct WatchHandle {
    id: u64,
    shared: Weak<Shared>,
}

#[derive(Default)]
pub(super) struct Watchers {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    next_id: u64,
    watches: Vec<Watch>,
    notices: Vec<(u64, Arc<Mutex<Notice>>)>,
    /// Collections touched since the last round; none of them named: all.
    touched: BTreeSet<Name>,
    all_touched: bool,
    /// What waited has gone up or was refused since the last round.
    delivered: bool,
    running: bool,
}

#[derive(Clone)]
struct Watch {
    id: u64,
    /// Who watches, as [`Replica`] has it.
    person: Option<RecordId>,
    query: Query,
    last: Option<Page>,
    due: bool,
    report: Arc<Mutex<Report>>,
}

impl Watchers {
    /// Says that a commit touched these collections, or that nobody knows which.
    pub(super) fn committed(&self, collections: Option<&BTreeSet<Name>>) {
        let notices: Vec<Arc<Mutex<Notice>>> = {
            let mut state = lock(&self.shared.state);
            match collections {
                Some(names) => state.touched.extend(names.iter().cloned()),
                None => state.all_touched = true,
            }
            state.notices.iter().map(|(_, notice)| notice.clone()).collect()
        };
        self.shared.wake.notify_all();
        for notice in notices {
            lock(&notice)();
        }
    }

    /// Says that changes have gone up or were refused.
    pub(super) fn delivered(&self) {
        lock(&self.shared.state).delivered = true;
        self.shared.wake.notify_all();
    }

    pub(super) fn notify(&self, notice: Notice) -> WatchHandle {
        let mut state = lock(&self.shared.state);
        state.next_id += 1;
        let id = state.next_id;
        state.notices.push((id, Arc::new(Mutex::new(notice))));
        WatchHandle { id, shared: Arc::downgrade(&self.shared) }
    }

    pub(super) fn watch(&self, replica: &Replica, query: Query, report: Report) -> WatchHandle {
        let mut state = lock(&self.shared.state);
        state.next_id += 1;
        let id = state.next_id;
        let (person, report) = (replica.person, Arc::new(Mutex::new(report)));
        state.watches.push(Watch { id, person, query, last: None, due: true, report });
        if !state.running {
            state.running = true;
            let (shared, inner) = (self.shared.clone(), Arc::downgrade(&replica.inner));
            std::thread::spawn(move || run(&shared, &inner));
        }
        self.shared.wake.notify_all();
        WatchHandle { id, shared: Arc::downgrade(&self.shared) }
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut state = lock(&shared.state);
        state.watches.retain(|watch| watch.id != self.id);
        state.notices.retain(|(id, _)| *id != self.id);
        shared.wake.notify_all();
    }
}

fn run(shared: &Shared, inner: &Weak<Inner>) {
    loop {
        if !wait(shared) {
            return;
        }
        let Some(inner) = inner.upgrade() else { return };
        let replica = Replica { inner, person: None, settled: None };
        // A replica that cannot be read now is asked again at the next round.
        let _ = replica.changed();
        for watch in due(shared) {
            let replica = Replica { person: watch.person, ..replica.clone() };
            let Ok(page) = replica.list(&watch.query) else { continue };
            if watch.last.as_ref() != Some(&page) {
                lock(&watch.report)(&page);
                keep(shared, watch.id, page);
            }
        }
    }
}

/// Waits for a commit or the next look; false when nothing is watched any more.
fn wait(shared: &Shared) -> bool {
    let mut state = lock(&shared.state);
    let idle = |state: &State| {
        state.touched.is_empty() && !state.all_touched && !state.delivered && !state.watches.iter().any(|w| w.due)
    };
    if idle(&state) && !state.watches.is_empty() {
        state = shared.wake.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
    }
    state.running = !state.watches.is_empty();
    state.running
}

fn due(shared: &Shared) -> Vec<Watch> {
    let mut state = lock(&shared.state);
    let touched = std::mem::take(&mut state.touched);
    let all = std::mem::take(&mut state.all_touched);
    let delivered = std::mem::take(&mut state.delivered);
    let watches = state.watches.iter_mut();
    let due = watches.filter(|watch| {
        // What somebody who signed in sees follows that person's record and role, too.
        let is_touched = touched.contains(&watch.query.collection) || (watch.person.is_some() && !touched.is_empty());
        watch.due || all || is_touched || (delivered && watch.query.delivery)
    });
    due.map(|watch| {
        watch.due = false;
        watch.clone()
    })
    .collect()
}

fn keep(shared: &Shared, id: u64, page: Page) {
    let mut state = lock(&shared.state);
    if let Some(watch) = state.watches.iter_mut().find(|watch| watch.id == id) {
        watch.last = Some(page);
    }
}

impl Replica {
    /// Calls `report` with the result of a query, now and whenever it has changed, whoever changed it, from a thread of
    /// the replica. The watch ends when the handle is dropped.
    ///
    /// ```
    /// # use branchline_core::{crm, replica::{Query, Replica, Init, SystemEnvironment}, schema::{Currency, Value}};
    /// # use std::sync::{Arc, mpsc};
    /// # let dir = tempfile::tempdir()?;
    /// # let replica = crm::init(dir.path(), &Init::named("Acme"), Arc::new(SystemEnvironment))?;
    /// let (send, receive) = mpsc::channel();
    /// let handle = replica.watch(Query::of("account"), move |page| {
    ///     let _ = send.send(page.rows.len());
    /// });
    /// assert_eq!(receive.recv()?, 0);
    /// replica.transact(|tx| tx.create("account", vec![("name".into(), Value::Text("Orbit".into()))]))?;
    /// assert_eq!(receive.recv()?, 1);
    /// drop(handle);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch(&self, query: Query, report: impl FnMut(&Page) + Send + 'static) -> WatchHandle {
        self.inner.watchers.watch(self, query, Box::new(report))
    }

    /// Calls `notice` after each commit of this process, and whenever [`Replica::changed`] has found one of another
    /// process. It runs on the committing thread: it should only wake somebody.
    pub fn on_commit(&self, notice: impl FnMut() + Send + 'static) -> WatchHandle {
        self.inner.watchers.notify(Box::new(notice))
    }

    /// Whether another process has committed since the last call. The first call only begins to look.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn changed(&self) -> Result<bool> {
        let changed = self.inner.changed_elsewhere()?;
        if changed {
            self.inner.watchers.committed(None);
        }
        Ok(changed)
    }
}
