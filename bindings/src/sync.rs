//! The link: one exchange within a deadline, or kept for as long as the app is open, with its state as a stream of values.

use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use branchline_core::message::Language;
use branchline_core::net::{self, Following};
use branchline_core::replica::Replica;
use branchline_core::sync::Event;
use branchline_core::{Error, Result as CoreResult};
use tokio::sync::{Notify, mpsc, watch};

use crate::error::{CallbackError, Problem, fault, told, unwound};
use crate::log::{LogLevel, log};
use crate::replica::{BlockingReplica, Result, runtime};

/// What the device knows of its line and its battery. While either holds, attachments wait and everything smaller goes; an
/// attachment that is under way is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, uniffi::Record)]
pub struct Hints {
    /// The line is paid by the byte.
    #[uniffi(default = false)]
    pub metered: bool,
    /// The battery is low.
    #[uniffi(default = false)]
    pub low_battery: bool,
}

/// What the link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SyncPhase {
    /// It reaches for the upstream.
    Connecting,
    /// Records arrive for the first time: `done` of `total`. What has arrived can be used.
    FirstSync,
    /// Changes move.
    Exchanging,
    /// Nothing waits at either end.
    Quiet,
    /// The upstream cannot be reached; local work goes on and waits. `retry_in_ms` says when it is tried again.
    Offline,
    /// Cut by hand.
    Paused,
    /// Stopped by the app.
    Stopped,
    /// The upstream refuses this replica for good, or a fault ended the link: `problem` says why.
    Ended,
}

/// The state of the link.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncStatus {
    /// What it does.
    pub phase: SyncPhase,
    /// Records delivered so far by the first sync.
    pub done: u64,
    /// Records to be delivered in all; 0 where none are.
    pub total: u64,
    /// Changes that wait to go up.
    pub outbox: u64,
    /// Attachments that wait to go up.
    pub attachments: u64,
    /// Own changes that were refused and wait for a person.
    pub quarantine: u64,
    /// When both ends last had nothing to move, in milliseconds since 1970.
    pub last_success_ms: Option<i64>,
    /// When offline: how long until the next try.
    pub retry_in_ms: Option<u64>,
    /// When offline or ended: why, in words, and whether waiting helps.
    pub problem: Option<Problem>,
}

/// Hears the state of the link.
#[uniffi::export(with_foreign)]
pub trait SyncListener: Send + Sync {
    /// The state, now and whenever it has changed; states that came and went while the listener was busy are left out. It
    /// comes from a thread of its own, one call at a time.
    fn changed(&self, status: SyncStatus) -> std::result::Result<(), CallbackError>;
}

/// What an exchange moved.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Exchange {
    /// Whether both ends had become quiet; else the deadline came first, and the next exchange goes on from there.
    pub finished: bool,
    /// Changes that the upstream acknowledged.
    pub pushed: u64,
    /// Changes that became durable here.
    pub pulled: u64,
    /// Changes that the upstream refused; they stay here, in quarantine.
    pub refused: u64,
    /// Changes that still wait.
    pub outbox: u64,
    /// Attachments that still wait to go up.
    pub attachments: u64,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
}

/// The link of a replica, kept in the background. It ends with `stop`, and when nothing holds it any more.
#[derive(uniffi::Object)]
pub struct SyncHandle {
    stop: watch::Sender<bool>,
    board: Arc<Board>,
}

#[uniffi::export]
impl SyncHandle {
    /// Ends the link and returns at once; `wait` says when it has ended.
    pub fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Waits until the link has ended; false where it has not within that time.
    pub fn wait(&self, timeout_ms: u64) -> bool {
        self.board.wait_ended(Duration::from_millis(timeout_ms))
    }

    /// The state as it was last told.
    pub fn status(&self) -> SyncStatus {
        self.board.current()
    }
}

impl Drop for SyncHandle {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

#[uniffi::export]
impl BlockingReplica {
    /// Keeps the upstream link in the background: connects, moves changes as they happen, waits out failures. One process
    /// of a folder holds the link at a time.
    ///
    /// # Errors
    /// `Usage` at a hub, which has no upstream.
    pub fn start_sync(&self, listener: Option<Arc<dyn SyncListener>>) -> Result<Arc<SyncHandle>> {
        let language = self.language;
        self.call(|replica| {
            replica.upstream()?;
            let (stop, stopped) = watch::channel(false);
            let board = Arc::new(Board::new(first_status(replica)?));
            let failed = |e: std::io::Error| Error::storage("no-runtime").with("reason", e.to_string());
            let closed = self.closed.subscribe();
            let link = Link { replica: replica.clone(), language, board: board.clone(), stopped, closed };
            thread::Builder::new().name("branchline-sync".into()).spawn(move || link.run()).map_err(failed)?;
            if let Some(listener) = listener {
                let board = board.clone();
                let tell = move || board.tell(&*listener);
                thread::Builder::new().name("branchline-status".into()).spawn(tell).map_err(failed)?;
            }
            Ok(Arc::new(SyncHandle { stop, board }))
        })
    }

