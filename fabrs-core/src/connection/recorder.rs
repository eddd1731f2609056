//! [`Recorder`]: captures the output of a command, and emits whole lines to the sinks.

use std::sync::{Arc, Mutex};

use super::hide::Hide;
use super::tee::Tee;
use super::watch::Watchers;
use crate::event::{Event, Granularity, Sink, Stream};
use crate::host::Host;
use crate::mutex::lock;
use crate::output::TailBuffer;
use crate::secret::{RedactedStream, Redactor};
use crate::transport::{Answer, CommandOutcome, Completion, OutputReceiver};

/// The maximum length of a line in one event. A longer line is split: a stream without line ends
/// cannot fill the memory.
const MAX_LINE_LEN: usize = 64 << 10;

/// The last bytes of both streams of one command.
#[derive(Debug, Clone)]
pub(super) struct Captured {
    pub(super) stdout: TailBuffer,
    pub(super) stderr: TailBuffer,
}

impl Default for Captured {
    fn default() -> Self {
        Self { stdout: TailBuffer::new(0), stderr: TailBuffer::new(0) }
    }
}

/// The captured output, written by the recorder and read by the future of the command.
pub(super) type SharedCapture = Arc<Mutex<Captured>>;

pub(super) fn take_capture(captured: &SharedCapture) -> Captured {
    std::mem::take(&mut *lock(captured))
}

/// Receives the output of one command.
#[derive(Debug)]
pub(super) struct Recorder {
    number: u64,
    host: Host,
    command: Arc<str>,
    sink: Arc<dyn Sink>,
    /// A separate sink for the output, if any.
    screen: Option<Arc<dyn Sink>>,
    granularity: Granularity,
    hide: Hide,
    captured: SharedCapture,
    stdout: PendingOutput,
    stderr: PendingOutput,
    watchers: Watchers,
    redactor: Redactor,
    tee: Option<Tee>,
}

/// The output of a stream that is not yet emitted.
#[derive(Debug, Default)]
struct PendingOutput {
    redacted: RedactedStream,
    lines: LineBuffer,
}

impl Recorder {
    /// Creates the recorder of a command, and the capture filled by the recorder. The capture keeps
    /// the last `capture_limit` bytes of stdout, and always enough of stderr for an error message.
    pub(super) fn new(
        number: u64,
        host: Host,
        command: Arc<str>,
        sink: Arc<dyn Sink>,
        hide: Hide,
        capture_limit: usize,
    ) -> (Self, SharedCapture) {
        let captured = Captured {
            stdout: TailBuffer::new(capture_limit),
            stderr: TailBuffer::new(capture_limit.max(TailBuffer::DEFAULT_BOUND)),
        };
        let captured = Arc::new(Mutex::new(captured));
        let shared = Arc::clone(&captured);
        let granularity = sink.granularity();
        let (stdout, stderr) = (PendingOutput::default(), PendingOutput::default());
        let (watchers, redactor) = (Watchers::default(), Redactor::default());
        (
            Self {
                number,
                host,
                command,
                sink,
                screen: None,
                granularity,
                hide,
                captured,
                stdout,
                stderr,
                watchers,
                redactor,
                tee: None,
            },
            shared,
        )
    }

    /// Sets the redactor for secrets in the shown output.
    pub(super) fn with_redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Sets the watchers of the output.
    pub(super) fn with_watchers(mut self, watchers: Watchers) -> Self {
        self.watchers = watchers;
        self
    }

    /// Sets a separate sink for the output. The start and the end of the command still go to the
    /// sink of the run.
    pub(super) fn with_screen(mut self, screen: Option<Arc<dyn Sink>>) -> Self {
        self.granularity = screen.as_ref().map_or(self.granularity, |screen| screen.granularity());
        self.screen = screen;
        self
    }

    /// Sets the file for a copy of the output.
    pub(super) fn with_tee(mut self, tee: Option<Tee>) -> Self {
        self.tee = tee;
        self
    }

    fn emit(&mut self, stream: Stream, bytes: &[u8]) {
        let shown = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let bytes = &*shown.redacted.push(&self.redactor, bytes);
        let (number, host, sink) = (self.number, &self.host, self.screen.as_ref().unwrap_or(&self.sink));
        if let Some(tee) = &mut self.tee {
            tee.write(bytes, host, &**sink);
        }
        let is_shown = self.hide.shows(stream);
        if is_shown && self.granularity.bytes && !bytes.is_empty() {
            sink.event(&Event::OutputBytes { id: number, host, stream, bytes });
        }
        if is_shown && self.granularity.lines {
            shown.lines.push(bytes, |text| sink.event(&Event::OutputLines { id: number, host, stream, text }));
        }
    }

