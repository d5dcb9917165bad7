//! Keeping a replica sound: verify and repair, backup and restore.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use argon2::Argon2;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

use super::identity::{Identity, is_binding_genuine};
use super::{Environment, Folder, Replica, Verified};
use crate::error::{Error, Result};
use crate::id::{BlobHash, DeviceId, Timeline};
use crate::schema::Schema;
use crate::store::{self, Home, Origin, Restoring, SealedKey, link_rows};

impl Replica {
    /// Holds everything against the log: pages, hashes, order, heads, projection, full-text index; and attachments against
    /// their names. With `repair`, what differs is written anew from the log; what is damaged itself is left as it is and,
    /// where there is an upstream, fetched from there by the next exchange.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn verify(&self, repair: bool) -> Result<Verified> {
        let found = store::check(&self.inner.readers)?;
        let mut verified = Verified {
            changes: found.changes,
            records: found.records,
            heads_differ: found.heads.len() as u64,
            rows_differ: found.rows.len() as u64,
            search_differ: found.search.len() as u64,
            tables_missing: found.tables.len() as u64,
            places_differ: found.places.len() as u64,
            indexes_differ: found.indexes,
            damage: found.damage.clone(),
            ..Verified::default()
        };
        if found.index_broken {
            verified.search_differ = verified.search_differ.max(1);
        }
        let forged = self.forged_bindings();
        verified.damage.extend(forged.iter().cloned());
        let (attachments, lost) = self.blobs_check()?;
        verified.attachments = attachments;
        verified.attachments_damaged = lost.len() as u64;
        if !repair {
            if !verified.damage.is_empty() {
                self.inner.note_damage();
            }
            return Ok(verified);
        }
        if found.differs() {
            self.inner.clear_damage();
            let written = self.inner.write(Origin::Local, |writer| writer.repair(&found));
            self.inner.readers.forget();
            let left = store::check(&self.inner.readers)?;
            verified.repaired = !left.differs();
            verified.damage = left.damage;
            verified.damage.extend(forged);
            match written {
                Err(error) if error.retryable() => return Err(error),
                // What cannot even be written anew is damage like any other.
                Err(error) => verified.damage.push(error.to_string()),
                Ok(_) => {}
            }
        }
        if self.inner.settings().role.has_upstream() {
            verified.fetching = self.refetch(&found.broken, &lost)?;
        }
        if !verified.damage.is_empty() && verified.fetching == 0 {
            self.inner.note_damage();
        }
        Ok(verified)
    }

    // Actors whose bindings are not what their devices signed, in words.
    fn forged_bindings(&self) -> Vec<String> {
        let workspace = self.inner.settings().workspace;
        let found = self.read(|conn| {
            let mut forged = Vec::new();
            for binding in link_rows::bindings(conn)? {
                let own = binding.device == self.device();
                let key = match own {
                    true => Some(self.identity().public_key()),
                    false => link_rows::device(conn, &binding.device)?.map(|device| device.public_key),
                };
                if key.is_some_and(|key| !is_binding_genuine(&workspace, &binding, &key)) {
                    forged.push(format!("the binding of actor {} is not what its device signed", binding.actor));
                }
            }
            Ok(forged)
        });
        found.unwrap_or_else(|error| vec![error.to_string()])
    }

    // Has the next exchange ask for what is damaged here; gives how much that is.
    fn refetch(&self, broken: &BTreeSet<i64>, lost: &[BlobHash]) -> Result<u64> {
        let records = self.read(|conn| store::record_ids(conn, broken))?;
        if !records.is_empty() {
            self.inner.clear_damage();
            self.note(|conn| store::set_refetch(conn, &records))?;
        }
        for hash in lost {
            self.blob_refetch(hash)?;
        }
        Ok((records.len() + lost.len()) as u64)
    }

    /// SHA-256 over all rows of the projection: equal on replicas that show the same, however they came to it.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn projection_digest(&self) -> Result<String> {
        self.inner.read(|view| Ok(data_encoding::HEXLOWER.encode(&view.projection_digest()?)))
    }

    /// Writes a backup of the last commit while others go on working: one SQLite file with the attachments and, if
    /// there is a passphrase, this replica's key, encrypted with it. The backup of an encrypted folder is encrypted itself, by
    /// the key that opens the folder now. Gives the file's length in bytes.
    ///
    /// # Errors
    /// `backup_exists`; `key_wrong` where another process has changed the folder's key; whatever SQLite or the file system says. Nothing of a failed attempt stays.
    pub fn backup(&self, file: &Path, passphrase: Option<&str>) -> Result<u64> {
        let key = match passphrase {
            Some(passphrase) => Some(seal(&self.inner.identity, passphrase, &*self.inner.env)?),
            None => None,
        };
        self.inner.readers.backup(file, key.as_ref())
    }

    /// Makes a folder a replica of a backup, encrypted if it comes with a key; that opens the backup, too, where that is
    /// encrypted. Its log begins a new history, for others may have seen more than the backup.
    /// A backup without a key becomes a replica with a new one, to be enrolled again.
    ///
    /// # Errors
    /// `backup_not_one`, `backup_needs_passphrase`, `backup_passphrase`, `backup_needs_key`, `backup_key_wrong`,
    /// `replica_exists`, `store_newer`.
    pub fn restore(
        file: &Path,
        folder: impl Into<Folder>,
        passphrase: Option<&str>,
        schema: Schema,
        env: Arc<dyn Environment>,
    ) -> Result<Self> {
        let folder = folder.into();
        if store::is_replica(folder.path()) {
            return Err(Error::usage("replica-exists").with("path", folder.path().display().to_string()));
        }
        let random = |bytes: &mut [u8]| env.fill_random(bytes);
        let backup = Restoring::open(file, folder.key()?)?;
        let (device, sealed) = backup.key()?;
        let secret = match (&sealed, passphrase) {
            (None, _) => None,
            (Some(_), None) => return Err(Error::usage("backup-needs-passphrase")),
            (Some(sealed), Some(passphrase)) => Some(unseal(sealed, passphrase, &device)?),
        };
        store::files::make_folder(folder.path())?;
        let home = Home::prepare(&folder, &random)?;
        let identity = match secret {
            Some(secret) => Identity::restore(&home, &secret, &*env)?,
            None => Identity::ensured(&home, &*env)?,
        };
        let mut timeline = Timeline::default();
        env.fill_random(&mut timeline.0);
        backup.into(&home, &identity.device(), &timeline, &random)?;
        Self::open(folder, schema, env)
    }
}

