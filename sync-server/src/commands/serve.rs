//! `serve`: the hub or branch as a process.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use axum::serve::ListenerExt;
use branchline_core::message::Language;
use branchline_core::net::{Following, Tcp, follow};
use branchline_core::replica::Replica;
use branchline_core::replica::link::Trust;
use branchline_core::{Error, Result};
use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::cli::wrong_usage;
use crate::context::Context;
use crate::output::Answer;
use crate::runtime::{block_on, stop_signal};
use crate::server::tls::{Identity, TlsListener, trust_of};
use crate::server::{Node, Upward, accept, router};

/// How long open connections may take to end after a stop signal.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Run the hub or branch: others connect to it, people look at its page.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  branchline --data ./hub serve --listen 127.0.0.1:8787\n  branchline --data ./hub serve \
                        --listen 0.0.0.0:8787 --public-url https://hub.acme.example:8787"
)]
pub struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: String,
    /// The address that invitations carry; without it the one it listens on.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// How others know the server at the public address where a proxy speaks TLS for it: system, by the authorities
    /// that their machines trust, or the file of the proxy's certificate in PEM, which invitations then pin.
    #[arg(long, value_name = "system|FILE", requires = "public_url")]
    public_cert: Option<String>,
    /// The certificate chain in PEM; without one the replica makes its own, which invitations pin.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Plain HTTP beyond loopback, where something in front of it does TLS.
    #[arg(long, conflicts_with = "tls_cert")]
    insecure_http: bool,
    /// Offer the seeds in this folder: `join --fetch-seed` begins with the newest that its invitation grants.
    #[arg(long, value_name = "FOLDER")]
    seeds: Option<PathBuf>,
    /// End when standard input does: a program that started the server then takes it along, however it dies itself.
    #[arg(long)]
    until_eof: bool,
}

impl Serve {
    /// Serves until SIGINT or SIGTERM, or with `--until-eof` the end of standard input.
    ///
    /// # Errors
    /// An address that cannot be used, certificate files that cannot be read, and those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let address = self.address()?;
        let replica = context.open()?;
        log_to_stderr();
        block_on(self.serve(context, replica, address)).map(|()| Answer::spoken())
    }

    fn address(&self) -> Result<SocketAddr> {
        let found = self.listen.to_socket_addrs().ok().and_then(|mut all| all.next());
        found.ok_or_else(|| wrong_usage(format!("--listen {}", self.listen)))
    }

    fn needs_tls(&self, address: &SocketAddr) -> bool {
        self.tls_cert.is_some() || !(address.ip().is_loopback() || self.insecure_http)
    }

    async fn serve(&self, context: &Context, replica: Replica, address: SocketAddr) -> Result<()> {
        let taken = |e: std::io::Error| Error::usage("listen-failed").with("detail", e.to_string()).at(&self.listen);
        let listener = TcpListener::bind(address).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let tls = if self.needs_tls(&address) { Some(self.identity(&replica)?) } else { None };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
        let shown = tls.as_ref().map(|identity| Trust::Certificate(identity.pin));
        replica.announce(&url, self.public_cert.as_deref().map(trust_of).transpose()?.or(shown))?;
        let (stop, stopping) = watch::channel(false);
        let in_the_clear = tls.is_none() && !address.ip().is_loopback();
        let mut node = Node::new(replica.clone(), stopping.clone()).in_the_clear(in_the_clear);
        if let Some(folder) = &self.seeds {
            node = node.offering(folder.clone())?;
        }
        let upward = node.upward.clone();
        let app = router(node);
        let following =
            replica.settings()?.role.has_upstream().then(|| tokio::spawn(keep_link(replica, upward, stopping.clone())));
        announce(context, scheme, &address);
        let input = self.until_eof.then(end_of_input);
        tokio::spawn(async move {
            let ended = async {
                match input {
                    Some(ended) => _ = ended.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop_signal() => {}
                () = ended => {}
            }
            let _ = stop.send(true);
        });
        let lost = |e: std::io::Error| Error::storage("server-task").with("detail", e.to_string());
        let serving: Pin<Box<dyn Future<Output = ()> + Send>> = match tls {
            // Answers are small and waited for.
            None => Box::pin(accept::serve(listener.tap_io(|tcp| _ = tcp.set_nodelay(true)), app, stopping.clone())),
            Some(identity) => {
                Box::pin(accept::serve(TlsListener::new(listener, &identity).map_err(lost)?, app, stopping.clone()))
            }
        };
        tokio::select! {
            () = serving => {}
            () = async { stopped(stopping).await; tokio::time::sleep(STOP_GRACE).await } => {}
        }
        if let Some(following) = following {
            let _ = tokio::time::timeout(STOP_GRACE, following).await;
        }
        Ok(())
    }

    fn identity(&self, replica: &Replica) -> Result<Identity> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Identity::from_files(cert, key),
            _ => Identity::own(replica.dir()),
        }
    }
}

// A branch's own upstream link, beside serving its downstreams.
async fn keep_link(replica: Replica, upward: Upward, stopping: watch::Receiver<bool>) {
    let clock = replica.clone();
    let report = |following| {
        upward.note(clock.environment().now(), &following);
        match following {
            Following::Online => tracing::info!("upstream link is up"),
            Following::Offline { error, retry_ms } => tracing::warn!(%error, retry_ms, "upstream link is down"),
            Following::Paused | Following::Event(_) => {}
        }
    };
    if let Err(error) = follow(replica, &Tcp, stopping, report).await {
        tracing::error!(%error, advice = error.advice(Language::En), "upstream link has ended for good");
    }
}

// A thread of its own: one of the runtime's would keep the process from ending while nobody writes.
fn end_of_input() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    end
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stopping.wait_for(|stop| *stop).await;
}

// Exactly one line when ready: whoever started the process waits for it.
fn announce(context: &Context, scheme: &str, address: &SocketAddr) {
    let line = if context.json {
        json!({"listening": address.to_string()}).to_string()
    } else {
        format!("listening on {scheme}://{address}")
    };
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

// What is worth a line in a log; BRANCHLINE_LOG takes the directives of `tracing`, for instance `debug`.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BRANCHLINE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A program that calls this library may have its own subscriber; it stays.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
