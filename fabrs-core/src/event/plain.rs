//! [`PlainSink`]: text lines for people and log files, with the host in front of each line.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use memchr::{memchr, memrchr};

use crate::controls::{escape_controls, line_with_colours};
use crate::event::event::Event;
use crate::event::formatter::EventFormatter;
use crate::event::output_queue::queue::OutputQueue;
use crate::event::phase_formatter::PhaseFormatter;
use crate::event::sink::Sink;
use crate::event::stream::Stream;
use crate::event::style::{Prefix, Style};

/// A sink that prints each line of output as `[host] line`, stdout to stdout and stderr to stderr.
/// Results of tasks go to stdout, and all other events to stderr.
///
/// A last line without a line end receives a line end. If a line contains carriage returns, for
/// example from a progress bar, only the last state is printed. The `\r` that a pty adds before a
/// line end is removed. Control characters are escaped, except tabs and colours.
#[derive(Debug)]
pub struct PlainSink {
    queue: Arc<OutputQueue>,
    prefix: Prefix,
    style: Style,
    formatter: EventFormatter,
}

impl PlainSink {
    /// Makes a sink that prints through `queue`.
    pub fn new(queue: Arc<OutputQueue>, prefix: Prefix, style: Style) -> Self {
        Self { queue, prefix, style, formatter: EventFormatter::new(prefix, style) }
    }

    /// Adds the shell lines of commands to the phases of a dry run. Defaults to short texts only.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use fabrs_core::event::{OutputQueue, PlainSink, Prefix, Style};
    ///
    /// let queue = Arc::new(OutputQueue::new(std::io::stdout(), std::io::stderr(), || {}));
    /// let sink = PlainSink::new(queue, Prefix::Host, Style::Plain).with_shell_lines(true);
    /// # drop(sink);
    /// ```
    pub fn with_shell_lines(self, shows_shell_lines: bool) -> Self {
        Self { formatter: self.formatter.with_phases(|phases| phases.with_shell_lines(shows_shell_lines)), ..self }
    }

    /// Omits the lines for the start of a phase, if another sink shows running phases.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use fabrs_core::event::{OutputQueue, PlainSink, Prefix, Style};
    ///
    /// let queue = Arc::new(OutputQueue::new(std::io::stdout(), std::io::stderr(), || {}));
    /// let sink = PlainSink::new(queue, Prefix::Host, Style::Plain).without_phase_starts();
    /// # drop(sink);
    /// ```
    pub fn without_phase_starts(self) -> Self {
        Self { formatter: self.formatter.with_phases(PhaseFormatter::without_starts), ..self }
    }
}

impl Sink for PlainSink {
    fn event(&self, event: &Event<'_>) {
        // One push for each event, so that lines of different hosts are not mixed.
        match event {
            // A read in a plan may fail, since the planned changes were not made.
            Event::OutputLines { stream: Stream::Stderr, .. } if self.formatter.is_in_phase_plan() => {}
            Event::OutputLines { host, stream, text, .. } => {
                self.queue.push(*stream, &prefixed_lines(&self.prefix.of(Some(host), self.style), self.style, text));
            }
            Event::Message { host, stream, text } => {
                // A message without a host has no prefix, since the message is not output of this
                // machine.
                let prefix = host.map_or_else(String::new, |host| self.prefix.of(Some(host), self.style));
                self.queue.push(*stream, &prefixed_lines(&prefix, self.style, escape_controls(text).as_bytes()));
            }
            _ => self.queue.push(Stream::Stderr, self.formatter.text(event).as_bytes()),
        }
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
        // An embedding program emits no summary, so the pending errors are printed here.
        self.queue.push(Stream::Stderr, self.formatter.pending().as_bytes());
        self.queue.finish();
    }
}

