//! What goes wrong between the things that people do.

use branchline_core::replica::Environment as _;
use branchline_core::sync::Input;
use branchline_core::time::Millis;

use super::Broken;
use super::plan::{Class, Plan};
use super::world::World;
use crate::disk::medium::Faults;
use crate::sim::Random;

/// How often faults strike, in per mille of steps, for the classes that are on.
pub(super) struct Rates {
    pub(super) delay_ms_max: u64,
    cut: u32,
    reply_lost: u32,
    duplicate: u32,
    storm: u32,
    crash: u32,
    pause: u32,
    clocks: u32,
    disk: u32,
    pub(super) restored: u32,
    pub(super) cloned: u32,
    pub(super) lost: u32,
}

impl Rates {
    pub(super) fn drawn(plan: &Plan) -> Self {
        let mut random = Random::new(plan.seed, "rates");
        let mut rate = |class, strongest: usize| {
            let drawn = 1 + random.below(strongest) as u32;
            if plan.has(class) { drawn } else { 0 }
        };
        Self {
            delay_ms_max: if plan.has(Class::Delay) { 1_500 } else { 40 },
            cut: rate(Class::Cut, 120),
            reply_lost: rate(Class::ReplyLost, 80),
            duplicate: rate(Class::Duplicate, 60),
            storm: rate(Class::Storm, 20),
            crash: rate(Class::Crash, 30),
            pause: rate(Class::Pause, 40),
            clocks: rate(Class::Clocks, 60),
            disk: rate(Class::Disk, 60),
            restored: rate(Class::Restored, 80),
            cloned: rate(Class::Cloned, 30),
            lost: rate(Class::Lost, 40),
        }
    }
}

const YEAR_MS: i64 = 365 * 86_400_000;

impl World {
    /// The faults stop; what was broken stays so, but nothing more breaks.
    pub(super) fn calm(&mut self) {
        self.rates = Rates {
            delay_ms_max: 40,
            cut: 0,
            reply_lost: 0,
            duplicate: 0,
            storm: 0,
            crash: 0,
            pause: 0,
            clocks: 0,
            disk: 0,
            restored: 0,
            cloned: 0,
            lost: 0,
        };
        for node in &mut self.nodes {
            node.disk.fail(Faults::default());
            node.paused_until = Millis(0);
            node.dirty = true;
        }
    }

    /// Whatever goes wrong in this step.
    pub(super) fn fail(&mut self) -> Result<(), Broken> {
        for at in 0..self.links.len() {
            if self.strikes(self.rates.cut) {
                self.cut(at)?;
            }
            if self.strikes(self.rates.reply_lost) {
                self.lose_reply(at)?;
            }
            if self.strikes(self.rates.duplicate) {
                self.connect_beside(at);
            }
            self.deliver_old(at)?;
        }
        if self.strikes(self.rates.storm) {
            self.links.iter_mut().for_each(super::link::Link::drop_line);
        }
        for node in 0..self.nodes.len() {
            if self.strikes(self.rates.crash) {
                self.crash(node)?;
            }
            if self.strikes(self.rates.pause) {
                let ms = 1 + self.streams.network.below(20_000) as i64;
                self.nodes[node].paused_until = self.now().plus(ms);
            }
            self.disturb_clock(node);
            self.disturb_disk(node);
        }
        self.disturb_histories()
    }

    fn strikes(&mut self, per_mille: u32) -> bool {
        // Drawn also where the class is off, so that leaving one out does not shift the others.
        let strikes = self.streams.network.chance(per_mille);
        self.summary.faults += u64::from(strikes);
        strikes
    }

    // Whole frames before the cut still arrive, a part of one does not.
    fn cut(&mut self, at: usize) -> Result<(), Broken> {
        let Some(mut c) = self.links[at].connection.take() else { return Ok(()) };
        let (lower, upper) = (self.links[at].lower, self.links[at].upper);
        let (low_now, up_now) = (self.nodes[lower].clock.now(), self.nodes[upper].clock.now());
        for frame in c.upwards.cut(&mut self.streams.network) {
            c.up.give(up_now, Input::Frame(frame));
        }
        for frame in c.downwards.cut(&mut self.streams.network) {
            c.down.give(low_now, Input::Frame(frame));
        }
        self.nodes[lower].dirty = true;
        self.nodes[upper].dirty = true;
        self.links[at].again_at = self.now().plus(1 + self.streams.network.below(3_000) as i64);
        Ok(())
    }

