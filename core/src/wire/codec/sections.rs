//! The two halves of a batch: text, which zstd compresses, and bits, which no compressor can make smaller.
//!
//! Packed numbers and random ids look like noise and spoil the statistics that zstd keeps of its input, so they stand
//! apart. The frame is a method byte, the length of the bits, the bits, and the text: plain where it is short, else its
//! length and one zstd frame.

use crate::error::{Error, Result};
use crate::limits::BATCH_INFLATED_BYTES_MAX;
use crate::wire::chunk::leb::{Reader, put_signed, put_unsigned};

const METHOD_PLAIN: u8 = 1;
const METHOD_ZSTD: u8 = 2;
/// Below this zstd's own header costs more than it saves, in bytes.
const PLAIN_TEXT_BYTES: usize = 48;

/// A batch being written.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    pub(crate) text: Vec<u8>,
    pub(crate) bits: Vec<u8>,
}

impl Sections {
    pub(crate) fn number(&mut self, value: usize) {
        put_unsigned(&mut self.text, value as u64);
    }

    pub(crate) fn signed(&mut self, value: i64) {
        put_signed(&mut self.text, value);
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len() + self.bits.len()
    }

    pub(crate) fn append(&mut self, other: Sections) {
        self.text.extend_from_slice(&other.text);
        self.bits.extend_from_slice(&other.bits);
    }

    pub(crate) fn seal(&self, level: i32) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(self.bits.len() + self.text.len() / 2 + 32);
        let compressed = if self.text.len() < PLAIN_TEXT_BYTES {
            None
        } else {
            let zstd = zstd::bulk::compress(&self.text, level)
                .map_err(|e| Error::limit("batch-compression").with("why", e.to_string()))?;
            (zstd.len() < self.text.len()).then_some(zstd)
        };
        out.push(if compressed.is_some() { METHOD_ZSTD } else { METHOD_PLAIN });
        put_unsigned(&mut out, self.bits.len() as u64);
        out.extend_from_slice(&self.bits);
        match compressed {
            None => out.extend_from_slice(&self.text),
            Some(zstd) => {
                put_unsigned(&mut out, self.text.len() as u64);
                out.extend_from_slice(&zstd);
            }
        }
        Ok(out)
    }
}

/// A received batch, split and inflated within the bounds.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    bits: &'a [u8],
    plain: &'a [u8],
    inflated: Vec<u8>,
}

impl<'a> Opened<'a> {
    pub(crate) fn new(frame: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new(frame);
        let method = reader.byte().ok_or_else(malformed)?;
        let bits = reader.prefixed().ok_or_else(malformed)?;
        match method {
            METHOD_PLAIN => Ok(Self { bits, plain: reader.rest(), inflated: Vec::new() }),
            METHOD_ZSTD => {
                let len = reader.unsigned().ok_or_else(malformed)?;
                let len = usize::try_from(len).ok().filter(|len| *len <= BATCH_INFLATED_BYTES_MAX);
                let len = len.ok_or_else(|| Error::limit("batch-limit").with("part", "bytes"))?;
                let inflated = zstd::bulk::decompress(reader.rest(), len).map_err(|_| malformed())?;
                if inflated.len() != len {
                    return Err(malformed());
                }
                Ok(Self { bits, plain: &[], inflated })
            }
            _ => Err(malformed()),
        }
    }

    pub(crate) fn readers(&self) -> Readers<'_> {
        let text = if self.inflated.is_empty() { self.plain } else { &self.inflated };
        Readers { text: Reader::new(text), bits: Reader::new(self.bits) }
    }
}

/// Where reading a batch has got to in each half.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readers<'a> {
    pub(crate) text: Reader<'a>,
    pub(crate) bits: Reader<'a>,
}

impl Readers<'_> {
    /// A number no greater than `most`.
    pub(crate) fn number(&mut self, most: usize) -> Option<usize> {
        usize::try_from(self.text.unsigned()?).ok().filter(|n| *n <= most)
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        self.text.signed()
    }

    pub(crate) fn ended(&self) -> bool {
        self.text.is_empty() && self.bits.is_empty()
    }
}

pub(crate) fn malformed() -> Error {
    Error::protocol("batch-malformed")
}
