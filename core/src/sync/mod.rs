//! The sans-IO link: one state machine for each end, driven by inputs, drained by polls.
//!
//! ```text
//!            frames, timer, replies                 frames, requests, events
//!  driver ──── handle(now, Input) ────▶ Session ──── poll() -> Output ────▶ driver
//!                                      (downstream or upstream)
//! ```
//!
//! A driver owns the socket, the clock and the store. It calls [`Machine::handle`] with whatever
//! happened, then [`Machine::poll`] until it returns `None`: each [`Output::Send`] goes to the socket, each
//! [`Output::Do`] to the store, whose answer comes back as [`Input::Done`]. [`Machine::timeout`]
//! says when to come back with [`Input::Timer`] if nothing happens. The same machine runs in the device, in the server and
//! in the simulator.
//!
//! Invariants: at most one request is with the store at a time; at most one batch and one push are unacknowledged
//! ([`WINDOW`](pace::WINDOW)), so a cut line re-sends at most one of each; an acknowledgement leaves only after the
//! store has answered that the commit is durable; an upload that is refused never stops a download; attachments go only
//! when nothing else waits. What is absent: clocks, randomness, sockets, SQL, knowledge of what a change means.
//!
//! Memory: a session holds one frame it received and one it has ready to send, each at most
//! [`FRAME_BYTES_MAX`](crate::limits::FRAME_BYTES_MAX), and is otherwise a few hundred bytes.

pub mod blobs;
pub mod compare;
pub mod downstream;
pub mod pace;
pub mod position;
pub mod upstream;

use crate::error::Error;
use crate::time::Millis;
use crate::wire::message::{Failure, Nonce};

/// One end of a link, as a driver sees it.
pub trait Machine {
    /// What it asks of the store.
    type Request: Send + 'static;
    /// The store's answers.
    type Reply: Send + 'static;

    /// Takes one input. Call [`poll`](Self::poll) until it returns `None` afterwards.
    fn handle(&mut self, now: Millis, input: Input<Self::Reply>);

    /// What to do next; `None`: wait for an input.
    fn poll(&mut self) -> Option<Output<Self::Request>>;

    /// When to come back with [`Input::Timer`] if nothing happens before.
    fn timeout(&self) -> Millis;

    /// The error that ended the session, where it was ours.
    fn error(&self) -> Option<&Error>;
}

/// The store's side of one end: carries out requests, one at a time.
pub trait Executor: Send + 'static {
    /// The requests of its machine.
    type Request: Send + 'static;
    /// The answers.
    type Reply: Send + 'static;

    /// Carries out one request; may block on the disk.
    fn execute(&mut self, request: Self::Request) -> Self::Reply;
}

/// What happened outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<R> {
    /// The WebSocket is open; the upstream drew this nonce.
    Opened(Nonce),
    /// A binary message came.
    Frame(Vec<u8>),
    /// Bytes have come that are no whole message yet.
    Bytes,
    /// The store's answer to the request last polled.
    Done(R),
    /// Something was committed to the local store by someone else than this session.
    Local,
    /// The time that `timeout` named has come.
    Timer,
    /// End the link politely.
    Stop,
    /// End it, for a newer connection of the same device has come.
    Replaced,
}

/// What the driver must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output<Q> {
    /// Send this binary message.
    Send(Vec<u8>),
    /// Carry this out on the store and answer with [`Input::Done`].
    Do(Q),
    /// Tell whoever watches.
    Event(Event),
    /// Close the socket; the session is over.
    Close(End),
}

/// What a person or a log wants to know of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The upstream let us in.
    Connected,
    /// The histories of both ends differ: what they hold is compared, and each gets what it lacks.
    Differs,
    /// Records delivered and to be delivered by the first sync.
    Progress {
        /// Delivered so far.
        done: u64,
        /// In all.
        total: u64,
    },
    /// Changes that became durable here.
    Pulled(u64),
    /// Changes that the upstream acknowledged.
    Pushed(u64),
    /// Changes that the upstream refused and keeps for review.
    Refused(u64),
    /// Bytes of an attachment that moved.
    Blob(u64),
    /// Nothing waits in either direction.
    Quiet,
}

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By our own wish.
    Stopped,
    /// The other end said why.
    Theirs(Failure),
    /// We said why.
    Ours(Failure),
    /// Nothing was heard for too long.
    Silence,
}

/// What moves time forward in a session: when the other end was last heard, when this one last spoke, and last said more
/// than that it lives, and how many bytes it has said since it heard anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    heard: Millis,
    spoke: Millis,
    asked: Millis,
    unheard_bytes: usize,
}

impl Pulse {
    pub(crate) fn new(now: Millis) -> Self {
        Self { heard: now, spoke: now, asked: now, unheard_bytes: 0 }
    }

    pub(crate) fn hear(&mut self, now: Millis) {
        (self.heard, self.unheard_bytes) = (now, 0);
    }

    pub(crate) fn speak(&mut self, now: Millis, bytes: usize) {
        self.asked = now;
        self.beat(now, bytes);
    }

    /// This end says that it lives, which postpones no answer.
    pub(crate) fn beat(&mut self, now: Millis, bytes: usize) {
        self.spoke = now;
        self.unheard_bytes = self.unheard_bytes.saturating_add(bytes);
    }

    /// When the other end is given up if it says nothing; `owed`: it owes an answer.
    pub(crate) fn gone_at(&self, owed: bool) -> Millis {
        let at_last = self.heard.plus(pace::SILENCE_MS_MAX);
        if !owed || canary!("wait_for_answers_for_ever") {
            return at_last;
        }
        let under_way_ms = (self.unheard_bytes as i64).saturating_mul(1_000) / pace::SLOWEST_BYTES_PER_S;
        at_last.min(self.heard.max(self.asked).plus(pace::ANSWER_MS_MAX.saturating_add(under_way_ms)))
    }

    /// When this end must say that it lives; `owes`: the other one waits for an answer.
    pub(crate) fn beat_at(&self, owes: bool) -> Millis {
        self.spoke.plus(if owes { pace::ANSWER_BEAT_MS } else { pace::HEARTBEAT_MS })
    }
}

pub(crate) fn failure(code: &str, retryable: bool) -> Failure {
    Failure { code: code.to_owned(), retryable }
}
