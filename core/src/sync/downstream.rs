//! The lower end of a link: a device, or a branch towards its hub.
//!
//! Phases: opened → greeting (the store composes the hello) → greeted (waits for the welcome) → live → closed. Live, it
//! makes batches durable one by one and confirms each, pushes the outbox one batch at a time, and says how complete it
//! is. It is quiet when the upstream has said that nothing follows and nothing waits here.
//!
//! Where the histories of both ends differ, where its place is lost, and once a week it first compares what both hold:
//! asks round by round and pushes nothing meanwhile, then pushes what the upstream lacks, then says so and gets what it
//! lacks itself, with a new position. Cut anywhere, it begins anew: what has arrived differs no longer.

use std::collections::VecDeque;

use super::blobs::{self, BlobReply, BlobRequest};
use super::pace::{Budget, GREETING_MS_MAX, Lane, Pace};
use super::{End, Event, Input, Machine, Output, Pulse, failure};
use crate::error::Error;
use crate::id::RecordId;
use crate::limits::RETURNED_MAX;
use crate::time::Millis;
use crate::wire::message::{
    Ack, Batch, ChangeKey, Compare, Enrol, Enrolled, Failure, Grant, Hello, Message, Nonce, ReturnedChange, Welcome,
};

/// What the store is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Compose the first message for this nonce.
    Greet(Nonce),
    /// The upstream enrolled us: make the folder a replica. The session ends after it.
    Enrolled(Enrolled),
    /// Keep the new epoch and clock offset; the answer took this long to come.
    Welcome(Welcome, i64),
    /// Make a batch durable together with its position.
    Apply(Batch),
    /// The next changes to push, at most so many bytes.
    Push(Budget),
    /// The upstream answered a push.
    Acknowledged(Ack),
    /// What this replica may do and hold from now on.
    Granted(Grant),
    /// Keep what was brought from here and refused further up.
    Returned(Vec<ReturnedChange>),
    /// How much waits here, and up to when this replica is complete.
    Summary,
    /// Something about attachments.
    Blob(BlobRequest),
    /// Begin to compare what both ends hold; whether the upstream has asked for it.
    Compare(bool),
    /// The upstream's answer to a round.
    Compared(Vec<u8>),
    /// Both ends have exchanged what the comparison has found.
    Reconciled,
    /// The upstream asks for this replica's certificate.
    Introduce,
}

/// When both ends are to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// At once: this replica does not know where it stands.
    Now,
    /// Then, when nothing else waits.
    At(Millis),
}

/// The store's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The greeting of an enrolled replica.
    Hello(Hello),
    /// The request of a new one.
    Enrol(Enrol),
    /// Done.
    Done,
    /// The welcome is stored: records that are damaged here, and when to compare.
    Welcomed(Vec<RecordId>, Audit),
    /// What to say to the upstream next; without a round: everything is compared, and what it lacks waits to be pushed.
    Compare(Compare),
    /// The certificate.
    Introduce(Vec<u8>),
    /// What was refused further up is kept; edits on top of it were written again and wait to go up.
    Returned(bool),
    /// Noted; when to compare the next time.
    Reconciled(Millis),
    /// The batch is durable.
    Applied {
        /// Changes that were new here.
        changes: u64,
        /// Records whose dependencies are missing.
        want: Vec<RecordId>,
        /// Edits on top of retracted changes were written again and wait to go up.
        replayed: bool,
    },
    /// Changes to push: the encoded batch and how many it holds. `None`: nothing waits.
    Push(Option<(Vec<u8>, u64)>),
    /// The acknowledgement is stored: accepted, refused.
    Acknowledged(u64, u64),
    /// How much waits, and up to when this replica is complete.
    Summary(u64, Option<Millis>),
    /// About attachments.
    Blob(BlobReply),
    /// It failed; the link ends and the local state is as before.
    Failed(Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opened,
    Greeting,
    Greeted,
    Enrolling,
    Live,
    Closed,
}

