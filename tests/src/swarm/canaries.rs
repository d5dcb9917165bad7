//! Mutants of the core, each of which some rung must catch within its budget: a simulator that catches none proves
//! nothing.

use std::path::Path;

use branchline_core::probe;

use super::base::Base;
use super::search::{Search, play, search};
use crate::disk::couple::{Couple, guarded};
use crate::disk::{crash, failing, rot, scenario, upgrade};
use crate::network;

/// Where a mutant is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// Seeds of the tree in virtual time.
    Sim,
    /// Power cuts in the scenario.
    Crash,
    /// Writes, syncs and reads that fail.
    Failing,
    /// Damaged folders.
    Rot,
    /// Seeds of the simulated network.
    Network,
}

impl Rung {
    /// The name of its command.
    pub fn name(self) -> &'static str {
        match self {
            Rung::Sim => "sim",
            Rung::Crash => "crash",
            Rung::Failing => "failing",
            Rung::Rot => "rot",
            Rung::Network => "network",
        }
    }

    /// Seeds, images or runs within which a mutant must be caught.
    pub fn budget(self) -> u64 {
        match self {
            Rung::Sim => 400,
            Rung::Crash => 3_000,
            Rung::Failing => 400,
            Rung::Rot => 600,
            Rung::Network => 60,
        }
    }
}

/// The mutants, what is wrong with each, and the rung that must tell.
pub const CANARIES: &[(&str, &str, Rung)] = &[
    ("acknowledge_before_durable", "a push is answered and its commit rolled back", Rung::Sim),
    ("apply_without_cursor", "a batch commits without its position", Rung::Sim),
    ("commit_without_sync", "a commit returns before its sync", Rung::Crash),
    ("drop_outbox_row", "an acknowledgement takes one row too many from the outbox", Rung::Sim),
    ("edits_without_outbox", "later changes of an actor never enter the outbox", Rung::Sim),
    ("enter_without_the_past", "a record that enters a scope goes down without its earlier changes", Rung::Sim),
    ("feed_nothing_new", "changes after the position are skipped", Rung::Sim),
    ("file_without_sync", "a key or database gets its name before its bytes are durable", Rung::Crash),
    ("first_come_wins", "concurrent values are shown in the order in which they came", Rung::Sim),
    ("forget_a_pending_dependency", "what a change follows is missing, and nobody asks for it", Rung::Sim),
    ("forget_a_binding", "the hub takes a change without keeping who wrote it", Rung::Sim),
    ("forget_a_revocation", "a revoked device is served as before", Rung::Sim),
    ("forget_rolling_hash", "the log's rolling hash stands still", Rung::Sim),
    ("give_nothing_back", "whose record has left hears no more of what is refused further up", Rung::Sim),
    ("half_a_transaction", "the upstream keeps the first change of a transaction alone", Rung::Sim),
    ("ignore_a_failed_commit", "a commit that failed counts as done", Rung::Failing),
    ("ignore_a_retraction", "what the upstream took back stays below", Rung::Sim),
    ("ignore_new_grants", "a new or lost scope opens no pass", Rung::Sim),
    ("keep_actor_after_a_failure", "an actor goes on after its change was not kept", Rung::Failing),
    ("keep_what_left", "a record that left a scope is not purged below", Rung::Sim),
    ("key_by_chance", "a record with a key gets a random id", Rung::Sim),
    ("migrate_in_pieces", "each statement of a migration commits by itself", Rung::Crash),
    ("name_without_sync", "a folder is not synced after a rename", Rung::Crash),
    ("order_by_wall_clock", "an edit may be older than what it edits", Rung::Sim),
    ("overlook_a_rollback", "an upstream that was set back takes every downstream for one that begins", Rung::Sim),
    ("pack_one_too_few", "a history is packed without one of its changes", Rung::Crash),
    ("project_nothing", "an edit does not reach the projection", Rung::Sim),
    ("purge_before_delivery", "a record leaves with what was typed on it and not delivered", Rung::Sim),
    ("reuse_actor_after_restart", "a new process writes under the old one's actor", Rung::Sim),
    ("review_nothing", "the upstream keeps nothing of what it refused", Rung::Sim),
    ("search_nothing_new", "an edit does not reach the full-text index", Rung::Sim),
    ("skip_a_scope_check", "a feed ignores scopes", Rung::Sim),
    ("take_a_copy_for_its_original", "a copied or restored folder counts as the one that was there before", Rung::Sim),
    ("take_in_from_the_revoked", "what a revoked device brings is not put to review", Rung::Sim),
    ("throw_away_what_is_refused", "the sender keeps nothing of what was refused", Rung::Sim),
    ("trust_a_claimed_hash", "a change's own checksum is believed", Rung::Rot),
    ("wait_for_answers_for_ever", "a line that owes an answer is believed as long as an idle one", Rung::Network),
    ("write_after_damage", "writing goes on after damage was seen", Rung::Rot),
    ("write_nothing_again", "what followed a refused change is not written again", Rung::Sim),
];

