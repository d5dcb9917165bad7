//! The upper end of a link: a hub or a branch towards one downstream.
//!
//! Phases: opened → waits for a hello or an enrolment → the store admits or refuses → live → closed. Live, it keeps one
//! batch in flight (and has the store prepare the next only after the first was confirmed), makes pushes durable in
//! their order and acknowledges each after its commit. Pushes and batches take turns, so a bulk upload never starves a
//! download nor the other way round. While the downstream compares what both hold, nothing is fed: where it stands is
//! known only afterwards.

use std::collections::VecDeque;

use super::blobs::{self, BlobReply, BlobRequest};
use super::pace::{Budget, GREETING_MS_MAX, Lane, Pace, REST_MS, WINDOW};
use super::{End, Event, Input, Machine, Output, Pulse, failure};
use crate::error::Error;
use crate::id::RecordId;
use crate::limits::WANT_RECORDS_MAX;
use crate::time::Millis;
use crate::wire::message::{Ack, Batch, Compare, Enrol, Enrolled, Hello, Message, Nonce, Welcome};

/// What the store is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Judge a greeting: signature, revocation, epoch, position, witness.
    Admit(Hello, Nonce),
    /// Judge an enrolment and write it.
    Enrol(Enrol, Nonce),
    /// The next batch after the downstream's position, at most so large.
    Feed(Budget),
    /// The downstream confirmed the batch in flight.
    Confirmed,
    /// Vet a push and make it durable; the number goes into the acknowledgement.
    Ingest(u64, Vec<u8>),
    /// Go on with the push that rests.
    GoOn,
    /// These records whole.
    Whole(Vec<RecordId>),
    /// The downstream's word on itself.
    Heard(u64, Option<Millis>),
    /// Something about attachments.
    Blob(BlobRequest),
    /// A round of comparing what both ends hold.
    Compare(Compare),
    /// The certificate of the downstream whose greeting was not known.
    Introduced(Vec<u8>, Nonce),
}

/// The store's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Let in.
    Welcome {
        /// What it is told.
        welcome: Welcome,
        /// The histories of both ends differ: they are compared before anything is fed.
        differs: bool,
    },
    /// The downstream is not remembered: it may show what this replica once signed.
    Stranger,
    /// Enrolled.
    Enrolled(Enrolled),
    /// A batch without its number; `None`: nothing waits.
    Batch(Option<Batch>),
    /// What goes before a batch whose position says that it was told.
    Led(Vec<Message>, Batch),
    /// The push is durable, but for what the acknowledgement lists.
    Ack(Ack, u64),
    /// The push waits, whole or in part, for its device has kept others waiting.
    Resting,
    /// The answer to a round of comparing; `None`: it has ended, and what the downstream lacks is fed.
    Compared(Option<Vec<u8>>),
    /// Done.
    Done,
    /// About attachments.
    Blob(BlobReply),
    /// Refused, or it failed; the link ends and nothing was kept of the request.
    Failed(Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opened,
    Greeting,
    Admitting,
    Introducing,
    Enrolled,
    Live,
    Closed,
}

/// The state of the upper end.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    nonce: Nonce,
    pulse: Pulse,
    pace: Pace,
    opened_at: Millis,
    outputs: VecDeque<Output<Request>>,
    requests: VecDeque<Request>,
    busy: bool,
    // Pushes that were not acknowledged yet.
    pushes: usize,
    // When to ask whether a push that rests may go on.
    resting: Option<Millis>,
    next_batch: u64,
    in_flight: Option<u64>,
    more: bool,
    // The store was asked for a batch and something new came meanwhile: ask once more.
    stale: bool,
    fed_last: bool,
    comparing: bool,
    error: Option<Error>,
}

/// Requests of one downstream that may wait here; a downstream that keeps the protocol never has more.
const REQUESTS_MAX: usize = 8;

impl Machine for Session {
    type Request = Request;
    type Reply = Reply;