/// How far the comparison with the upstream is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Comparing {
    No,
    /// Rounds go.
    Asking,
    /// What the upstream lacks is pushed; what is lacking here is asked for then.
    Offering(Vec<ChangeKey>),
    /// Until the upstream's next position.
    Settling,
}

/// What is remembered of a batch: its number, whether the upstream has nothing behind it, whether the position moves.
#[derive(Debug, Clone, Copy)]
struct Applying {
    number: u64,
    last: bool,
    moves: bool,
}

/// The state of the lower end.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    pulse: Pulse,
    pace: Pace,
    outputs: VecDeque<Output<Request>>,
    // Requests wait here while one is with the store.
    requests: VecDeque<Request>,
    busy: bool,
    greeted_at: Millis,
    next_push: u64,
    push_in_flight: Option<u64>,
    // The batch that the store is making durable.
    applying: Option<Applying>,
    comparing: Comparing,
    audit: Option<Audit>,
    outbox_empty: bool,
    upstream_done: bool,
    // Records were asked for whole and did not come yet.
    whole_due: bool,
    blobs_done: bool,
    blob_in_flight: bool,
    told: Option<(u64, Option<Millis>)>,
    quiet_told: bool,
    error: Option<Error>,
}

impl Machine for Session {
    type Request = Request;
    type Reply = Reply;

    fn handle(&mut self, now: Millis, input: Input<Reply>) {
        if self.phase == Phase::Closed {
            return;
        }
        match input {
            Input::Opened(nonce) => {
                if self.phase == Phase::Opened {
                    self.phase = Phase::Greeting;
                    self.requests.push_back(Request::Greet(nonce));
                }
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
                self.outbox_empty = false;
                self.blobs_done = false;
                self.quiet_told = false;
            }
            Input::Bytes => self.pulse.hear(now),
            Input::Timer => self.timer(now),
            Input::Stop | Input::Replaced => self.close(End::Stopped),
        }
        self.plan(now);
    }

    fn poll(&mut self) -> Option<Output<Request>> {
        self.outputs.pop_front()
    }

    fn timeout(&self) -> Millis {
        match self.phase {
            // A store that is at work says nothing meanwhile.
            Phase::Live if self.busy => self.pulse.gone_at(self.is_owed()),
            Phase::Live => self.pulse.gone_at(self.is_owed()).min(self.pulse.beat_at(false)),
            _ => self.greeted_at.plus(GREETING_MS_MAX),
        }
    }

    fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

impl Session {
    /// A session whose socket is about to open.
    pub fn new(now: Millis) -> Self {
        Self {
            phase: Phase::Opened,
            pulse: Pulse::new(now),
            pace: Pace::default(),
            outputs: VecDeque::new(),
            requests: VecDeque::new(),
            busy: false,
            greeted_at: now,
            next_push: 1,
            push_in_flight: None,
            applying: None,
            comparing: Comparing::No,
            audit: None,
            outbox_empty: false,
            upstream_done: false,
            whole_due: false,
            blobs_done: false,
            blob_in_flight: false,
            told: None,
            quiet_told: false,
            error: None,
        }
    }

    /// Whether nothing waits in either direction.
    pub fn quiet(&self) -> bool {
        self.phase == Phase::Live
            && self.comparing == Comparing::No
            && self.upstream_done
            && self.outbox_empty
            && self.blobs_done
            && self.push_in_flight.is_none()
            && !self.blob_in_flight
            && !self.busy
            && self.requests.is_empty()
    }

    // Whether the upstream has something to say: an answer, or what follows the batch that was confirmed.
    fn is_owed(&self) -> bool {
        let comparing = matches!(self.comparing, Comparing::Asking | Comparing::Settling);
        let feeding = !self.upstream_done && self.applying.is_none();
        self.push_in_flight.is_some() || self.blob_in_flight || comparing || feeding
    }

