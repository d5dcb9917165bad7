//! The upstream link of a device or branch: enrolling, one exchange, and following for ever.
//!
//! One process of a folder holds the link at a time (a lock on `link.lock`), so that two cannot present one link epoch.
//! Another process that wants an exchange asks the first to begin anew, and waits until that has gone quiet: a line that is
//! quiet already would say nothing more.

use std::fs::File;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use super::connect::{Address, Network, Tcp, connect};
use super::drive::{Around, Outcome, Traffic, drive};
use super::work::Work;
use crate::error::{Error, Result};
use crate::replica::link::{Downstream, InvitationCode, Joiner, LinkCounters, Seed};
use crate::replica::{Environment, Folder, Replica};
use crate::schema::Schema;
use crate::sync::pace::Backoff;
use crate::sync::{End, Event, Input, downstream};

/// How often the store is asked whether another process has committed.
const LOCAL_POLL: Duration = Duration::from_millis(100);
/// How often a paused link looks whether it may go on.
const PAUSE_POLL: Duration = Duration::from_millis(500);

/// What an exchange moved and what it cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Changes that the upstream acknowledged.
    pub pushed: u64,
    /// Changes that became durable here.
    pub pulled: u64,
    /// Changes that the upstream refused.
    pub refused: u64,
    /// Whether both ends had become quiet; what was cut off goes on with the next exchange.
    pub finished: bool,
    /// What the line carried.
    pub traffic: Traffic,
}

impl Exchange {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Pulled(changes) => self.pulled += changes,
            Event::Pushed(changes) => self.pushed += changes,
            Event::Refused(changes) => self.refused += changes,
            Event::Connected | Event::Differs | Event::Progress { .. } | Event::Blob(_) | Event::Quiet => {}
        }
    }
}

/// Enrols a folder with an invitation; afterwards it is a replica that has not synced yet.
///
/// # Errors
/// `replica_exists`, `invitation_*`, `certificate_invalid`, and whatever connecting can fail with. The folder is no
/// replica then, and the same code works again unless the upstream said otherwise.
pub async fn join(
    folder: impl Into<Folder>,
    code: &InvitationCode,
    schema: Schema,
    env: Arc<dyn Environment>,
) -> Result<Replica> {
    enrol(Joiner::new(folder, code.clone(), schema, env.clone())?, code, env).await
}

/// As [`join`], but the replica begins with a seed of its upstream.
///
/// # Errors
/// As [`join`]; `seed_other_upstream`, `seed_beyond_grants`.
pub async fn join_with_seed(
    folder: impl Into<Folder>,
    code: &InvitationCode,
    seed: Seed,
    schema: Schema,
    env: Arc<dyn Environment>,
) -> Result<Replica> {
    enrol(Joiner::new(folder, code.clone(), schema, env.clone())?.with_seed(seed)?, code, env).await
}

async fn enrol(joiner: Joiner, code: &InvitationCode, env: Arc<dyn Environment>) -> Result<Replica> {
    let address = Address { url: code.address.clone(), trust: code.trust };
    let (frames, nonce) = connect(&Tcp, &address).await?;
    let session = downstream::Session::new(env.now());
    let (_, never) = broadcast::channel(1);
    let outcome = drive(
        session,
        joiner,
        frames,
        Input::Opened(nonce),
        Around { env: &*env, local: never },
        |_, _| (),
        std::future::pending(),
    )
    .await;
    end_of(&outcome)?;
    let joiner = outcome.executor.ok_or_else(|| Error::unreachable("line-lost"))?;
    joiner.replica().ok_or_else(|| Error::unreachable("line-lost").at(address.url))
}

/// One exchange with the upstream until both ends are quiet.
///
/// # Errors
/// `no_upstream`, `link_paused`, `sync_deadline` (local work is safe), and whatever connecting can fail with.
pub async fn sync_once(replica: &Replica, deadline: Duration, on_event: impl FnMut(Event)) -> Result<Exchange> {
    let work = sync_until(replica, std::future::pending(), on_event);
    match tokio::time::timeout(deadline, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::unreachable("sync-deadline").with("seconds", deadline.as_secs())),
    }
}

