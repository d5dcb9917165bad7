//! A seed: the store of a new replica, made in advance by its hub, signed, carried on a stick; it opens, then catches up.
//!
//! Making one is a first sync into a folder that goes away, by the feed that serves every downstream: a seed holds exactly
//! what its scopes are granted, and ends at a position of the hub's log from which the link goes on. Opening one costs
//! reading a file. It is opened only by who holds an invitation of the hub that signed it, and only where the certificate
//! that the invitation led to grants all of its scopes.
//!
//! What is absent: encryption (a seed is kept like a backup), seeds of a branch (its devices are near it).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::downstream::Downstream;
use super::enrol::invited;
use super::state::key;
use super::upstream::{Upstream, beginning};
use crate::access::{Grants, Scope, narrower};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::limits::{BATCH_BYTES_MAX, SEED_IMAGE_BYTES_MAX, SEED_SCOPES_MAX};
use crate::replica::{Joining, NodeRole, Replica};
use crate::schema::Schema;
use crate::store::link_rows::DeviceRow;
use crate::store::{file_fault, meta};
use crate::sync::pace::Budget;
use crate::wire::seed::{MANIFEST_BYTES_MAX, Manifest};

/// What an image keeps of the replica that it was taken from.
pub(crate) const KEPT: [&str; 2] = [key::POSITION, meta::key::SCHEMA_EPOCH];
const LEVEL: i32 = 3;
const BUDGET: Budget = Budget { bytes: BATCH_BYTES_MAX, level: 1 };

/// A seed whose signature, length and hash were checked.
#[derive(Debug, Clone)]
pub struct Seed {
    path: PathBuf,
    manifest: Manifest,
    image_at: u64,
}

impl Seed {
    /// Opens a seed of the hub with this public key.
    ///
    /// # Errors
    /// `seed_not_one`, `seed_version`, `seed_damaged`, `seed_other_upstream`; whatever the file system says.
    pub fn open(path: &Path, upstream_key: &[u8; 32]) -> Result<Self> {
        let place = |error: Error| error.at(path.display().to_string());
        let fault = |e: io::Error| file_fault(&e, path);
        let mut file = File::open(path).map_err(fault)?;
        let (manifest, image_at) = front(&mut file).map_err(fault)?.map_err(place)?;
        if manifest.maker != *upstream_key {
            return Err(place(Error::refused("seed-other-upstream")));
        }
        let length = file.metadata().map_err(fault)?.len();
        if length.checked_sub(image_at) != Some(manifest.packed_bytes) || manifest.image_bytes > SEED_IMAGE_BYTES_MAX {
            return Err(place(Error::invalid("seed-damaged")));
        }
        file.seek(SeekFrom::Start(image_at)).map_err(fault)?;
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut Hashing(&mut hash)).map_err(fault)?;
        if <[u8; 32]>::from(hash.finalize()) != manifest.packed_hash {
            return Err(place(Error::invalid("seed-damaged")));
        }
        Ok(Self { path: path.to_owned(), manifest, image_at })
    }

    /// Records in it.
    pub fn records(&self) -> u64 {
        self.manifest.records
    }

    /// Whether a certificate of this company with these scopes may hold all of it.
    pub(super) fn check(&self, joining: &Joining) -> Result<()> {
        if self.manifest.workspace != joining.workspace {
            return Err(Error::refused("seed-other-upstream").at(self.path.display().to_string()));
        }
        match beyond(&self.manifest, &joining.scopes) {
            Some(scope) => {
                Err(Error::denied("seed-beyond-grants").with("scope", scope).at(self.path.display().to_string()))
            }
            None => Ok(()),
        }
    }

    /// Writes the image into a new file.
    pub(super) fn unpack(&self, to: &Path) -> Result<()> {
        let fault = |e: io::Error| file_fault(&e, to);
        let mut file = File::open(&self.path).map_err(|e| file_fault(&e, &self.path))?;
        file.seek(SeekFrom::Start(self.image_at)).map_err(|e| file_fault(&e, &self.path))?;
        let mut hash = Sha256::new();
        let packed = Tee(file.take(self.manifest.packed_bytes), &mut hash);
        let unpacked = zstd::stream::read::Decoder::new(packed).map_err(fault)?;
        let mut out = BufWriter::new(File::create(to).map_err(fault)?);
        let written = io::copy(&mut unpacked.take(self.manifest.image_bytes + 1), &mut out).map_err(fault)?;
        out.flush().map_err(fault)?;
        // Whoever changed the file since it was checked gets nothing of it opened.
        let same = <[u8; 32]>::from(hash.finalize()) == self.manifest.packed_hash;
        if written == self.manifest.image_bytes && same {
            Ok(())
        } else {
            Err(Error::invalid("seed-damaged").at(self.path.display().to_string()))
        }
    }
}

