//! The description of the API against a real server: Schemathesis makes requests from it, valid and not, for every
//! operation, and holds the answers against it.

use std::process::{Command, Stdio};

use branchline_tests::checkout;
use branchline_tests::process::home;

use crate::api::{Program, ROOT, company};

/// Examples of each operation beside those of its bounds.
const EXAMPLES: &str = "25";
/// What the description does not promise: a record must also keep the rules of its collection, and a text is taken wherever
/// one can be typed.
const NOT_PROMISED: &str = "positive_data_acceptance,negative_data_rejection";

#[test]
#[ignore = "it needs packages of Python: tests/run api"]
fn answers_are_what_the_description_says() {
    let home = home();
    let hub = company(home.path());
    hub.json(["users", "add", "rita", "--email", "rita@acme.example", "--role", "reader", "--branch", "kyiv"]);
    for person in ["owner@acme.example", "rita@acme.example"] {
        let program = Program::of(&hub, person, person);
        let mut command = Command::new(checkout().join("target/schemathesis/bin/schemathesis"));
        command.args(["run", &format!("{}{ROOT}/openapi.json", hub.url()), "--no-color", "--seed", "1"]);
        command.args(["--header", &format!("Authorization: Bearer {}", program.token)]);
        command.args(["--max-examples", EXAMPLES, "--continue-on-failure"]);
        command.args(["--checks", "all", "--exclude-checks", NOT_PROMISED]);
        // A stream has no end, and a webhook would call whatever address was drawn.
        command.args(["--exclude-operation-id", "followChanges", "--exclude-operation-id", "createWebhook"]);
        command.args(["--request-timeout", "20"]);
        let run = command.current_dir(home.path()).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{person}: {said}{}", String::from_utf8_lossy(&run.stderr));
        let passed = said.split(" generated, ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
        assert!(passed > Some(1_000), "{person}: {said}");
    }
}
