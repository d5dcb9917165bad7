//! Enrolment, both ends: an upstream turns an invitation into a device record with a certificate; a new folder keeps the
//! certificate and becomes a replica.

use std::sync::Arc;

use super::certificate::Certificate;
use super::code::InvitationCode;
use super::seed::Seed;
use super::state::key;
use super::upstream::{Upstream, check_signature};
use crate::access::Scope;
use crate::error::{Error, Result};
use crate::id::{DeviceId, RecordId};
use crate::message::Language;
use crate::replica::{Environment, Folder, Identity, Joining, NodeRole, Replica};
use crate::schema::{Currency, Name, Schema, Value};
use crate::store::link_rows::{self, DeviceRow};
use crate::store::meta;
use crate::sync::Executor;
use crate::sync::downstream::{Reply, Request};
use crate::time::Millis;
use crate::wire::message::{Enrol, Enrolled, Nonce};

/// Turns a good invitation into a device. A device that asks again with the same key and code, because the answer was
/// lost, gets the same answer.
pub(super) fn enrol(replica: &Replica, asked: &Enrol, nonce: &Nonce) -> Result<Enrolled> {
    check_signature(&asked.public_key, &asked.signed(nonce), &asked.signature)?;
    let secret_hash = InvitationCode::secret_hash(&asked.secret);
    let now = replica.corrected_now();
    let device = DeviceId::of_key(&asked.public_key);
    let invitation = invited(replica, &secret_hash, Some(device), now)?;
    let certificate = match replica.read(|conn| link_rows::device(conn, &device))? {
        Some(_) => replica.certificate_of(&device)?,
        None => issue(replica, asked, &invitation, now)?,
    };
    replica.note(|conn| link_rows::use_invitation(conn, &secret_hash, &device, now))?;
    let settings = replica.settings()?;
    Ok(Enrolled {
        workspace: settings.workspace,
        workspace_name: settings.name.clone(),
        currency: settings.currency.code().to_owned(),
        language: settings.language.code().to_owned(),
        branch: invitation.branch,
        certificate,
    })
}

/// The invitation of this secret, which must be good, or used by this device.
///
/// # Errors
/// `invitation_unknown`, `invitation_used`, `invitation_expired`.
pub(super) fn invited(
    replica: &Replica,
    secret_hash: &[u8; 32],
    by: Option<DeviceId>,
    now: Millis,
) -> Result<link_rows::Invitation> {
    let invitation = replica
        .read(|conn| link_rows::invitation(conn, secret_hash))?
        .ok_or_else(|| Error::refused("invitation-unknown"))?;
    if invitation.used_by.is_some() && invitation.used_by != by {
        return Err(Error::refused("invitation-used"));
    }
    if invitation.used_by.is_none() && now > invitation.expires {
        return Err(Error::refused("invitation-expired"));
    }
    Ok(invitation)
}

// Writes the device's record (and its person's, where it has none) and signs its certificate.
fn issue(replica: &Replica, asked: &Enrol, invitation: &link_rows::Invitation, now: Millis) -> Result<Vec<u8>> {
    replica.transact_as_upstream(|tx| {
        let person = match invitation.person {
            Some(person) => person,
            None => {
                let mut values = vec![
                    (Name::from("name"), Value::Text(invitation.name.clone())),
                    (Name::from("role"), Value::Text(invitation.role.clone())),
                    (Name::from("active"), Value::Boolean(true)),
                ];
                if let Some(branch) = invitation.home_branch {
                    values.push((Name::from("home_branch"), Value::Reference(branch)));
                }
                tx.create("user", values)?
            }
        };
        let mut scopes: Vec<String> = invitation.scopes.split_whitespace().map(str::to_owned).collect();
        if scopes.is_empty() {
            scopes.push(Scope::User(person).to_string());
        }
        let certificate = Certificate {
            public_key: asked.public_key,
            name: invitation.name.clone(),
            branch: invitation.branch,
            person,
            person_name: tx.record("user", &person)?.map(|u| u.text("name").to_owned()).unwrap_or_default(),
            role: invitation.role.clone(),
            scopes,
            home_branch: invitation.home_branch,
            issued_at: now,
            enroller: replica.device(),
        };
        let signed = certificate.sign(replica.identity());
        let mut values = device_values(&certificate, &signed);
        // A role of its own stands in the record only where it is another one: else the device follows its person.
        if tx.record("user", &person)?.is_none_or(|user| user.text("role") != invitation.role) {
            values.push((Name::from("role"), Value::Text(certificate.role)));
        }
        tx.create("device", values)?;
        Ok(signed)
    })
}

