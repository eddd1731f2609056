//! Limits on the output of a script. A hostile or broken host could send endless output.
//!
//! A script above a limit is stopped, and the transfer fails with [`Excess`]. A silent script has
//! no limit here, since a script may work for a long time. The command timeout and the keepalives
//! of the session apply, as for any command.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::connection::Watcher;
use crate::error::{Error, ErrorKind};
use crate::event::Stream;
use crate::transfer::channel_buffer::Overflow;
use crate::transport::Answer;

/// The maximum length of a record, in bytes: longer than a path with metadata.
pub(crate) const MAX_RECORD: usize = 64 << 10;
/// The maximum number of unread bytes: nearly a whole listing, since a busy machine may read the
/// output late.
pub(crate) const MAX_UNREAD: usize = 24 << 20;
/// The maximum size of messages on a stream, in bytes: the text printed by a login, and stderr.
pub(crate) const MAX_MESSAGES: usize = 16 << 20;
/// The maximum size of a listing in memory, in bytes: about 200,000 entries with paths of 70
/// bytes.
const MAX_LISTING: usize = 32 << 20;
/// The memory of an entry without the path, in bytes.
const ENTRY_OVERHEAD: usize = 96;
/// The memory of an answer about a local path, in bytes: two records of metadata, a checksum or a
/// symlink.
const ANSWER_OVERHEAD: usize = 4 * ENTRY_OVERHEAD;
/// The maximum length of a path, in bytes, as on Linux. An honest host cannot list a longer path.
const MAX_PATH: usize = 4096;
/// The maximum length of the header line of a content, in bytes: a mode and a size.
pub(crate) const MAX_CONTENT_HEADER: usize = 128;
/// The maximum size of the tar headers before a file, in bytes. A long name needs three blocks
/// in addition to the name.
pub(crate) const MAX_TAR_HEADERS: u64 = 1 << 20;
/// The number of bytes that a tar stream may have beyond twice the size of its files. A file may
/// grow while the host reads the file, and long names need additional blocks.
const STREAM_SLACK: u64 = 64 << 20;

/// A limit exceeded by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Excess {
    #[error("the host sent an answer longer than {} KiB", MAX_RECORD >> 10)]
    Record,
    #[error("the host sent more than {} MiB of text outside of the protocol", MAX_MESSAGES >> 20)]
    Messages,
    #[error("the listing of the host is larger than {} MiB", MAX_LISTING >> 20)]
    Listing,
    #[error("the host listed a path longer than {MAX_PATH} bytes")]
    PathLength,
    #[error("the host sent no valid file size before the content")]
    ContentHeader,
    #[error("the host sent a file name longer than {} MiB", MAX_TAR_HEADERS >> 20)]
    TarHeaders,
    #[error("the host sent more than twice the size of the files that it listed")]
    Stream,
    #[error("more than {} MiB from the host are unread", MAX_UNREAD >> 20)]
    Unread,
}

impl From<Overflow> for Excess {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::Unread => Self::Unread,
            Overflow::File => Self::Stream,
        }
    }
}

impl Excess {
    /// Returns the excess that caused an error.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        std::error::Error::source(error)?.downcast_ref().copied()
    }

    /// Adds the excess to an error as the cause, with a hint.
    pub(crate) fn explain(self, error: Error) -> Error {
        let error = error.caused_by(self);
        match self {
            Self::Listing => error.hint("transfer its directories one by one, or use `.rsync(..)`"),
            Self::Messages => error.hint("check the shell profile of the login: it may print endless text"),
            _ => error,
        }
    }

    /// Returns the error of a watcher that has stopped the script.
    pub(crate) fn into_error(self) -> Error {
        Error::new(ErrorKind::File, "the script was stopped").caused_by(self)
    }
}

/// The memory for the records of an answer.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: usize,
}

impl Allowance {
    /// Returns the allowance of a listing with unknown paths.
    pub(crate) fn listing() -> Self {
        Self { left: MAX_LISTING }
    }

    /// Adds the memory of an answer about a local path.
    pub(crate) fn add_path(&mut self, path: &Path) {
        self.left += path.as_os_str().len() + ANSWER_OVERHEAD;
    }

    /// Subtracts the memory of a record.
    ///
    /// # Errors
    ///
    /// [`Excess::Listing`] if the allowance is used up.
    pub(crate) fn admit(&mut self, record: &[u8]) -> Result<(), Excess> {
        self.left = self.left.checked_sub(record.len() + ENTRY_OVERHEAD).ok_or(Excess::Listing)?;
        Ok(())
    }
}

/// Checks the length of a path from the host.
///
/// # Errors
///
/// [`Excess::PathLength`] if a program on the host could not have opened the path.
pub(crate) fn check_path_length(path: &Path) -> Result<(), Excess> {
    if path.as_os_str().as_bytes().len() > MAX_PATH { Err(Excess::PathLength) } else { Ok(()) }
}

/// Returns the maximum size of a tar stream for files of `size` bytes with their headers.
pub(crate) fn max_stream(size: u64) -> u64 {
    size.saturating_mul(2).saturating_add(STREAM_SLACK)
}

/// Stops a script after more than [`MAX_MESSAGES`] on a stream.
#[derive(Debug)]
pub(crate) struct MessageLimit {
    stream: Stream,
    received_bytes: usize,
}

impl MessageLimit {
    pub(crate) fn of(stream: Stream) -> Self {
        Self { stream, received_bytes: 0 }
    }
}

impl Watcher for MessageLimit {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if self.stream == stream {
            self.received_bytes = self.received_bytes.saturating_add(bytes.len());
        }
        if self.received_bytes > MAX_MESSAGES {
            answer.stop();
        }
    }

    fn failure(&self) -> Option<Error> {
        (self.received_bytes > MAX_MESSAGES).then(|| Excess::Messages.into_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_grows_with_local_paths() {
        let count =
            |mut allowance: Allowance| (0..2_000_000).take_while(|_| allowance.admit(&[b'x'; 100]).is_ok()).count();
        let alone = count(Allowance::listing());
        assert_eq!(alone, MAX_LISTING / 196);
        let mut allowance = Allowance::listing();
        for _ in 0..1_000_000 {
            allowance.add_path(Path::new("x"));
        }
        assert!(count(allowance) > 1_000_000, "all of a large local tree");
    }
}