/// A seed that is being fetched: what has come of it so far, in a file that outlives the process.
#[derive(Debug)]
pub struct SeedPart {
    path: PathBuf,
    file: File,
}

impl SeedPart {
    /// Goes on with the file of this name, or makes it.
    ///
    /// # Errors
    /// Whatever the file system says, here as below.
    pub fn open(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path);
        Ok(Self { file: file.map_err(|e| file_fault(&e, &path))?, path })
    }

    /// How much has come.
    pub fn bytes(&self) -> Result<u64> {
        self.file.metadata().map(|data| data.len()).map_err(|e| self.fault(&e))
    }

    /// What tells the seed from every other one; none while not even its manifest has come.
    pub fn tag(&mut self) -> Result<Option<String>> {
        self.file.rewind().map_err(|e| self.fault(&e))?;
        let front = front(&mut self.file).map_err(|e| self.fault(&e))?;
        Ok(front.ok().map(|(manifest, _)| tag(&manifest)))
    }

    /// Another seed comes.
    pub fn begin_anew(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(|e| self.fault(&e))
    }

    /// Keeps what comes next.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        self.file.write_all(piece).map_err(|e| self.fault(&e))
    }

    /// The seed, once all of it has come. One that is no good is forgotten, so that the next try begins anew.
    ///
    /// # Errors
    /// As [`Seed::open`].
    pub fn seed(&self, upstream_key: &[u8; 32]) -> Result<Seed> {
        let opened = Seed::open(&self.path, upstream_key);
        if opened.is_err() {
            self.forget()?;
        }
        opened
    }

    /// Removes the file.
    pub fn forget(&self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|e| self.fault(&e))
    }

    fn fault(&self, error: &io::Error) -> Error {
        file_fault(error, &self.path)
    }
}

/// A seed that a hub offers over its line.
#[derive(Debug)]
pub struct OfferedSeed {
    path: PathBuf,
    file: File,
    /// Tells it from every other one.
    pub tag: String,
    /// Its length.
    pub bytes: u64,
}

impl OfferedSeed {
    /// The rest of it, behind so many bytes.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn from(mut self, at: u64) -> Result<impl Read + Send + 'static> {
        self.file.seek(SeekFrom::Start(at)).map_err(|e| file_fault(&e, &self.path))?;
        Ok(self.file.take(self.bytes.saturating_sub(at)))
    }
}

// What stands before the image, and where that begins.
fn front(file: &mut File) -> io::Result<Result<(Manifest, u64)>> {
    let mut front = Vec::new();
    file.take(MANIFEST_BYTES_MAX as u64 + 128).read_to_end(&mut front)?;
    Ok(Manifest::decode(&front).map(|(manifest, image_at)| (manifest, image_at as u64)))
}

fn tag(manifest: &Manifest) -> String {
    data_encoding::HEXLOWER.encode(&manifest.packed_hash)
}

// A scope of the seed that is not among these.
fn beyond<'m>(manifest: &'m Manifest, granted: &[Scope]) -> Option<&'m String> {
    let holds =
        |text: &str| granted.contains(&Scope::Workspace) || Scope::parse(text).is_some_and(|s| granted.contains(&s));
    manifest.scopes.iter().find(|text| !holds(text))
}

