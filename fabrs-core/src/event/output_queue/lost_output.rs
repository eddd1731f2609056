//! [`LostOutput`]: output that could not be written, and the reasons.

use std::io;

use crate::error::{Error, ErrorKind};
use crate::event::output_queue::block::StreamLengths;
use crate::event::output_queue::block_queue::DroppedBytes;
use crate::event::stream::Stream;

/// The number of lost bytes and the reasons. Output written after the reader has closed the stream
/// does not count.
#[derive(Debug, Default)]
pub(super) struct LostOutput {
    bytes: StreamLengths,
    /// The first cause for each stream and for the file.
    causes: Vec<LossCause>,
}

/// A cause of lost output.
#[derive(Debug)]
struct LossCause {
    /// The stream with the failed write, or `None` for the temporary file.
    stream: Option<Stream>,
    text: String,
}

impl LostOutput {
    /// Adds bytes rejected by a stream.
    pub(super) fn add_rejected(&mut self, stream: Stream, bytes: u64, cause: &io::Error) {
        *self.bytes.of(stream) += bytes;
        self.add_cause(Some(stream), || format!("could not write to {}: {cause}", stream_name(stream)));
    }

    /// Adds dropped bytes of the queue.
    pub(super) fn add_dropped(&mut self, dropped: &DroppedBytes) {
        self.bytes.add(dropped.bytes);
        let folder = std::env::temp_dir();
        let cause =
            || format!("could not write output to a temporary file in `{}`: {}", folder.display(), dropped.cause);
        self.add_cause(None, cause);
    }

    fn add_cause(&mut self, stream: Option<Stream>, text: impl FnOnce() -> String) {
        if self.causes.iter().all(|cause| cause.stream != stream) {
            self.causes.push(LossCause { stream, text: text() });
        }
    }

    /// Returns the number of lost bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.all()
    }

    /// Returns the error with all lost bytes, if any bytes were lost.
    pub(super) fn error(&self) -> Option<Error> {
        if self.causes.is_empty() {
            return None;
        }
        let of = |stream, bytes: u64| (bytes > 0).then(|| format!("{bytes} bytes of {}", stream_name(stream)));
        let lost = [of(Stream::Stdout, self.bytes.stdout), of(Stream::Stderr, self.bytes.stderr)];
        let lost: Vec<String> = lost.into_iter().flatten().collect();
        let causes: Vec<&str> = self.causes.iter().map(|cause| cause.text.as_str()).collect();
        let error = Error::new(ErrorKind::Local, format!("output was lost: {}", lost.join(" and ")))
            .caused_by(io::Error::other(causes.join("\n")));
        Some(if self.causes.iter().any(|cause| cause.stream.is_none()) {
            error.hint("set TMPDIR to an existing directory with enough free space")
        } else {
            error
        })
    }
}

fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}
