//! Limits on the output of a script, since a hostile or broken host could send without an end.
//!
//! A script that exceeds a limit is ended, and the transfer fails with [`Excess`]. Silence has no limit here: a script may work for
//! long, and the timeout of a command and the keepalives of the session apply to it as to any command.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::connection::Watcher;
use crate::error::{Error, ErrorKind};
use crate::event::Stream;
use crate::files::channel_buffer::Overflow;
use crate::transport::Answer;

/// The maximum length of one record, in bytes: longer than a path and its metadata.
pub(super) const MAX_RECORD: usize = 64 << 10;
/// The maximum number of bytes that wait to be read: nearly a whole listing, since a busy machine reads late.
pub(super) const MAX_UNREAD: usize = 24 << 20;
/// The maximum size of messages on one stream, in bytes: the text that a login prints, and stderr.
pub(super) const MAX_MESSAGES: usize = 16 << 20;
/// The maximum size of a listing in memory, in bytes: about 200,000 entries with paths of 70 bytes.
const MAX_LISTING: usize = 32 << 20;
/// The memory of an entry without its path, in bytes.
const ENTRY_OVERHEAD: usize = 96;
/// The memory of an answer about a path of this machine, in bytes: two records of metadata, a checksum or a symlink.
const ANSWER_OVERHEAD: usize = 4 * ENTRY_OVERHEAD;
/// The maximum length of a path, as on Linux. No honest host can list a longer path.
const MAX_PATH: usize = 4096;
/// The maximum length of the line before a content, in bytes: a mode and a size.
pub(super) const MAX_HEAD: usize = 128;
/// The maximum size of the tar headers before one file, in bytes: a long name takes three blocks and itself.
pub(super) const MAX_HEADERS: u64 = 1 << 20;
/// The size of a tar stream in addition to twice its files, in bytes: a file may grow while it is read, and long names take blocks.
const STREAM_SLACK: u64 = 64 << 20;

/// The host sent more than a script prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Excess {
    #[error("the host sent an answer longer than {} KiB", MAX_RECORD >> 10)]
    Record,
    #[error("the host sent more than {} MiB of text besides its answers", MAX_MESSAGES >> 20)]
    Messages,
    #[error("the listing of the host is larger than {} MiB", MAX_LISTING >> 20)]
    Listing,
    #[error("the host listed a path longer than {MAX_PATH} bytes")]
    PathLength,
    #[error("the host sent no size before the content, within {MAX_HEAD} bytes")]
    Head,
    #[error("the host sent a file name longer than {} MiB", MAX_HEADERS >> 20)]
    Headers,
    #[error("the host sent more than twice the size of the files that it listed")]
    Stream,
    #[error("more than {} MiB from the host wait to be read", MAX_UNREAD >> 20)]
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
    pub(super) fn of(error: &Error) -> Option<Self> {
        std::error::Error::source(error)?.downcast_ref().copied()
    }

    /// Adds itself as the cause, with a hint.
    pub(super) fn explain(self, error: Error) -> Error {
        let error = error.caused_by(self);
        match self {
            Self::Listing => error.hint("transfer its directories one by one, or use `.rsync(..)`"),
            Self::Messages => error.hint("check the shell profile of the login: it may print without an end"),
            _ => error,
        }
    }

    /// Returns the error of a watcher.
    pub(super) fn into_error(self) -> Error {
        Error::new(ErrorKind::File, "the script was ended").caused_by(self)
    }
}

/// The memory that the records of one answer may take.
#[derive(Debug)]
pub(super) struct Allowance {
    left: usize,
}

impl Allowance {
    /// Returns the allowance of a list that only the host knows.
    pub(super) fn listing() -> Self {
        Self { left: MAX_LISTING }
    }

    /// Adds the answer about a path, which this machine knows already.
    pub(super) fn add_path(&mut self, path: &Path) {
        self.left += path.as_os_str().len() + ANSWER_OVERHEAD;
    }

    /// Takes the memory of a record.
    ///
    /// # Errors
    ///
    /// [`Excess::Listing`] if nothing is left.
    pub(super) fn admit(&mut self, record: &[u8]) -> Result<(), Excess> {
        self.left = self.left.checked_sub(record.len() + ENTRY_OVERHEAD).ok_or(Excess::Listing)?;
        Ok(())
    }
}

/// Checks the length of a path that the host listed.
///
/// # Errors
///
/// [`Excess::PathLength`] if no program of the host could have found it.
pub(super) fn check_path_length(path: &Path) -> Result<(), Excess> {
    if path.as_os_str().as_bytes().len() > MAX_PATH { Err(Excess::PathLength) } else { Ok(()) }
}

/// Returns the maximum size of a tar stream of files that have `size` bytes with their headers.
pub(super) fn max_stream(size: u64) -> u64 {
    size.saturating_mul(2).saturating_add(STREAM_SLACK)
}

/// Ends a script that prints messages on a stream without an end.
#[derive(Debug)]
pub(super) struct MessageLimit {
    stream: Stream,
    heard: usize,
}

impl MessageLimit {
    pub(super) fn of(stream: Stream) -> Self {
        Self { stream, heard: 0 }
    }
}

impl Watcher for MessageLimit {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if self.stream == stream {
            self.heard = self.heard.saturating_add(bytes.len());
        }
        if self.heard > MAX_MESSAGES {
            answer.stop();
        }
    }

    fn failure(&self) -> Option<Error> {
        (self.heard > MAX_MESSAGES).then(|| Excess::Messages.into_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_grows_with_the_paths_of_this_machine() {
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
