//! Receives the content of a downloaded file from the output of a script.

use memchr::memmem;

use super::limits::{Excess, MAX_CONTENT_HEADER, MAX_MESSAGES};
use super::text::CONTENT;
use crate::connection::Watcher;
use crate::error::{Error, Result};
use crate::event::Stream;
use crate::transfer::incoming_file::IncomingFile;
use crate::transport::Answer;

/// Finds the start of the content in the output of a script, and writes the content to a file.
#[derive(Debug)]
pub(crate) struct Fetch {
    incoming_file: IncomingFile,
    /// The last bytes before the content.
    head: Vec<u8>,
    /// The number of bytes before the content.
    skipped: usize,
    failure: Option<Error>,
}

impl Fetch {
    pub(crate) fn new(incoming_file: &IncomingFile) -> Self {
        Self { incoming_file: incoming_file.clone(), head: Vec::new(), skipped: 0, failure: None }
    }

    /// Finds the header line of the content, after any text that the login prints. Returns the
    /// header and the bytes after the header.
    ///
    /// # Errors
    ///
    /// [`Excess`] if the line is too long, or is missing after [`MAX_MESSAGES`].
    fn find_head(&mut self, bytes: &[u8]) -> Result<Option<(String, Vec<u8>)>, Excess> {
        self.skipped = self.skipped.saturating_add(bytes.len());
        self.head.extend_from_slice(bytes);
        let Some(start) = memmem::find(&self.head, CONTENT.as_bytes()) else {
            // The marker may be split between two reads. Keep enough bytes for its first part.
            self.head.drain(..self.head.len().saturating_sub(CONTENT.len()));
            return if self.skipped > MAX_MESSAGES { Err(Excess::Messages) } else { Ok(None) };
        };
        let line = self.head.get(start + CONTENT.len()..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', line) else {
            return if line.len() > MAX_CONTENT_HEADER { Err(Excess::ContentHeader) } else { Ok(None) };
        };
        let (line, rest) = line.split_at(end);
        let found = (String::from_utf8_lossy(line).into_owned(), rest.get(1..).unwrap_or_default().to_vec());
        self.head = Vec::new();
        Ok(Some(found))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        if self.incoming_file.has_started() {
            return self.incoming_file.write(bytes);
        }
        let Some((line, rest)) = self.find_head(bytes).map_err(Excess::into_error)? else { return Ok(()) };
        let (mode, size) = line.split_once(' ').unwrap_or_default();
        let size = size.trim().parse().map_err(|_| Excess::ContentHeader.into_error())?;
        self.incoming_file.begin(u32::from_str_radix(mode, 8).ok(), size)?;
        self.incoming_file.write(&rest)
    }
}

impl Watcher for Fetch {
    /// Writes to the file directly in the task that reads the channel, as the output queue does for
    /// a slow terminal. Data not yet on the disk is in the page cache, not in this process.
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if stream == Stream::Stdout
            && self.failure.is_none()
            && let Err(error) = self.take(bytes)
        {
            self.failure = Some(error);
            self.incoming_file.discard();
            answer.stop();
        }
    }

    fn failure(&self) -> Option<Error> {
        self.failure.clone()
    }
}