    fn handle(&mut self, now: Millis, input: Input<Reply>) {
        if self.phase == Phase::Closed {
            return;
        }
        match input {
            Input::Opened(nonce) => {
                self.nonce = nonce;
                self.phase = Phase::Greeting;
            }
            Input::Frame(frame) => {
                self.pulse.hear(now);
                match Message::decode(&frame) {
                    Ok(message) => self.message(now, message),
                    Err(error) => self.fail(error),
                }
            }
            Input::Done(reply) => {
                self.busy = false;
                self.reply(now, reply);
            }
            Input::Local => {
                self.more = true;
                self.stale = true;
            }
            Input::Bytes => self.pulse.hear(now),
            Input::Timer => self.timer(now),
            Input::Stop => self.fail(Error::busy("upstream-stops")),
            Input::Replaced => self.fail(Error::busy("link-replaced")),
        }
        self.plan();
    }

    fn poll(&mut self) -> Option<Output<Request>> {
        self.outputs.pop_front()
    }

    fn timeout(&self) -> Millis {
        match self.phase {
            Phase::Live => {
                let next = self.pulse.gone_at(false).min(self.pulse.beat_at(self.owes()));
                self.resting.map_or(next, |at| at.min(next))
            }
            _ => self.opened_at.plus(GREETING_MS_MAX),
        }
    }

    fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

impl Session {
    /// A session for a socket that was just upgraded with this nonce.
    pub fn new(now: Millis, nonce: Nonce) -> Self {
        Self {
            phase: Phase::Opened,
            nonce,
            pulse: Pulse::new(now),
            pace: Pace::default(),
            opened_at: now,
            outputs: VecDeque::new(),
            requests: VecDeque::new(),
            busy: false,
            pushes: 0,
            resting: None,
            next_batch: 1,
            in_flight: None,
            more: false,
            stale: false,
            fed_last: false,
            comparing: false,
            error: None,
        }
    }

    // Whether the downstream waits for something that takes a while here.
    fn owes(&self) -> bool {
        self.pushes > 0 || self.busy || !self.requests.is_empty() || (self.more && self.in_flight.is_none())
    }

    fn message(&mut self, now: Millis, message: Message) {
        if self.requests.len() >= REQUESTS_MAX {
            return self.fail(Error::protocol("too-many-messages"));
        }
        match (self.phase, message) {
            (_, Message::Failure(failure)) => self.close(End::Theirs(failure)),
            (Phase::Opened | Phase::Greeting, Message::Hello(hello)) => {
                self.phase = Phase::Admitting;
                self.requests.push_back(Request::Admit(hello, self.nonce));
            }
            (Phase::Opened | Phase::Greeting, Message::Enrol(enrol)) => {
                self.phase = Phase::Admitting;
                self.requests.push_back(Request::Enrol(enrol, self.nonce));
            }
            (Phase::Introducing, Message::Introduce { certificate }) => {
                self.phase = Phase::Admitting;
                self.requests.push_back(Request::Introduced(certificate, self.nonce));
            }
            (Phase::Live, Message::Compare(compare)) => {
                // From the first round on, where the downstream stands is what the comparison will say.
                self.comparing = true;
                self.requests.push_back(Request::Compare(compare));
            }
            // Its window is one: a second push is a peer that does not listen, and its bytes would wait here.
            (Phase::Live, Message::Push { .. }) if self.pushes >= WINDOW => {
                self.fail(Error::protocol("too-many-messages"));
            }
            (Phase::Live, Message::Push { number, changes }) => {
                self.pushes += 1;
                self.requests.push_back(Request::Ingest(number, changes));
            }
            (Phase::Live, Message::Got { number }) if self.in_flight == Some(number) => {
                self.in_flight = None;
                self.pace.answered(now, Lane::Changes);
                self.requests.push_back(Request::Confirmed);
            }
            (Phase::Live, Message::Want { records }) if records.len() <= WANT_RECORDS_MAX => {
                self.requests.push_back(Request::Whole(records))
            }
            (Phase::Live, Message::Alive { outbox, complete_through }) => {
                self.requests.push_back(Request::Heard(outbox, complete_through));
            }
            (Phase::Live, other) => match blobs::request(now, other, &mut self.pace) {
                Some(request) => self.requests.push_back(Request::Blob(request)),
                None => self.fail(Error::protocol("unexpected-message")),
            },
            _ => self.fail(Error::protocol("unexpected-message")),
        }
    }

