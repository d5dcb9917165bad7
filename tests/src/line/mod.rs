//! A slow, long and lossy line between real processes: two network namespaces, a TUN device in each, and between them
//! this process, which carries the packets at a rate, with a delay, and loses some.
//!
//! The kernel's TCP at both ends is real, so retransmission, congestion and time-outs are. A cut loses what is under way,
//! lasts a moment, and leaves the connections of before unknown to the line, as a phone network does: whoever speaks on
//! one is reset. Loss is drawn from a seed; what the processes do meanwhile is theirs, so a run is not repeatable to the
//! packet. Needs root and `ip`.

mod kernel;
mod packet;

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

pub use kernel::Inside;
use kernel::Namespace;
use packet::{Flow, Segment};

use crate::sim::Random;

/// The address of the upper end.
pub const UPPER: &str = "10.77.0.1";
const LOWER: &str = "10.77.0.2";
const DEVICE: &str = "line";

/// Largest packet, in bytes: what is left of an Ethernet frame in a tunnel.
const MTU_BYTES: usize = 1_400;
/// Packets that wait at the mouth of the line before it drops the next: six seconds of 20 kbit/s in full packets.
const QUEUE_PACKETS_MAX: usize = 12;
/// How long a cut line carries nothing.
const CUT: Duration = Duration::from_secs(2);

/// How a line is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// Bits a second in each direction; zero: as many as there are.
    pub bits_per_s: u64,
    /// There and back.
    pub round_trip: Duration,
    /// Packets that are lost, of a thousand.
    pub lost_per_mille: u32,
}

impl Weather {
    /// A line that one does not notice.
    pub const FINE: Self = Self { bits_per_s: 0, round_trip: Duration::ZERO, lost_per_mille: 0 };
    /// A line at the edge of a phone network: 20 kbit/s, 600 ms.
    pub const SLOW: Self = Self { bits_per_s: 20_000, round_trip: Duration::from_millis(600), lost_per_mille: 0 };
    /// The same where one packet of twenty is lost.
    pub const LOSSY: Self = Self { lost_per_mille: 50, ..Self::SLOW };
}

/// What a line did.
#[derive(Debug, Default)]
struct Counts {
    carried_bytes: AtomicU64,
    lost: AtomicU64,
    cuts: AtomicU64,
}

/// What both directions share.
struct Shared {
    weather: Weather,
    /// Connections that were opened since the last cut.
    flows: HashSet<Flow>,
    cut_until: Option<Instant>,
}

/// A line between an upper and a lower end; it goes with the value.
pub struct Line {
    upper: Namespace,
    lower: Namespace,
    shared: Arc<Mutex<Shared>>,
    counts: Arc<Counts>,
}

impl Line {
    /// A fine line; the seed draws what it loses later. `None` where the system allows none and `BRANCHLINE_NO_LINE=1`
    /// says that this is known.
    ///
    /// # Panics
    /// Where the system allows no namespaces or TUN devices, and nobody has said so.
    pub fn new(seed: u64) -> Option<Self> {
        match Self::make(seed) {
            Ok(line) => Some(line),
            Err(error) if std::env::var_os("BRANCHLINE_NO_LINE").is_some_and(|value| value == "1") => {
                eprintln!("LEFT OUT: no line between namespaces can be made here: {error}");
                None
            }
            Err(error) => panic!(
                "no line can be made (it needs root, /dev/net/tun and `ip`; BRANCHLINE_NO_LINE=1 leaves it out): {error}"
            ),
        }
    }

    fn make(seed: u64) -> io::Result<Self> {
        let (upper, lower) = (Namespace::make()?, Namespace::make()?);
        let (up, down) = (Arc::new(upper.tun(DEVICE)?), Arc::new(lower.tun(DEVICE)?));
        for (namespace, address) in [(&upper, UPPER), (&lower, LOWER)] {
            let _inside = namespace.enter()?;
            ip(&["link", "set", "lo", "up"])?;
            ip(&["address", "add", &format!("{address}/24"), "dev", DEVICE])?;
            ip(&["link", "set", DEVICE, "mtu", &MTU_BYTES.to_string(), "up"])?;
        }
        let shared = Arc::new(Mutex::new(Shared { weather: Weather::FINE, flows: HashSet::new(), cut_until: None }));
        let counts = Arc::new(Counts::default());
        for (from, to, purpose) in [(&up, &down, "line down"), (&down, &up, "line up")] {
            let random = Random::new(seed, purpose);
            let (shared, counts) = (shared.clone(), counts.clone());
            Direction { from: from.clone(), to: to.clone(), shared, counts, random }.start();
        }
        Ok(Self { upper, lower, shared, counts })
    }

    /// Moves this thread, and the processes that it starts, to the upper end until the value goes.
    ///
    /// # Panics
    /// Where the system does not allow it.
    pub fn upper(&self) -> Inside {
        self.upper.enter().expect("a namespace of ours can be entered")
    }