    /// Emits the rest of both streams at the end of the command.
    fn flush(&mut self) {
        let (number, host, sink) = (self.number, &self.host, self.screen.as_ref().unwrap_or(&self.sink));
        for (stream, shown) in [(Stream::Stdout, &mut self.stdout), (Stream::Stderr, &mut self.stderr)] {
            let redacted_rest = shown.redacted.finish(&self.redactor);
            if let Some(tee) = &mut self.tee {
                tee.write(&redacted_rest, host, &**sink);
            }
            if !self.hide.shows(stream) {
                continue;
            }
            if self.granularity.bytes && !redacted_rest.is_empty() {
                sink.event(&Event::OutputBytes { id: number, host, stream, bytes: &redacted_rest });
            }
            let rest = [std::mem::take(&mut shown.lines.partial), redacted_rest].concat();
            if self.granularity.lines && !rest.is_empty() {
                sink.event(&Event::OutputLines { id: number, host, stream, text: &rest });
            }
        }
    }
}

impl OutputReceiver for Recorder {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        self.watchers.receive(stream, bytes, answer);
        {
            let mut captured = lock(&self.captured);
            match stream {
                Stream::Stdout => captured.stdout.push(bytes),
                Stream::Stderr => captured.stderr.push(bytes),
            }
        }
        if self.tee.is_some() || self.hide.shows(stream) {
            self.emit(stream, bytes);
        }
    }

    fn ended(&mut self, end: &Completion) {
        self.watchers.ended();
        self.flush();
        let (number, host, command) = (self.number, &self.host, &*self.command);
        if let CommandOutcome::TimedOut { is_confirmed: false } | CommandOutcome::Stopped { is_confirmed: false } =
            end.outcome
        {
            self.sink.event(&Event::UnconfirmedStop { id: number, host, command });
        }
        let status = match &end.outcome {
            CommandOutcome::Exited(status) | CommandOutcome::Truncated(status, _) => Some(status),
            CommandOutcome::Planned => return,
            CommandOutcome::TimedOut { .. } | CommandOutcome::Stopped { .. } | CommandOutcome::Failed(_) => None,
        };
        let error = end.outcome.error().map(|error| error.or_on(Some(host)));
        let error = error.as_ref();
        self.sink.event(&Event::CommandEnded { id: number, host, command, status, error, elapsed: end.elapsed });
    }
}

/// Splits a stream at line ends, without torn lines or characters.
#[derive(Debug, Default)]
struct LineBuffer {
    partial: Vec<u8>,
}

impl LineBuffer {
    /// Passes all lines completed by `bytes` to `each` at once, and keeps the rest.
    fn push(&mut self, bytes: &[u8], each: impl Fn(&[u8])) {
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => {
                let (whole, rest) = bytes.split_at(end + 1);
                if self.partial.is_empty() {
                    each(whole);
                } else {
                    self.partial.extend_from_slice(whole);
                    each(&self.partial);
                    self.partial.clear();
                }
                self.partial.extend_from_slice(rest);
            }
            None => self.partial.extend_from_slice(bytes),
        }
        if self.partial.len() > MAX_LINE_LEN {
            let end = last_character_end(&self.partial);
            each(self.partial.get(..end).unwrap_or_default());
            self.partial.drain(..end);
        }
    }
}

/// Returns the end of the last complete UTF-8 character of `bytes`. For other encodings, returns
/// the length.
fn last_character_end(bytes: &[u8]) -> usize {
    let start = bytes.iter().rposition(|byte| byte & 0b1100_0000 != 0b1000_0000).unwrap_or(0);
    match std::str::from_utf8(bytes.get(start..).unwrap_or_default()) {
        Err(error) if error.error_len().is_none() && start > 0 => start,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn output_in_any_chunk_size_yields_whole_lines() {
        let text = "€uro\nzwei €\n\nrest".as_bytes();
        for size in 1..8 {
            let output = RefCell::new(Vec::new());
            let mut lines = LineBuffer::default();
            for chunk in text.chunks(size) {
                lines.push(chunk, |whole| {
                    assert!(whole.ends_with(b"\n") && std::str::from_utf8(whole).is_ok());
                    output.borrow_mut().extend_from_slice(whole);
                });
            }
            assert_eq!(output.into_inner(), "€uro\nzwei €\n\n".as_bytes());
            assert_eq!(lines.partial, b"rest");
        }
    }

    #[test]
    fn a_very_long_line_is_split_between_characters() {
        let output = RefCell::new(Vec::new());
        let mut lines = LineBuffer::default();
        for _ in 0..MAX_LINE_LEN {
            for byte in "€".as_bytes() {
                lines.push(&[*byte], |chunk| {
                    assert!(std::str::from_utf8(chunk).is_ok());
                    output.borrow_mut().extend_from_slice(chunk);
                });
                assert!(lines.partial.len() <= MAX_LINE_LEN + 1);
            }
        }
        assert!(output.into_inner().len() + lines.partial.len() == MAX_LINE_LEN * 3);
    }
}
