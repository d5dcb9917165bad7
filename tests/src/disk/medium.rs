//! A machine's disk: everything below one folder, with a journal of what was written and synced there, and its faults.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use branchline_core::probe::{self, FileStep};

use super::vfs;

/// One step of a disk, in the order in which they happened. Paths are relative to the disk's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A folder was made.
    Folder(PathBuf),
    /// An empty file was made.
    Create(PathBuf),
    /// Bytes were written at an offset.
    Write(PathBuf, u64, Vec<u8>),
    /// A file was cut to this length.
    Truncate(PathBuf, u64),
    /// What was written to a file is durable.
    Sync(PathBuf),
    /// A file was deleted.
    Delete(PathBuf),
    /// A file was renamed.
    Rename(PathBuf, PathBuf),
    /// The names in a folder are durable.
    SyncFolder(PathBuf),
}

/// What becomes of a write or sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It happens.
    Done,
    /// The disk is full.
    Full,
    /// The disk says that it failed.
    Failed,
}

/// What a disk does wrong, by counted writes, syncs and reads from now on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// After so many writes there is no room, until the fault is taken away.
    pub full_after: Option<u64>,
    /// This write or sync fails, once.
    pub write_fails_at: Option<u64>,
    /// This read fails, once.
    pub read_fails_at: Option<u64>,
}

/// The disk of a machine.
pub struct Disk {
    root: PathBuf,
    in_memory: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keeps_journal: bool,
    journal: Vec<(u64, Op)>,
    faults: Faults,
    writes: u64,
    reads: u64,
    struck: u64,
}

static DISKS: RwLock<Vec<Weak<Disk>>> = RwLock::new(Vec::new());

static STEPS: AtomicU64 = AtomicU64::new(0);

/// The place of the next step among those of all disks.
pub fn now() -> u64 {
    STEPS.load(Ordering::Relaxed)
}

/// The disk that a path lies on.
pub(super) fn of(path: &Path) -> Option<Arc<Disk>> {
    let disks = DISKS.read().unwrap_or_else(PoisonError::into_inner);
    disks.iter().filter_map(Weak::upgrade).find(|disk| path.starts_with(&disk.root))
}

impl Disk {
    /// The disk below `root`, which keeps a journal of everything.
    pub fn journaled(root: &Path) -> Arc<Self> {
        Self::mounted(root, false, State { keeps_journal: true, ..State::default() })
    }

    /// The disk below `root`, which only fails as it is told.
    pub fn failing(root: &Path) -> Arc<Self> {
        Self::mounted(root, false, State::default())
    }

    /// The disk below `root`, whose syncs cost nothing: nothing of it has to outlive the process.
    pub fn in_memory(root: &Path) -> Arc<Self> {
        Self::mounted(root, true, State::default())
    }

    fn mounted(root: &Path, in_memory: bool, state: State) -> Arc<Self> {
        vfs::install();
        probe::watch_files(file_step);
        let disk = Arc::new(Self { root: root.to_owned(), in_memory, state: Mutex::new(state) });
        let mut disks = DISKS.write().unwrap_or_else(PoisonError::into_inner);
        disks.retain(|disk| disk.strong_count() > 0);
        disks.push(Arc::downgrade(&disk));
        disk
    }

