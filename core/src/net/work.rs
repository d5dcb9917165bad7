//! Store work beside the sockets: on a blocking thread, so that a slow disk never stops a heartbeat, or at once where
//! the environment has no threads.

use tokio::task::JoinHandle;

use crate::replica::Environment;

/// Work under way.
pub struct Work<T>(State<T>);

enum State<T> {
    OnThread(JoinHandle<T>),
    Done(Option<T>),
}

impl<T: Send + 'static> Work<T> {
    /// Begins it.
    pub fn start(env: &dyn Environment, work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(match env.has_threads() {
            true => State::OnThread(tokio::task::spawn_blocking(work)),
            false => State::Done(Some(work())),
        })
    }

    /// Its result, once; `None`: it panicked, or the runtime ends. A call that was dropped may be made again.
    pub async fn finish(&mut self) -> Option<T> {
        match &mut self.0 {
            State::OnThread(running) => running.await.ok(),
            State::Done(result) => result.take(),
        }
    }
}
