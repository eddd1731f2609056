//! A reader for the SSH wire format (RFC 4251, section 5). It borrows from the input without
//! allocations.

/// The maximum length of an integer in bytes, as in `ssh`.
const MAX_INTEGER_LEN: usize = 16_384 / 8;

/// The unread bytes. Errors are clauses such as `unexpected end of data`.
pub(super) struct WireReader<'a>(&'a [u8]);

impl<'a> WireReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns an error if bytes remain.
    pub(super) fn finish(&self) -> Result<(), &'static str> {
        if self.is_empty() { Ok(()) } else { Err("unexpected trailing bytes") }
    }

    /// Reads a byte.
    pub(super) fn byte(&mut self) -> Result<u8, &'static str> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, &'static str> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, &'static str> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a string of any bytes.
    pub(super) fn string(&mut self) -> Result<&'a [u8], &'static str> {
        let length = self.u32()?;
        let (string, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| self.0.split_at_checked(length))
            .ok_or("unexpected end of data")?;
        self.0 = rest;
        Ok(string)
    }

    /// Reads a string of text. As in `ssh`, a NUL byte at the end is not part of the text.
    pub(super) fn text(&mut self) -> Result<&'a [u8], &'static str> {
        let string = self.string()?;
        let text = string.strip_suffix(b"\0").unwrap_or(string);
        if text.contains(&0) { Err("a string contains a NUL byte") } else { Ok(text) }
    }

    /// Reads a non-negative integer. Returns its bytes in big-endian order, without leading zeros.
    pub(super) fn integer(&mut self) -> Result<&'a [u8], &'static str> {
        let integer = self.string()?;
        if integer.first().is_some_and(|first| first & 0x80 != 0) {
            return Err("negative integer");
        }
        // A leading zero byte marks the integer as positive, and does not count.
        if integer.strip_prefix(b"\0").unwrap_or(integer).len() > MAX_INTEGER_LEN {
            return Err("integer of more than 16384 bits");
        }
        let zeros = integer.iter().take_while(|byte| **byte == 0).count();
        Ok(&integer[zeros..])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (array, rest) = self.0.split_first_chunk().ok_or("unexpected end of data")?;
        self.0 = rest;
        Ok(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::WireReader;

    #[test]
    fn values_are_read_in_order() {
        let mut reader = WireReader::new(b"\x07\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\x03abc");
        assert_eq!((reader.byte(), reader.u32(), reader.u64()), (Ok(7), Ok(1), Ok(2)));
        assert!(reader.finish().is_err());
        assert_eq!(reader.string(), Ok(&b"abc"[..]));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_length_beyond_the_input_is_an_error() {
        for bytes in [&b""[..], b"\0\0\0", b"\0\0\0\x01", b"\xff\xff\xff\xffabc"] {
            assert_eq!(WireReader::new(bytes).string(), Err("unexpected end of data"), "{bytes:?}");
        }
    }

    #[test]
    fn text_may_end_with_one_nul_byte() {
        assert_eq!(WireReader::new(b"\0\0\0\x03ab\0").text(), Ok(&b"ab"[..]));
        assert!(WireReader::new(b"\0\0\0\x03a\0b").text().is_err());
        assert!(WireReader::new(b"\0\0\0\x03a\0\0").text().is_err());
    }

    #[test]
    fn integers_are_positive_and_short() {
        assert_eq!(WireReader::new(b"\0\0\0\x03\0\0\x80").integer(), Ok(&b"\x80"[..]));
        assert_eq!(WireReader::new(b"\0\0\0\0").integer(), Ok(&b""[..]));
        assert!(WireReader::new(b"\0\0\0\x01\x80").integer().is_err());
        let integer = |first: &[u8]| [b"\0\0\x08\x01", first, &[1; 2048]].concat();
        assert!(WireReader::new(&integer(b"\0")).integer().is_ok());
        assert!(WireReader::new(&integer(b"\x01")).integer().is_err());
    }
}