/// The first seed that mutants are looked for with.
const FIRST: u64 = 1_000;

/// What became of a mutant.
#[derive(Debug, Clone)]
pub struct Caught {
    /// Its name.
    pub name: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
    /// Where it was looked for.
    pub rung: Rung,
    /// The oracle that told and how many seeds, images or runs it took; none: it lives.
    pub by: Option<(String, u64)>,
}

/// Looks for every mutant, or those named, below `root`. `told` hears of each.
pub fn hunt(only: &[String], threads: usize, root: &Path, told: &mut dyn FnMut(&Caught)) -> Vec<Caught> {
    let base = Base::new(root);
    let couple = Couple::new(root);
    let wanted = CANARIES.iter().filter(|(name, ..)| only.is_empty() || only.iter().any(|o| o == name));
    wanted
        .map(|(name, what, rung)| {
            probe::choose(Some(name));
            let by = match rung {
                Rung::Sim => by_seeds(name, &base, threads, root),
                Rung::Crash => by_crashes(threads, root),
                Rung::Failing => {
                    let report = failing::play(&couple, root, 5, threads, 1, &|| {});
                    report.failures.into_iter().next().map(|failure| (oracle(&failure), report.runs))
                }
                Rung::Rot => {
                    let report = rot::play(&couple, root, 0, rung.budget(), threads, 1, &|| {});
                    report.failures.into_iter().next().map(|failure| (oracle(&failure), report.runs))
                }
                Rung::Network => {
                    let plan = network::Search {
                        first: FIRST,
                        runs: rung.budget(),
                        until: None,
                        twice: false,
                        failures_max: 1,
                    };
                    let report = network::search(plan, &base, root, &|_| {});
                    let failure = report.failures.into_iter().min_by_key(|(seed, _)| *seed);
                    failure.map(|(seed, broken)| (oracle(&broken), seed - FIRST + 1))
                }
            };
            probe::choose(None);
            let caught = Caught { name, what, rung: *rung, by };
            told(&caught);
            caught
        })
        .collect()
}

// A seed that fails without the mutant, too, says nothing on it.
fn by_seeds(name: &str, base: &Base, threads: usize, root: &Path) -> Option<(String, u64)> {
    let end = FIRST + Rung::Sim.budget();
    let mut first = FIRST;
    while first < end {
        let plan = Search { first, runs: end - first, until: None, threads, twice: false, failures_max: 1 };
        // Every seed before the first failing one has been played to its end.
        let found = search(plan, base, root, &|_| {});
        let failure = found.failures.into_iter().min_by_key(|failure| failure.plan.seed)?;
        probe::choose(None);
        let holds = play(&failure.plan, base, &root.join("without")).is_ok();
        probe::choose(Some(name));
        if holds {
            return Some((oracle(&failure.broken), failure.plan.seed - FIRST + 1));
        }
        first = failure.plan.seed + 1;
    }
    None
}

fn by_crashes(threads: usize, root: &Path) -> Option<(String, u64)> {
    let plan = crash::Plan { seed: 0, stride: 5, throws: 1, threads, failures_max: 1 };
    let _ = std::fs::remove_dir_all(root.join("upgrades"));
    let upgrades = guarded(|| Ok(upgrade::play(&root.join("upgrades"))));
    let Ok(upgrades) = upgrades else { return Some(("an upgrade itself".to_owned(), 1)) };
    let upgraded = upgrade::judge(&upgrades, plan, root, &|| {});
    if let Some(failure) = upgraded.failures.first() {
        return Some((oracle(failure), upgraded.images));
    }
    let _ = std::fs::remove_dir_all(root.join("scenario"));
    let played = guarded(|| Ok(scenario::play(&root.join("scenario"))));
    let Ok(played) = played else { return Some(("the scenario itself".to_owned(), 1)) };
    let report = crash::judge(&played, plan, root, &|| {});
    let failure = report.failures.into_iter().next()?;
    Some((oracle(&failure), upgraded.images + report.images))
}

// The promise that a report names.
fn oracle(broken: &str) -> String {
    match broken.find("promise") {
        Some(at) => broken[at..].split(':').next().unwrap_or_default().to_owned(),
        None if broken.contains("does not open") => "an image that does not open".to_owned(),
        None if broken.contains("no replica") || broken.contains("key") => "a folder that is half made".to_owned(),
        None if broken.contains("not sound") => "`verify`".to_owned(),
        None => "a link or command that failed".to_owned(),
    }
}
