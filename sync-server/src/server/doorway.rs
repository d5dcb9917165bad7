//! What a connection may send before its device has been let in: a greeting, not a message of megabytes. And what it
//! carries, in bytes.
//!
//! Anybody can connect; without this bound a thousand strangers would hold a thousand of the largest messages.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes of one connection before its device has been let in; a greeting with every pass open is a fraction of it.
const GREETING_BYTES_MAX: usize = 64 * 1024;

/// A socket that gives only so many bytes until the door is open.
pub(super) struct Doorway<S> {
    socket: S,
    left: usize,
    open: Arc<AtomicBool>,
    carried: Arc<Carried>,
}

/// What a connection has carried so far, in bytes.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
}

impl<S> Doorway<S> {
    /// A closed door, what opens it, and what it counts.
    pub(super) fn closed(socket: S) -> (Self, Arc<AtomicBool>, Arc<Carried>) {
        let (open, carried) = (Arc::new(AtomicBool::new(false)), Arc::new(Carried::default()));
        (Self { socket, left: GREETING_BYTES_MAX, open: open.clone(), carried: carried.clone() }, open, carried)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Doorway<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        self.carried.received.fetch_add(read as u64, Ordering::Relaxed);
        if !self.open.load(Ordering::Relaxed) {
            let Some(left) = self.left.checked_sub(read) else {
                return Poll::Ready(Err(ErrorKind::QuotaExceeded.into()));
            };
            self.left = left;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Doorway<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(context, bytes))?;
        self.carried.sent.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_stranger_may_send_a_greeting_and_a_guest_anything() {
        for guest in [false, true] {
            let (mut theirs, ours) = tokio::io::duplex(4 * GREETING_BYTES_MAX);
            let (mut doorway, open, carried) = Doorway::closed(ours);
            theirs.write_all(&vec![1; GREETING_BYTES_MAX]).await.unwrap();
            let mut bytes = vec![0; GREETING_BYTES_MAX];
            doorway.read_exact(&mut bytes).await.unwrap();
            open.store(guest, Ordering::Relaxed);
            theirs.write_all(&[1]).await.unwrap();
            assert_eq!(doorway.read_u8().await.is_ok(), guest);
            assert_eq!(carried.received.load(Ordering::Relaxed), GREETING_BYTES_MAX as u64 + 1);
        }
    }
}