/// Returns the lines of `text` with `prefix` in front of each line.
fn prefixed_lines(prefix: &str, style: Style, text: &[u8]) -> Vec<u8> {
    // A log line seldom has fewer than 32 bytes, so one allocation is usually enough.
    let mut out = Vec::with_capacity(text.len() + (text.len() / 32 + 1) * (prefix.len() + 1));
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(memchr(b'\n', rest).unwrap_or(rest.len()));
        rest = after.get(1..).unwrap_or_default();
        let line = last_overwrite(line);
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(&line_with_colours(line));
        // A colour without a reset would continue in the lines of other hosts.
        if style == Style::Colour && memchr(ESCAPE, line).is_some() {
            out.extend_from_slice(b"\x1b[0m");
        }
        out.push(b'\n');
    }
    out
}

const ESCAPE: u8 = 0x1b;

/// Returns the visible part of a line in a terminal: the bytes after the last `\r`.
fn last_overwrite(line: &[u8]) -> &[u8] {
    let mut line = line;
    // A pty turns `\n` into `\r\n`, and `\r\n` into `\r\r\n`.
    while let Some(before) = line.strip_suffix(b"\r") {
        line = before;
    }
    memrchr(b'\r', line).and_then(|last| line.get(last + 1..)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::{output_of, web1};

    #[track_caller]
    fn case(prefix: Prefix, style: Style, text: &[u8], shown: &str) {
        let host = web1();
        let event = Event::OutputLines { id: 1, host: &host, stream: Stream::Stdout, text };
        let (stdout, stderr) = output_of(|queue| PlainSink::new(queue, prefix, style), &[event]);
        assert_eq!((stdout.as_str(), stderr.as_str()), (shown, ""));
    }

    #[test]
    fn every_line_has_a_prefix_and_a_line_end() {
        let plain = |text, shown| case(Prefix::Host, Style::Plain, text, shown);
        plain(b"one\ntwo\n", "[web1] one\n[web1] two\n");
        plain(b"no end", "[web1] no end\n");
        plain(b"\n\n", "[web1] \n[web1] \n");
        plain(b"", "");
        plain(b"a\xffb\tc\n", "[web1] a\u{fffd}b\tc\n");
        case(Prefix::None, Style::Plain, b"one\ntwo", "one\ntwo\n");
    }

    #[test]
    fn only_the_last_state_of_a_progress_bar_is_shown() {
        let plain = |text, shown| case(Prefix::None, Style::Plain, text, shown);
        plain(b"10%\r20%\rdone\n", "done\n");
        plain(b"10%\r20%\r\n", "20%\n");
        plain(b"pty\r\n", "pty\n");
        plain(b"dos on a pty\r\r\n", "dos on a pty\n");
        plain(b"10%\r20%", "20%\n");
        plain(b"\r\n", "\n");
    }

    #[test]
    fn remote_colours_are_reset_at_the_line_end() {
        case(Prefix::None, Style::Plain, b"\x1b[31mred\n", "\x1b[31mred\n");
        case(Prefix::None, Style::Colour, b"\x1b[31mred\nnot\n", "\x1b[31mred\x1b[0m\nnot\n");
    }

    #[test]
    fn only_output_and_results_go_to_stdout() {
        let host = web1();
        let events = [
            Event::TaskStarted { task: "deploy", host: Some(&host) },
            Event::CommandStarted { id: 1, host: &host, command: "ls", is_echoed: true },
            Event::OutputLines { id: 1, host: &host, stream: Stream::Stdout, text: b"out\n" },
            Event::OutputLines { id: 1, host: &host, stream: Stream::Stderr, text: b"err\n" },
            Event::Planned { host: None, operation: "mail", command: None },
            Event::Warning { host: None, text: "look" },
            Event::Message { host: None, stream: Stream::Stdout, text: "web1  1\nweb2  2" },
            Event::Message { host: Some(&host), stream: Stream::Stderr, text: "by the way\n" },
        ];
        let (stdout, stderr) = output_of(|queue| PlainSink::new(queue, Prefix::Host, Style::Plain), &events);
        assert_eq!(stdout, "[web1] out\nweb1  1\nweb2  2\n");
        let expected = "[web1] task deploy\n[web1] $ ls\n[web1] err\nwould: mail\nwarning: look\n[web1] by the way\n";
        assert_eq!(stderr, expected);
    }
}
