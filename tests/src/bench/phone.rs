//! The rows of the bindings: what Kotlin costs beside the same calls of the same facade in Rust, and what an app carries.
//!
//! The Kotlin side is a process for each measurement, `Bench.kt` of the Kotlin package, built by `bindings/kotlin/classpath`.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use branchline_bindings::{BlockingReplica, Config, Query, Sort};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use zip::ZipArchive;

use super::Figure;
use super::company::hub;
use super::local::{millis, quantile};
use crate::process::{Node, home};
use crate::{checkout, generator};

const RECORDS: usize = 100_000;
const LIBRARY: &str = "libbranchline_bindings.so";
const TIMES: usize = 1_000;
const HITS: u32 = 20;
/// Runs of each side, turn about; the median counts.
const TURNS: usize = 5;
const SYNCED: usize = 50_000;
/// Names that are typed letter by letter.
const TYPED: [usize; 8] = [7, 4_512, 23_456, 31_415, 48_001, 64_999, 77_777, 99_998];

/// One record and a page of fifty, through Kotlin against the facade in Rust.
pub(super) fn calls() -> Vec<Figure> {
    let home = home();
    let folder = company(home.path(), RECORDS);
    let kotlin = kotlin(&["calls", &folder]);
    let replica = open(&folder);
    let some = Query { limit: TIMES as u32, ..query("account") };
    let ids: Vec<String> = replica.list(some).expect("a page").records.into_iter().map(|record| record.id).collect();
    let one = |n: usize| millis(|| replica.get("account".into(), ids[n].clone()).expect("a record"));
    let record = median(TIMES, one);
    let page = median(TIMES / 10, |_| {
        let filter = Some("city = \"Lviv\"".to_owned());
        let query = Query { filter, sort: by_name(), limit: 50, ..query("account") };
        millis(|| assert_eq!(replica.list(query).expect("a page").records.len(), 50))
    });
    vec![
        Figure::note("µs of a call that does nothing, Kotlin", number(&kotlin, "version")),
        Figure::note("µs of one record, Rust", record * 1e3),
        Figure::note("µs of one record, Kotlin", number(&kotlin, "record")),
        Figure::note("the same against Rust", number(&kotlin, "record") / (record * 1e3)),
        Figure::note("µs of a page of 50, Rust", page * 1e3),
        Figure::note("µs of a page of 50, Kotlin", number(&kotlin, "page")),
        Figure::note("the same against Rust", number(&kotlin, "page") / (page * 1e3)),
    ]
}

/// A new process opens a folder that no cache holds, against SQLite alone.
pub(super) fn cold_open() -> Vec<Figure> {
    let home = home();
    let folder = company(home.path(), RECORDS);
    let database = Path::new(&folder).join("branchline.db");
    let [mut bare, mut ours, mut theirs, mut pages, mut library] = [const { Vec::new() }; 5];
    for _ in 0..TURNS {
        forget(&database);
        bare.push(millis(|| {
            let db = Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a database");
            db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).expect("its tables")
        }));
        forget(&database);
        ours.push(millis(|| open(&folder)));
        forget(&database);
        let kotlin = kotlin(&["open", &folder]);
        theirs.push(number(&kotlin, "open"));
        pages.push(number(&kotlin, "page"));
        library.push(number(&kotlin, "library"));
    }
    let medians = [bare, ours, theirs, pages, library].map(|mut times| quantile(&mut times, 0.5));
    let [bare, ours, theirs, pages, library] = medians;
    vec![
        Figure::note("ms to open the bare SQLite file and read its schema", bare),
        Figure::note("ms to open the replica, Rust", ours),
        Figure::note("ms to open the replica, Kotlin", theirs),
        Figure::note("the same against SQLite", theirs / bare),
        Figure::note("ms of the first page of 50", pages),
        Figure::note("ms to load the library, once a process", library),
    ]
}

