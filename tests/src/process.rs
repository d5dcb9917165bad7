//! Real `branchline` processes: commands on a folder, servers that listen, and killing them at any moment.
//!
//! A [`Node`] is a replica's folder with, at times, a server on it. It waits for what a process says, never for time to
//! pass. Servers die with their node (SIGKILL, which is also what [`Node::kill`] sends).

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// Longest that a server may take until it listens.
const START_SECONDS_MAX: u64 = 60;
/// Longest that one command may take.
const COMMAND_SECONDS_MAX: u64 = 300;

/// What a finished command left.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Outcome {
    /// Its one JSON document.
    ///
    /// # Panics
    /// Where standard output is anything else.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {self:#?}"))
    }
}

/// A command that still runs.
pub struct Running {
    child: Child,
    stdout: mpsc::Receiver<String>,
    stderr: mpsc::Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let stdout = drain(child.stdout.take().expect("stdout is piped"));
        let stderr = drain(child.stderr.take().expect("stderr is piped"));
        Self { child, stdout, stderr }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has ended by itself.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("the child can be asked").is_some()
    }

    /// Ends it as Ctrl-C does and waits for its end.
    ///
    /// # Panics
    /// Where the signal cannot be sent, or as [`wait`](Self::wait).
    pub fn interrupt(self) -> Outcome {
        interrupt(self.pid());
        self.wait()
    }

    /// Ends it with SIGKILL and gives what it had printed.
    pub fn kill(mut self) -> Outcome {
        self.stop();
        let stdout = self.stdout.recv().unwrap_or_default();
        self.outcome(stdout)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it takes longer than five minutes; it is killed then.
    pub fn wait(mut self) -> Outcome {
        match self.stdout.recv_timeout(Duration::from_secs(COMMAND_SECONDS_MAX)) {
            Ok(stdout) => self.outcome(stdout),
            Err(_) => {
                self.stop();
                let stdout = self.stdout.recv().unwrap_or_default();
                panic!("a command did not end in {COMMAND_SECONDS_MAX} s: {:#?}", self.outcome(stdout));
            }
        }
    }

    fn stop(&mut self) {
        // Fails only for a process that has ended already.
        let _ = self.child.kill();
    }

    // Standard output has come to its end, so the process has ended or is about to.
    fn outcome(mut self, stdout: String) -> Outcome {
        let status = self.child.wait().expect("the child can be waited for");
        let stderr = self.stderr.recv().unwrap_or_default();
        Outcome { code: status.code().unwrap_or(-1), stdout, stderr }
    }
}

// What Ctrl-C sends.
fn interrupt(pid: u32) {
    let sent = Command::new("kill").args(["-INT", &pid.to_string()]).status().expect("kill can be run");
    assert!(sent.success(), "the process had ended by itself");
}

// The whole of a stream, once it has ended. A killed process leaves what it had written; that is all there is to read.
fn drain(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

/// A server process that listens; it dies with the value.
pub struct Server {
    child: Child,
    url: String,
    /// Closed when the process has closed its output.
    said: mpsc::Receiver<String>,
}

impl Server {
    /// Starts a command that ends up serving, and waits until it says where it listens; `None` where it does not.
    ///
    /// # Panics
    /// Where the command cannot be started at all.
    pub fn start(mut command: Command) -> Option<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let (send, receive) = mpsc::channel();
        // Reads on after the first line, so that the server never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix("listening on ") {
                    // Nobody listens any more once the first address has been taken.
                    let _ = send.send(url.trim().to_owned());
                }
            }
        });
        let mut server = Self { child, url: String::new(), said: receive };
        server.url = server.said.recv_timeout(Duration::from_secs(START_SECONDS_MAX)).ok()?;
        Some(server)
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it as Ctrl-C does, and waits until it has ended; true where it says that all went well.
    ///
    /// # Panics
    /// Where the signal cannot be sent, or the process does not end within a minute.
    pub fn interrupt(mut self) -> bool {
        interrupt(self.child.id());
        let ended = self.said.recv_timeout(Duration::from_secs(START_SECONDS_MAX));
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected), "the server goes on");
        self.child.wait().expect("the child can be waited for").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A replica's folder and, while it serves, its server process.
pub struct Node {
    name: String,
    dir: PathBuf,
    server: Option<Server>,
    host: String,
    /// Kept over restarts: downstreams know the node by its address.
    port: u16,
}

