//! The store's side of a link: what the sessions of [`sync`](crate::sync) ask for, carried out on a replica.
//!
//! [`Downstream`] answers the lower end's requests, [`Upstream`] the upper end's, [`Joiner`] those of a folder that is
//! no replica yet; a driver (`net`, the server, a simulator) moves requests and answers between them and a session.
//! Enrolment, certificates, invitations and positions live here; bytes on the wire do not, and neither do sockets.
//!
//! Invariants: a batch and its position commit together; an acknowledgement is composed from a commit that is on disk;
//! what a downstream may hold is judged from its device record at the moment of sending; what is refused is kept.

mod batch;
mod bench;
mod certificate;
mod code;
mod compare;
mod courier;
mod devices;
mod downstream;
mod enrol;
mod gone;
mod ingest;
mod invite;
mod seed;
mod state;
#[cfg(test)]
mod tests;
mod upstream;

pub use certificate::Certificate;
pub use code::{InvitationCode, Trust};
pub use courier::{Note, Packed, Unpacked};
pub use devices::DownstreamInfo;
pub use downstream::Downstream;
pub use enrol::Joiner;
pub use invite::{Invitation, Invited};
pub use seed::{OfferedSeed, Seed, SeedPart};
pub use state::LinkCounters;
pub use upstream::Upstream;

use super::{Person, Replica, rights};
use crate::access::{Grants, Role};
use crate::error::Result;
use crate::id::{DeviceId, RecordId};
use crate::store::{Committed, Opened, Origin, Writer};
use crate::time::Millis;

impl Replica {
    /// This replica's id.
    pub fn device(&self) -> DeviceId {
        self.identity().device()
    }

    /// The local clock, corrected by what the upstream last said.
    pub fn corrected_now(&self) -> Millis {
        self.inner.now()
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&Opened) -> Result<T>) -> Result<T> {
        self.inner.read(|view| work(view.conn))
    }

    fn write<T>(&self, origin: Origin, work: impl FnOnce(&mut Writer<'_>) -> Result<T>) -> Result<(T, Committed)> {
        self.inner.write(origin, work)
    }

    /// Takes a record out without a word, as a fault of the machine might: nobody notices before something comes that follows
    /// it, or before the next audit. For simulations.
    ///
    /// # Errors
    /// Whatever SQLite says.
    #[cfg(feature = "canary")]
    pub fn lose(&self, record: &RecordId) -> Result<()> {
        self.write(Origin::Upstream, |writer| writer.purge(record)).map(|_| ())
    }

    // Writes rows beside the log.
    pub(super) fn note<T>(&self, work: impl FnOnce(&Opened) -> Result<T>) -> Result<T> {
        let noted = self.inner.write(Origin::Local, |writer| {
            writer.mark_dirty();
            work(writer.connection())
        });
        noted.map(|(value, _)| value)
    }

    fn role_named(&self, name: &str) -> Result<Role> {
        self.inner.read(|view| rights::role(view, name))
    }

    // What this replica's person may do here, and hold.
    fn own_grants(&self) -> Result<Grants> {
        self.inner.read(|view| rights::grants(view, &rights::person(view)?))
    }

    fn person_named(&self, text: &str) -> Result<Person> {
        let id = self.find("user", text)?;
        self.person(&id)
    }

    fn person(&self, id: &RecordId) -> Result<Person> {
        let user = self.record("user", id)?;
        Ok(Person {
            id: *id,
            name: user.text("name").to_owned(),
            role: user.text("role").to_owned(),
            home_branch: user.reference("home_branch"),
        })
    }

    fn random_u32(&self) -> u32 {
        let mut bytes = [0; 4];
        self.environment().fill_random(&mut bytes);
        u32::from_le_bytes(bytes)
    }
}