    /// The same for the lower end.
    ///
    /// # Panics
    /// Where the system does not allow it.
    pub fn lower(&self) -> Inside {
        self.lower.enter().expect("a namespace of ours can be entered")
    }

    /// From now on the line is so.
    pub fn set(&self, weather: Weather) {
        locked(&self.shared).weather = weather;
    }

    /// Cuts the line for a moment, and for good what went over it.
    pub fn cut(&self) {
        let mut shared = locked(&self.shared);
        shared.cut_until = Some(Instant::now() + CUT);
        shared.flows.clear();
        self.counts.cuts.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes carried so far, headers and both directions.
    pub fn carried_bytes(&self) -> u64 {
        self.counts.carried_bytes.load(Ordering::Relaxed)
    }

    /// Packets lost so far by chance.
    pub fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    /// Cuts so far.
    pub fn cuts(&self) -> u64 {
        self.counts.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // A read from a device that is gone fails, which ends the threads that hold it.
        for end in [&self.upper, &self.lower] {
            let gone = end.enter().and_then(|_inside| ip(&["link", "delete", DEVICE]));
            debug_assert!(gone.is_ok(), "{gone:?}");
        }
    }
}

fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ip(arguments: &[&str]) -> io::Result<()> {
    let done = Command::new("ip").args(arguments).output()?;
    let said = || format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr));
    if done.status.success() { Ok(()) } else { Err(io::Error::other(said())) }
}

/// What becomes of a packet at the mouth of the line.
#[derive(Debug, PartialEq)]
enum Fate {
    Carried(Instant),
    Lost,
    /// Its connection is not known: the sender is told.
    Unknown,
}

/// A packet on the line; a cut loses it.
struct UnderWay {
    arrives: Instant,
    /// How often the line had been cut when it left.
    cuts: u64,
    packet: Vec<u8>,
}

/// One direction of the line: a thread that takes packets in, and one that lets them out when they have arrived.
struct Direction {
    from: Arc<File>,
    to: Arc<File>,
    shared: Arc<Mutex<Shared>>,
    counts: Arc<Counts>,
    random: Random,
}

impl Direction {
    fn start(mut self) {
        let (send, arriving) = mpsc::channel::<UnderWay>();
        let (to, counts) = (self.to.clone(), self.counts.clone());
        std::thread::spawn(move || {
            for UnderWay { arrives, cuts, packet } in arriving {
                std::thread::sleep(arrives.saturating_duration_since(Instant::now()));
                if cuts == counts.cuts.load(Ordering::Relaxed) {
                    // Fails where the device has just been taken down.
                    let _ = (&*to).write(&packet);
                }
            }
        });
        std::thread::spawn(move || self.carry(&send));
    }

    fn carry(&mut self, send: &mpsc::Sender<UnderWay>) {
        let mut buffer = vec![0; MTU_BYTES];
        // When those that wait at the mouth will have left it.
        let mut leaving: VecDeque<Instant> = VecDeque::new();
        while let Ok(length) = (&*self.from).read(&mut buffer) {
            let (packet, now) = (&buffer[..length], Instant::now());
            leaving.retain(|left| *left > now);
            match self.fate(packet, now, &mut leaving) {
                Fate::Carried(arrives) => {
                    self.counts.carried_bytes.fetch_add(length as u64, Ordering::Relaxed);
                    let cuts = self.counts.cuts.load(Ordering::Relaxed);
                    if send.send(UnderWay { arrives, cuts, packet: packet.to_vec() }).is_err() {
                        return;
                    }
                }
                Fate::Lost => {}
                Fate::Unknown => {
                    let told = Segment::of(packet).and_then(|segment| segment.reset());
                    let _ = told.map(|reset| (&*self.from).write(&reset));
                }
            }
        }
    }

    fn fate(&mut self, packet: &[u8], now: Instant, leaving: &mut VecDeque<Instant>) -> Fate {
        let mut shared = locked(&self.shared);
        if shared.cut_until.is_some_and(|until| now < until) {
            return Fate::Lost;
        }
        // Neighbours and other routers have nothing to say here.
        let Some(segment) = Segment::of(packet) else { return Fate::Lost };
        if segment.opens() {
            shared.flows.insert(segment.flow());
        } else if !shared.flows.contains(&segment.flow()) {
            return Fate::Unknown;
        }
        let Weather { bits_per_s, round_trip, lost_per_mille } = shared.weather;
        if self.random.chance(lost_per_mille) {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            return Fate::Lost;
        }
        if bits_per_s == 0 {
            return Fate::Carried(now + round_trip / 2);
        }
        if leaving.len() >= QUEUE_PACKETS_MAX {
            return Fate::Lost;
        }
        let begins = leaving.back().copied().unwrap_or(now);
        let left = begins + Duration::from_micros(packet.len() as u64 * 8_000_000 / bits_per_s);
        leaving.push_back(left);
        Fate::Carried(left + round_trip / 2)
    }
}
