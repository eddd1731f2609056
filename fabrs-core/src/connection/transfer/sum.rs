//! The size and the SHA-256 of contents.

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

/// The size and the SHA-256 of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Sum {
    /// Sums bytes up.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut sum = Summing::new();
        sum.update(bytes);
        sum.finish()
    }
}

/// A content that is being summed up.
#[derive(Clone)]
pub(super) struct Summing {
    size: u64,
    digest: Context,
}

impl Summing {
    pub(super) fn new() -> Self {
        Self { size: 0, digest: Context::new(&SHA256) }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.digest.update(bytes);
    }

    pub(super) fn finish(self) -> Sum {
        Sum { size: self.size, sha256: HEXLOWER.encode(self.digest.finish().as_ref()) }
    }
}
