//! A replica of the demo: a folder, its server process, and commands run on it as a person would run them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use branchline_core::{Error, Result};
use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// How long a server may take to end once it was asked to; it is killed then.
const STOP_MAX: Duration = Duration::from_secs(20);

/// One replica.
#[derive(Debug)]
pub(super) struct Node {
    /// Its name in the story.
    pub name: &'static str,
    /// Its folder.
    pub dir: PathBuf,
    program: PathBuf,
    server: Option<Child>,
    url: String,
}

impl Node {
    /// A replica that will live in `home/name`.
    ///
    /// # Errors
    /// `demo_process` where the path of this program is unknown.
    pub(super) fn new(home: &Path, name: &'static str) -> Result<Self> {
        let program = std::env::current_exe().map_err(|e| failed(name, &e.to_string()))?;
        Ok(Self { name, dir: home.join(name), program, server: None, url: String::new() })
    }

    /// The address of its workplace; empty while it does not serve.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data").arg(&self.dir).arg("--json").args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs a command that must succeed, also with something that waits for a person, and gives its document.
    ///
    /// # Errors
    /// `demo_process` with what the command said.
    pub(super) async fn run(&self, args: &[&str]) -> Result<Json> {
        self.run_with(args, "").await
    }

    /// The same with this on standard input.
    ///
    /// # Errors
    /// As [`Node::run`].
    pub(super) async fn run_with(&self, args: &[&str], input: &str) -> Result<Json> {
        let line = format!("{}: branchline {}", self.name, args.join(" "));
        let told = |e: std::io::Error| failed(&line, &e.to_string());
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().map_err(told)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await.map_err(told)?;
        }
        let output = child.wait_with_output().await.map_err(told)?;
        if !matches!(output.status.code(), Some(0 | 3)) {
            return Err(failed(&line, String::from_utf8_lossy(&output.stderr).trim()));
        }
        serde_json::from_slice(&output.stdout).map_err(|e| failed(&line, &e.to_string()))
    }

    /// Starts the server process and waits until it listens.
    ///
    /// # Errors
    /// `demo_process` where it ends instead.
    pub(super) async fn serve(&mut self, port: u16) -> Result<()> {
        let listen = format!("127.0.0.1:{port}");
        let mut command = self.command(&["serve", "--listen", &listen, "--until-eof"]);
        // The pipe closes with this process, also when it is killed: no server outlives the demo.
        command.stdin(Stdio::piped());
        let log =
            std::fs::File::create(self.dir.with_extension("log")).map_err(|e| failed(self.name, &e.to_string()))?;
        let mut child = command.stderr(log).spawn().map_err(|e| failed(self.name, &e.to_string()))?;
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        let first = match lines {
            Some(mut lines) => lines.next_line().await.ok().flatten().unwrap_or_default(),
            None => String::new(),
        };
        let document: Json = serde_json::from_str(&first).unwrap_or_default();
        let Some(address) = document.get("listening").and_then(Json::as_str) else {
            let said = std::fs::read_to_string(self.dir.with_extension("log")).unwrap_or_default();
            return Err(failed(self.name, said.trim()));
        };
        self.url = format!("http://{address}");
        self.server = Some(child);
        Ok(())
    }

    /// Ends the server process as an operator would.
    pub(super) async fn stop(&mut self) {
        if let Some(mut child) = self.server.take() {
            drop(child.stdin.take());
            if tokio::time::timeout(STOP_MAX, child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
        }
    }

    /// The last lines that its server wrote, for whoever must find out why a story failed.
    pub(super) fn last_words(&self) -> Option<String> {
        const LINES: usize = 5;
        let said = std::fs::read_to_string(self.dir.with_extension("log")).ok().filter(|said| !said.is_empty())?;
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n");
        Some(format!("{}:\n{last}", self.name))
    }
}

fn failed(place: &str, detail: &str) -> Error {
    Error::storage("demo-process").with("detail", detail).at(place)
}