    fn reply(&mut self, now: Millis, reply: Reply) {
        match reply {
            Reply::Welcome { welcome, differs } => {
                self.phase = Phase::Live;
                self.more = !welcome.quiet;
                self.fed_last = welcome.quiet;
                self.comparing = differs;
                if differs {
                    // Before the welcome, so that the downstream pushes nothing that follows what is lacking here.
                    self.send(now, &Message::Compared { round: Vec::new() });
                }
                self.send(now, &Message::Welcome(welcome));
                self.outputs.push_back(Output::Event(Event::Connected));
                if differs {
                    self.outputs.push_back(Output::Event(Event::Differs));
                }
            }
            Reply::Stranger => {
                self.phase = Phase::Introducing;
                self.send(now, &Message::Introduce { certificate: Vec::new() });
            }
            Reply::Compared(Some(round)) => self.send(now, &Message::Compared { round }),
            Reply::Compared(None) => {
                self.comparing = false;
                self.more = true;
                self.fed_last = false;
            }
            Reply::Enrolled(enrolled) => {
                self.phase = Phase::Enrolled;
                self.send(now, &Message::Enrolled(enrolled));
                self.close(End::Stopped);
            }
            Reply::Batch(Some(batch)) => self.batch(now, batch),
            Reply::Led(before, batch) => {
                before.iter().for_each(|message| self.send(now, message));
                self.batch(now, batch);
            }
            Reply::Batch(None) => {
                self.more = self.stale;
                // A batch that promised more turned out to be the last: say so, or the downstream waits for ever.
                if !self.more && !self.fed_last {
                    self.fed_last = true;
                    let number = self.next_batch;
                    self.next_batch += 1;
                    self.in_flight = Some(number);
                    self.send(now, &Message::Batch(Batch { number, last: true, ..Batch::default() }));
                }
            }
            Reply::Ack(ack, accepted) => {
                self.pushes = self.pushes.saturating_sub(1);
                self.send(now, &Message::Ack(ack));
                self.outputs.push_back(Output::Event(Event::Pulled(accepted)));
            }
            Reply::Resting => self.resting = Some(now.plus(REST_MS)),
            Reply::Done => {}
            Reply::Blob(reply) => {
                if let Some(message) = reply.message(now, &mut self.pace) {
                    self.send(now, &message);
                }
            }
            Reply::Failed(error) => self.fail(error),
        }
    }

    fn batch(&mut self, now: Millis, mut batch: Batch) {
        batch.number = self.next_batch;
        self.next_batch += 1;
        self.in_flight = Some(batch.number);
        self.fed_last = batch.last;
        self.more = !batch.last || self.stale;
        let frame = Message::Batch(batch).encode();
        self.pace.sent(now, Lane::Changes, frame.len());
        self.pulse.speak(now, frame.len());
        self.outputs.push_back(Output::Send(frame));
    }

    fn timer(&mut self, now: Millis) {
        if self.resting.is_some_and(|at| now >= at) {
            self.resting = None;
            self.requests.push_front(Request::GoOn);
        }
        match self.phase {
            Phase::Live if now >= self.pulse.gone_at(false) => self.close(End::Silence),
            Phase::Live if now >= self.pulse.beat_at(self.owes()) => {
                self.send(now, &Message::Alive { outbox: 0, complete_through: None });
            }
            Phase::Live => {}
            _ if now >= self.opened_at.plus(GREETING_MS_MAX) => self.close(End::Silence),
            _ => {}
        }
    }

    fn plan(&mut self) {
        if self.busy || matches!(self.phase, Phase::Closed | Phase::Enrolled) {
            return;
        }
        let feed_wanted = self.phase == Phase::Live && self.more && !self.comparing && self.in_flight.is_none();
        // What the downstream sent goes first: it is at most one push, so batches still get every second turn.
        // Whole records are a batch, too, and there is only one in flight. What both hold is not compared amid a push.
        let ready = self.requests.iter().position(|request| match request {
            Request::Whole(_) => self.in_flight.is_none(),
            Request::Compare(_) => self.resting.is_none(),
            _ => true,
        });
        let request = match ready.and_then(|at| self.requests.remove(at)) {
            Some(request) => Some(request),
            None if feed_wanted => {
                self.stale = false;
                Some(Request::Feed(self.pace.budget()))
            }
            None => None,
        };
        if let Some(request) = request {
            self.busy = true;
            self.outputs.push_back(Output::Do(request));
        }
    }

    fn send(&mut self, now: Millis, message: &Message) {
        let frame = message.encode();
        self.pulse.speak(now, frame.len());
        self.outputs.push_back(Output::Send(frame));
    }

