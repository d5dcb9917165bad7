//! One upstream and one downstream without a line: exchanges as function calls, for tests of what a link means.

use std::path::Path;
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::error::Error;
use branchline_core::replica::link::{Downstream, Invitation, InvitationCode, Joiner, Upstream};
use branchline_core::replica::{Environment, Replica};
use branchline_core::schema::Schema;
use branchline_core::sync::{End, Event, Executor, Input, Machine, Output, downstream, upstream};
use branchline_core::time::Millis;
use branchline_core::wire::message::Nonce;

const NONCE: Nonce = [7; 16];
/// Frames after which two ends that are not quiet count as stuck.
const FRAMES_MAX: usize = 10_000;

/// A machine with its store.
pub struct Half<M, E> {
    /// The session.
    pub machine: M,
    /// Its store's side.
    pub executor: E,
    /// How it ended, once it did.
    pub end: Option<End>,
    /// What it told.
    pub events: Vec<Event>,
    /// The end of the log that it was last told of.
    pub seen: u64,
}

impl<M, E> Half<M, E>
where
    M: Machine,
    E: Executor<Request = M::Request, Reply = M::Reply>,
{
    /// Puts a session and its store together.
    pub fn new(machine: M, executor: E, seen: u64) -> Self {
        Self { machine, executor, end: None, events: Vec::new(), seen }
    }

    /// Gives an input, carries out what the machine asks of the store, returns the frames that it sends.
    pub fn give(&mut self, now: Millis, input: Input<M::Reply>) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        self.machine.handle(now, input);
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Send(frame) => frames.push(frame),
                Output::Do(request) => {
                    let reply = self.executor.execute(request);
                    self.machine.handle(now, Input::Done(reply));
                }
                Output::Event(event) => self.events.push(event),
                Output::Close(end) => self.end = Some(end),
            }
        }
        frames
    }
}

/// What an exchange came to.
#[derive(Debug, Default)]
pub struct Exchanged {
    /// What the lower end told.
    pub events: Vec<Event>,
    /// Bytes of frames up and down.
    pub bytes: (u64, u64),
    /// Every frame that went down.
    pub down: Vec<Vec<u8>>,
}

/// Makes the folder `dir` a replica below `upper`.
///
/// # Panics
/// Where the upstream refuses it.
pub fn enrol(upper: &Replica, dir: &Path, invitation: &Invitation, env: Arc<dyn Environment>) -> Replica {
    enrol_with(upper, dir, invitation, crm::builtin().clone(), env)
}

/// As [`enrol`], with another built-in schema.
///
/// # Panics
/// Where the upstream refuses it.
pub fn enrol_with(
    upper: &Replica,
    dir: &Path,
    invitation: &Invitation,
    schema: Schema,
    env: Arc<dyn Environment>,
) -> Replica {
    let code = InvitationCode::parse(&upper.invite(invitation).unwrap().code).unwrap();
    join(upper, Joiner::new(dir, code, schema, env).unwrap()).unwrap()
}

/// Makes a joiner's folder a replica below `upper`.
///
/// # Errors
/// Why it did not become one.
///
/// # Panics
/// Where the link ends otherwise than it must.
pub fn join(upper: &Replica, joiner: Joiner) -> Result<Replica, Error> {
    let now = upper.environment().now();
    let mut down = Half::new(downstream::Session::new(now), joiner, 0);
    let mut up = Half::new(upstream::Session::new(now, NONCE), Upstream::new(upper.clone(), None), 0);
    let _ = talk(&mut down, &mut up, now, usize::MAX, |down| down.end.is_some());
    if let Some(error) = down.machine.error() {
        return Err(error.clone());
    }
    assert_eq!(down.end, Some(End::Stopped), "{:?}", up.machine.error());
    Ok(down.executor.replica().unwrap())
}

/// Exchanges until both ends are quiet, or until `frames_max` frames have gone (the line is cut then).
///
/// # Errors
/// Why the link was refused.
pub fn exchange_cut(lower: &Replica, upper: &Replica, frames_max: usize) -> Result<Exchanged, Error> {
    let now = lower.environment().now();
    let mut down = Half::new(downstream::Session::new(now), Downstream::new(lower.clone())?, lower.log_end()?);
    let mut up = Half::new(upstream::Session::new(now, NONCE), Upstream::new(upper.clone(), None), upper.log_end()?);
    let exchanged = talk(&mut down, &mut up, now, frames_max, |down| down.machine.quiet());
    match (&down.end, down.machine.error()) {
        (_, Some(error)) => Err(error.clone()),
        (Some(End::Theirs(failure) | End::Ours(failure)), _) => Err(downstream::error_of(failure)),
        _ => Ok(Exchanged { events: down.events, ..exchanged }),
    }
}

/// Exchanges until both ends are quiet.
///
/// # Errors
/// Why the link was refused.
pub fn exchange(lower: &Replica, upper: &Replica) -> Result<Exchanged, Error> {
    exchange_cut(lower, upper, usize::MAX)
}

fn talk<ED>(
    down: &mut Half<downstream::Session, ED>,
    up: &mut Half<upstream::Session, Upstream>,
    now: Millis,
    frames_max: usize,
    done: impl Fn(&Half<downstream::Session, ED>) -> bool,
) -> Exchanged
where
    ED: Executor<Request = downstream::Request, Reply = downstream::Reply>,
{
    let mut all = Exchanged::default();
    up.give(now, Input::Opened(NONCE));
    let mut to_up = down.give(now, Input::Opened(NONCE));
    let mut frames = 0;
    for _ in 0..FRAMES_MAX {
        let mut to_down = Vec::new();
        for frame in to_up.drain(..) {
            frames += 1;
            if frames > frames_max {
                return all;
            }
            all.bytes.0 += frame.len() as u64;
            to_down.extend(up.give(now, Input::Frame(frame)));
        }
        // Whatever the other end wrote may be worth a batch.
        to_down.extend(up.give(now, Input::Local));
        if to_down.is_empty() && done(down) {
            return all;
        }
        for frame in to_down {
            frames += 1;
            if frames > frames_max {
                return all;
            }
            all.bytes.1 += frame.len() as u64;
            all.down.push(frame.clone());
            to_up.extend(down.give(now, Input::Frame(frame)));
        }
        if to_up.is_empty() && (done(down) || down.end.is_some()) {
            return all;
        }
    }
    panic!("the link is stuck");
}
