//! Where tests look in and break things: marks of what a run came past, mutants, and the files beside the database.
//!
//! Compiled to nothing without the feature `canary`, which no published program has. With it, `mark!` counts that a place
//! was reached, `canary!` is true while the mutant of that name is chosen, and whoever watches hears of each step by
//! which a file outside SQLite becomes durable, so that a simulated power cut can fall between two of them.

#[cfg(feature = "canary")]
mod on {
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, OnceLock, PoisonError};

    /// A place that runs come past.
    pub struct Mark {
        name: &'static str,
        hits: AtomicU64,
    }

    static MARKS: Mutex<Vec<&'static Mark>> = Mutex::new(Vec::new());
    static MUTANT: AtomicU64 = AtomicU64::new(0);
    static FILES: OnceLock<fn(FileStep<'_>)> = OnceLock::new();

    impl Mark {
        /// A place that was not reached yet.
        pub const fn new(name: &'static str) -> Self {
            Self { name, hits: AtomicU64::new(0) }
        }

        /// A run is here.
        pub fn hit(&'static self) {
            if self.hits.fetch_add(1, Ordering::Relaxed) == 0 {
                MARKS.lock().unwrap_or_else(PoisonError::into_inner).push(self);
            }
        }
    }

    /// The marks that this process has come past, and how often.
    pub fn marks() -> Vec<(&'static str, u64)> {
        let marks = MARKS.lock().unwrap_or_else(PoisonError::into_inner);
        marks.iter().map(|mark| (mark.name, mark.hits.load(Ordering::Relaxed))).collect()
    }

    /// What a mutant's name is compared by.
    pub const fn code(name: &str) -> u64 {
        let bytes = name.as_bytes();
        let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325_u64, 0);
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x100_0000_01b3);
            at += 1;
        }
        hash
    }

    /// Chooses the mutant that this process is from now on; none: the program as it is.
    pub fn choose(mutant: Option<&str>) {
        MUTANT.store(mutant.map_or(0, code), Ordering::Relaxed);
    }

    /// Whether a mutant is chosen.
    pub fn is_chosen(code: u64) -> bool {
        MUTANT.load(Ordering::Relaxed) == code
    }

    /// A step by which a file or folder beside the database changes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum FileStep<'p> {
        /// A folder was made.
        Folder(&'p Path),
        /// A file now has this content, not synced.
        Written(&'p Path, &'p [u8]),
        /// A file's content was synced.
        Synced(&'p Path),
        /// A file was renamed, replacing nothing.
        Renamed(&'p Path, &'p Path),
        /// A folder was synced: the names in it are durable.
        FolderSynced(&'p Path),
    }

    /// Who hears of the steps; once for a process.
    pub fn watch_files(watcher: fn(FileStep<'_>)) {
        let _ = FILES.set(watcher);
    }

    pub(crate) fn step(step: FileStep<'_>) {
        if let Some(watcher) = FILES.get() {
            watcher(step);
        }
    }
}

#[cfg(feature = "canary")]
pub use on::*;

/// Counts that a run came past here.
macro_rules! mark {
    ($name:literal) => {
        #[cfg(feature = "canary")]
        {
            static MARK: $crate::probe::Mark = $crate::probe::Mark::new($name);
            MARK.hit();
        }
    };
}

/// Whether the mutant of this name is chosen; false in every published program.
macro_rules! canary {
    ($name:literal) => {{
        #[cfg(feature = "canary")]
        {
            const CODE: u64 = $crate::probe::code($name);
            $crate::probe::is_chosen(CODE)
        }
        #[cfg(not(feature = "canary"))]
        {
            false
        }
    }};
}

/// Tells whoever watches of a step by which a file becomes durable.
macro_rules! file_step {
    ($step:ident($($path:expr),+)) => {
        #[cfg(feature = "canary")]
        $crate::probe::step($crate::probe::FileStep::$step($($path),+));
    };
}