    fn fail(&mut self, error: Error) {
        let ours = failure(&error.code(), error.retryable());
        self.outputs.push_back(Output::Send(Message::Failure(ours.clone()).encode()));
        self.error = Some(error);
        self.close(End::Ours(ours));
    }

    fn close(&mut self, end: End) {
        self.phase = Phase::Closed;
        self.requests.clear();
        self.outputs.push_back(Output::Close(end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{BlobHash, DeviceId};
    use crate::limits::BLOB_PIECE_BYTES;
    use crate::sync::pace::ANSWER_BEAT_MS;

    fn live() -> Session {
        let mut session = Session::new(Millis(0), Nonce::default());
        session.handle(Millis(0), Input::Opened(Nonce::default()));
        let (position, witness) = (Vec::new(), Vec::new());
        let hello = Hello { device: DeviceId([1; 8]), signature: [0; 64], epoch: 0, position, witness, outbox: 0 };
        session.handle(Millis(0), Input::Frame(Message::Hello(hello).encode()));
        let welcome = Welcome { now: Millis(0), epoch: 1, quiet: true };
        session.handle(Millis(0), Input::Done(Reply::Welcome { welcome, differs: false }));
        session
    }

    fn after(messages: &[Message]) -> Option<End> {
        let mut session = live();
        for message in messages {
            session.handle(Millis(0), Input::Frame(message.encode()));
        }
        std::iter::from_fn(|| session.poll()).find_map(|output| match output {
            Output::Close(end) => Some(end),
            _ => None,
        })
    }

    fn refused(code: &str) -> Option<End> {
        Some(End::Ours(failure(code, false)))
    }

    #[test]
    fn a_push_that_rests_is_asked_for_again_and_holds_up_nothing_else() {
        let mut session = live();
        while session.poll().is_some() {}
        let asked = |session: &mut Session| {
            std::iter::from_fn(|| session.poll()).find_map(|output| match output {
                Output::Do(request) => Some(request),
                _ => None,
            })
        };
        session.handle(Millis(0), Input::Frame(Message::Push { number: 1, changes: vec![1] }.encode()));
        assert_eq!(asked(&mut session), Some(Request::Ingest(1, vec![1])));
        assert_eq!(session.timeout(), Millis(ANSWER_BEAT_MS), "a push that takes long is no silence");
        session.handle(Millis(5), Input::Done(Reply::Resting));
        assert_eq!(session.timeout(), Millis(5 + REST_MS));
        session.handle(Millis(6), Input::Local);
        assert!(matches!(asked(&mut session), Some(Request::Feed(_))), "downloads go on");
        session.handle(Millis(7), Input::Done(Reply::Batch(None)));
        session.handle(Millis(7), Input::Frame(Message::Compare(Compare::default()).encode()));
        assert_eq!(asked(&mut session), None);
        session.handle(Millis(5 + REST_MS), Input::Timer);
        assert_eq!(asked(&mut session), Some(Request::GoOn));
        let ack = Ack { number: 1, digest: [0; 16], witness: Vec::new(), refused: Vec::new() };
        session.handle(Millis(60), Input::Done(Reply::Ack(ack, 1)));
        assert_eq!(asked(&mut session), Some(Request::Compare(Compare::default())));
    }

    #[test]
    fn what_waits_of_one_downstream_is_bounded() {
        let push = |number| Message::Push { number, changes: vec![1] };
        assert_eq!(after(&[push(1)]), None);
        assert_eq!(after(&[push(1), push(2)]), refused("too_many_messages"), "the first was not acknowledged yet");
        let want = |count| Message::Want { records: vec![RecordId([1; 16]); count] };
        assert_eq!(after(&[want(WANT_RECORDS_MAX)]), None);
        assert_eq!(after(&[want(WANT_RECORDS_MAX + 1)]), refused("unexpected_message"));
        let piece = |count| Message::BlobChunk { hash: BlobHash([1; 32]), offset: 0, size: 9, bytes: vec![1; count] };
        assert_eq!(after(&[piece(BLOB_PIECE_BYTES)]), None);
        assert_eq!(after(&[piece(BLOB_PIECE_BYTES + 1)]), refused("unexpected_message"));
        let alive = Message::Alive { outbox: 0, complete_through: None };
        assert_eq!(after(&vec![alive; REQUESTS_MAX + 2]), refused("too_many_messages"));
    }
}
