//! A line between two machines: real sessions at both ends, frames in flight between them.

use branchline_core::Error;
use branchline_core::replica::Environment as _;
use branchline_core::replica::link::{Downstream, Upstream};
use branchline_core::sync::{Input, Machine as _, downstream, upstream};
use branchline_core::time::Millis;
use branchline_core::wire::message::{Message, Nonce};

use super::Broken;
use super::plan::Class;
use super::world::World;
use crate::sim::line::Direction;
use crate::sim::pair::Half;

/// Longest frame that a session may send, with room for what stands around a batch.
const FRAME_BYTES_MAX: usize = 512 * 1024;

/// What is told of one frame.
const TOLD_CHARS_MAX: usize = 2_000;

/// A line, up or down.
pub(super) struct Link {
    pub(super) lower: usize,
    pub(super) upper: usize,
    pub(super) connection: Option<Connection>,
    /// A line that the lower end has given up and the upper end has not: it still delivers.
    pub(super) old: Option<Connection>,
    /// When to connect again.
    pub(super) again_at: Millis,
    /// Batches with changes and pushes that went over it.
    pub(super) carried: u64,
    /// How it last ended.
    pub(super) ended: String,
    /// How often it made way for another connection of the same device.
    replaced: u32,
}

pub(super) struct Connection {
    pub(super) down: Half<downstream::Session, Downstream>,
    pub(super) up: Half<upstream::Session, Upstream>,
    pub(super) upwards: Direction,
    pub(super) downwards: Direction,
}

impl Link {
    pub(super) fn new(lower: usize, upper: usize) -> Self {
        let ended = String::new();
        Self { lower, upper, connection: None, old: None, again_at: Millis(0), carried: 0, ended, replaced: 0 }
    }

    /// The line is gone, without a word.
    pub(super) fn drop_line(&mut self) {
        (self.connection, self.old, self.again_at) = (None, None, Millis(0));
    }

    pub(super) fn is_quiet(&self, lower_end: u64, upper_end: u64) -> bool {
        self.connection.as_ref().is_some_and(|c| {
            let still = c.upwards.next().is_none() && c.downwards.next().is_none();
            still && c.down.machine.quiet() && c.up.seen == upper_end && c.down.seen == lower_end
        })
    }

    pub(super) fn state(&self) -> String {
        match &self.connection {
            None => format!("not connected, last ended {}", self.ended),
            Some(c) => format!("quiet: {}, last ended {}", c.down.machine.quiet(), self.ended),
        }
    }
}

/// Which end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Lower,
    Upper,
}

impl World {
    /// Lets one line carry what is due.
    pub(super) fn carry(&mut self, at: usize) -> Result<(), Broken> {
        let (lower, upper) = (self.links[at].lower, self.links[at].upper);
        if self.is_paused(lower) || self.is_paused(upper) {
            return Ok(());
        }
        self.connect(at)?;
        let Some(mut c) = self.links[at].connection.take() else { return Ok(()) };
        let (low_now, up_now) = (self.nodes[lower].clock.now(), self.nodes[upper].clock.now());
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let ends = (self.end(lower)?, self.end(upper)?);
        if c.down.seen != ends.0 {
            c.down.seen = ends.0;
            up.extend(c.down.give(low_now, Input::Local));
        }
        if c.up.seen != ends.1 {
            c.up.seen = ends.1;
            down.extend(c.up.give(up_now, Input::Local));
        }
        let now = self.now();
        while let Some(frame) = c.upwards.receive(now) {
            self.received(at, Side::Upper, &frame);
            down.extend(c.up.give(up_now, Input::Frame(frame)));
            self.nodes[upper].dirty = true;
            self.look(upper)?;
        }
        while let Some(frame) = c.downwards.receive(now) {
            self.received(at, Side::Lower, &frame);
            up.extend(c.down.give(low_now, Input::Frame(frame)));
            self.nodes[lower].dirty = true;
            self.look(lower)?;
        }
        if low_now >= c.down.machine.timeout() {
            up.extend(c.down.give(low_now, Input::Timer));
        }
        if up_now >= c.up.machine.timeout() {
            down.extend(c.up.give(up_now, Input::Timer));
        }
        self.send(at, &mut c, up, down)?;
        c.down.events.clear();
        c.up.events.clear();
        self.end_or_keep(at, c)
    }

