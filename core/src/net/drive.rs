//! The loop between a socket, a session and the store.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::frames::framed;
use super::work::Work;
use crate::error::Error;
use crate::limits::UNSENT_BYTES_MAX;
use crate::replica::Environment;
use crate::sync::{End, Event, Executor, Input, Machine, Output};

/// How long an ending waits for what is still under way in either direction.
const LAST_WORDS_MAX: Duration = Duration::from_secs(5);

/// A socket's binary messages: what comes in, and where to put what goes out.
pub struct Frames<I, O> {
    /// Messages of the other end; the stream ends with the connection.
    pub incoming: I,
    /// Messages to the other end.
    pub outgoing: O,
    /// Bytes that have come so far, of messages that are not whole, too; stays at zero where nobody counts.
    pub received_bytes: Arc<AtomicU64>,
    /// Whether this end masks its frames (the client does).
    pub client: bool,
}

/// What a link cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent, with the framing of the WebSocket.
    pub sent_bytes: u64,
    /// Bytes received, with the framing.
    pub received_bytes: u64,
    /// How often this end spoke and then heard an answer.
    pub round_trips: u64,
}

/// The replica around a link.
pub struct Around<'a> {
    /// Its clock.
    pub env: &'a dyn Environment,
    /// Says whenever its store has something new. A broadcast wakes its listeners in the order in which they listen.
    pub local: broadcast::Receiver<u64>,
}

impl Traffic {
    /// What was added since an earlier moment of the same connection.
    #[must_use]
    pub fn since(self, earlier: Traffic) -> Traffic {
        Traffic {
            sent_bytes: self.sent_bytes.saturating_sub(earlier.sent_bytes),
            received_bytes: self.received_bytes.saturating_sub(earlier.received_bytes),
            round_trips: self.round_trips.saturating_sub(earlier.round_trips),
        }
    }
}

/// How a link ended and what it cost.
#[derive(Debug)]
pub struct Outcome<E> {
    /// How it ended; `None`: the connection was lost.
    pub end: Option<End>,
    /// Our own error, where it ended because of one.
    pub error: Option<Error>,
    /// What it cost.
    pub traffic: Traffic,
    /// The executor, given back; `None` only where a blocking task was cancelled with the runtime.
    pub executor: Option<E>,
}

/// Runs a session until it closes, the connection is lost, or `stop` says why it must end.
///
/// Events go to `on_event` as they happen.
pub async fn drive<M, E, I, O>(
    mut machine: M,
    executor: E,
    frames: Frames<I, O>,
    first: Input<M::Reply>,
    around: Around<'_>,
    mut on_event: impl FnMut(Event, Traffic),
    stop: impl Future<Output = Input<M::Reply>>,
) -> Outcome<E>
where
    M: Machine,
    E: Executor<Request = M::Request, Reply = M::Reply>,
    I: Stream<Item = Vec<u8>> + Unpin,
    O: Sink<Vec<u8>> + Unpin + Send + 'static,
{
    let Frames { mut incoming, outgoing, received_bytes, client } = frames;
    let mut received = Received { bytes: received_bytes, known: 0 };
    let Around { env, mut local } = around;
    let (writer, gone, written) = spawn_writer(outgoing);
    let store = StoreTask { env, executor: Some(executor), running: None };
    let mut outlet = Outlet { writer, client, traffic: Traffic::default(), spoke: false, store };
    let mut inputs = VecDeque::from([first]);
    let mut local_open = true;
    // Once the other end has hung up, what it said last is still carried out.
    let mut incoming_open = true;
    let nobody_listens = last_words(gone);
    tokio::pin!(stop, nobody_listens);
    let end = loop {
        while let Some(input) = inputs.pop_front() {
            machine.handle(env.now(), input);
        }
        if let Some(end) = outlet.drain(&mut machine, &mut on_event) {
            break Some(end);
        }
        if !incoming_open && outlet.store.running.is_none() {
            break None;
        }
        let wait = Duration::from_millis(machine.timeout().0.saturating_sub(env.now().0).clamp(0, 60_000) as u64);
        // In this order, so that a simulated run can be played again: what was begun is ended before more is taken in.
        tokio::select! {
            biased;
            why = &mut stop => inputs.push_back(why),
            () = &mut nobody_listens => break None,
            reply = outlet.store.finish() => match reply {
                Some(reply) => inputs.push_back(Input::Done(reply)),
                None => break None,
            },
            () = outlet.writer.eased.notified(), if outlet.writer.is_full() => {}
            frame = incoming.next(), if incoming_open && !outlet.writer.is_full() => match frame {
                Some(frame) => {
                    received.more();
                    outlet.heard(&frame);
                    inputs.push_back(Input::Frame(frame));
                }
                None => incoming_open = false,
            },
            told = local.recv(), if local_open => match told {
                // Having missed some says the same.
                Ok(_) | Err(RecvError::Lagged(_)) => inputs.push_back(Input::Local),
                Err(RecvError::Closed) => local_open = false,
            },
            () = tokio::time::sleep(wait) => {
                inputs.extend(received.more().then_some(Input::Bytes));
                inputs.push_back(Input::Timer);
            }
        }
    };
    outlet.close(end, machine.error().cloned(), written).await
}

