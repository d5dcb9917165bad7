//! `kill -9` at moments of everything: what was committed stays, what was acknowledged is at the hub, and work goes on.
//!
//! The moments are chosen by progress, not by time: a process dies once its log has grown past a mark.

use std::path::Path;
use std::time::{Duration, Instant};

use branchline_tests::process::{Node, Running};
use rusqlite::{Connection, OpenFlags};

use crate::company::{Company, Facts, OFFICES, funnel, held, owned, reported};

/// Longest that a mark may take to be reached.
const MARK_SECONDS_MAX: u64 = 120;

/// Changes in a replica's log, read as any SQLite tool would; zero before there is one.
fn log_rows(dir: &Path) -> u64 {
    let file = dir.join("branchline.db");
    let count = || -> rusqlite::Result<i64> {
        let db = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(Duration::from_secs(5))?;
        db.query_row("SELECT count(*) FROM log", [], |row| row.get::<_, i64>(0))
    };
    count().unwrap_or(0) as u64
}

/// Waits until the log in `dir` holds `rows` or the process has ended by itself.
fn reach(running: &mut Running, dir: &Path, rows: u64) {
    let deadline = Instant::now() + Duration::from_secs(MARK_SECONDS_MAX);
    while !running.ended() && log_rows(dir) < rows {
        assert!(Instant::now() < deadline, "the log does not grow to {rows} rows");
        std::thread::yield_now();
    }
}

/// The folder is sound and holds at least what was seen committed before.
fn assert_kept(node: &Node, committed: u64) {
    let verified = node.run(["verify"]);
    assert_eq!(verified.code, 0, "{verified:#?}");
    assert!(log_rows(node.dir()) >= committed, "{} of {committed} changes", log_rows(node.dir()));
}

#[test]
fn an_import_that_is_killed_goes_on_where_it_was() {
    let facts = Facts::read();
    let mut company = Company::founded();
    company.import_catalogue(&company.hub);
    company.sync_all();
    company.hub.kill();
    let office = "West";
    let node = &company.offices[office];
    let file = facts.office_file(office, company.home.path());
    let map = company.home.path().join("deals.toml");
    let arguments = ["import", file.to_str().unwrap(), "--collection", "opportunity", "--map", map.to_str().unwrap()];

    let mut killed = 0;
    let before = log_rows(node.dir());
    for share in [1, 4, 9] {
        let mut running = node.start(arguments);
        reach(&mut running, node.dir(), before + share * facts.of_office(office).count() as u64 / 10);
        let committed = log_rows(node.dir());
        killed += usize::from(running.kill().code == -1);
        assert_kept(node, committed);
    }
    assert!(killed > 0, "no import was cut off: the marks came too late");
    company.import(node, "deals", &file);
    assert_eq!(reported(node, None), owned(funnel(facts.of_office(office))), "each deal once");
}

#[test]
fn killing_both_ends_of_a_link_loses_nothing() {
    let facts = Facts::read();
    let mut company = Company::founded();
    company.import_catalogue(&company.hub);
    company.sync_all();
    for office in OFFICES {
        company.import(&company.offices[office], "deals", &facts.office_file(office, company.home.path()));
    }
    let hub_dir = company.hub.dir().to_owned();
    for (round, office) in OFFICES.iter().cycle().take(6).enumerate() {
        let node = &company.offices[*office];
        let mark = log_rows(&hub_dir) + 300;
        let mut running = node.start(["sync", "--deadline", "120s"]);
        reach(&mut running, &hub_dir, mark);
        if round % 2 == 0 {
            let outcome = {
                company.hub.kill();
                running.wait()
            };
            assert!([0, 4].contains(&outcome.code), "{outcome:#?}");
            assert_kept(&company.hub, mark.min(log_rows(&hub_dir)));
        } else {
            running.kill();
        }
        let node = &company.offices[*office];
        assert_kept(node, 0);
        // What no longer waits at the office was acknowledged, so it is at the hub, whoever died.
        let waiting = node.json(["status"])["outbox"].as_u64().unwrap();
        let own = facts.of_office(office).count() as u64;
        let arrived: u64 = reported(&company.hub, Some(office)).values().map(|(count, _)| count).sum();
        assert!(arrived + waiting >= own, "{office}: {arrived} arrived, {waiting} wait, {own} in all");
        company.hub.serve();
    }
    company.sync_all();
    for office in OFFICES {
        assert_eq!(reported(&company.hub, Some(office)), owned(funnel(facts.of_office(office))), "{office}");
    }
    assert_eq!(held(&company.hub, "opportunity"), 8_800);
}

#[test]
fn a_joining_office_that_is_killed_joins_when_asked_again() {
    let mut company = Company::founded();
    company.import_catalogue(&company.hub);
    company.import_pipeline(&company.hub);
    company.hub.serve();
    let invitation = company.hub.json(["invite", "--as", "branch", "--name", "north", "--scope", "workspace"]);
    let node = Node::new(company.home.path(), "north");
    let mut running = node.start(["join", invitation["code"].as_str().unwrap()]);
    reach(&mut running, node.dir(), 2_000);
    let committed = log_rows(node.dir());
    running.kill();
    assert_kept(&node, committed);
    let answer = node.json(["sync", "--deadline", "120s"]);
    assert!(answer["pulled"].as_u64().unwrap() > 0, "the first sync goes on: {answer}");
    assert_eq!(held(&node, "opportunity"), 8_800);
}
