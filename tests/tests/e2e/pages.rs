//! The tutorial, the drills and the pages of the languages, run as they are written: every `sh` block in order, servers in
//! the background as in a second terminal.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use branchline_tests::checkout;
use branchline_tests::process::{Server, home, shell};

enum Step {
    Run(String),
    Serve(String),
    Stop,
}

fn steps(page: &str) -> Vec<Step> {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut steps = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let block = |lines: &mut std::str::Lines<'_>| -> String {
            lines.take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect()
        };
        match line {
            "```sh" => steps.push(Step::Run(block(&mut lines))),
            "```sh,root" if is_root => steps.push(Step::Run(block(&mut lines))),
            "```sh,root" => eprintln!("LEFT OUT: for root only:\n{}", block(&mut lines)),
            "```sh,server" => steps.push(Step::Serve(block(&mut lines))),
            "<!-- stop -->" => steps.push(Step::Stop),
            // Shown, not run: the files of which they are parts run.
            "```kotlin" | "```python" | "```xml" | "```sh,ignore" => drop(block(&mut lines)),
            other => assert!(!other.starts_with("```"), "{other}"),
        }
    }
    steps
}

/// The clock of a machine, off by so many seconds.
const CLOCK: &str = r#"
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t which, struct timespec *at) {
    int done = syscall(SYS_clock_gettime, which, at);
    const char *off = getenv("CLOCK_OFF_S");
    if (done == 0 && which == CLOCK_REALTIME && off) at->tv_sec += atol(off);
    return done;
}
"#;

// `clock DATE COMMAND`, which stands for a machine whose clock shows that date.
fn install_clock(folder: &Path) {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("clock.c"), CLOCK).unwrap();
    let (library, script) = (bin.join("clock.so"), bin.join("clock"));
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(bin.join("clock.c")).status();
    assert!(built.unwrap().success());
    let off = "export CLOCK_OFF_S=$(($(date -d \"$1\" +%s) - $(date +%s)))";
    let text = format!("#!/bin/bash\n{off}\nshift\nexport LD_PRELOAD={}\nexec \"$@\"\n", library.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs the blocks of a text in a folder; gives how many there were.
fn run(folder: &Path, text: &str) -> usize {
    let mut server: Option<Server> = None;
    let steps = steps(text);
    let count = steps.len();
    for step in steps {
        match step {
            Step::Run(script) => {
                let done = shell(folder, &script).output().unwrap();
                let said = [done.stdout, done.stderr].concat();
                assert!(done.status.success(), "{script}\n{}", String::from_utf8_lossy(&said));
            }
            Step::Serve(script) => {
                server = Some(Server::start(shell(folder, &format!("exec {script}"))).expect("it listens"))
            }
            Step::Stop => {
                server.take().expect("a server to stop").interrupt();
            }
        }
    }
    count
}

#[test]
fn each_drill_runs_as_it_is_written() {
    let page = std::fs::read_to_string(checkout().join("docs/src/drills.md")).unwrap();
    let drills: Vec<&str> = page.split("\n## ").skip(1).collect();
    assert_eq!(drills.len(), 7);
    for drill in drills {
        let home = home();
        install_clock(home.path());
        run(home.path(), drill);
    }
}

#[test]
fn the_tutorial_runs_as_it_is_written() {
    let page = std::fs::read_to_string(checkout().join("docs/src/tutorial.md")).unwrap();
    let home = home();
    assert!(run(home.path(), &page) > 10);
    let made = |name: &str| -> PathBuf { home.path().join(name) };
    let funnel = std::fs::read_to_string(made("funnel.svg")).unwrap();
    assert!(funnel.starts_with("<svg") || funnel.starts_with("<?xml"), "{funnel}");
    let deals = std::fs::read_to_string(made("deals.csv")).unwrap();
    assert!(deals.contains("Winter order") && deals.contains("1250.50"), "{deals}");
}

#[test]
fn the_page_of_the_api_holds_as_written() {
    let page = std::fs::read_to_string(checkout().join("docs/src/api.md")).unwrap();
    let home = home();
    assert_eq!(run(home.path(), &page), 6);
}

#[test]
#[ignore = "it needs a JDK and Maven: tests/run kotlin"]
fn the_kotlin_page_runs_as_it_is_written() {
    a_language("kotlin");
}

#[test]
#[ignore = "it needs packages of Python: tests/run python"]
fn the_python_page_runs_as_it_is_written() {
    a_language("python");
}

// What they do, the pages ask for themselves: the deal that the program wrote has to be at head office.
fn a_language(name: &str) {
    let page = std::fs::read_to_string(checkout().join(format!("docs/src/{name}.md"))).unwrap();
    assert!(page.contains("list opportunity | grep"), "{name}.md does not look for what was delivered");
    assert!(run(checkout(), &page) > 3);
}
