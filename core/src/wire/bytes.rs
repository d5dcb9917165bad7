//! Reading and writing the fields of messages: minimal LEB128 numbers, length-prefixed byte strings, fixed arrays.
//!
//! A [`Reader`] never panics and never allocates more than the bytes at hand; what does not fit is a
//! [`Malformed`] with the offset.

use crate::error::{Error, Result};

/// Appends an unsigned LEB128 number.
pub(crate) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a signed number, zigzag in LEB128.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a byte string behind its length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a flag.
pub(crate) fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.push(u8::from(value));
}

/// Takes fields off the front of some bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn malformed(&self) -> Error {
        Error::protocol("malformed-message").at(format!("byte {}", self.at))
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or_else(|| self.malformed())?;
        let bytes = self.bytes.get(self.at..end).ok_or_else(|| self.malformed())?;
        self.at = end;
        Ok(bytes)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        self.take(1)?.first().copied().ok_or_else(|| self.malformed())
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed()),
        }
    }

    pub(crate) fn number(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(self.malformed());
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                // One encoding only: a last byte of zero says nothing, unless it is the only one.
                return if byte == 0 && shift > 0 { Err(self.malformed()) } else { Ok(value) };
            }
        }
        Err(self.malformed())
    }

    pub(crate) fn signed(&mut self) -> Result<i64> {
        let zigzag = self.number()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// A count of items of which each takes at least `bytes_min` of what is left.
    pub(crate) fn count(&mut self, bytes_min: usize) -> Result<usize> {
        let count = usize::try_from(self.number()?).map_err(|_| self.malformed())?;
        if count.checked_mul(bytes_min.max(1)).is_none_or(|need| need > self.left()) {
            return Err(self.malformed());
        }
        Ok(count)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.count(1)?;
        self.take(count)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed())
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| self.malformed())
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self.bytes.len();
        rest
    }

    /// Everything must have been read.
    pub(crate) fn end(&self) -> Result<()> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.malformed()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_have_one_encoding() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, value);
            assert_eq!(Reader::new(&out).number().unwrap(), value);
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(Reader::new(&out).signed().unwrap(), value);
        }
        assert!(Reader::new(&[0x80, 0x00]).number().is_err(), "not minimal");
        assert!(Reader::new(&[0xff; 11]).number().is_err(), "too long");
    }

    #[test]
    fn a_claimed_length_beyond_the_bytes_is_refused_before_it_allocates() {
        let mut out = Vec::new();
        put_number(&mut out, u64::MAX);
        assert!(Reader::new(&out).bytes().is_err());
        assert!(Reader::new(&[200, 1, 0]).count(16).is_err());
    }
}
