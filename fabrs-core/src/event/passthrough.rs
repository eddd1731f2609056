//! [`PassthroughSink`]: the output of a command, unchanged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{BoxFuture, FutureExt};

use crate::controls::escape_controls;
use crate::event::event::Event;
use crate::event::formatter::EventFormatter;
use crate::event::output_queue::queue::OutputQueue;
use crate::event::sink::{Granularity, Sink};
use crate::event::stream::Stream;
use crate::event::style::{Prefix, Style};

/// A sink that forwards the output of a command unchanged, stdout to stdout and stderr to stderr,
/// like `ssh host command`.
///
/// Errors and warnings go to stderr in the format of [`PlainSink`](crate::event::PlainSink),
/// without a prefix. In a dry run each planned line has the host in front. The start and the
/// success of a task are not shown.
#[derive(Debug)]
pub struct PassthroughSink {
    queue: Arc<OutputQueue>,
    formatter: EventFormatter,
    /// The formatter of planned lines, with the host as prefix.
    plan: EventFormatter,
    /// True if the last line of stderr has no line end.
    is_mid_line: AtomicBool,
}

impl PassthroughSink {
    /// Makes a sink that prints through `queue`.
    pub fn new(queue: Arc<OutputQueue>, style: Style) -> Self {
        let formatter = EventFormatter::new(Prefix::None, style);
        let plan = EventFormatter::new(Prefix::Host, style);
        Self { queue, formatter, plan, is_mid_line: AtomicBool::new(false) }
    }
}

impl Sink for PassthroughSink {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::TaskStarted { .. } | Event::TaskEnded { error: None, .. } | Event::Summary { .. } => {}
            Event::OutputBytes { stream, bytes, .. } => {
                if let (Stream::Stderr, Some(last)) = (stream, bytes.last()) {
                    self.is_mid_line.store(*last != b'\n', Ordering::Relaxed);
                }
                self.queue.push(*stream, bytes);
            }
            Event::Message { stream: Stream::Stdout, text, .. } => {
                self.queue
                    .push(Stream::Stdout, format!("{}\n", escape_controls(text).trim_end_matches('\n')).as_bytes());
            }
            _ => {
                let mut text = match event {
                    Event::Message { text, .. } => format!("{}\n", escape_controls(text).trim_end_matches('\n')),
                    Event::Planned { .. } | Event::StaleRead { .. } => self.plan.text(event),
                    _ => self.formatter.text(event),
                };
                if !text.is_empty() && self.is_mid_line.swap(false, Ordering::Relaxed) {
                    text.insert(0, '\n');
                }
                self.queue.push(Stream::Stderr, text.as_bytes());
            }
        }
    }

    fn granularity(&self) -> Granularity {
        Granularity::BYTES
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.queue.flush().boxed()
    }

    fn pause(&self) {
        self.queue.pause();
    }

    fn resume(&self) {
        self.queue.resume();
    }

    fn finish(&self) {
        self.queue.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::event::outcome_kind::OutcomeKind;
    use crate::event::testing::{output_of, web1};
    use crate::host::Host;

    fn ended<'a>(host: &'a Host, outcome: OutcomeKind, error: Option<&'a Error>) -> Event<'a> {
        Event::TaskEnded { task: "run", host: Some(host), outcome, elapsed: Duration::ZERO, error }
    }

    #[test]
    fn bytes_are_forwarded_unchanged_to_their_stream() {
        let host = web1();
        let (stdout, stderr) = (Stream::Stdout, Stream::Stderr);
        let events = [
            Event::TaskStarted { task: "run", host: Some(&host) },
            Event::OutputBytes { id: 1, host: &host, stream: stdout, bytes: b"a\r\0" },
            Event::OutputBytes { id: 1, host: &host, stream: stderr, bytes: b"e" },
            Event::OutputBytes { id: 1, host: &host, stream: stdout, bytes: b"b" },
            ended(&host, OutcomeKind::Ok, None),
        ];
        let shown = output_of(|queue| PassthroughSink::new(queue, Style::Plain), &events);
        assert_eq!(shown, ("a\r\0b".to_owned(), "e".to_owned()));
    }

    #[test]
    fn messages_start_on_a_new_line() {
        let host = web1();
        let error = Error::new(ErrorKind::Channel, "the connection was lost").on(&host);
        let events = [
            Event::OutputBytes { id: 1, host: &host, stream: Stream::Stderr, bytes: b"half a line" },
            Event::UnconfirmedStop { id: 1, host: &host, command: "sleep 9" },
            ended(&host, OutcomeKind::Lost, Some(&error)),
        ];
        let (stdout, stderr) = output_of(|queue| PassthroughSink::new(queue, Style::Plain), &events);
        let expected =
            ["half a line", "warning: web1: may still be running: sleep 9", "error: web1: the connection was lost"];
        assert_eq!((stdout.as_str(), stderr.lines().collect::<Vec<_>>().as_slice()), ("", &expected[..]));
    }

    #[test]
    fn a_dry_run_names_the_host_of_each_command() {
        let host = web1();
        let note = Event::Message { host: None, stream: Stream::Stderr, text: "`--yes=1` approves just this" };
        let events = [
            Event::Planned {
                host: Some(&host),
                operation: "uname -a",
                command: Some(crate::event::PlannedCommand::of_line("uname -a")),
            },
            note,
        ];
        let (_, stderr) = output_of(|queue| PassthroughSink::new(queue, Style::Plain), &events);
        assert_eq!(stderr, "[web1] would run: uname -a\n`--yes=1` approves just this\n");
    }
}