/// The device of a certificate that this replica has signed and does not remember: its log was set back since.
///
/// # Errors
/// `unknown_device` for anything else.
pub(super) fn remembered(replica: &Replica, certificate: &[u8], device: &DeviceId) -> Result<DeviceRow> {
    let unknown = || Error::refused("unknown-device");
    let key = replica.identity().public_key();
    let certificate = Certificate::verify(certificate, &key).map_err(|_| unknown())?;
    if certificate.device() != *device {
        return Err(unknown());
    }
    Ok(DeviceRow {
        id: *device,
        record: RecordId::default(),
        name: certificate.name,
        public_key: certificate.public_key,
        person: certificate.person,
        role: certificate.role,
        scopes: certificate.scopes,
        home_branch: certificate.home_branch,
        branch: certificate.branch,
        enroller: certificate.enroller,
        revoked: false,
    })
}

impl Upstream {
    /// Makes the record of a device that came back with its certificate, unless its own has come back, too.
    pub(super) fn readmit_for_good(&mut self) -> Result<()> {
        let replica = self.replica.clone();
        let Some(signed) = self.admitted()?.certificate.take() else { return Ok(()) };
        let certificate = Certificate::verify(&signed, &replica.identity().public_key())?;
        if replica.read(|conn| link_rows::device(conn, &certificate.device()))?.is_some() {
            return Ok(());
        }
        // Its role stands in the record in any case: the person's may not have come back.
        let mut values = device_values(&certificate, &signed);
        values.push((Name::from("role"), Value::Text(certificate.role)));
        replica.transact_as_upstream(|tx| tx.create("device", values)).map(|_| ())
    }
}

fn device_values(certificate: &Certificate, signed: &[u8]) -> Vec<(Name, Value)> {
    let text = |name: &str, value: String| (Name::from(name), Value::Text(value));
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let mut values = vec![
        text("name", certificate.name.clone()),
        text("device_id", certificate.device().to_string()),
        text("public_key", hex(&certificate.public_key)),
        (Name::from("person"), Value::Reference(certificate.person)),
        (Name::from("scopes"), Value::Set(certificate.scopes.iter().cloned().collect())),
        (Name::from("serves"), Value::Boolean(certificate.branch)),
        text("enroller", certificate.enroller.to_string()),
        text("certificate", hex(signed)),
        (Name::from("enrolled_at"), Value::Instant(certificate.issued_at)),
    ];
    if let Some(branch) = certificate.home_branch {
        values.push((Name::from("branch"), Value::Reference(branch)));
    }
    values
}

impl Replica {
    // The signed certificate in a device's record.
    fn certificate_of(&self, device: &DeviceId) -> Result<Vec<u8>> {
        let id = self.find("device", &format!("device_id={device}"))?;
        let record = self.record("device", &id)?;
        data_encoding::HEXLOWER
            .decode(record.text("certificate").as_bytes())
            .map_err(|_| Error::corrupt("store-corrupt").with("detail", "device certificate"))
    }
}

/// Answers a downstream session's requests for a folder that is no replica yet.
pub struct Joiner {
    folder: Folder,
    code: InvitationCode,
    schema: Option<Schema>,
    env: Arc<dyn Environment>,
    pub(super) identity: Identity,
    seed: Option<Seed>,
    replica: Option<Replica>,
}

impl Joiner {
    /// For a folder and an invitation. The device's key is made now and kept, so that a lost answer can be asked again.
    ///
    /// # Errors
    /// `replica_exists`, and whatever making the folder can fail with.
    pub fn new(
        folder: impl Into<Folder>,
        code: InvitationCode,
        schema: Schema,
        env: Arc<dyn Environment>,
    ) -> Result<Self> {
        let folder = folder.into();
        if crate::store::is_replica(folder.path()) {
            return Err(Error::usage("replica-exists").with("path", folder.path().display().to_string()));
        }
        let identity = Identity::ensure(folder.clone(), &*env)?;
        Ok(Self { folder, code, schema: Some(schema), env, identity, seed: None, replica: None })
    }