    /// One exchange, for work that the system schedules: until both ends are quiet, or stopped cleanly when the deadline
    /// comes, so that the next one goes on from there. Where the link is kept already, it waits for that to become quiet.
    ///
    /// # Errors
    /// `Unreachable` where the upstream does not answer: local work is safe and waits. `Refused` where the upstream does
    /// not let this replica in.
    pub fn run_once(&self, deadline_ms: u64, listener: Option<Arc<dyn SyncListener>>) -> Result<Exchange> {
        let language = self.language;
        self.call(|replica| {
            let until = self.interrupted_or(Duration::from_millis(deadline_ms));
            let mut status = first_status(replica)?;
            let tell = |status: &SyncStatus| {
                if let Some(listener) = &listener {
                    told("sync", || listener.changed(status.clone()));
                }
            };
            tell(&status);
            let done = runtime()?.block_on(async {
                let exchange = net::sync_until(replica, until, |event| {
                    let before = status.clone();
                    note_event(&mut status, &event);
                    note_waiting(&mut status, replica);
                    if status != before {
                        tell(&status);
                    }
                });
                exchange.await
            });
            note_waiting(&mut status, replica);
            if let Err(error) = &done {
                log(LogLevel::Warning, "sync", || error.to_string());
                (status.phase, status.problem) = (SyncPhase::Offline, Some(Problem::of(error, language)));
            } else if status.phase != SyncPhase::Quiet {
                status.phase = SyncPhase::Stopped;
            }
            tell(&status);
            let done = done?;
            Ok(Exchange {
                finished: done.finished,
                pushed: done.pushed,
                pulled: done.pulled,
                refused: done.refused,
                outbox: status.outbox,
                attachments: status.attachments,
                bytes_up: done.traffic.sent_bytes,
                bytes_down: done.traffic.received_bytes,
            })
        })
    }

    /// Ends the exchanges and downloads of other threads as if their deadlines had come.
    pub fn interrupt(&self) {
        self.interrupts.send_modify(|count| *count += 1);
    }

    /// Says what the device knows of its line and battery. It holds until it is said anew, for this process.
    ///
    /// # Errors
    /// `Usage` after it was closed.
    pub fn set_hints(&self, hints: Hints) -> Result<()> {
        self.call(|replica| {
            replica.hold_attachments(hints.metered || hints.low_battery);
            Ok(())
        })
    }

