//! A WebSocket as messages of bytes, whichever end it is. Long messages leave in fragments: the buffers of a connection
//! keep the size of the longest frame that went through them, and most connections are idle most of the time.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Sink, SinkExt, Stream, StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::drive::Frames;
use crate::error::Error;
use crate::limits::{FRAGMENT_BYTES, FRAME_BYTES_MAX};

/// How a link's WebSocket is set up, with a read buffer of so many bytes. What is written leaves at once.
pub fn websocket_config(read_buffer_bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
        .write_buffer_size(0)
        .read_buffer_size(read_buffer_bytes)
}

/// The messages of an open link.
pub type Line = Frames<Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>, Pin<Box<dyn Sink<Vec<u8>, Error = Error> + Send>>>;

/// The messages of a WebSocket; `client` says that this end opened it.
pub fn frames<S>(socket: WebSocketStream<S>, client: bool) -> Line
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sink, stream) = socket.split();
    let incoming = stream.filter_map(|message| {
        std::future::ready(match message {
            Ok(Message::Binary(bytes)) => Some(Some(Vec::from(bytes))),
            Ok(Message::Close(_)) | Err(_) => Some(None),
            Ok(_) => None,
        })
    });
    // An error or a close frame ends the stream: whatever follows says nothing.
    let incoming = incoming.take_while(|m| std::future::ready(m.is_some())).filter_map(std::future::ready);
    let outgoing = sink
        .sink_map_err(|_| Error::unreachable("line-lost"))
        .with_flat_map(|message: Vec<u8>| stream::iter(fragments(message.into()).map(Ok)));
    Frames { incoming: Box::pin(incoming), outgoing: Box::pin(outgoing), received_bytes: Arc::default(), client }
}

/// The frames that carry a message.
fn fragments(message: Bytes) -> impl Iterator<Item = Message> {
    let count = fragment_count(message.len());
    (0..count).map(move |at| {
        let begin = at * FRAGMENT_BYTES;
        let part = message.slice(begin..message.len().min(begin + FRAGMENT_BYTES));
        let kind = if at == 0 { Data::Binary } else { Data::Continue };
        Message::Frame(Frame::message(part, OpCode::Data(kind), at + 1 == count))
    })
}

fn fragment_count(message_bytes: usize) -> usize {
    message_bytes.div_ceil(FRAGMENT_BYTES).max(1)
}

/// The size of a message on the wire: its bytes, the header of each fragment, and the masks of a client's frames.
pub(super) fn framed(message_bytes: usize, masked: bool) -> u64 {
    let whole = message_bytes / FRAGMENT_BYTES;
    let rest = message_bytes % FRAGMENT_BYTES;
    let mut headers = whole * header_bytes(FRAGMENT_BYTES, masked);
    if rest > 0 || whole == 0 {
        headers += header_bytes(rest, masked);
    }
    (message_bytes + headers) as u64
}

fn header_bytes(payload_bytes: usize, masked: bool) -> usize {
    let length = match payload_bytes {
        0..=125 => 0,
        126..=65_535 => 2,
        _ => 8,
    };
    2 + length + if masked { 4 } else { 0 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    async fn sent(message: Vec<u8>, role: Role) -> Vec<u8> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let socket = WebSocketStream::from_raw_socket(ours, role, Some(websocket_config(4_096))).await;
        let mut frames = frames(socket, role == Role::Client);
        assert!(frames.outgoing.send(message).await.is_ok());
        drop(frames);
        let mut bytes = Vec::new();
        theirs.read_to_end(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn the_bytes_of_a_message_are_counted_as_they_leave() {
        for size in [0, 1, 125, 126, FRAGMENT_BYTES - 1, FRAGMENT_BYTES, FRAGMENT_BYTES + 1, 3 * FRAGMENT_BYTES + 200] {
            for role in [Role::Server, Role::Client] {
                let bytes = sent(vec![7; size], role).await;
                assert_eq!(bytes.len() as u64, framed(size, role == Role::Client), "{size} {role:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_long_message_arrives_whole_and_in_order() {
        let (ours, theirs) = tokio::io::duplex(1_000);
        let config = Some(websocket_config(4_096));
        let mut upper = frames(WebSocketStream::from_raw_socket(ours, Role::Server, config).await, false);
        let mut lower = frames(WebSocketStream::from_raw_socket(theirs, Role::Client, config).await, true);
        let long: Vec<u8> = (0..5 * FRAGMENT_BYTES + 3).map(|at| (at % 251) as u8).collect();
        let expected = [long.clone(), b"short".to_vec()];
        let sending = async {
            assert!(upper.outgoing.send(long).await.is_ok());
            assert!(upper.outgoing.send(b"short".to_vec()).await.is_ok());
        };
        let receiving = async { [lower.incoming.next().await, lower.incoming.next().await] };
        let ((), received) = tokio::join!(sending, receiving);
        assert_eq!(received, expected.map(Some));
    }
}