/// Search at every keystroke, at 100,000 records.
pub(super) fn typing() -> Vec<Figure> {
    let home = home();
    let folder = company(home.path(), RECORDS);
    let texts: Vec<String> = TYPED.iter().map(|number| generator::account(*number)[2].1.to_lowercase()).collect();
    let arguments: Vec<&str> =
        ["typing", folder.as_str()].into_iter().chain(texts.iter().map(String::as_str)).collect();
    let kotlin = kotlin(&arguments);
    let times = kotlin["times"].as_array().expect("times").iter();
    let mut theirs: Vec<f64> = times.map(|time| time.as_f64().expect("a time")).collect();
    let replica = open(&folder);
    let strokes = texts.iter().flat_map(|text| text.char_indices().map(|(at, letter)| &text[..at + letter.len_utf8()]));
    let ours: Vec<f64> = strokes.map(|text| millis(|| replica.search(text.to_owned(), HITS).expect("hits"))).collect();
    assert_eq!(ours.len(), theirs.len());
    let ratio = theirs.iter().sum::<f64>() / ours.iter().sum::<f64>();
    vec![
        Figure::note("keystrokes", theirs.len() as f64),
        Figure::note("ms of a keystroke, Kotlin, median", quantile(&mut theirs, 0.5)),
        Figure::note("ms of a keystroke, Kotlin, p95", quantile(&mut theirs, 0.95)),
        Figure::note("ms of the slowest keystroke, Kotlin", quantile(&mut theirs, 1.0)),
        Figure::note("all keystrokes against Rust", ratio),
    ]
}

/// The first sync of a phone, through Kotlin against the facade in Rust, turn about.
pub(super) fn first_sync() -> Vec<Figure> {
    let home = home();
    let mut serving = Node::new(home.path(), "hub");
    drop(hub(serving.dir(), SYNCED));
    serving.serve();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let (folder, code) = invited(&serving, home.path(), &format!("rust-{turn}"));
        let replica = BlockingReplica::join(folder, code, Config::default(), None).expect("it enrols");
        let start = Instant::now();
        let done = replica.run_once(600_000, None).expect("an exchange");
        ours.push(start.elapsed().as_secs_f64());
        assert!(done.finished && done.pulled >= SYNCED as u64, "{done:?}");
        let (folder, code) = invited(&serving, home.path(), &format!("kotlin-{turn}"));
        let kotlin = kotlin(&["sync", &folder, &code]);
        assert!(number(&kotlin, "pulled") >= SYNCED as f64, "{kotlin}");
        theirs.push(number(&kotlin, "seconds"));
    }
    let (ours, theirs) = (quantile(&mut ours, 0.5), quantile(&mut theirs, 0.5));
    vec![
        Figure::note("seconds for 50,000 records, Rust, median", ours),
        Figure::note("seconds for 50,000 records, Kotlin, median", theirs),
        Figure::at_least("speed through Kotlin against through Rust", ours / theirs, 0.9, 0.9),
    ]
}

/// What the memory of a phone's process grows by during its first sync.
pub(super) fn memory() -> Vec<Figure> {
    let grown = |records: usize| {
        let home = home();
        let mut serving = Node::new(home.path(), "hub");
        drop(hub(serving.dir(), records));
        serving.serve();
        let (folder, code) = invited(&serving, home.path(), "phone");
        number(&kotlin(&["sync", &folder, &code]), "grown") / 1e6
    };
    let (small, large) = (grown(RECORDS / 10), grown(RECORDS));
    vec![
        Figure::note("MB at the height of a first sync of 10,000 records", small),
        Figure::note("MB at the height of a first sync of 100,000 records", large),
        Figure::note("MB for each 10,000 records more", (large - small) / 9.0),
    ]
}

