//! A line between two sessions: frames in flight, delays, cuts at any byte.

use std::collections::VecDeque;

use branchline_core::time::Millis;

use super::random::Random;

/// What a line does to its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Delay of a frame, at most, in ms.
    pub delay_ms_max: u64,
    /// Chance per step that the line is cut, in per mille.
    pub cut_per_mille: u32,
    /// Chance per step that a second connection of the device opens beside a live one, in per mille.
    pub duplicate_per_mille: u32,
    /// Chance per step that one end's process dies between a commit and telling of it, in per mille.
    pub crash_per_mille: u32,
    /// Chance per step that somebody keeps a copy of a replica's folder, or puts the last one back, in per mille.
    pub set_back_per_mille: u32,
}

impl Faults {
    /// A line that only takes its time.
    pub const NONE: Faults = Faults {
        delay_ms_max: 40,
        cut_per_mille: 0,
        duplicate_per_mille: 0,
        crash_per_mille: 0,
        set_back_per_mille: 0,
    };

    /// Which classes of faults a seed switches on, and how strongly.
    pub fn drawn(random: &mut Random) -> Self {
        let mut class =
            |strongest: u32| if random.chance(500) { 1 + random.below(strongest as usize) as u32 } else { 0 };
        let (cut, duplicate, crash) = (class(60), class(20), class(20));
        Self {
            delay_ms_max: 1 + random.below(1_500) as u64,
            cut_per_mille: cut,
            duplicate_per_mille: duplicate,
            crash_per_mille: crash,
            set_back_per_mille: 0,
        }
    }

    /// The same, and folders that are put back as they once were.
    #[must_use]
    pub fn with_set_backs(self) -> Self {
        Self { set_back_per_mille: 30, ..self }
    }
}

/// One direction of a line.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    flying: VecDeque<(Millis, Vec<u8>)>,
}

impl Direction {
    /// Puts a frame on the line; frames never overtake each other.
    pub(crate) fn send(&mut self, now: Millis, delay_ms: u64, frame: Vec<u8>) {
        let earliest = self.flying.back().map_or(now, |(at, _)| *at);
        self.flying.push_back((now.plus(delay_ms as i64).max(earliest), frame));
    }

    /// The next frame that has arrived.
    pub(crate) fn receive(&mut self, now: Millis) -> Option<Vec<u8>> {
        if self.flying.front().is_some_and(|(at, _)| *at <= now) {
            self.flying.pop_front().map(|(_, f)| f)
        } else {
            None
        }
    }

    /// When the next frame arrives.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.flying.front().map(|(at, _)| *at)
    }

    /// The line breaks at some byte: of the frames in flight only the first few whole ones still arrive.
    pub(crate) fn cut(&mut self, random: &mut Random) -> Vec<Vec<u8>> {
        let bytes: usize = self.flying.iter().map(|(_, f)| f.len()).sum();
        let mut left = random.below(bytes + 1);
        let mut whole = Vec::new();
        for (_, frame) in self.flying.drain(..) {
            if frame.len() > left {
                break;
            }
            left -= frame.len();
            whole.push(frame);
        }
        whole
    }
}
