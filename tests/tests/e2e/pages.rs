//! The tutorial, run as it is written: every `sh` block in order, servers in the background as in a second terminal.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use branchline_tests::process::{Server, home};
use branchline_tests::{binary, checkout};

enum Step {
    Run(String),
    Serve(String),
    Stop,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let block = |lines: &mut std::str::Lines<'_>| -> String {
            lines.take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect()
        };
        match line {
            "```sh" => steps.push(Step::Run(block(&mut lines))),
            "```sh,server" => steps.push(Step::Serve(block(&mut lines))),
            "<!-- stop -->" => steps.push(Step::Stop),
            other => assert!(!other.starts_with("```") || other == "```" || other == "```sh,ignore", "{other}"),
        }
    }
    steps
}

fn shell(folder: &Path, script: &str) -> Command {
    let folder_of_binary = binary().parent().map(Path::to_owned).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(folder_of_binary).chain(std::env::split_paths(&path));
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).current_dir(folder).stdin(Stdio::null());
    command.env("PATH", std::env::join_paths(paths).unwrap()).env_remove("BRANCHLINE_DATA").env("LANG", "C.UTF-8");
    command
}

#[test]
fn the_tutorial_runs_as_it_is_written() {
    let page = std::fs::read_to_string(checkout().join("docs/src/tutorial.md")).unwrap();
    let home = home();
    let mut server: Option<Server> = None;
    let steps = steps(&page);
    assert!(steps.len() > 10);
    for step in steps {
        match step {
            Step::Run(script) => {
                let done = shell(home.path(), &script).output().unwrap();
                let said = [done.stdout, done.stderr].concat();
                assert!(done.status.success(), "{script}\n{}", String::from_utf8_lossy(&said));
            }
            Step::Serve(script) => {
                server = Some(Server::start(shell(home.path(), &format!("exec {script}"))).expect("it listens"))
            }
            Step::Stop => {
                server.take().expect("a server to stop").interrupt();
            }
        }
    }
    let made = |name: &str| -> PathBuf { home.path().join(name) };
    let funnel = std::fs::read_to_string(made("funnel.svg")).unwrap();
    assert!(funnel.starts_with("<svg") || funnel.starts_with("<?xml"), "{funnel}");
    let deals = std::fs::read_to_string(made("deals.csv")).unwrap();
    assert!(deals.contains("Winter order") && deals.contains("1250.50"), "{deals}");
}
