//! Enrolment by file: the first file of a new folder carries its invitation, the answer its certificate.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::code::InvitationCode;
use super::super::enrol::{Joiner, enrol};
use super::envelope::{self, Opener, Sealer};
use super::memory::Above;
use super::{Unpacked, unpack};
use crate::error::{Error, Result};
use crate::id::{DeviceId, WorkspaceId};
use crate::replica::{Environment, Folder, Replica};
use crate::schema::Schema;
use crate::store::{Home, link_rows};
use crate::wire::courier::{Header, Item, Up};
use crate::wire::message::{Enrolled, Message, Nonce};

/// Holds the invitation of a folder that waits for the answer to its enrolment.
const PENDING_FILE: &str = "joining";

impl Replica {
    /// Packs the enrolment of a folder into a new file; unpacking its answer makes the folder a replica. Gives
    /// the file's length in bytes.
    ///
    /// # Errors
    /// `replica_exists`, `courier_exists`; whatever the file system says.
    pub fn courier_join(
        folder: impl Into<Folder>,
        code: &InvitationCode,
        file: &Path,
        schema: Schema,
        env: Arc<dyn Environment>,
    ) -> Result<u64> {
        let folder = folder.into();
        let random = |bytes: &mut [u8]| env.fill_random(bytes);
        let joiner = Joiner::new(folder.clone(), code.clone(), schema, env.clone())?;
        let home = Home::prepare(&folder, &random)?;
        let sender = joiner.identity.device();
        let (mut sealer, header) = Sealer::create(file, WorkspaceId::default(), sender, &code.upstream_key, &*env)?;
        sealer.push(&Item::Link(Message::Enrol(joiner.greet(&nonce(&header)))))?;
        sealer.push(&Item::Up(Up::default()))?;
        sealer.finish(&joiner.identity, |_| home.write_secret(PENDING_FILE, code.encode().as_bytes(), &random))
    }

    /// Whether `dir` has packed its enrolment and waits for the answer.
    pub fn courier_joins(dir: &Path) -> bool {
        !crate::store::is_replica(dir) && dir.join(PENDING_FILE).is_file()
    }

    /// Makes a folder a replica with the answer to its enrolment, and takes in what else the file holds.
    ///
    /// # Errors
    /// As [`Replica::courier_unpack`]; the folder is no replica then. `certificate_invalid`.
    pub fn courier_joined(
        folder: impl Into<Folder>,
        file: &Path,
        schema: Schema,
        env: Arc<dyn Environment>,
    ) -> Result<(Self, Unpacked)> {
        let folder = folder.into();
        let waiting = Home::prepare(&folder, &|bytes| env.fill_random(bytes))?;
        let code = InvitationCode::parse(
            &waiting.read_secret(PENDING_FILE, |path| Error::corrupt("code-damaged").with("path", path))?,
        )?;
        let mut joiner = Joiner::new(folder, code.clone(), schema, env)?;
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
        let _ = fs::remove_file(waiting.dir.join(PENDING_FILE));
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
