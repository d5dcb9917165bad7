//! What a seed plays: which part of the tree, which classes of faults, how long.

use std::collections::BTreeSet;

use super::base::{NODES, UPPER};
use crate::sim::Random;

/// A class of faults that a seed switches on as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Frames take up to seconds.
    Delay,
    /// Lines break at any byte.
    Cut,
    /// A frame is taken in, and what it was answered with is lost.
    ReplyLost,
    /// A device connects again beside a line that still delivers.
    Duplicate,
    /// Everybody connects again at once.
    Storm,
    /// Processes die between a commit and telling of it.
    Crash,
    /// A machine stands still for a while.
    Pause,
    /// Clocks are off by years, step, stand.
    Clocks,
    /// A device is revoked.
    Revocation,
    /// Records move between scopes, grants grow and shrink.
    Scopes,
    /// Rights change while people are away, so that what they type is refused.
    Refusal,
    /// Writes fail and disks are full.
    Disk,
    /// A folder comes back as it once was, of the hub, a branch or a device.
    Restored,
    /// A device's folder is copied, and both run.
    Cloned,
    /// A device loses a record and does not notice.
    Lost,
}

impl Class {
    /// Every class, with the name that the command line uses.
    pub const ALL: [(Class, &'static str); 15] = [
        (Class::Delay, "delay"),
        (Class::Cut, "cut"),
        (Class::ReplyLost, "reply-lost"),
        (Class::Duplicate, "duplicate"),
        (Class::Storm, "storm"),
        (Class::Crash, "crash"),
        (Class::Pause, "pause"),
        (Class::Clocks, "clocks"),
        (Class::Revocation, "revocation"),
        (Class::Scopes, "scopes"),
        (Class::Refusal, "refusal"),
        (Class::Disk, "disk"),
        (Class::Restored, "restored"),
        (Class::Cloned, "cloned"),
        (Class::Lost, "lost"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Class::ALL.iter().find(|(class, _)| *class == self).map_or("", |(_, name)| name)
    }

    /// The class of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Class::ALL.iter().find(|(_, known)| *known == name).map(|(class, _)| *class)
    }

    // Histories that go wrong make a world of their own: they are drawn apart from the others, and seldom.
    fn is_of_histories(self) -> bool {
        matches!(self, Class::Restored | Class::Cloned | Class::Lost)
    }
}

/// What to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Decides everything that is not fixed here.
    pub seed: u64,
    /// Classes of faults that are on.
    pub classes: BTreeSet<Class>,
    /// Places of the machines that take part.
    pub nodes: BTreeSet<usize>,
    /// Things that people do.
    pub operations: u64,
    /// Of these, the ones that are left out.
    pub without: BTreeSet<u64>,
    /// Prints what happens while it is played.
    pub tells: bool,
}

impl Plan {
    /// What a seed draws.
    pub fn drawn(seed: u64) -> Self {
        let mut random = Random::new(seed, "plan");
        let quiet = random.chance(30);
        let all = || Class::ALL.iter().map(|(class, _)| *class);
        let rate = [200, 350, 500][random.below(3)];
        let mut classes: BTreeSet<Class> =
            all().filter(|class| !class.is_of_histories()).filter(|_| random.chance(rate) && !quiet).collect();
        let mut histories = Random::new(seed, "histories");
        classes.extend(all().filter(|class| class.is_of_histories()).filter(|_| histories.chance(150) && !quiet));
        if classes.contains(&Class::Restored) {
            // An upstream that was set back has forgotten whom it revoked, and what was lost below is nowhere else.
            classes.retain(|class| !matches!(class, Class::Revocation | Class::Lost));
        }
        let everybody = random.chance(120);
        let mut nodes = BTreeSet::from([0]);
        for (at, upper) in UPPER.into_iter().enumerate() {
            let wanted = if upper == Some(0) { 650 } else { 450 };
            if upper.is_some_and(|upper| nodes.contains(&upper)) && (everybody || random.chance(wanted)) {
                nodes.insert(at);
            }
        }
        if nodes.len() < 3 {
            nodes.extend([1, 3]);
        }
        let operations = 12 + random.below(36) as u64;
        Self { seed, classes, nodes, operations, without: BTreeSet::new(), tells: false }
    }

    /// Whether a class is on.
    pub fn has(&self, class: Class) -> bool {
        self.classes.contains(&class)
    }

    /// The command that plays it again.
    pub fn command(&self) -> String {
        let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(",") };
        let classes = list(self.classes.iter().map(|class| class.name().to_owned()).collect());
        let nodes = list(self.nodes.iter().map(|at| NODES[*at].to_owned()).collect());
        let mut command = format!(
            "swarm sim --seed {} --classes {classes} --nodes {nodes} --operations {}",
            self.seed, self.operations
        );
        if !self.without.is_empty() {
            command += &format!(" --without {}", list(self.without.iter().map(u64::to_string).collect()));
        }
        command
    }
}
