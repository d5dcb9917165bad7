//! Enrolment by file: the first file of a new folder carries its invitation, the answer its certificate.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::code::InvitationCode;
use super::super::enrol::{Joiner, enrol};
use super::envelope::{self, Opener, Sealer};
use super::memory::Above;
use super::{Unpacked, unpack};
use crate::error::{Error, Result};
use crate::id::{DeviceId, WorkspaceId};
use crate::replica::{Environment, Replica};
use crate::schema::Schema;
use crate::store::{file_fault, link_rows};
use crate::wire::courier::{Header, Item, Up};
use crate::wire::message::{Enrolled, Message, Nonce};

/// Holds the invitation of a folder that waits for the answer to its enrolment.
const PENDING_FILE: &str = "joining";

impl Replica {
    /// Packs the enrolment of the folder `dir` into a new file; unpacking its answer makes the folder a replica. Gives
    /// the file's length in bytes.
    ///
    /// # Errors
    /// `replica_exists`, `courier_exists`; whatever the file system says.
    pub fn courier_join(
        dir: &Path,
        code: &InvitationCode,
        file: &Path,
        schema: Schema,
        env: Arc<dyn Environment>,
    ) -> Result<u64> {
        let joiner = Joiner::new(dir, code.clone(), schema, env.clone())?;
        let sender = joiner.identity.device();
        let (mut sealer, header) = Sealer::create(file, WorkspaceId::default(), sender, &code.upstream_key, &*env)?;
        sealer.push(&Item::Link(Message::Enrol(joiner.greet(&nonce(&header)))))?;
        sealer.push(&Item::Up(Up::default()))?;
        sealer.finish(&joiner.identity, |_| remember(dir, code))
    }

    /// Whether `dir` has packed its enrolment and waits for the answer.
    pub fn courier_joins(dir: &Path) -> bool {
        !crate::store::is_replica(dir) && pending(dir).is_file()
    }

    /// Makes `dir` a replica with the answer to its enrolment, and takes in what else the file holds.
    ///
    /// # Errors
    /// As [`Replica::courier_unpack`]; the folder is no replica then. `certificate_invalid`.
    pub fn courier_joined(
        dir: &Path,
        file: &Path,
        schema: Schema,
        env: Arc<dyn Environment>,
    ) -> Result<(Self, Unpacked)> {
        let path = pending(dir);
        let code = InvitationCode::parse(&fs::read_to_string(&path).map_err(|e| file_fault(&e, &path))?)?;
        let mut joiner = Joiner::new(dir, code.clone(), schema, env)?;
        let header = envelope::peek(file)?;
        let place = |error: Error| error.at(file.display().to_string());
        if header.receiver != joiner.identity.device() {
            return Err(place(Error::invalid("courier-not-for-us").with("name", header.receiver.to_string())));
        }
        if header.sender != DeviceId::of_key(&code.upstream_key) {
            let error = Error::refused("courier-unknown-sender");
            return Err(place(error.with("device", header.sender.to_string())));
        }
        let mut answer: Option<Enrolled> = None;
        let mut opener = Opener::open(file, &header, &joiner.identity)?;
        opener.check(&code.upstream_key, |item| {
            if let (Item::Link(Message::Enrolled(enrolled)), None) = (item, &answer) {
                answer = Some(enrolled.clone());
            }
            Ok(())
        })?;
        joiner.enrolled(&answer.ok_or_else(|| place(Error::invalid("courier-no-enrolment")))?)?;
        let replica = joiner.replica().ok_or_else(|| Error::protocol("certificate-invalid"))?;
        // Its code is spent; one that stays behind is never read again.
        let _ = fs::remove_file(&path);
        let done = replica.courier_unpack(file)?;
        Ok((replica, done))
    }
}

/// Takes in the first file of a device that is not known yet.
pub(super) fn take_in(replica: &Replica, mut opener: Opener, header: &Header) -> Result<Unpacked> {
    let asked = match opener.next()? {
        Some(Item::Link(Message::Enrol(asked))) if DeviceId::of_key(&asked.public_key) == header.sender => asked,
        _ => return Err(Error::protocol("unexpected-message")),
    };
    opener.rewind()?;
    opener.check(&asked.public_key, |_| Ok(()))?;
    let enrolled = enrol(replica, &asked, &nonce(header))?;
    let device = replica
        .read(|conn| link_rows::device(conn, &header.sender))?
        .ok_or_else(|| Error::refused("unknown-device"))?;
    let mut memory = Above::load(replica, &device.id)?;
    memory.enrolled = Message::Enrolled(enrolled).encode();
    memory.store(replica, &device.id)?;
    unpack::up(replica, opener, &device)
}

// An enrolment signs a nonce of its connection; a file's key is as fresh.
fn nonce(header: &Header) -> Nonce {
    let mut nonce = Nonce::default();
    nonce.copy_from_slice(&header.ephemeral[..16]);
    nonce
}

fn pending(dir: &Path) -> PathBuf {
    dir.join(PENDING_FILE)
}

fn remember(dir: &Path, code: &InvitationCode) -> Result<()> {
    let path = pending(dir);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&path).and_then(|mut file| {
        file.write_all(code.encode().as_bytes())?;
        file.sync_all()
    });
    written.map_err(|e| file_fault(&e, &path))
}