    fn message(&mut self, now: Millis, message: Message) {
        match (self.phase, message) {
            (_, Message::Failure(failure)) => self.close(End::Theirs(failure)),
            (Phase::Greeted, Message::Welcome(welcome)) => {
                self.phase = Phase::Live;
                self.upstream_done = welcome.quiet;
                let round_trip_ms = now.0.saturating_sub(self.greeted_at.0);
                self.requests.push_front(Request::Welcome(welcome, round_trip_ms));
                self.outputs.push_back(Output::Event(Event::Connected));
            }
            // It comes before the welcome, so that nothing is pushed which follows what is lacking there.
            (Phase::Greeted, Message::Compared { round }) if round.is_empty() => {
                self.outputs.push_back(Output::Event(Event::Differs));
                self.compare(true);
            }
            (Phase::Greeted, Message::Introduce { certificate }) if certificate.is_empty() => {
                self.requests.push_back(Request::Introduce);
            }
            (Phase::Live, Message::Compared { round }) if self.comparing == Comparing::Asking && !round.is_empty() => {
                self.requests.push_back(Request::Compared(round));
            }
            (Phase::Enrolling, Message::Enrolled(enrolled)) => self.requests.push_back(Request::Enrolled(enrolled)),
            (Phase::Live, Message::Batch(batch)) => self.batch(batch),
            (Phase::Live, Message::Grant(grant)) => self.requests.push_back(Request::Granted(grant)),
            (Phase::Live, Message::Returned { changes }) => self.returned(changes),
            (Phase::Live, Message::Ack(ack)) if self.push_in_flight == Some(ack.number) => {
                self.pace.answered(now, Lane::Changes);
                // Behind a batch that came before it: what the batch retracts may be what was acknowledged.
                self.requests.push_back(Request::Acknowledged(ack));
            }
            (Phase::Live, Message::Alive { .. }) => {}
            (Phase::Live, other) => match blobs::request(now, other, &mut self.pace) {
                Some(request) => {
                    self.blob_in_flight = false;
                    self.requests.push_back(Request::Blob(request));
                }
                None => self.fail(Error::protocol("unexpected-message")),
            },
            _ => self.fail(Error::protocol("unexpected-message")),
        }
    }

    fn compare(&mut self, asked: bool) {
        if self.comparing == Comparing::No {
            self.comparing = Comparing::Asking;
            self.upstream_done = false;
            self.quiet_told = false;
            self.requests.push_back(Request::Compare(asked));
        }
    }

    fn ask(&mut self, now: Millis, compare: Compare) {
        if compare.round.is_empty() {
            self.comparing = Comparing::Offering(compare.want);
            self.outbox_empty = false;
        } else {
            self.send(now, &Message::Compare(compare));
        }
    }

    fn batch(&mut self, batch: Batch) {
        if self.requests.iter().any(|r| matches!(r, Request::Apply(_))) {
            // The upstream keeps one batch in flight; a second one here means that it does not keep the protocol.
            return self.fail(Error::protocol("unexpected-message"));
        }
        if batch.total > 0 {
            self.outputs.push_back(Output::Event(Event::Progress { done: batch.done, total: batch.total }));
        }
        self.upstream_done = false;
        self.quiet_told = false;
        self.requests.push_back(Request::Apply(batch));
    }

    // They come before their batch; after a comparison what was told before goes once more.
    fn returned(&mut self, changes: Vec<ReturnedChange>) {
        let waiting = self.requests.iter().filter(|r| matches!(r, Request::Returned(_))).count();
        if waiting >= 2 * RETURNED_MAX || self.requests.iter().any(|r| matches!(r, Request::Apply(_))) {
            return self.fail(Error::protocol("unexpected-message"));
        }
        self.upstream_done = false;
        self.quiet_told = false;
        self.requests.push_back(Request::Returned(changes));
    }

    // Asks for records whole; nothing that comes before them is the end.
    fn want(&mut self, now: Millis, records: Vec<RecordId>) {
        if !records.is_empty() {
            self.upstream_done = false;
            self.whole_due = true;
            self.send(now, &Message::Want { records });
        }
    }