    /// Cuts the line by hand, or restores it; whoever keeps the link obeys within a second.
    ///
    /// # Errors
    /// `Usage` at a hub, which has no upstream.
    pub fn set_paused(&self, paused: bool) -> Result<()> {
        self.call(|replica| replica.set_paused(paused))
    }
}

impl BlockingReplica {
    /// Ends when so much time has passed, or somebody interrupts.
    pub(crate) fn interrupted_or(&self, deadline: Duration) -> impl Future<Output = ()> + use<> {
        let (mut interrupts, mut closed) = (self.interrupts.subscribe(), self.closed.subscribe());
        async move {
            tokio::select! {
                _ = interrupts.changed() => {}
                _ = closed.wait_for(|closed| *closed) => {}
                () = tokio::time::sleep(deadline) => {}
            }
        }
    }
}

/// The link on its thread.
struct Link {
    replica: Replica,
    language: Language,
    board: Arc<Board>,
    stopped: watch::Receiver<bool>,
    closed: watch::Receiver<bool>,
}

impl Link {
    fn run(self) {
        let Self { replica, language, board, stopped, closed } = self;
        let ended = unwound(|| runtime()?.block_on(keep(&replica, language, &board, stopped, closed)));
        let mut status = board.current();
        note_waiting(&mut status, &replica);
        status.retry_in_ms = None;
        (status.phase, status.problem) = match ended {
            Ok(()) => (SyncPhase::Stopped, None),
            Err(error) => {
                let error = error.unwrap_or_else(fault);
                log(LogLevel::Error, "sync", || error.to_string());
                (SyncPhase::Ended, Some(Problem::of(&error, language)))
            }
        };
        // Whoever waits for the end may open the folder anew.
        drop(replica);
        board.end(status);
    }
}

async fn keep(
    replica: &Replica,
    language: Language,
    board: &Board,
    mut asked: watch::Receiver<bool>,
    mut closed: watch::Receiver<bool>,
) -> CoreResult<()> {
    let (heard, mut hearing) = mpsc::unbounded_channel();
    let committed = Arc::new(Notify::new());
    let wake = committed.clone();
    let _notice = replica.on_commit(move || wake.notify_one());
    let (stop, stopped) = watch::channel(false);
    let following = net::follow(replica.clone(), &net::Tcp, stopped, move |what| {
        let _ = heard.send(what);
    });
    tokio::pin!(following);
    let mut status = board.current();
    loop {
        tokio::select! {
            done = &mut following => return done,
            Some(what) = hearing.recv() => {
                note(&mut status, what, language);
                // What came meanwhile is one state.
                while let Ok(what) = hearing.try_recv() {
                    note(&mut status, what, language);
                }
            }
            () = committed.notified() => {}
            _ = asked.wait_for(|stop| *stop), if !*stop.borrow() => {
                let _ = stop.send(true);
            }
            _ = closed.wait_for(|closed| *closed), if !*stop.borrow() => {
                let _ = stop.send(true);
            }
        }
        note_waiting(&mut status, replica);
        board.set(&status);
    }
}

fn note(status: &mut SyncStatus, what: Following, language: Language) {
    (status.retry_in_ms, status.problem) = (None, None);
    match what {
        Following::Online => {
            log(LogLevel::Info, "sync", || "the line is up".to_owned());
            status.phase = SyncPhase::Exchanging;
        }
        Following::Offline { error, retry_ms } => {
            log(LogLevel::Warning, "sync", || format!("{error}; again in {retry_ms} ms"));
            status.phase = SyncPhase::Offline;
            status.retry_in_ms = Some(retry_ms.max(0) as u64);
            status.problem = Some(Problem::of(&error, language));
        }
        Following::Paused => status.phase = SyncPhase::Paused,
        Following::Event(event) => note_event(status, &event),
    }
}

fn note_event(status: &mut SyncStatus, event: &Event) {
    log(LogLevel::Debug, "sync", || format!("{event:?}"));
    match event {
        Event::Progress { done, total } => {
            (status.done, status.total) = (*done, *total);
            status.phase = if done < total { SyncPhase::FirstSync } else { SyncPhase::Exchanging };
        }
        Event::Quiet => status.phase = SyncPhase::Quiet,
        Event::Pulled(_) | Event::Pushed(_) if status.phase == SyncPhase::FirstSync => {}
        Event::Connected
        | Event::Differs
        | Event::Pulled(_)
        | Event::Pushed(_)
        | Event::Refused(_)
        | Event::Blob(_) => {
            status.phase = SyncPhase::Exchanging;
        }
    }
}

// What cannot be read now is told at the next step.
fn note_waiting(status: &mut SyncStatus, replica: &Replica) {
    if let Ok(waiting) = replica.waiting() {
        (status.outbox, status.quarantine) = (waiting.outbox, waiting.quarantine);
    }
    if let Ok(unsent) = replica.unsent_blobs() {
        status.attachments = unsent.count;
    }
    if let Ok(at) = replica.last_quiet() {
        status.last_success_ms = at.map(|at| at.0);
    }
}

fn first_status(replica: &Replica) -> CoreResult<SyncStatus> {
    let waiting = replica.waiting()?;
    Ok(SyncStatus {
        phase: SyncPhase::Connecting,
        done: 0,
        total: 0,
        outbox: waiting.outbox,
        attachments: replica.unsent_blobs()?.count,
        quarantine: waiting.quarantine,
        last_success_ms: replica.last_quiet()?.map(|at| at.0),
        retry_in_ms: None,
        problem: None,
    })
}

/// The newest state, for whoever tells it and whoever asks.
struct Board {
    state: Mutex<BoardState>,
    changed: Condvar,
}

struct BoardState {
    status: SyncStatus,
    told: bool,
    ended: bool,
}

impl Board {
    fn new(status: SyncStatus) -> Self {
        Self { state: Mutex::new(BoardState { status, told: false, ended: false }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> SyncStatus {
        self.state().status.clone()
    }

    fn set(&self, status: &SyncStatus) {
        let mut state = self.state();
        if state.status != *status {
            (state.status, state.told) = (status.clone(), false);
            self.changed.notify_all();
        }
    }

    fn end(&self, status: SyncStatus) {
        let mut state = self.state();
        (state.status, state.told, state.ended) = (status, false, true);
        self.changed.notify_all();
    }

    fn wait_ended(&self, timeout: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), timeout, |state| !state.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    // Tells every state but those that a newer one has overtaken, until the last.
    fn tell(&self, listener: &dyn SyncListener) {
        loop {
            let mut state = self.state();
            while state.told && !state.ended {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.told {
                return;
            }
            state.told = true;
            let status = state.status.clone();
            drop(state);
            told("sync", || listener.changed(status));
        }
    }
}
