//! Coverage marks: the places of the core that a simulator must have come past, read from its sources.

use std::collections::BTreeMap;

use branchline_core::probe;

use crate::source::sources;

/// Every mark of the core, with how often this process came past it.
pub fn hits() -> BTreeMap<String, u64> {
    let mut marks: BTreeMap<String, u64> = BTreeMap::new();
    for source in sources(&["core/src"]).iter().filter(|s| s.path != "core/src/probe.rs") {
        marks.extend(names(&source.text, "mark!(").map(|name| (name, 0)));
    }
    for (name, hits) in probe::marks() {
        *marks.entry(name.to_owned()).or_default() += hits;
    }
    marks
}

/// Every mutant of the core.
pub fn mutants() -> Vec<String> {
    let all = sources(&["core/src"]);
    let mut mutants: Vec<String> = all
        .iter()
        .filter(|s| s.path != "core/src/probe.rs")
        .flat_map(|s| names(&s.text, "canary!(").collect::<Vec<_>>())
        .collect();
    mutants.sort();
    mutants.dedup();
    mutants
}

fn names<'t>(text: &'t str, call: &'t str) -> impl Iterator<Item = String> + 't {
    text.split(call).skip(1).filter_map(|rest| rest.strip_prefix('"')?.split('"').next().map(str::to_owned))
}