// The time that is left for what the other end said last, once nothing can be sent to it.
async fn last_words(gone: oneshot::Receiver<()>) {
    let _ = gone.await;
    tokio::time::sleep(LAST_WORDS_MAX).await;
}

/// Bytes that have come, of messages that are not whole, too.
struct Received {
    bytes: Arc<AtomicU64>,
    known: u64,
}

impl Received {
    // Whether more have come since the last look.
    fn more(&mut self) -> bool {
        let now = self.bytes.load(Ordering::Relaxed);
        std::mem::replace(&mut self.known, now) != now
    }
}

/// Where a session's outputs go.
struct Outlet<'e, E: Executor> {
    writer: Writer,
    client: bool,
    traffic: Traffic,
    spoke: bool,
    store: StoreTask<'e, E>,
}

impl<E: Executor> Outlet<'_, E> {
    // Carries out everything that the session wants. `Some`: it has closed.
    fn drain<M>(&mut self, machine: &mut M, on_event: &mut impl FnMut(Event, Traffic)) -> Option<End>
    where
        M: Machine<Request = E::Request, Reply = E::Reply>,
    {
        let mut closed = None;
        while let Some(output) = machine.poll() {
            match output {
                Output::Send(frame) => {
                    self.traffic.sent_bytes += framed(frame.len(), self.client);
                    self.spoke = true;
                    self.writer.send(frame);
                }
                Output::Do(request) => self.store.start(request),
                Output::Event(event) => on_event(event, self.traffic),
                Output::Close(end) => closed = Some(end),
            }
        }
        closed
    }

    async fn close(self, end: Option<End>, error: Option<Error>, written: JoinHandle<()>) -> Outcome<E> {
        let Outlet { writer, traffic, store, .. } = self;
        drop(writer);
        let _ = tokio::time::timeout(LAST_WORDS_MAX, written).await;
        Outcome { end, error, traffic, executor: store.give_back().await }
    }

    fn heard(&mut self, frame: &[u8]) {
        self.traffic.received_bytes += framed(frame.len(), !self.client);
        self.traffic.round_trips += u64::from(self.spoke);
        self.spoke = false;
    }
}

/// Where frames wait to be sent.
struct Writer {
    // Unbounded in type; while it is full, nothing is read that would be answered.
    frames: mpsc::UnboundedSender<Vec<u8>>,
    unsent_bytes: Arc<AtomicUsize>,
    eased: Arc<Notify>,
}

impl Writer {
    fn send(&self, frame: Vec<u8>) {
        self.unsent_bytes.fetch_add(frame.len(), Ordering::Relaxed);
        // Where nobody listens any more, `drive` ends.
        let _ = self.frames.send(frame);
    }

    fn is_full(&self) -> bool {
        self.unsent_bytes.load(Ordering::Relaxed) > UNSENT_BYTES_MAX
    }
}

// Frames leave from a task of their own: an end that only wrote could not read, and two such ends would wait for ever.
// The receiver hears when the task has ended.
fn spawn_writer<O>(mut outgoing: O) -> (Writer, oneshot::Receiver<()>, JoinHandle<()>)
where
    O: Sink<Vec<u8>> + Unpin + Send + 'static,
{
    let (sender, mut frames) = mpsc::unbounded_channel::<Vec<u8>>();
    let (alive, gone) = oneshot::channel();
    let writer = Writer { frames: sender, unsent_bytes: Arc::default(), eased: Arc::default() };
    let (unsent_bytes, eased) = (writer.unsent_bytes.clone(), writer.eased.clone());
    let task = tokio::spawn(async move {
        let _alive: oneshot::Sender<()> = alive;
        while let Some(frame) = frames.recv().await {
            let bytes = frame.len();
            if outgoing.send(frame).await.is_err() {
                return;
            }
            unsent_bytes.fetch_sub(bytes, Ordering::Relaxed);
            eased.notify_one();
        }
        let _ = outgoing.close().await;
    });
    (writer, gone, task)
}

struct StoreTask<'e, E: Executor> {
    env: &'e dyn Environment,
    executor: Option<E>,
    running: Option<Work<(E, E::Reply)>>,
}

impl<E: Executor> StoreTask<'_, E> {
    fn start(&mut self, request: E::Request) {
        // The session asks for one thing at a time, so the executor is here.
        if let Some(mut executor) = self.executor.take() {
            self.running = Some(Work::start(self.env, move || {
                let reply = executor.execute(request);
                (executor, reply)
            }));
        }
    }

    // The answer of what runs; never ready while nothing does. `None`: the task panicked or the runtime ends.
    async fn finish(&mut self) -> Option<E::Reply> {
        let Some(running) = self.running.as_mut() else { return std::future::pending().await };
        let done = running.finish().await;
        self.running = None;
        let (executor, reply) = done?;
        self.executor = Some(executor);
        Some(reply)
    }

    async fn give_back(mut self) -> Option<E> {
        if self.running.is_some() {
            let _ = self.finish().await;
        }
        self.executor
    }
}
