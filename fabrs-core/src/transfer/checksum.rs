//! [`Checksum`]: the size and SHA-256 of a content.

use std::fmt;
use std::io::{self, Read};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ring::digest::{Context, SHA256};

/// The size and SHA-256 of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) size: u64,
    pub(crate) sha256: Sha256,
}

/// A SHA-256, displayed as lower-case hexadecimal digits like the output of `sha256sum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sha256([u8; 32]);

impl Sha256 {
    /// The number of hexadecimal digits.
    pub(crate) const DIGITS: usize = 64;

    /// Parses hexadecimal digits.
    pub(crate) fn of_digits(digits: &[u8]) -> Option<Self> {
        let mut sum = [0; 32];
        let read = (digits.len() == Self::DIGITS).then(|| HEXLOWER_PERMISSIVE.decode_mut(digits, &mut sum))?;
        read.ok().map(|_| Self(sum))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

impl Checksum {
    /// Returns the checksum of bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut sum = ChecksumBuilder::new();
        sum.update(bytes);
        sum.finish()
    }
}

/// An incremental computation of a [`Checksum`].
#[derive(Clone)]
pub(crate) struct ChecksumBuilder {
    size: u64,
    digest: Context,
}

impl ChecksumBuilder {
    pub(crate) fn new() -> Self {
        Self { size: 0, digest: Context::new(&SHA256) }
    }

    /// Reads a content to its end, in reads of the size of `buffer`, and returns the checksum. If
    /// `is_wanted` returns false, reading stops, and the checksum covers only a part.
    ///
    /// # Errors
    ///
    /// The errors of the reader.
    pub(crate) fn of_reader(
        content: &mut dyn Read,
        buffer: &mut [u8],
        is_wanted: &dyn Fn() -> bool,
    ) -> io::Result<Checksum> {
        let mut sum = Self::new();
        loop {
            match content.read(buffer)? {
                0 => return Ok(sum.finish()),
                _ if !is_wanted() => return Ok(sum.finish()),
                read => sum.update(buffer.get(..read).unwrap_or_default()),
            }
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.digest.update(bytes);
    }

    pub(crate) fn finish(self) -> Checksum {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.finish().as_ref());
        Checksum { size: self.size, sha256: Sha256(sha256) }
    }
}
