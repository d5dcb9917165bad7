//! LEB128 integers in their only shortest form, and a cursor over foreign bytes.
//!
//! A number has one encoding here: a longer one for the same value is refused, so that equal values mean equal bytes.

/// A cursor over foreign bytes. Every read is checked; `None` means that the bytes are not what they should be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// An unsigned number that fits a length, then as many bytes.
    #[inline]
    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.unsigned()?).ok()?;
        self.take(len)
    }

    #[inline]
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return (byte != 0).then_some(value);
            }
            shift += 7;
        }
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let mut value = 0i64;
        let mut shift = 0;
        let mut before = 0u8;
        loop {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return None;
            }
            value |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                let negative = byte & 0x40 != 0;
                // A last byte that only repeats the sign of the one before it says nothing.
                let idle = shift > 7 && ((byte == 0 && before & 0x40 == 0) || (byte == 0x7f && before & 0x40 != 0));
                if negative && shift < 64 {
                    value |= -1i64 << shift;
                }
                return (!idle).then_some(value);
            }
            before = byte;
        }
    }
}

#[inline]
pub(crate) fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

pub(crate) fn put_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn unsigned_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

pub(crate) fn signed_len(value: i64) -> usize {
    let magnitude = if value < 0 { !value } else { value } as u64;
    let bits = 65 - magnitude.leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_as_written(value: u64, sign: i64) {
            let mut out = Vec::new();
            put_unsigned(&mut out, value);
            prop_assert_eq!(out.len(), unsigned_len(value));
            put_signed(&mut out, sign);
            prop_assert_eq!(out.len(), unsigned_len(value) + signed_len(sign));
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.unsigned(), Some(value));
            prop_assert_eq!(reader.signed(), Some(sign));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn whatever_reads_has_one_form(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Some(value) = reader.unsigned() {
                let mut again = Vec::new();
                put_unsigned(&mut again, value);
                prop_assert_eq!(&bytes[..bytes.len() - reader.rest().len()], &again[..]);
            }
            let mut reader = Reader::new(&bytes);
            if let Some(value) = reader.signed() {
                let mut again = Vec::new();
                put_signed(&mut again, value);
                prop_assert_eq!(&bytes[..bytes.len() - reader.rest().len()], &again[..]);
            }
        }
    }

    #[test]
    fn extremes_keep_their_length() {
        for value in [0, 63, 64, -64, -65, 8191, 8192, -8193, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(out.len(), signed_len(value), "{value}");
            assert_eq!(Reader::new(&out).signed(), Some(value));
        }
    }
}