    fn end_or_keep(&mut self, at: usize, c: Connection) -> Result<(), Broken> {
        let ended = (c.down.end.is_some() && c.upwards.next().is_none())
            || (c.up.end.is_some() && c.downwards.next().is_none());
        if !ended {
            self.links[at].connection = Some(c);
            return Ok(());
        }
        let errors = [c.down.machine.error(), c.up.machine.error()];
        let why = format!("{:?} {:?} {:?}", c.down.end, c.up.end, errors);
        let final_error = errors.into_iter().flatten().find(|e| !e.retryable());
        let (lower, upper) = (self.links[at].lower, self.links[at].upper);
        let excused = final_error.is_none_or(|e| {
            (e.code() == "link_revoked" && self.has(Class::Revocation))
                || (e.code().starts_with("store_") && self.has(Class::Disk))
        });
        if !excused {
            return Err(format!("the link of {} and {} failed: {why}", self.name(lower), self.name(upper)));
        }
        // Two copies of a folder take turns: each waits longer than before until it has had its say.
        let replaced = why.contains("link_replaced");
        let wait = if replaced { 200 << self.links[at].replaced.min(6) } else { 200 };
        self.links[at].replaced += u32::from(replaced);
        self.links[at].ended = why;
        self.links[at].again_at = self.now().plus(wait + self.streams.history.below(wait as usize) as i64);
        // A failed store ends the process in practice or is asked again; here the next connection asks again.
        Ok(())
    }

    fn connect(&mut self, at: usize) -> Result<(), Broken> {
        let (lower, upper) = (self.links[at].lower, self.links[at].upper);
        if self.links[at].connection.is_some() || self.now() < self.links[at].again_at {
            return Ok(());
        }
        let network = &mut self.streams.network;
        let nonce: Nonce = std::array::from_fn(|i| (network.number() >> i) as u8);
        let (low_now, up_now) = (self.nodes[lower].clock.now(), self.nodes[upper].clock.now());
        let (low, up) = (self.nodes[lower].replica.clone(), self.nodes[upper].replica.clone());
        let ends = (self.end(lower)?, self.end(upper)?);
        let executor = match Downstream::new(low) {
            Ok(executor) => executor,
            Err(Error::Storage(_)) if self.has(Class::Disk) => {
                self.links[at].again_at = self.now().plus(200);
                return Ok(());
            }
            Err(e) => return Err(format!("{} has no upstream: {e}", self.name(lower))),
        };
        let mut c = Connection {
            down: Half::new(downstream::Session::new(low_now), executor, ends.0),
            up: Half::new(upstream::Session::new(up_now, nonce), Upstream::new(up, None), ends.1),
            upwards: Direction::default(),
            downwards: Direction::default(),
        };
        c.up.give(up_now, Input::Opened(nonce));
        let hello = c.down.give(low_now, Input::Opened(nonce));
        self.nodes[lower].dirty = true;
        self.send(at, &mut c, hello, Vec::new())?;
        self.links[at].connection = Some(c);
        Ok(())
    }

    fn send(&mut self, at: usize, c: &mut Connection, up: Vec<Vec<u8>>, down: Vec<Vec<u8>>) -> Result<(), Broken> {
        let now = self.now();
        for (frames, side) in [(up, Side::Lower), (down, Side::Upper)] {
            for frame in frames {
                if frame.len() > FRAME_BYTES_MAX {
                    return Err(format!("promise 11: a frame of {} bytes", frame.len()));
                }
                self.sent(at, side, &frame)?;
                self.trace.note((now.0, at, side, &frame));
                self.trace.tell(|| self.told(at, side, &frame));
                self.summary.frames += 1;
                let delay = 1 + self.streams.network.number() % self.rates.delay_ms_max;
                let line = if side == Side::Lower { &mut c.upwards } else { &mut c.downwards };
                line.send(now, delay, frame);
            }
        }
        Ok(())
    }

    // A frame in words.
    fn told(&self, at: usize, side: Side, frame: &[u8]) -> String {
        let (lower, upper) = (self.links[at].lower, self.links[at].upper);
        let (from, to) = if side == Side::Lower { (lower, upper) } else { (upper, lower) };
        let message = Message::decode(frame).map_or_else(|e| e.to_string(), |message| format!("{message:?}"));
        let message: String = message.chars().take(TOLD_CHARS_MAX).collect();
        format!("{} {} {from} to {} {to}: {message}", self.now().0, self.name(from), self.name(to))
    }

    // A revoked device gets nothing; what carries records is counted.
    fn sent(&mut self, at: usize, side: Side, frame: &[u8]) -> Result<(), Broken> {
        let carries = match Message::decode(frame) {
            Ok(Message::Batch(batch)) => !batch.changes.is_empty() || !batch.purge.is_empty(),
            Ok(Message::Push { .. }) => true,
            Ok(_) => false,
            Err(e) => return Err(format!("promise 12: a session sent what cannot be read: {e}")),
        };
        let lower = self.links[at].lower;
        if carries && side == Side::Upper && self.nodes[lower].cut_off {
            return Err(format!("promise 8: {} was revoked, and gets a batch", self.name(lower)));
        }
        self.links[at].carried += u64::from(carries);
        Ok(())
    }

    fn received(&mut self, at: usize, side: Side, frame: &[u8]) {
        self.trace.note((at, side, frame.len()));
    }

    // The end of a machine's log, looked up only after something may have been written.
    fn end(&mut self, node: usize) -> Result<u64, Broken> {
        self.look(node)?;
        Ok(self.nodes[node].eye.end)
    }
}