/// As [`sync_once`], but when `until` ends it stops cleanly and says what had moved by then.
///
/// # Errors
/// `no_upstream`, `link_paused`, and whatever connecting can fail with.
pub async fn sync_until(
    replica: &Replica,
    until: impl Future<Output = ()>,
    mut on_event: impl FnMut(Event),
) -> Result<Exchange> {
    let address = address_of(replica)?;
    if replica.is_paused()? {
        return Err(Error::unreachable("link-paused"));
    }
    tokio::pin!(until);
    if let Some(_lock) = Lock::try_hold(replica)? {
        return exchange(replica, &address, until, &mut on_event).await;
    }
    // Another process of this folder, or this one, keeps the link: the exchange that it makes for us, with nothing left to
    // send, is ours. Once it has let go, the link is.
    let (before, asked) = (replica.link_counters()?, replica.ask_exchange()?);
    loop {
        tokio::select! {
            biased;
            () = &mut until => return moved_since(replica, before, false),
            () = tokio::time::sleep(LOCAL_POLL) => {}
        }
        if let Some(_lock) = Lock::try_hold(replica)? {
            return exchange(replica, &address, until, &mut on_event).await;
        }
        if replica.exchanges_made()? >= asked && replica.outbox_len()? == 0 {
            return moved_since(replica, before, true);
        }
    }
}

async fn exchange(
    replica: &Replica,
    address: &Address,
    mut until: Pin<&mut impl Future<Output = ()>>,
    on_event: &mut impl FnMut(Event),
) -> Result<Exchange> {
    let (frames, nonce) = tokio::select! {
        biased;
        connected = connect(&Tcp, address) => connected?,
        () = &mut until => return Ok(Exchange::default()),
    };
    let env = replica.environment();
    let session = downstream::Session::new(env.now());
    let local = local_commits(replica.clone());
    let mut done = Exchange::default();
    let (quiet, mut is_quiet) = watch::channel(false);
    let outcome = drive(
        session,
        Downstream::new(replica.clone())?,
        frames,
        Input::Opened(nonce),
        Around { env, local },
        |event, _| {
            done.note(&event);
            if event == Event::Quiet {
                let _ = quiet.send(true);
            }
            on_event(event);
        },
        async {
            tokio::select! {
                biased;
                _ = is_quiet.wait_for(|quiet| *quiet) => {}
                () = until => {}
            }
            Input::Stop
        },
    )
    .await;
    done.traffic = outcome.traffic;
    done.finished = *quiet.borrow();
    note_traffic(replica, outcome.traffic)?;
    end_of(&outcome)?;
    if done.finished {
        replica.note_quiet()?;
    }
    Ok(done)
}

// What the process that keeps the link has moved meanwhile.
fn moved_since(replica: &Replica, before: LinkCounters, finished: bool) -> Result<Exchange> {
    let after = replica.link_counters()?;
    Ok(Exchange {
        pushed: after.pushed.saturating_sub(before.pushed),
        pulled: after.pulled.saturating_sub(before.pulled),
        refused: after.refused.saturating_sub(before.refused),
        finished,
        traffic: Traffic::default(),
    })
}

/// What a follower reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Following {
    /// The line is up.
    Online,
    /// The line is down; the next try is after this many ms.
    Offline {
        /// Why.
        error: Error,
        /// The wait.
        retry_ms: i64,
    },
    /// Paused by hand.
    Paused,
    /// Something happened on the link.
    Event(Event),
}

/// Keeps the upstream link for ever: connects, exchanges as changes happen, waits out failures with back-off and
/// jitter, obeys `pause`. Connections come from `network`, which is [`Tcp`] but in a simulation. Returns when `stop`
/// becomes true or the upstream refuses this replica for good.
///
/// # Errors
/// A refusal that waiting cannot mend, such as `link_revoked`.
pub async fn follow(
    replica: Replica,
    network: &dyn Network,
    mut stop: watch::Receiver<bool>,
    mut report: impl FnMut(Following),
) -> Result<()> {
    let mut backoff = Backoff::default();
    let local = local_commits(replica.clone());
    while !*stop.borrow() {
        if replica.is_paused()? {
            report(Following::Paused);
            pause(&mut stop, PAUSE_POLL).await;
            continue;
        }
        let ended = match follow_one(&replica, network, &local, &mut stop, &mut report, &mut backoff).await {
            Ok(()) => continue,
            Err(error) => error,
        };
        let retry_ms = backoff.next_ms(random(replica.environment()));
        if is_final(&ended) {
            return Err(ended);
        }
        report(Following::Offline { error: ended, retry_ms });
        rest(&replica, &mut stop, Duration::from_millis(retry_ms as u64)).await;
    }
    Ok(())
}

// The wait after a failure, until somebody asks for an exchange.
async fn rest(replica: &Replica, stop: &mut watch::Receiver<bool>, how_long: Duration) {
    let asked = replica.exchanges_asked().ok();
    let wanted = async {
        while replica.exchanges_asked().ok() == asked {
            tokio::time::sleep(PAUSE_POLL).await;
        }
    };
    tokio::select! {
        () = pause(stop, how_long) => {}
        () = wanted => {}
    }
}