impl Node {
    /// A node whose folder will be `home/name`; nothing exists yet.
    pub fn new(home: &Path, name: &str) -> Self {
        Self { name: name.to_owned(), dir: home.join(name), server: None, host: "127.0.0.1".to_owned(), port: 0 }
    }

    /// The node serves on this address instead of the loopback's.
    #[must_use]
    pub fn at(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// The replica's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The command line `branchline --data DIR --json ARGS…`, ready to start.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(crate::binary());
        command
            .env_remove("BRANCHLINE_DATA")
            .env_remove("BRANCHLINE_KEY_FILE")
            .env("LANG", "C.UTF-8")
            .env_remove("LC_ALL");
        command.arg("--data").arg(&self.dir).arg("--json").args(args);
        command
    }

    /// Starts a command and does not wait for it.
    pub fn start<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        Running::start(self.command(args))
    }

    /// Runs a command to its end, whatever that is.
    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Outcome {
        self.start(args).wait()
    }

    /// Runs a command that must end in one of `codes`, and gives its JSON.
    ///
    /// # Panics
    /// Where it ends otherwise.
    pub fn expect<S: AsRef<std::ffi::OsStr>>(&self, codes: &[i32], args: impl IntoIterator<Item = S>) -> Value {
        let command = self.command(args);
        let words = format!("{command:?}");
        let outcome = Running::start(command).wait();
        assert!(codes.contains(&outcome.code), "{}: {words}: {outcome:#?}", self.name);
        outcome.json()
    }

    /// Runs a command that must succeed (exit 0), and gives its JSON.
    ///
    /// # Panics
    /// Where it fails.
    pub fn json<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        self.expect(&[0], args)
    }

    /// Starts `branchline serve` and waits until it listens; a restart listens where it did before.
    ///
    /// # Panics
    /// Where it does not listen in time.
    pub fn serve(&mut self) -> String {
        self.serve_with(&[])
    }

    /// As [`Node::serve`], with more arguments.
    ///
    /// # Panics
    /// As there.
    pub fn serve_with(&mut self, more: &[&str]) -> String {
        self.kill();
        let log = std::fs::File::create(self.log_path()).expect("the log file can be made");
        let mut command = Command::new(crate::binary());
        command
            .env_remove("BRANCHLINE_DATA")
            .env_remove("BRANCHLINE_KEY_FILE")
            .env("LANG", "C.UTF-8")
            .env_remove("LC_ALL");
        command.arg("--data").arg(&self.dir).arg("serve").arg("--listen").arg(format!("{}:{}", self.host, self.port));
        command.args(more).stderr(log);
        let Some(server) = Server::start(command) else {
            panic!("{} does not listen; it said:\n{}", self.name, self.log())
        };
        self.port = server.url.rsplit(':').next().and_then(|p| p.trim_end_matches('/').parse().ok()).unwrap_or(0);
        let url = server.url.clone();
        self.server = Some(server);
        url
    }

    /// The address of the running server.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn url(&self) -> &str {
        &self.server.as_ref().unwrap_or_else(|| panic!("{} does not serve", self.name)).url
    }

    /// The process id of the running server.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn pid(&self) -> u32 {
        self.server.as_ref().unwrap_or_else(|| panic!("{} does not serve", self.name)).child.id()
    }

    /// The most memory that the running server has held, in bytes.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux counts it");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("kilobytes") * 1024
    }

    /// What the last server wrote to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.with_extension("serve.log")
    }

    /// Ends the server with SIGKILL, if it runs.
    pub fn kill(&mut self) {
        self.server = None;
    }
}

/// A script as a page of the book has it, to be run in a folder by somebody who has the binary on the path, and what is in
/// the folder's `bin`.
///
/// # Panics
/// Where the path cannot be written.
pub fn shell(folder: &Path, script: &str) -> Command {
    let binary = crate::binary();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = binary.parent().map(Path::to_owned).into_iter().chain([folder.join("bin")]);
    let path = std::env::join_paths(first.chain(std::env::split_paths(&path))).expect("a path");
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).current_dir(folder).stdin(Stdio::null());
    command.env("PATH", path).env_remove("BRANCHLINE_DATA").env("LANG", "C.UTF-8");
    command
}

/// An empty folder that goes away with the value.
///
/// # Panics
/// Where the system has no room for one.
pub fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("branchline-test-").tempdir().expect("a temporary folder can be made")
}
