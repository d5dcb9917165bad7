//! Attachments, the same at both ends: one piece in flight each way, and only when nothing else waits.
//!
//! Who lacks the content drives: it says [`Message::BlobWant`] with the first byte that it lacks, gets one piece, and
//! asks on from there, also after a cut. Asking at the very end tells the holder that all of it arrived.

use super::pace::{Lane, Pace};
use crate::id::BlobHash;
use crate::limits::BLOB_PIECE_BYTES;
use crate::time::Millis;
use crate::wire::message::Message;

/// What the store is asked about attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobRequest {
    /// The next attachment to offer upwards (downstream only) or to ask for.
    Next,
    /// The other end offers one: from where on do we lack it?
    Offered {
        /// Its content.
        hash: BlobHash,
        /// Its length in bytes.
        size: u64,
    },
    /// Read a piece for the other end.
    Read {
        /// Its content.
        hash: BlobHash,
        /// First byte.
        offset: u64,
        /// At most so many bytes.
        bytes_max: usize,
    },
    /// Keep a piece.
    Write {
        /// Its content.
        hash: BlobHash,
        /// First byte.
        offset: u64,
        /// Length of the whole; zero: the other end has none of it.
        size: u64,
        /// The piece.
        bytes: Vec<u8>,
    },
}

/// The store's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobReply {
    /// No attachment waits.
    Nothing,
    /// The other end has all of the one that it asked for.
    Finished,
    /// Offer this one.
    Offer {
        /// Its content.
        hash: BlobHash,
        /// Its length in bytes.
        size: u64,
    },
    /// Ask for this one from here on.
    Want {
        /// Its content.
        hash: BlobHash,
        /// First byte that is missing; the size where all is here.
        offset: u64,
        /// All of it is here, or the other end has none: no piece will follow.
        done: bool,
    },
    /// Send this piece.
    Piece {
        /// Its content.
        hash: BlobHash,
        /// First byte.
        offset: u64,
        /// Length of the whole; zero where it is not held.
        size: u64,
        /// The piece.
        bytes: Vec<u8>,
    },
}

impl BlobReply {
    /// Whether the other end will say something about it.
    pub(crate) fn expects_answer(&self) -> bool {
        match self {
            BlobReply::Nothing | BlobReply::Finished => false,
            BlobReply::Offer { .. } => true,
            BlobReply::Want { done, .. } => !done,
            BlobReply::Piece { size, .. } => *size > 0,
        }
    }

    /// The message that tells the other end, and its size to the pace of the line.
    pub(crate) fn message(self, now: Millis, pace: &mut Pace) -> Option<Message> {
        if let BlobReply::Piece { bytes, .. } = &self {
            pace.sent(now, Lane::Piece, bytes.len());
        }
        match self {
            BlobReply::Nothing | BlobReply::Finished => None,
            BlobReply::Offer { hash, size } => Some(Message::BlobOffer { hash, size }),
            BlobReply::Want { hash, offset, .. } => Some(Message::BlobWant { hash, offset }),
            BlobReply::Piece { hash, offset, size, bytes } => Some(Message::BlobChunk { hash, offset, size, bytes }),
        }
    }
}

/// The request that a message of the other end leads to, on a line that was measured so.
pub(crate) fn request(now: Millis, message: Message, pace: &mut Pace) -> Option<BlobRequest> {
    match message {
        Message::BlobOffer { hash, size } => Some(BlobRequest::Offered { hash, size }),
        Message::BlobWant { hash, offset } => {
            pace.answered(now, Lane::Piece);
            Some(BlobRequest::Read { hash, offset, bytes_max: pace.piece_bytes() })
        }
        Message::BlobChunk { hash, offset, size, bytes } if bytes.len() <= BLOB_PIECE_BYTES => {
            Some(BlobRequest::Write { hash, offset, size, bytes })
        }
        _ => None,
    }
}