fn seal(identity: &Identity, passphrase: &str, env: &dyn Environment) -> Result<SealedKey> {
    let (mut salt, mut nonce) = ([0; 16], [0; 12]);
    env.fill_random(&mut salt);
    env.fill_random(&mut nonce);
    let device = identity.device();
    let payload = Payload { msg: &identity.secret(), aad: device.as_bytes() };
    let sealed = cipher(passphrase, &salt)?
        .encrypt(&Nonce::from(nonce), payload)
        .map_err(|_| Error::usage("backup-passphrase"))?;
    Ok(SealedKey { salt: salt.to_vec(), nonce: nonce.to_vec(), sealed })
}

fn unseal(sealed: &SealedKey, passphrase: &str, device: &DeviceId) -> Result<[u8; 32]> {
    let wrong = || Error::usage("backup-passphrase");
    let nonce: [u8; 12] = sealed.nonce.as_slice().try_into().map_err(|_| wrong())?;
    let payload = Payload { msg: &sealed.sealed, aad: device.as_bytes() };
    let secret = cipher(passphrase, &sealed.salt)?.decrypt(&Nonce::from(nonce), payload).map_err(|_| wrong())?;
    secret.try_into().map_err(|_| wrong())
}

fn cipher(passphrase: &str, salt: &[u8]) -> Result<ChaCha20Poly1305> {
    let mut key = [0; 32];
    // Argon2id with the crate's defaults (19 MiB, two passes): a guess costs an attacker tens of milliseconds.
    Argon2::default()
        .hash_password_into(passphrase.as_bytes(), salt, &mut key)
        .map_err(|_| Error::usage("backup-passphrase"))?;
    Ok(ChaCha20Poly1305::new(&Key::from(key)))
}