// Only the upstream's own word ends a follower: whatever else answers, a hotel's login page or a proxy, may be gone
// the next time.
fn is_final(error: &Error) -> bool {
    matches!(error.code().as_str(), "link_revoked" | "unknown_device")
}

async fn follow_one(
    replica: &Replica,
    network: &dyn Network,
    local: &broadcast::Receiver<u64>,
    stop: &mut watch::Receiver<bool>,
    report: &mut impl FnMut(Following),
    backoff: &mut Backoff,
) -> Result<()> {
    let Some(_lock) = Lock::try_hold(replica)? else { return Err(Error::busy("link-replaced")) };
    let (frames, nonce) = connect(network, &address_of(replica)?).await?;
    let env = replica.environment();
    let session = downstream::Session::new(env.now());
    let noted = replica.clone();
    let asked = replica.exchanges_asked()?;
    let mut noted_traffic = Traffic::default();
    let stopped = async {
        loop {
            tokio::select! {
                () = pause(stop, PAUSE_POLL) => {}
            }
            let anew = replica.exchanges_asked().is_ok_and(|now| now != asked);
            if *stop.borrow() || anew || replica.is_paused().unwrap_or(false) {
                return Input::Stop;
            }
        }
    };
    let outcome = drive(
        session,
        Downstream::new(replica.clone())?,
        frames,
        Input::Opened(nonce),
        Around { env, local: local.resubscribe() },
        |event, traffic| {
            match &event {
                Event::Connected => {
                    backoff.reset();
                    let _ = noted.note_line(true);
                    report(Following::Online);
                }
                Event::Quiet => {
                    let _ = noted.note_quiet();
                    let _ = noted.note_exchanges(asked);
                    let _ = note_traffic(&noted, traffic.since(noted_traffic));
                    noted_traffic = traffic;
                }
                _ => {}
            }
            report(Following::Event(event));
        },
        stopped,
    )
    .await;
    note_traffic(replica, outcome.traffic.since(noted_traffic))?;
    replica.note_line(false)?;
    if matches!(&outcome.end, Some(End::Theirs(failure)) if failure.code == "link_replaced") {
        // A copy of this folder is on the line: without a pause they would take it from each other for ever.
        backoff.rest();
    }
    end_of(&outcome)
}

fn note_traffic(replica: &Replica, traffic: Traffic) -> Result<()> {
    replica.note_traffic(traffic.sent_bytes, traffic.received_bytes)
}

fn address_of(replica: &Replica) -> Result<Address> {
    let (url, trust) = replica.upstream()?;
    Ok(Address { url, trust })
}

async fn pause(stop: &mut watch::Receiver<bool>, how_long: Duration) {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => {}
        () = tokio::time::sleep(how_long) => {}
    }
}

fn random(env: &dyn Environment) -> u32 {
    let mut bytes = [0u8; 4];
    env.fill_random(&mut bytes);
    u32::from_le_bytes(bytes)
}

fn end_of<E>(outcome: &Outcome<E>) -> Result<()> {
    match (&outcome.end, &outcome.error) {
        (_, Some(error)) => Err(error.clone()),
        (Some(End::Stopped), _) => Ok(()),
        (Some(End::Theirs(failure)), _) => Err(downstream::error_of(failure)),
        (Some(End::Ours(failure)), _) => Err(downstream::error_of(failure)),
        (Some(End::Silence) | None, _) => Err(Error::unreachable("line-lost")),
    }
}

/// Says a number that grows whenever any process has committed something new to the replica's log, or something else may
/// have to be moved.
pub fn local_commits(replica: Replica) -> broadcast::Receiver<u64> {
    let mut known = replica.link_news().unwrap_or_default();
    let (sender, receiver) = broadcast::channel(1);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOCAL_POLL).await;
            let asked = replica.clone();
            let mut asking = Work::start(replica.environment(), move || asked.link_news());
            if let Some(Ok(end)) = asking.finish().await
                && std::mem::replace(&mut known, end) != end
            {
                let _ = sender.send(end);
            }
            if sender.receiver_count() == 0 {
                return;
            }
        }
    });
    receiver
}

/// Whether some process keeps the replica's link and the line is up.
///
/// # Errors
/// Whatever reading the store can fail with.
pub fn is_online(replica: &Replica) -> Result<bool> {
    Ok(replica.is_line_up()? && Lock::try_hold(replica)?.is_none())
}

/// Held while a process keeps the link; freed by the system when the process dies.
struct Lock {
    _file: File,
}

impl Lock {
    fn try_hold(replica: &Replica) -> Result<Option<Self>> {
        let path = replica.dir().join("link.lock");
        let failed = |e: std::io::Error| {
            Error::storage("file-failed").with("detail", e.to_string()).with("path", path.display().to_string())
        };
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(failed(e)),
        }
    }
}