    /// Notes what lies there already as durable.
    ///
    /// # Panics
    /// Where it cannot be read.
    pub fn found(&self) {
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder of the disk") {
                let path = entry.expect("an entry of a folder").path();
                if path.is_dir() {
                    self.note(|at| Op::Folder(at(&path)));
                    folders.push(path);
                } else {
                    let bytes = std::fs::read(&path).expect("a file of the disk");
                    self.note(|at| Op::Create(at(&path)));
                    self.note(|at| Op::Write(at(&path), 0, bytes));
                    self.note(|at| Op::Sync(at(&path)));
                }
            }
            self.folder_synced(&folder);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Steps so far.
    pub fn len(&self) -> usize {
        self.state().journal.len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The journal, each step with its place among those of all disks; it is empty afterwards.
    pub fn take(&self) -> Vec<(u64, Op)> {
        std::mem::take(&mut self.state().journal)
    }

    /// Sets what goes wrong, counted from now on.
    pub fn fail(&self, faults: Faults) {
        let mut state = self.state();
        (state.faults, state.writes, state.reads) = (faults, 0, 0);
    }

    /// How often a fault has struck.
    pub fn struck(&self) -> u64 {
        self.state().struck
    }

    /// Writes and syncs since the faults were set.
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// Reads since the faults were set.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.in_memory
    }

    fn note(&self, op: impl FnOnce(&dyn Fn(&Path) -> PathBuf) -> Op) {
        let mut state = self.state();
        if state.keeps_journal {
            let relative = |path: &Path| path.strip_prefix(&self.root).unwrap_or(path).to_owned();
            let op = op(&relative);
            state.journal.push((STEPS.fetch_add(1, Ordering::Relaxed), op));
        }
    }

    fn strike(&self) -> Verdict {
        let mut state = self.state();
        state.writes += 1;
        let verdict = match state.faults {
            Faults { full_after: Some(n), .. } if state.writes > n => Verdict::Full,
            Faults { write_fails_at: Some(n), .. } if state.writes == n => Verdict::Failed,
            _ => Verdict::Done,
        };
        state.struck += u64::from(verdict != Verdict::Done);
        verdict
    }

    pub(super) fn wrote(&self, path: &Path, offset: u64, bytes: &[u8]) -> Verdict {
        let verdict = self.strike();
        if verdict == Verdict::Done {
            self.note(|at| Op::Write(at(path), offset, bytes.to_vec()));
        }
        verdict
    }

    pub(super) fn synced(&self, path: &Path) -> Verdict {
        // A full disk syncs what it has.
        let verdict = match self.strike() {
            Verdict::Full => Verdict::Done,
            verdict => verdict,
        };
        if verdict == Verdict::Done {
            self.note(|at| Op::Sync(at(path)));
        }
        verdict
    }

    pub(super) fn may_read(&self, _: &Path) -> bool {
        let mut state = self.state();
        state.reads += 1;
        let fails = state.faults.read_fails_at == Some(state.reads);
        state.struck += u64::from(fails);
        !fails
    }

    pub(super) fn created(&self, path: &Path) {
        self.note(|at| Op::Create(at(path)));
    }

    pub(super) fn truncated(&self, path: &Path, len: u64) {
        self.note(|at| Op::Truncate(at(path), len));
    }

    pub(super) fn deleted(&self, path: &Path, folder_synced: bool) {
        self.note(|at| Op::Delete(at(path)));
        if folder_synced {
            self.folder_synced(path.parent().unwrap_or(path));
        }
    }

    pub(super) fn folder_synced(&self, folder: &Path) {
        self.note(|at| Op::SyncFolder(at(folder)));
    }
}

// What the product writes beside SQLite.
fn file_step(step: FileStep<'_>) {
    let path = match step {
        FileStep::Folder(path) | FileStep::Written(path, _) | FileStep::Synced(path) => path,
        FileStep::Renamed(path, _) | FileStep::FolderSynced(path) => path,
    };
    let Some(disk) = of(path) else { return };
    match step {
        FileStep::Folder(path) => disk.note(|at| Op::Folder(at(path))),
        FileStep::Written(path, bytes) => {
            disk.note(|at| Op::Create(at(path)));
            disk.note(|at| Op::Write(at(path), 0, bytes.to_vec()));
        }
        FileStep::Synced(path) => disk.note(|at| Op::Sync(at(path))),
        FileStep::Renamed(from, to) => disk.note(|at| Op::Rename(at(from), at(to))),
        FileStep::FolderSynced(path) => disk.folder_synced(path),
    }
}
