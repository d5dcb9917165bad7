//! Many runs on a few threads, until enough of them have failed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Who plays the runs.
pub(super) struct Workers<'p> {
    pub(super) threads: usize,
    /// No further run begins once so many have failed.
    pub(super) failures_max: usize,
    /// Hears of each run that has ended.
    pub(super) progress: &'p (dyn Fn() + Sync),
}

impl Workers<'_> {
    /// Plays run after run, each given its number and that of its thread; what came of those that were played.
    pub(super) fn play<T: Send>(
        &self,
        runs: u64,
        one: impl Fn(u64, usize) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, String>> {
        let (next, failed) = (AtomicU64::new(0), AtomicUsize::new(0));
        let work = |worker: usize| {
            let mut own = Vec::new();
            while failed.load(Ordering::Relaxed) < self.failures_max {
                let run = next.fetch_add(1, Ordering::Relaxed);
                if run >= runs {
                    break;
                }
                let outcome = one(run, worker);
                failed.fetch_add(usize::from(outcome.is_err()), Ordering::Relaxed);
                own.push(outcome);
                (self.progress)();
            }
            own
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..self.threads)
                .map(|worker| {
                    scope.spawn({
                        let work = &work;
                        move || work(worker)
                    })
                })
                .collect();
            running.into_iter().flat_map(|worker| worker.join().expect("a worker goes to its end")).collect()
        })
    }
}