    fn reply(&mut self, now: Millis, reply: Reply) {
        match reply {
            Reply::Hello(hello) => {
                self.greeted_at = now;
                self.phase = Phase::Greeted;
                self.send(now, &Message::Hello(hello));
            }
            Reply::Enrol(enrol) => {
                self.greeted_at = now;
                self.phase = Phase::Enrolling;
                self.send(now, &Message::Enrol(enrol));
            }
            Reply::Done if self.phase == Phase::Enrolling => self.close(End::Stopped),
            Reply::Done => {}
            Reply::Returned(replayed) => self.outbox_empty &= !replayed,
            Reply::Introduce(certificate) => self.send(now, &Message::Introduce { certificate }),
            Reply::Welcomed(want, audit) => {
                self.audit = Some(audit);
                if audit == Audit::Now {
                    self.compare(false);
                }
                // What is damaged here is asked for before anything else.
                self.want(now, want);
            }
            Reply::Reconciled(again_at) => self.audit = Some(Audit::At(again_at)),
            Reply::Compare(compare) => self.ask(now, compare),
            Reply::Applied { changes, want, replayed } => {
                self.outbox_empty &= !replayed;
                if let Some(applying) = self.applying.take() {
                    self.applied(now, &applying);
                }
                if changes > 0 {
                    self.outputs.push_back(Output::Event(Event::Pulled(changes)));
                }
                self.want(now, want);
            }
            Reply::Push(None) => self.outbox_empty = true,
            Reply::Push(Some((changes, _))) => {
                let number = self.next_push;
                self.next_push += 1;
                self.push_in_flight = Some(number);
                self.pace.sent(now, Lane::Changes, changes.len());
                self.send(now, &Message::Push { number, changes });
            }
            Reply::Acknowledged(accepted, refused) => {
                self.push_in_flight = None;
                self.told = self.told.filter(|(outbox, _)| *outbox == 0);
                self.outputs.push_back(Output::Event(Event::Pushed(accepted)));
                if refused > 0 {
                    self.outputs.push_back(Output::Event(Event::Refused(refused)));
                }
            }
            Reply::Summary(outbox, complete_through) => {
                self.told = Some((outbox, complete_through));
                let frame = Message::Alive { outbox, complete_through }.encode();
                self.pulse.beat(now, frame.len());
                self.outputs.push_back(Output::Send(frame));
            }
            Reply::Blob(reply) => self.blob(now, reply),
            Reply::Failed(error) => self.fail(error),
        }
    }

    fn applied(&mut self, now: Millis, batch: &Applying) {
        // Records sent whole never come in a last batch: one that was under way when they were asked for does not answer.
        self.whole_due &= batch.last;
        self.upstream_done = batch.last && !self.whole_due;
        self.send(now, &Message::Got { number: batch.number });
        if batch.moves && self.comparing == Comparing::Settling {
            self.comparing = Comparing::No;
            self.blobs_done = false;
            self.requests.push_back(Request::Reconciled);
        }
    }

    fn blob(&mut self, now: Millis, reply: BlobReply) {
        if let BlobReply::Piece { bytes, .. } = &reply {
            self.outputs.push_back(Output::Event(Event::Blob(bytes.len() as u64)));
        }
        self.blobs_done = matches!(reply, BlobReply::Nothing);
        self.blob_in_flight = reply.expects_answer();
        if let Some(message) = reply.message(now, &mut self.pace) {
            self.send(now, &message);
        }
    }

    fn timer(&mut self, now: Millis) {
        let greeting_due = now >= self.greeted_at.plus(GREETING_MS_MAX);
        if (self.phase == Phase::Live && now >= self.pulse.gone_at(self.is_owed()))
            || (self.phase != Phase::Live && greeting_due)
        {
            return self.close(End::Silence);
        }
        if self.phase == Phase::Live && now >= self.pulse.beat_at(false) && !self.busy {
            self.requests.push_back(Request::Summary);
        }
    }

    // Decides what the store does next: answers first, then one push, then attachments, then one word on completeness.
    fn plan(&mut self, now: Millis) {
        if self.phase == Phase::Closed || self.busy {
            return;
        }
        self.offered(now);
        let request = self.requests.pop_front().or_else(|| self.own_wish(now));
        match request {
            Some(request) => {
                self.busy = true;
                if let Request::Apply(batch) = &request {
                    let moves = !batch.position.is_empty();
                    self.applying = Some(Applying { number: batch.number, last: batch.last, moves });
                }
                self.outputs.push_back(Output::Do(request));
            }
            None if self.quiet() && !self.quiet_told => {
                self.quiet_told = true;
                self.outputs.push_back(Output::Event(Event::Quiet));
            }
            None => {}
        }
    }

