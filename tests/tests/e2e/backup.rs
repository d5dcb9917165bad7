//! Backups of a folder that is in use: real processes write while one copies.

use std::sync::atomic::{AtomicU64, Ordering};

use branchline_tests::process::{Node, home};

#[test]
fn a_backup_taken_while_people_write_holds_one_whole_moment() {
    let home = home();
    let path = |name: &str| home.path().join(name).display().to_string();
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Acme", "--owner", "anna@acme.example"]);
    hub.serve();
    std::fs::write(path("passphrase"), "correct horse\n").unwrap();
    hub.json(["create", "account", "name=before"]);
    let (begun, committed) = (AtomicU64::new(0), AtomicU64::new(0));
    // Commands on the folder that the server has open; each of their commits is durable when they end.
    let writer = Node::new(home.path(), "hub");
    let mut held = Vec::new();
    std::thread::scope(|scope| {
        let (begun, committed) = (&begun, &committed);
        let writes = scope.spawn(move || {
            for n in 0..40 {
                begun.store(n + 1, Ordering::SeqCst);
                writer.json(["create", "account", &format!("name=w{n:03}")]);
                committed.store(n + 1, Ordering::SeqCst);
            }
        });
        for round in 0..6 {
            let file = path(&format!("{round}.backup"));
            let before = committed.load(Ordering::SeqCst);
            hub.json(["backup", &file, "--passphrase-file", &path("passphrase")]);
            held.push((file, before, begun.load(Ordering::SeqCst)));
        }
        writes.join().unwrap();
    });
    let mut moments = std::collections::BTreeSet::new();
    for (round, (file, before, after)) in held.into_iter().enumerate() {
        let restored = Node::new(home.path(), &format!("restored-{round}"));
        let wrong = restored.run(["restore", &file]);
        assert_eq!(wrong.json()["error"]["code"], "backup_needs_passphrase");
        restored.json(["restore", &file, "--passphrase-file", &path("passphrase")]);
        restored.json(["verify"]);
        let list = restored.json(["list", "account", "--where", "name ~ \"w\"", "--sort", "name", "--fields", "name"]);
        let names: Vec<&str> = list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        let expected: Vec<String> = (0..names.len()).map(|n| format!("w{n:03}")).collect();
        assert_eq!(names, expected, "a moment holds everything before it");
        let moment = names.len() as u64;
        assert!((before..=after).contains(&moment), "{before} <= {moment} <= {after}");
        moments.insert(moment);
        assert_eq!(restored.json(["status"])["replica"], hub.json(["status"])["replica"], "with its key");
        // Its history is another one from there on, and it goes on.
        restored.json(["create", "account", "name=after the restore"]);
        assert_eq!(restored.run(["restore", &file]).json()["error"]["code"], "replica_exists");
    }
    assert!(moments.len() > 1, "the backups fell between writes: {moments:?}");
    assert_eq!(hub.json(["list", "account"]).as_array().unwrap().len(), 41);
}
