//! What a disk may hold after the power went: everything that was synced, and of the rest what the disk happened to have
//! written, in whatever order.
//!
//! The model is stricter than most file systems: a new name is durable only once its folder was synced, unsynced writes
//! survive sector by sector, and the last one may be torn at any byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::medium::Op;
use crate::sim::Random;

const SECTOR: usize = 512;

/// How a power cut treats what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of it is gone.
    Dropped,
    /// All of it had been written.
    Kept,
    /// All but the last write, which is torn at some byte.
    Torn,
    /// Some sectors of some writes, in any order.
    Mixed,
}

impl Loss {
    /// Every way.
    pub const ALL: [Loss; 4] = [Loss::Dropped, Loss::Kept, Loss::Torn, Loss::Mixed];
}

/// A disk as the steps of its journal leave it, with what is not durable yet.
#[derive(Default)]
pub struct Image {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, Node>,
    pending: Vec<Op>,
    // What a name of a pending step means: the file that was made or moved under it.
    live: BTreeMap<PathBuf, Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

#[derive(Default)]
struct Content {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl Image {
    /// Takes the next step of the journal. True where it made something durable.
    pub fn step(&mut self, op: &Op) -> bool {
        match op {
            Op::Write(path, offset, bytes) => self.change(path, Change::Write(*offset, bytes.clone())),
            Op::Truncate(path, len) => self.change(path, Change::Truncate(*len)),
            Op::Sync(path) => {
                if let Some(Node::File(at)) = self.live.get(path) {
                    let content = &mut self.files[*at];
                    for change in std::mem::take(&mut content.pending) {
                        change.apply(&mut content.durable);
                    }
                }
                return true;
            }
            Op::SyncFolder(folder) => {
                let (mine, others) =
                    std::mem::take(&mut self.pending).into_iter().partition(|op| folder_of(op) == Some(folder));
                self.pending = others;
                let mine: Vec<Op> = mine;
                for op in &mine {
                    rename(&mut self.names, op, &self.live);
                }
                return true;
            }
            name => {
                if let Op::Create(path) = name {
                    self.files.push(Content::default());
                    self.live.insert(path.clone(), Node::File(self.files.len() - 1));
                } else {
                    let before = self.live.clone();
                    rename(&mut self.live, name, &before);
                }
                self.pending.push(name.clone());
            }
        }
        false
    }

    fn change(&mut self, path: &Path, change: Change) {
        if let Some(Node::File(at)) = self.live.get(path) {
            self.files[*at].pending.push(change);
        }
    }

    /// Bytes that are written but not durable.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.files.iter().all(|file| file.pending.is_empty())
    }

    /// Writes what is there after a power cut below `to`, which is empty.
    pub fn write(&self, to: &Path, loss: Loss, random: &mut Random) {
        let names = match loss {
            Loss::Dropped => &self.names,
            Loss::Kept | Loss::Torn => &self.live,
            Loss::Mixed => &self.some_names(random),
        };
        // Folders first: a map in the order of paths has them before what they hold.
        for (path, node) in names {
            let path = to.join(path);
            match node {
                Node::Folder => std::fs::create_dir_all(&path).expect("a folder of the image"),
                Node::File(at) => {
                    std::fs::create_dir_all(path.parent().unwrap_or(to)).expect("a folder of the image");
                    std::fs::write(&path, self.files[*at].after(loss, random)).expect("a file of the image");
                }
            }
        }
    }

    // File systems keep the order of names within their own journal: some of the last are missing.
    fn some_names(&self, random: &mut Random) -> BTreeMap<PathBuf, Node> {
        let mut names = self.names.clone();
        let kept = random.below(self.pending.len() + 1);
        for op in &self.pending[..kept] {
            rename(&mut names, op, &self.live);
        }
        names
    }
}

impl Content {
    fn after(&self, loss: Loss, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        if loss == Loss::Dropped {
            return bytes;
        }
        let last = self.pending.len().saturating_sub(1);
        let rate = 100 + random.below(800) as u32;
        for (at, change) in self.pending.iter().enumerate() {
            match (loss, change) {
                (Loss::Torn, Change::Write(offset, data)) if at == last => {
                    let torn = random.below(data.len() + 1);
                    put(&mut bytes, *offset, &data[..torn]);
                }
                (Loss::Mixed, Change::Write(offset, data)) => {
                    for (n, sector) in data.chunks(SECTOR).enumerate() {
                        if random.chance(rate) {
                            put(&mut bytes, offset + (n * SECTOR) as u64, sector);
                        }
                    }
                }
                (Loss::Mixed, Change::Truncate(_)) if !random.chance(rate) => {}
                (_, change) => change.apply(&mut bytes),
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(offset, data) => put(bytes, *offset, data),
            Change::Truncate(len) => bytes.resize(*len as usize, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let offset = offset as usize;
    if data.is_empty() {
        return;
    }
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

fn folder_of(op: &Op) -> Option<&Path> {
    match op {
        Op::Folder(path) | Op::Create(path) | Op::Delete(path) | Op::Rename(_, path) => path.parent(),
        _ => None,
    }
}

// What a step about names does to them; `live` knows which file a name meant.
fn rename(names: &mut BTreeMap<PathBuf, Node>, op: &Op, live: &BTreeMap<PathBuf, Node>) {
    match op {
        Op::Folder(path) => {
            names.insert(path.clone(), Node::Folder);
        }
        Op::Create(path) => {
            if let Some(node) = live.get(path) {
                names.insert(path.clone(), *node);
            }
        }
        Op::Delete(path) => {
            names.remove(path);
        }
        Op::Rename(from, to) => {
            let node = names.remove(from).or_else(|| live.get(to).copied());
            names.extend(node.map(|node| (to.clone(), node)));
        }
        _ => {}
    }
}
