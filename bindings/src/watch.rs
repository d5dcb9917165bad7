//! Watching: a query that is reported again whenever its result has changed.

use std::sync::{Arc, Mutex, PoisonError};

use branchline_core::replica::WatchHandle;

use crate::error::{CallbackError, Problem, told};
use crate::record::{Page, Shaper};
use crate::records::{Query, asked};
use crate::replica::{BlockingReplica, Result};

/// Hears the results of a watched query.
#[uniffi::export(with_foreign)]
pub trait PageListener: Send + Sync {
    /// The result, now and whenever it differs from the one told last. Results that came and went while the listener was
    /// busy are left out. It comes from a thread of the replica, which runs all of its watches: hand it on.
    fn changed(&self, page: Page) -> std::result::Result<(), CallbackError>;

    /// The result could not be read this time; the watch goes on.
    fn failed(&self, problem: Problem) -> std::result::Result<(), CallbackError>;
}

/// A watch. It ends with `stop`, and when nothing holds it any more.
#[derive(uniffi::Object)]
pub struct Watch {
    handle: Mutex<Option<WatchHandle>>,
}

#[uniffi::export]
impl Watch {
    /// Ends it. At most a report that is under way still arrives.
    pub fn stop(&self) {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(handle);
    }
}

#[uniffi::export]
impl BlockingReplica {
    /// Tells a listener the result of a query, now and whenever it has changed, whoever changed it: by a call, an
    /// exchange, or another process of this folder.
    ///
    /// # Errors
    /// As `list`.
    pub fn watch(&self, query: Query, listener: Arc<dyn PageListener>) -> Result<Arc<Watch>> {
        let language = self.language;
        self.call(|replica| {
            let query = asked(replica, query)?;
            // What is wrong with the query is said to whoever asks, not to the listener.
            replica.list(&query.clone().limited(0))?;
            let reader = replica.downgrade();
            let handle = replica.watch(query, move |page| {
                let Some(replica) = reader.upgrade() else { return };
                told("watch", || match Shaper::new(&replica, language).page(page) {
                    Ok(page) => listener.changed(page),
                    Err(error) => listener.failed(Problem::of(&error, language)),
                });
            });
            Ok(Arc::new(Watch { handle: Mutex::new(Some(handle)) }))
        })
    }
}
