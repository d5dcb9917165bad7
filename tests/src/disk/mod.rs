//! The real store on a disk that fails: power cuts at every write, full disks, failing ones, flipped bits.
//!
//! [`vfs`] stands between SQLite and the machine, [`medium`] keeps the journal, [`image`] makes of it what a disk may
//! hold after a power cut, [`scenario`] is the fixed piece of work, [`crash`] judges every image of it, [`upgrade`] those of
//! folders that an older program left, [`failing`] and [`rot`] play the other faults, both by [`workers`].

pub mod couple;
pub mod crash;
pub mod failing;
pub mod image;
pub mod medium;
pub mod rot;
pub mod scenario;
pub mod upgrade;
mod vfs;
mod workers;