    // Everything that the upstream lacked has been pushed and answered.
    fn offered(&mut self, now: Millis) {
        if !self.outbox_empty || self.push_in_flight.is_some() || !self.requests.is_empty() {
            return;
        }
        if let Comparing::Offering(want) = &mut self.comparing {
            let compare = Compare { want: std::mem::take(want), round: Vec::new() };
            self.comparing = Comparing::Settling;
            self.send(now, &Message::Compare(compare));
        }
    }

    fn own_wish(&mut self, now: Millis) -> Option<Request> {
        if self.phase != Phase::Live || self.push_in_flight.is_some() || self.comparing == Comparing::Asking {
            return None;
        }
        if !self.outbox_empty {
            return Some(Request::Push(self.pace.budget()));
        }
        if self.upstream_done && !self.blobs_done && !self.blob_in_flight {
            return Some(Request::Blob(BlobRequest::Next));
        }
        let due = matches!(self.audit, Some(Audit::At(at)) if now >= at);
        if due && self.upstream_done && self.blobs_done && self.comparing == Comparing::No {
            self.audit = None;
            self.compare(false);
            return self.requests.pop_front();
        }
        // Said once when everything went out, so that the upstream knows up to when we are complete. What cannot go out
        // because it is damaged here stays in the outbox: saying so again and again would keep the line busy for ever.
        if self.upstream_done && self.blobs_done && !self.quiet_told && self.told.is_none() {
            return Some(Request::Summary);
        }
        None
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

/// A failure that the other end reported, as the error of whoever waits for this link.
pub fn error_of(failure: &Failure) -> Error {
    match failure.code.as_str() {
        "link_revoked" => Error::refused("link-revoked"),
        "history_differs" => Error::refused("history-differs"),
        "invitation_expired" => Error::refused("invitation-expired"),
        "invitation_used" => Error::refused("invitation-used"),
        "invitation_unknown" => Error::refused("invitation-unknown"),
        "unknown_device" => Error::refused("unknown-device"),
        "link_replaced" => Error::busy("link-replaced"),
        code if failure.retryable => Error::unreachable("upstream-failed").with("code", code),
        code => Error::refused("upstream-refused").with("code", code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Output;
    use crate::sync::pace::{ANSWER_BEAT_MS, ANSWER_MS_MAX, HEARTBEAT_MS, SILENCE_MS_MAX, SLOWEST_BYTES_PER_S};

    // Let in, and nothing waits; at time zero.
    fn quiet_session() -> Session {
        let mut session = Session::new(Millis(0));
        let (position, witness) = (Vec::new(), Vec::new());
        let device = crate::id::DeviceId([1; 8]);
        let hello = Hello { device, signature: [0; 64], epoch: 0, position, witness, outbox: 0 };
        for input in [
            Input::Opened(Nonce::default()),
            Input::Done(Reply::Hello(hello)),
            Input::Frame(Message::Welcome(Welcome { now: Millis(0), epoch: 1, quiet: true }).encode()),
            Input::Done(Reply::Welcomed(Vec::new(), Audit::At(Millis(i64::MAX)))),
            Input::Done(Reply::Push(None)),
            Input::Done(Reply::Blob(BlobReply::Nothing)),
            Input::Done(Reply::Summary(0, None)),
        ] {
            session.handle(Millis(0), input);
        }
        assert!(session.quiet());
        session
    }

    // When a session ends by silence that only its own timer wakes; the store says that nothing waits.
    fn gives_up_at(session: &mut Session) -> i64 {
        loop {
            let at = session.timeout();
            session.handle(at, Input::Timer);
            while let Some(output) = session.poll() {
                match output {
                    Output::Close(end) => {
                        assert_eq!(end, End::Silence);
                        return at.0;
                    }
                    Output::Do(Request::Summary) => session.handle(at, Input::Done(Reply::Summary(0, None))),
                    _ => {}
                }
            }
        }
    }

    fn pushed(session: &mut Session, bytes: usize) {
        session.handle(Millis(0), Input::Local);
        session.handle(Millis(0), Input::Done(Reply::Push(Some((vec![0; bytes], 1)))));
    }

    #[test]
    fn a_silent_line_is_noticed_sooner_while_an_answer_is_owed() {
        assert_eq!(gives_up_at(&mut quiet_session()), SILENCE_MS_MAX);
        let mut session = quiet_session();
        pushed(&mut session, 100);
        let soon = gives_up_at(&mut session);
        assert!((ANSWER_MS_MAX..HEARTBEAT_MS).contains(&soon), "{soon}");
        // What is under way on the slowest line has its time.
        let mut session = quiet_session();
        pushed(&mut session, 20_000);
        let under_way = 20_000 * 1_000 / SLOWEST_BYTES_PER_S;
        let later = gives_up_at(&mut session);
        assert!(
            (under_way..under_way + ANSWER_MS_MAX + 1_000).contains(&later),
            "its own heartbeat postpones nothing: {later}"
        );
        let mut session = quiet_session();
        pushed(&mut session, 1_000_000);
        assert!(gives_up_at(&mut session) >= SILENCE_MS_MAX);
    }

    #[test]
    fn an_upstream_that_is_busy_or_a_message_that_trickles_in_is_not_silence() {
        let mut session = quiet_session();
        pushed(&mut session, 100);
        let alive = Message::Alive { outbox: 0, complete_through: None }.encode();
        let mut now = 0;
        while now < 3 * SILENCE_MS_MAX {
            now += ANSWER_BEAT_MS;
            let whole = now / ANSWER_BEAT_MS % 2 == 0;
            session.handle(Millis(now), if whole { Input::Frame(alive.clone()) } else { Input::Bytes });
            session.handle(Millis(now), Input::Timer);
            while let Some(output) = session.poll() {
                if output == Output::Do(Request::Summary) {
                    session.handle(Millis(now), Input::Done(Reply::Summary(1, None)));
                }
            }
            assert_ne!(session.phase, Phase::Closed);
        }
    }

    fn told_quiet(session: &mut Session) -> bool {
        std::iter::from_fn(|| session.poll()).any(|output| output == Output::Event(Event::Quiet))
    }

    #[test]
    fn a_last_batch_that_was_under_way_is_no_answer_to_a_want() {
        let mut session = Session::new(Millis(0));
        let mut handle = |input| {
            session.handle(Millis(0), input);
            told_quiet(&mut session)
        };
        handle(Input::Opened(Nonce::default()));
        let (position, witness) = (Vec::new(), Vec::new());
        let device = crate::id::DeviceId([1; 8]);
        handle(Input::Done(Reply::Hello(Hello { device, signature: [0; 64], epoch: 0, position, witness, outbox: 0 })));
        handle(Input::Frame(Message::Welcome(Welcome { now: Millis(0), epoch: 1, quiet: false }).encode()));
        // Something is damaged here and asked for, while the upstream says that nothing follows.
        handle(Input::Done(Reply::Welcomed(vec![RecordId([1; 16])], Audit::At(Millis(i64::MAX)))));
        handle(Input::Done(Reply::Push(None)));
        let applied = || Input::Done(Reply::Applied { changes: 0, want: Vec::new(), replayed: false });
        let rest = || [Input::Done(Reply::Blob(BlobReply::Nothing)), Input::Done(Reply::Summary(0, None))];
        let mut batch = |number, last| {
            let frame = Message::Batch(Batch { number, last, ..Batch::default() }).encode();
            let [blobs, summary] = rest();
            [Input::Frame(frame), applied(), blobs, summary].into_iter().any(&mut handle)
        };
        assert!(!batch(1, true), "it was under way");
        assert!(!batch(2, false), "the answer");
        assert!(batch(3, true));
    }
}