impl Replica {
    /// Makes a seed of some scopes (none: everything) in a new file. `schema` is the program's built-in one. Gives the
    /// records in it and the file's length in bytes.
    ///
    /// # Errors
    /// `seed_only_hub`, `courier_exists`, `unknown_scope`, `denied_grant`; whatever the store or the file system says.
    /// Nothing of a failed attempt stays.
    pub fn courier_seed(&self, file: &Path, scopes: &[String], schema: Schema) -> Result<(u64, u64)> {
        if self.settings()?.role.has_upstream() {
            return Err(Error::usage("seed-only-hub"));
        }
        if file.exists() {
            return Err(Error::usage("courier-exists").with("path", file.display().to_string()));
        }
        let scopes = self.seed_scopes(scopes)?;
        let mut name = file.file_name().unwrap_or_default().to_os_string();
        name.push(".building");
        let building = Building::new(file.with_file_name(name))?;
        let records = self.fill_seed(&building.0.join("replica"), &scopes, schema)?;
        let image = building.0.join("image");
        let packed = building.0.join("packed");
        let image_bytes = fs::metadata(&image).map_err(|e| file_fault(&e, &image))?.len();
        if image_bytes > SEED_IMAGE_BYTES_MAX {
            return Err(Error::limit("seed-too-large").with("bytes", image_bytes).with("limit", SEED_IMAGE_BYTES_MAX));
        }
        let (packed_bytes, packed_hash) = pack(&image, &packed).map_err(|e| file_fault(&e, &packed))?;
        let manifest = Manifest {
            workspace: self.settings()?.workspace,
            maker: self.identity().public_key(),
            made_at: self.corrected_now(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            records,
            image_bytes,
            packed_bytes,
            packed_hash,
        };
        let front = manifest.encode(|body| self.identity().sign(body));
        let whole = building.0.join("seed");
        join_files(&front, &packed, &whole).map_err(|e| file_fault(&e, &whole))?;
        fs::rename(&whole, file).map_err(|e| file_fault(&e, file))?;
        Ok((records, front.len() as u64 + packed_bytes))
    }

    /// The newest seed in a folder that whoever proves to hold an invitation may open, by the hash of its secret.
    ///
    /// # Errors
    /// `invitation_unknown`, `invitation_used`, `invitation_expired`; `seed_none_offered`; whatever the file system says.
    pub fn offered_seed(&self, secret_hash: &[u8; 32], folder: &Path) -> Result<OfferedSeed> {
        let invitation = invited(self, secret_hash, None, self.corrected_now())?;
        let granted: Vec<Scope> = invitation.scopes.split_whitespace().filter_map(Scope::parse).collect();
        let own = (self.settings()?.workspace, self.identity().public_key());
        let fault = |e: io::Error| file_fault(&e, folder);
        let mut newest: Option<(Manifest, OfferedSeed)> = None;
        for entry in fs::read_dir(folder).map_err(fault)? {
            let path = entry.map_err(fault)?.path();
            // What is no seed, or goes away meanwhile, is not offered.
            let Ok(mut file) = File::open(&path) else { continue };
            let Ok(Ok((manifest, image_at))) = front(&mut file) else { continue };
            let is_ours = (manifest.workspace, manifest.maker) == own;
            let bytes = file.metadata().map_or(0, |data| data.len());
            let is_whole = bytes.checked_sub(image_at) == Some(manifest.packed_bytes);
            let is_newer = newest.as_ref().is_none_or(|(known, _)| known.made_at < manifest.made_at);
            if is_ours && is_whole && is_newer && beyond(&manifest, &granted).is_none() {
                let tag = tag(&manifest);
                newest = Some((manifest, OfferedSeed { path, file, tag, bytes }));
            }
        }
        newest.map(|(_, seed)| seed).ok_or_else(|| Error::not_found("seed-none-offered"))
    }

    fn seed_scopes(&self, asked: &[String]) -> Result<Vec<Scope>> {
        let mut scopes = match asked {
            [] => vec![Scope::Workspace],
            asked => asked
                .iter()
                .map(|text| Scope::parse_named(text, &mut |collection, name| self.find(collection, name)))
                .collect::<Result<Vec<_>>>()?,
        };
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.len() > SEED_SCOPES_MAX {
            return Err(Error::limit("seed-scopes").with("limit", SEED_SCOPES_MAX));
        }
        let own = self.own_grants()?;
        let asked = Grants { role: own.role.clone(), scopes: scopes.clone() };
        if !narrower(&asked, &own, &|scope| self.branch_of(scope))? {
            return Err(Error::denied("denied-grant").with("own", &**own.role.name()).with("role", &**own.role.name()));
        }
        Ok(scopes)
    }

    // A first sync into `dir`, whose image then stands beside it. Gives the number of records.
    fn fill_seed(&self, dir: &Path, scopes: &[Scope], schema: Schema) -> Result<u64> {
        let settings = self.settings()?;
        let joining = Joining {
            workspace: settings.workspace,
            name: settings.name.clone(),
            node_name: String::new(),
            // With the index by scope, for a branch may open it; a device drops it.
            role: NodeRole::Branch,
            person: RecordId::default(),
            person_role: String::new(),
            branch: None,
            scopes: scopes.to_vec(),
            currency: settings.currency,
            language: settings.language,
        };
        let grown = Self::join(dir, &joining, schema, self.inner.env.clone())?;
        grown.note(|conn| meta::set(conn, key::UPSTREAM, self.device().as_bytes()))?;
        let prospect = DeviceRow {
            id: grown.device(),
            record: RecordId::default(),
            name: String::new(),
            public_key: grown.identity().public_key(),
            person: RecordId::default(),
            role: String::new(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            home_branch: None,
            // A device may open it: nothing that is for servers alone.
            branch: false,
            enroller: self.device(),
            revoked: false,
        };
        let timeline = self.timeline()?;
        let position = self.read(|conn| beginning(conn, timeline))?;
        let mut upstream = Upstream::prospect(self.clone(), prospect, position);
        let mut downstream = Downstream::new(grown.clone())?;
        while let Some((_, batch)) = upstream.next_batch(BUDGET)? {
            downstream.apply(&batch)?;
            if batch.last {
                break;
            }
        }
        grown.inner.readers.image(&dir.with_file_name("image"))?;
        Ok(grown.status()?.records.iter().map(|(_, count)| count).sum())
    }
}

/// A folder for what is being built; goes away with the value.
struct Building(PathBuf);

impl Building {
    fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir(&path).map_err(|e| file_fault(&e, &path))?;
        Ok(Self(path))
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // What stays behind is only in the way of the next seed of this name, which says so.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pack(image: &Path, to: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut hash = Sha256::new();
    let mut out = BufWriter::new(File::create(to)?);
    let mut written = 0;
    {
        let counted = Counting { out: &mut out, hash: &mut hash, written: &mut written };
        let mut encoder = zstd::stream::write::Encoder::new(counted, LEVEL)?;
        io::copy(&mut BufReader::new(File::open(image)?), &mut encoder)?;
        encoder.finish()?;
    }
    out.flush()?;
    Ok((written, hash.finalize().into()))
}

fn join_files(front: &[u8], packed: &Path, to: &Path) -> io::Result<()> {
    let mut out = File::create(to)?;
    out.write_all(front)?;
    io::copy(&mut File::open(packed)?, &mut out)?;
    out.sync_all()
}

/// Hashes what is written to it.
struct Hashing<'h>(&'h mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hashes what is read through it.
struct Tee<'h, R>(R, &'h mut Sha256);

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

struct Counting<'h, W> {
    out: W,
    hash: &'h mut Sha256,
    written: &'h mut u64,
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        *self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