/// The stripped library of an app, and a signed APK with it where Maven has compiled the app. The APK is one for an emulator, but
/// that its engine is this machine's.
pub(super) fn size() -> Vec<Figure> {
    let choice = ["--profile", "phone", "-p", "branchline-bindings", "--lib"];
    let features = ["--no-default-features", "--features", "encryption"];
    run(Command::new("cargo").args(["build", "--locked", "--quiet"]).args(choice).args(features));
    let megabytes = |path: &Path| path.metadata().expect("a file").len() as f64 / 1e6;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout().join("target"), Into::into);
    let library = target.join("phone").join(LIBRARY);
    let mut figures = vec![Figure::at_most("MB of the stripped library", megabytes(&library), 8.0, 8.0)];
    if checkout().join("mobile-demo/target/classes").exists() {
        let home = home();
        let (engines, apk) = (home.path().join("engines"), home.path().join("fieldrep.apk"));
        std::fs::create_dir_all(engines.join("x86_64")).expect("a folder");
        std::fs::copy(&library, engines.join("x86_64").join(LIBRARY)).expect("an engine in its place");
        run(Command::new("mobile-demo/package.sh").args([&engines, &apk]));
        figures.push(Figure::note("MB of the signed APK for one ABI", megabytes(&apk)));
        let mut files = ZipArchive::new(File::open(&apk).expect("an APK")).expect("an archive");
        let engine = files.by_name(&format!("lib/x86_64/{LIBRARY}")).expect("the engine").compressed_size();
        figures.push(Figure::note("MB of them for the engine", engine as f64 / 1e6));
    }
    figures
}

fn run(command: &mut Command) {
    let status = command.current_dir(checkout()).stdout(Stdio::null()).status();
    assert!(status.expect("it can be run").success(), "{command:?}");
}

fn company(home: &Path, records: usize) -> String {
    let folder = home.join("hub");
    drop(hub(&folder, records));
    folder.display().to_string()
}

fn open(folder: &str) -> Arc<BlockingReplica> {
    BlockingReplica::open(folder.to_owned(), Config::default(), None).expect("a replica")
}

fn invited(serving: &Node, home: &Path, name: &str) -> (String, String) {
    let invited =
        serving.json(["invite", "--as", "device", "--name", name, "--scope", "workspace", "--role", "manager"]);
    (home.join(name).display().to_string(), invited["code"].as_str().expect("a code").to_owned())
}

fn query(collection: &str) -> Query {
    Query {
        collection: collection.to_owned(),
        filter: None,
        sort: Vec::new(),
        fields: None,
        archived: false,
        limit: 1,
        after: None,
    }
}

fn by_name() -> Vec<Sort> {
    vec![Sort { field: "name".to_owned(), descending: false }]
}

// The pages of a file leave the kernel's cache.
fn forget(file: &Path) {
    let of = format!("of={}", file.display());
    let done = Command::new("dd").args([of.as_str(), "oflag=nocache", "conv=notrunc,fdatasync", "count=0"]).output();
    assert!(done.expect("dd can be run").status.success());
}

/// What the Kotlin side printed.
fn kotlin(arguments: &[&str]) -> Value {
    static CLASS_PATH: OnceLock<String> = OnceLock::new();
    let class_path = CLASS_PATH.get_or_init(|| {
        let script = checkout().join("bindings/kotlin/classpath");
        let built = Command::new(script).arg("release").stderr(Stdio::inherit()).output().expect("bash can be run");
        assert!(built.status.success(), "the Kotlin package is not built: it needs a JDK of version 17 and Maven");
        String::from_utf8(built.stdout).expect("a class path").trim().to_owned()
    });
    let done = Command::new("java")
        .args(["-Xmx256m", "-cp", class_path, "dev.branchline.BenchKt"])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .expect("java can be run");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stdout));
    serde_json::from_slice(&done.stdout).expect("one JSON object")
}

fn number(figures: &Value, name: &str) -> f64 {
    figures[name].as_f64().unwrap_or_else(|| panic!("no {name} in {figures}"))
}

fn median(times: usize, once: impl Fn(usize) -> f64) -> f64 {
    quantile(&mut (0..times).map(once).collect::<Vec<_>>(), 0.5)
}
