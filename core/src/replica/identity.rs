//! The key of a replica: an Ed25519 secret in `device.key`, readable by its owner alone; sealed where the folder is encrypted.

use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::{Environment, Folder};
use crate::error::{Error, Result};
use crate::id::{ActorId, BatchId, DeviceId, RecordId, WorkspaceId};
use crate::store::{Home, files};
use crate::wire::codec::Binding;

/// The name of the key's file in a replica's folder.
pub const KEY_FILE: &str = "device.key";

/// What is signed begins with its purpose, so that no signature serves another one.
const ACTOR_PURPOSE: &[u8] = b"branchline actor 1";

/// The secret of a replica and what follows from it.
pub struct Identity {
    key: SigningKey,
}

impl Identity {
    /// The identity of a folder, made if it has none yet.
    ///
    /// # Errors
    /// `device_key_damaged` where the file is no key; whatever the file system says.
    pub fn ensure(folder: impl Into<Folder>, env: &dyn Environment) -> Result<Self> {
        Self::ensured(&Home::prepare(&folder.into(), &|bytes| env.fill_random(bytes))?, env)
    }

    pub(super) fn ensured(home: &Home, env: &dyn Environment) -> Result<Self> {
        if home.dir.join(KEY_FILE).exists() {
            return Self::kept(home, env);
        }
        files::make_folder(&home.dir)?;
        let mut secret = [0; 32];
        env.fill_random(&mut secret);
        Self::write(home, &secret, env)
    }

    pub(super) fn read(home: &Home) -> Result<Self> {
        let text = home.read_secret(KEY_FILE, |path| Error::corrupt("device-key-damaged").with("path", path))?;
        let secret = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
        let secret: Option<[u8; 32]> = secret.and_then(|bytes| bytes.try_into().ok());
        let path = || home.dir.join(KEY_FILE).display().to_string();
        let damaged = || Error::corrupt("device-key-damaged").with("path", path());
        Ok(Self { key: SigningKey::from_bytes(&secret.ok_or_else(damaged)?) })
    }

    // The key that is there already. An attempt without a key has left it plain where the folder is encrypted now.
    fn kept(home: &Home, env: &dyn Environment) -> Result<Self> {
        let known = Self::read(home)?;
        if home.is_as_secret(KEY_FILE)? { Ok(known) } else { Self::write(home, &known.secret(), env) }
    }

    /// Puts a secret that a backup held into a folder.
    pub(super) fn restore(home: &Home, secret: &[u8; 32], env: &dyn Environment) -> Result<Self> {
        if !home.dir.join(KEY_FILE).exists() {
            return Self::write(home, secret, env);
        }
        // An attempt that was cut short has left it, or it is another one, which stays.
        let known = Self::kept(home, env)?;
        let differs = || Error::usage("replica-exists").with("path", home.dir.display().to_string());
        if known.secret() == *secret { Ok(known) } else { Err(differs()) }
    }

    pub(super) fn secret(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Who this replica is for others.
    pub fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.public_key())
    }

    /// The key that others check signatures with.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Signs bytes; what they mean must be told by how they begin.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// The secret that this replica shares with the holder of an X25519 key; none where the key gives everybody the same.
    pub(super) fn agree(&self, theirs: &[u8; 32]) -> Option<[u8; 32]> {
        let own = StaticSecret::from(self.key.to_scalar_bytes());
        let shared = own.diffie_hellman(&PublicKey::from(*theirs));
        shared.was_contributory().then(|| shared.to_bytes())
    }

    /// Binds an actor of this replica to the person, or the import, that writes under it.
    pub fn bind(
        &self,
        workspace: &WorkspaceId,
        actor: ActorId,
        device_name: &str,
        person: RecordId,
        batch: Option<BatchId>,
    ) -> Binding {
        let device = self.device();
        let mut binding =
            Binding { actor, device, device_name: device_name.to_owned(), person, batch, signature: [0; 64] };
        binding.signature = self.sign(&signed_bytes(workspace, &binding));
        binding
    }

    fn write(home: &Home, secret: &[u8; 32], env: &dyn Environment) -> Result<Self> {
        let text = Zeroizing::new(format!("{}\n", data_encoding::HEXLOWER.encode(secret)));
        home.write_secret(KEY_FILE, text.as_bytes(), &|bytes| env.fill_random(bytes))?;
        Ok(Self { key: SigningKey::from_bytes(secret) })
    }
}

/// Whether this device signed the binding, and is the one that it names.
pub fn is_binding_genuine(workspace: &WorkspaceId, binding: &Binding, public_key: &[u8; 32]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(public_key) else { return false };
    let signature = Signature::from_bytes(&binding.signature);
    DeviceId::of_key(public_key) == binding.device && key.verify(&signed_bytes(workspace, binding), &signature).is_ok()
}

fn signed_bytes(workspace: &WorkspaceId, binding: &Binding) -> Vec<u8> {
    let batch = binding.batch.unwrap_or_default();
    let parts: [&[u8]; 7] = [
        ACTOR_PURPOSE,
        workspace.as_bytes(),
        binding.actor.as_bytes(),
        binding.device.as_bytes(),
        binding.person.as_bytes(),
        batch.as_bytes(),
        binding.device_name.as_bytes(),
    ];
    parts.concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::replica::SystemEnvironment;

    #[test]
    fn a_binding_is_genuine_only_as_it_was_signed() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::ensure(dir.path(), &SystemEnvironment).unwrap();
        assert_eq!(Identity::ensure(dir.path(), &SystemEnvironment).unwrap().device(), identity.device());
        let workspace = WorkspaceId([7; 16]);
        let binding = identity.bind(&workspace, ActorId([1; 8]), "Anna's phone", RecordId([2; 16]), None);
        let key = identity.public_key();
        assert!(is_binding_genuine(&workspace, &binding, &key));
        assert!(!is_binding_genuine(&WorkspaceId([8; 16]), &binding, &key));
        let other = Binding { person: RecordId([3; 16]), ..binding.clone() };
        assert!(!is_binding_genuine(&workspace, &other, &key));
        let other = Binding { batch: Some(BatchId([1; 16])), ..binding };
        assert!(!is_binding_genuine(&workspace, &other, &key));
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        Identity::ensure(dir.path(), &SystemEnvironment).unwrap();
        let mode = std::fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
