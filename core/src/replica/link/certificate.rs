//! What an upstream signs when it enrols a device: whose it is, what it may do, what it may hold.
//!
//! A certificate is kept in the device's record, so that every server on the way can check it offline: the hub checks a
//! device that a branch enrolled against the branch's own certificate.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::error::{Error, Result};
use crate::id::{DeviceId, RecordId};
use crate::limits::GRANT_SCOPES_MAX;
use crate::replica::Identity;
use crate::time::Millis;
use crate::wire::bytes::{Reader, put_bool, put_bytes, put_number, put_signed};

const VERSION: u8 = 1;

/// A device's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The device's Ed25519 public key.
    pub public_key: [u8; 32],
    /// Its name.
    pub name: String,
    /// Whether it serves downstreams of its own.
    pub branch: bool,
    /// The person it acts for.
    pub person: RecordId,
    /// That person's name, until the record has arrived.
    pub person_name: String,
    /// What it may do: a role's name.
    pub role: String,
    /// What it may hold, in the stable text of `access::Scope`.
    pub scopes: Vec<String>,
    /// The branch it belongs to.
    pub home_branch: Option<RecordId>,
    /// When it was enrolled, by the enroller's clock.
    pub issued_at: Millis,
    /// Who enrolled it.
    pub enroller: DeviceId,
}

impl Certificate {
    /// The id of the device.
    pub fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.public_key)
    }

    /// The certificate's bytes behind the enroller's signature.
    pub fn sign(&self, enroller: &Identity) -> Vec<u8> {
        let body = self.body();
        let mut out = enroller.sign(&signed(&body)).to_vec();
        out.extend_from_slice(&body);
        out
    }

    /// Parses signed bytes and checks the enroller's signature.
    ///
    /// # Errors
    /// `certificate_invalid` for anything that is not a certificate signed with this key.
    pub fn verify(bytes: &[u8], enroller_key: &[u8; 32]) -> Result<Self> {
        let invalid = || Error::protocol("certificate-invalid");
        let (signature, body) = bytes.split_first_chunk::<64>().ok_or_else(invalid)?;
        let key = VerifyingKey::from_bytes(enroller_key).map_err(|_| invalid())?;
        key.verify_strict(&signed(body), &Signature::from_bytes(signature)).map_err(|_| invalid())?;
        let certificate = Self::read(body).map_err(|_| invalid())?;
        if certificate.enroller != DeviceId::of_key(enroller_key) {
            return Err(invalid());
        }
        Ok(certificate)
    }

    fn body(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.public_key);
        put_bytes(&mut out, self.name.as_bytes());
        put_bool(&mut out, self.branch);
        out.extend_from_slice(self.person.as_bytes());
        put_bytes(&mut out, self.person_name.as_bytes());
        put_bytes(&mut out, self.role.as_bytes());
        put_number(&mut out, self.scopes.len() as u64);
        for scope in &self.scopes {
            put_bytes(&mut out, scope.as_bytes());
        }
        put_bool(&mut out, self.home_branch.is_some());
        if let Some(branch) = &self.home_branch {
            out.extend_from_slice(branch.as_bytes());
        }
        put_signed(&mut out, self.issued_at.0);
        out.extend_from_slice(self.enroller.as_bytes());
        out
    }

    fn read(body: &[u8]) -> Result<Self> {
        let mut r = Reader::new(body);
        if r.byte()? != VERSION {
            return Err(r.malformed());
        }
        let public_key = r.array()?;
        let name = r.text()?.to_owned();
        let branch = r.bool()?;
        let person = RecordId(r.array()?);
        let person_name = r.text()?.to_owned();
        let role = r.text()?.to_owned();
        let count = r.count(1)?;
        if count > GRANT_SCOPES_MAX {
            return Err(r.malformed());
        }
        let scopes = (0..count).map(|_| r.text().map(str::to_owned)).collect::<Result<_>>()?;
        let home_branch = if r.bool()? { Some(RecordId(r.array()?)) } else { None };
        let issued_at = Millis(r.signed()?);
        let enroller = DeviceId(r.array()?);
        r.end()?;
        Ok(Self { public_key, name, branch, person, person_name, role, scopes, home_branch, issued_at, enroller })
    }
}

fn signed(body: &[u8]) -> Vec<u8> {
    let mut out = b"branchline certificate 1".to_vec();
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::replica::SystemEnvironment;

    #[test]
    fn only_the_enrollers_signature_makes_a_certificate() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [enroller, device, stranger] =
            folders.each_ref().map(|dir| Identity::ensure(dir.path(), &SystemEnvironment).unwrap());
        let public = enroller.public_key();
        let certificate = Certificate {
            public_key: device.public_key(),
            name: "Ganna’s phone".into(),
            branch: false,
            person: RecordId([1; 16]),
            person_name: "Ганна".into(),
            role: "seller".into(),
            scopes: vec!["branch:x".into()],
            home_branch: Some(RecordId([2; 16])),
            issued_at: Millis(5),
            enroller: DeviceId::of_key(&public),
        };
        let bytes = certificate.sign(&enroller);
        assert_eq!(Certificate::verify(&bytes, &public).unwrap(), certificate);
        assert!(Certificate::verify(&bytes, &stranger.public_key()).is_err());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Certificate::verify(&changed, &public).is_err(), "byte {at}");
        }
    }
}
