//! A line between two nodes that can be cut, restored and slowed down: a TCP proxy on loopback.
//!
//! Bytes pass in order. Each direction waits half the round trip and keeps to the rate; a cut closes every connection
//! at whatever byte it has reached and refuses new ones until the line is restored.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Largest piece that travels at once, in bytes: small enough that a slow line flows instead of jumping.
const PIECE_BYTES_MAX: usize = 1_400;
/// Pieces on their way in one direction of one connection; more wait in the sender.
const PIECES_ON_THE_WAY_MAX: usize = 64;

/// How a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Cut,
    Up { bits_per_second: Option<u64>, one_way: Duration },
}

/// A line; it ends when the value is dropped.
#[derive(Debug)]
pub(super) struct Line {
    address: SocketAddr,
    condition: watch::Sender<Condition>,
    carried: Arc<AtomicU64>,
}

impl Line {
    /// A line at full speed towards `upstream`.
    ///
    /// # Errors
    /// What the system says when no port is free.
    pub(super) async fn to(upstream: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (condition, watched) = watch::channel(Condition::Up { bits_per_second: None, one_way: Duration::ZERO });
        let carried = Arc::new(AtomicU64::new(0));
        tokio::spawn(accept(listener, upstream, watched, carried.clone()));
        Ok(Self { address, condition, carried })
    }

    /// Where the lower end connects.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes carried so far, both ways.
    pub(super) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Cuts the line.
    pub(super) fn cut(&self) {
        self.condition.send_replace(Condition::Cut);
    }

    /// Brings the line back at full speed.
    pub(super) fn restore(&self) {
        self.condition.send_replace(Condition::Up { bits_per_second: None, one_way: Duration::ZERO });
    }

    /// Brings the line back at this rate and round trip.
    pub(super) fn restore_slow(&self, bits_per_second: u64, round_trip: Duration) {
        self.condition.send_replace(Condition::Up { bits_per_second: Some(bits_per_second), one_way: round_trip / 2 });
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    mut condition: watch::Receiver<Condition>,
    carried: Arc<AtomicU64>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Only a dropped line closes the channel.
            gone = closed(&mut condition) => return gone,
        };
        let Ok((lower, _)) = accepted else { continue };
        if *condition.borrow() != Condition::Cut {
            tokio::spawn(carry(lower, upstream, condition.clone(), carried.clone()));
        }
    }
}

async fn closed(condition: &mut watch::Receiver<Condition>) {
    while condition.changed().await.is_ok() {}
}

// One connection, until either end closes it or the line is cut.
async fn carry(
    lower: TcpStream,
    upstream: SocketAddr,
    mut condition: watch::Receiver<Condition>,
    carried: Arc<AtomicU64>,
) {
    let Ok(upper) = TcpStream::connect(upstream).await else { return };
    let _ = lower.set_nodelay(true);
    let _ = upper.set_nodelay(true);
    let (lower_read, lower_write) = lower.into_split();
    let (upper_read, upper_write) = upper.into_split();
    let watched = condition.clone();
    tokio::select! {
        () = both(
            direction(lower_read, upper_write, watched.clone(), carried.clone()),
            direction(upper_read, lower_write, watched, carried),
        ) => {}
        _ = condition.wait_for(|now| *now == Condition::Cut) => {}
    }
}

async fn both(a: impl Future<Output = ()>, b: impl Future<Output = ()>) {
    tokio::join!(a, b);
}

async fn direction(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    condition: watch::Receiver<Condition>,
    carried: Arc<AtomicU64>,
) {
    let (send, mut receive) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_ON_THE_WAY_MAX);
    let now = condition.clone();
    let reading = async move {
        let mut piece = vec![0; PIECE_BYTES_MAX];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            let arrives = Instant::now() + delay(&now);
            let bytes = piece.get(..length).unwrap_or_default().to_vec();
            if send.send((arrives, bytes)).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((arrives, bytes)) = receive.recv().await {
            sleep_until(arrives).await;
            sleep(transmission(&condition, bytes.len())).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
            carried.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

fn delay(condition: &watch::Receiver<Condition>) -> Duration {
    match *condition.borrow() {
        Condition::Up { one_way, .. } => one_way,
        Condition::Cut => Duration::ZERO,
    }
}

fn transmission(condition: &watch::Receiver<Condition>, bytes: usize) -> Duration {
    match *condition.borrow() {
        Condition::Up { bits_per_second: Some(rate), .. } => {
            Duration::from_micros(bytes as u64 * 8 * 1_000_000 / rate.max(1))
        }
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    // An upstream that sends back whatever it gets.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = socket.into_split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn echoed(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        socket.write_all(bytes).await?;
        let mut back = vec![0; bytes.len()];
        socket.read_exact(&mut back).await?;
        Ok(back)
    }

    #[tokio::test]
    async fn a_cut_ends_connections_and_a_restored_line_carries_again() {
        let line = Line::to(echo().await).await.unwrap();
        let mut socket = TcpStream::connect(line.address()).await.unwrap();
        assert_eq!(echoed(&mut socket, b"hello").await.unwrap(), b"hello");
        line.cut();
        assert!(echoed(&mut socket, b"hello").await.is_err());
        let mut refused = TcpStream::connect(line.address()).await.unwrap();
        assert!(echoed(&mut refused, b"hello").await.is_err());
        line.restore();
        let mut again = TcpStream::connect(line.address()).await.unwrap();
        assert_eq!(echoed(&mut again, b"again").await.unwrap(), b"again");
        assert!(line.carried() >= 20);
    }

    #[tokio::test]
    async fn a_slow_line_takes_as_long_as_its_rate_and_distance_say() {
        let line = Line::to(echo().await).await.unwrap();
        line.restore_slow(64_000, Duration::from_millis(100));
        let mut socket = TcpStream::connect(line.address()).await.unwrap();
        let begun = Instant::now();
        echoed(&mut socket, &[7; 400]).await.unwrap();
        // 400 bytes at 64 kbit/s are 50 ms in each direction, the round trip 100 ms more.
        assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    }
}
