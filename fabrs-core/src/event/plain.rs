//! [`PlainSink`]: lines of text for people and logs, each with its host in front.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use memchr::{memchr, memrchr};

use crate::controls::{escape_controls, line_with_colours};
use crate::event::event::Event;
use crate::event::formatter::Notes;
use crate::event::output_queue::queue::OutputQueue;
use crate::event::sink::Sink;
use crate::event::stream::Stream;
use crate::event::style::{Prefix, Style};

/// Prints what commands print line by line as `[host] line`, each stream to its own; everything else goes to stderr.
///
/// A line without its end gets one. Of a line that a progress bar wrote over, the last state is shown, and the `\r` that
/// a pty puts before the line end is left out; all other bytes are passed on.
#[derive(Debug)]
pub struct PlainSink {
    spool: Arc<OutputQueue>,
    prefix: Prefix,
    style: Style,
    notes: Notes,
}

impl PlainSink {
    /// Prints through `spool`.
    pub fn new(spool: Arc<OutputQueue>, prefix: Prefix, style: Style) -> Self {
        Self { spool, prefix, style, notes: Notes::new(prefix, style) }
    }
}

impl Sink for PlainSink {
    fn event(&self, event: &Event<'_>) {
        // One push an event, so that the lines of one host are not torn apart by those of another.
        match event {
            Event::OutputLines { host, stream, text, .. } => {
                self.spool.push(*stream, &lines(&self.prefix.of(Some(host), self.style), self.style, text));
            }
            Event::Message { host, stream, text } => {
                // What is said of no host in particular is not this machine's word either.
                let prefix = host.map_or_else(String::new, |host| self.prefix.of(Some(host), self.style));
                self.spool.push(*stream, &lines(&prefix, self.style, escape_controls(text).as_bytes()));
            }
            _ => self.spool.push(Stream::Stderr, self.notes.text(event).as_bytes()),
        }
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.spool.flush().boxed()
    }

    fn pause(&self) {
        self.spool.pause();
    }

    fn resume(&self) {
        self.spool.resume();
    }

    fn finish(&self) {
        // Without a summary: a program that embeds fabrs has none.
        self.spool.push(Stream::Stderr, self.notes.pending().as_bytes());
        self.spool.finish();
    }
}

/// Puts `prefix` in front of each line of `text`.
fn lines(prefix: &str, style: Style, text: &[u8]) -> Vec<u8> {
    // A line of a log has seldom less than 32 bytes, so this is room enough at the first try.
    let mut out = Vec::with_capacity(text.len() + (text.len() / 32 + 1) * (prefix.len() + 1));
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(memchr(b'\n', rest).unwrap_or(rest.len()));
        rest = after.get(1..).unwrap_or_default();
        let line = visible(line);
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(&line_with_colours(line));
        // A colour that the line does not end would reach into the lines of other hosts.
        if style == Style::Colour && memchr(ESCAPE, line).is_some() {
            out.extend_from_slice(b"\x1b[0m");
        }
        out.push(b'\n');
    }
    out
}

const ESCAPE: u8 = 0x1b;

/// Returns what a terminal would still show of a line: what is behind its last `\r`.
fn visible(line: &[u8]) -> &[u8] {
    let mut line = line;
    // A pty makes `\r\n` out of `\n`, and `\r\r\n` where a program wrote `\r\n`.
    while let Some(before) = line.strip_suffix(b"\r") {
        line = before;
    }
    memrchr(b'\r', line).and_then(|last| line.get(last + 1..)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::{printed, web1};

    #[track_caller]
    fn case(prefix: Prefix, style: Style, text: &[u8], shown: &str) {
        let host = web1();
        let event = Event::OutputLines { id: 1, host: &host, stream: Stream::Stdout, text };
        let (stdout, stderr) = printed(|spool| PlainSink::new(spool, prefix, style), &[event]);
        assert_eq!((stdout.as_str(), stderr.as_str()), (shown, ""));
    }

    #[test]
    fn every_line_has_its_host_in_front_and_an_end() {
        let plain = |text, shown| case(Prefix::Host, Style::Plain, text, shown);
        plain(b"one\ntwo\n", "[web1] one\n[web1] two\n");
        plain(b"no end", "[web1] no end\n");
        plain(b"\n\n", "[web1] \n[web1] \n");
        plain(b"", "");
        plain(b"a\xffb\tc\n", "[web1] a\u{fffd}b\tc\n");
        case(Prefix::None, Style::Plain, b"one\ntwo", "one\ntwo\n");
    }

    #[test]
    fn of_a_progress_bar_the_last_state_is_shown() {
        let plain = |text, shown| case(Prefix::None, Style::Plain, text, shown);
        plain(b"10%\r20%\rdone\n", "done\n");
        plain(b"10%\r20%\r\n", "20%\n");
        plain(b"pty\r\n", "pty\n");
        plain(b"dos on a pty\r\r\n", "dos on a pty\n");
        plain(b"10%\r20%", "20%\n");
        plain(b"\r\n", "\n");
    }

    #[test]
    fn remote_colours_pass_and_end_with_their_line() {
        case(Prefix::None, Style::Plain, b"\x1b[31mred\n", "\x1b[31mred\n");
        case(Prefix::None, Style::Colour, b"\x1b[31mred\nnot\n", "\x1b[31mred\x1b[0m\nnot\n");
    }

    #[test]
    fn what_a_host_or_a_task_says_is_all_that_goes_to_stdout() {
        let host = web1();
        let events = [
            Event::TaskStarted { task: "deploy", host: Some(&host) },
            Event::CommandStarted { id: 1, host: &host, command: "ls", is_echoed: true },
            Event::OutputLines { id: 1, host: &host, stream: Stream::Stdout, text: b"out\n" },
            Event::OutputLines { id: 1, host: &host, stream: Stream::Stderr, text: b"err\n" },
            Event::Planned { host: None, operation: "mail", is_command: false },
            Event::Warning { host: None, text: "look" },
            Event::Message { host: None, stream: Stream::Stdout, text: "web1  1\nweb2  2" },
            Event::Message { host: Some(&host), stream: Stream::Stderr, text: "by the way\n" },
        ];
        let (stdout, stderr) = printed(|spool| PlainSink::new(spool, Prefix::Host, Style::Plain), &events);
        assert_eq!(stdout, "[web1] out\nweb1  1\nweb2  2\n");
        let notes = "[web1] task deploy\n[web1] $ ls\n[web1] err\nwould: mail\nwarning: look\n[web1] by the way\n";
        assert_eq!(stderr, notes);
    }
}