    /// Begins with a seed of the upstream instead of an empty store.
    ///
    /// # Errors
    /// `seed_encrypted` for a folder with a key: a seed is plain, and what was once written plainly is found on a disk for
    /// long.
    pub fn with_seed(self, seed: Seed) -> Result<Self> {
        self.takes_seeds()?;
        Ok(Self { seed: Some(seed), ..self })
    }

    /// Whether [`Joiner::with_seed`] would be refused, before a seed was fetched.
    ///
    /// # Errors
    /// As there.
    pub fn takes_seeds(&self) -> Result<()> {
        if self.folder.is_keyed() {
            return Err(Error::usage("seed-encrypted").with("path", self.folder.path().display().to_string()));
        }
        Ok(())
    }

    /// The replica, once the session has ended well.
    pub fn replica(self) -> Option<Replica> {
        self.replica
    }

    pub(super) fn greet(&self, nonce: &Nonce) -> Enrol {
        let public_key = self.identity.public_key();
        let mut asked = Enrol { secret: self.code.secret, public_key, signature: [0; 64] };
        asked.signature = self.identity.sign(&asked.signed(nonce));
        asked
    }

    pub(super) fn enrolled(&mut self, enrolled: &Enrolled) -> Result<()> {
        let certificate = Certificate::verify(&enrolled.certificate, &self.code.upstream_key)?;
        let mine = certificate.public_key == self.identity.public_key();
        let (Some(currency), Some(schema), true) =
            (Currency::parse(&enrolled.currency), self.schema.take(), mine && certificate.branch == enrolled.branch)
        else {
            return Err(Error::protocol("certificate-invalid"));
        };
        let joining = Joining {
            workspace: enrolled.workspace,
            name: enrolled.workspace_name.clone(),
            node_name: certificate.name.clone(),
            role: if enrolled.branch { NodeRole::Branch } else { NodeRole::Device },
            person: certificate.person,
            person_role: certificate.role.clone(),
            branch: certificate.home_branch,
            scopes: certificate.scopes.iter().filter_map(|text| Scope::parse(text)).collect(),
            currency,
            language: Language::parse(&enrolled.language).unwrap_or_default(),
        };
        let upstream = DeviceId::of_key(&self.code.upstream_key);
        let complete = |replica: &Replica| {
            replica.note(|conn| {
                meta::set(conn, key::URL, self.code.address.as_bytes())?;
                if let Some(trust) = &self.code.trust {
                    meta::set(conn, key::TLS_PIN, trust.bytes())?;
                }
                meta::set(conn, key::UPSTREAM_KEY, &self.code.upstream_key)?;
                meta::set(conn, key::UPSTREAM, upstream.as_bytes())?;
                meta::set(conn, key::CERTIFICATE, &enrolled.certificate)
            })
        };
        let replica = match &self.seed {
            None => Replica::join_with(&self.folder, &joining, None, schema, self.env.clone(), complete)?,
            Some(seed) => self.grow(seed, &joining, schema, complete)?,
        };
        self.replica = Some(replica);
        Ok(())
    }
}

impl Joiner {
    fn grow(
        &self,
        seed: &Seed,
        joining: &Joining,
        schema: Schema,
        complete: impl FnOnce(&Replica) -> Result<()>,
    ) -> Result<Replica> {
        seed.check(joining)?;
        let image = self.folder.path().join("seed.unfinished");
        let grown = seed.unpack(&image).and_then(|()| {
            let image = Some((&*image, &super::seed::KEPT[..]));
            Replica::join_with(&self.folder, joining, image, schema, self.env.clone(), complete)
        });
        if grown.is_err() {
            // A copy of what the seed still holds.
            let _ = std::fs::remove_file(&image);
        }
        grown
    }
}

impl Executor for Joiner {
    type Request = Request;
    type Reply = Reply;

    fn execute(&mut self, request: Request) -> Reply {
        let done = match request {
            Request::Greet(nonce) => return Reply::Enrol(self.greet(&nonce)),
            Request::Enrolled(enrolled) => self.enrolled(&enrolled).map(|()| Reply::Done),
            _ => Err(Error::protocol("unexpected-message")),
        };
        done.unwrap_or_else(Reply::Failed)
    }
}