    // One end takes in everything that is on its way, and nothing of what it answers arrives.
    fn lose_reply(&mut self, at: usize) -> Result<(), Broken> {
        let Some(mut c) = self.links[at].connection.take() else { return Ok(()) };
        let (lower, upper) = (self.links[at].lower, self.links[at].upper);
        let far = self.now().plus(3_600_000);
        let at_upper = self.streams.network.chance(600);
        let node = if at_upper { upper } else { lower };
        let now = self.nodes[node].clock.now();
        if at_upper {
            while let Some(frame) = c.upwards.receive(far) {
                c.up.give(now, Input::Frame(frame));
            }
        } else {
            while let Some(frame) = c.downwards.receive(far) {
                c.down.give(now, Input::Frame(frame));
            }
        }
        self.nodes[node].dirty = true;
        self.links[at].again_at = self.now().plus(1 + self.streams.network.below(500) as i64);
        Ok(())
    }

    // The old socket has not noticed yet when the device connects again.
    fn connect_beside(&mut self, at: usize) {
        if let Some(c) = self.links[at].connection.take() {
            self.links[at].old = Some(c);
            self.links[at].again_at = self.now();
        }
    }

    // What was on its way over a line that only its upper end still believes in; it goes when it has delivered.
    fn deliver_old(&mut self, at: usize) -> Result<(), Broken> {
        let goes_on = self.streams.network.chance(500);
        let Some(mut old) = self.links[at].old.take() else { return Ok(()) };
        let upper = self.links[at].upper;
        let (now, up_now) = (self.now(), self.nodes[upper].clock.now());
        while let Some(frame) = old.upwards.receive(now) {
            old.up.give(up_now, Input::Frame(frame));
            self.nodes[upper].dirty = true;
        }
        if goes_on && old.upwards.next().is_some() && old.up.end.is_none() {
            self.links[at].old = Some(old);
        }
        self.look(upper)
    }

    // What the process had committed stays, what it had not said is never said.
    fn crash(&mut self, node: usize) -> Result<(), Broken> {
        for at in 0..self.links.len() {
            if self.links[at].lower == node || self.links[at].upper == node {
                if self.streams.network.chance(500) {
                    self.lose_reply(at)?;
                }
                self.links[at].drop_line();
                self.links[at].again_at = self.now().plus(1 + self.streams.network.below(1_000) as i64);
            }
        }
        self.nodes[node].disk.fail(Faults::default());
        self.reopen(node)
    }

    fn disturb_clock(&mut self, node: usize) {
        let random = &mut self.streams.clocks;
        let strikes = random.chance(self.rates.clocks);
        let (kind, years, step) = (random.below(4), random.below(40) as i64, random.below(7_200_000) as i64);
        if !strikes {
            return;
        }
        let clock = &self.nodes[node].clock;
        match kind {
            0 => clock.set_off((years - 20) * YEAR_MS),
            1 => clock.set_off(step - 3_600_000),
            2 => clock.stand(),
            _ => clock.set_off(0),
        }
        self.summary.faults += 1;
    }

    fn disturb_disk(&mut self, node: usize) {
        let random = &mut self.streams.disk;
        let strikes = random.chance(self.rates.disk);
        let (heals, kind, at) = (random.chance(400), random.below(3), 1 + random.below(60) as u64);
        let disk = &self.nodes[node].disk;
        if strikes {
            disk.fail(match kind {
                0 => Faults { full_after: Some(at), ..Faults::default() },
                1 => Faults { write_fails_at: Some(at), ..Faults::default() },
                _ => Faults { read_fails_at: Some(at), ..Faults::default() },
            });
            self.summary.faults += 1;
        } else if heals && self.rates.disk > 0 {
            disk.fail(Faults::default());
        }
    }
}
