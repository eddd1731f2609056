//! Ending a command over another channel, where the server takes no signals and the command has an input of its own.
//!
//! Its line first tells the number of its process group, on stderr and behind a random mark. With the first signal a
//! second command begins, which reads the names of signals and sends them to that group: so the last one, which has little
//! time, needs no new channel.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use memchr::memmem;
use tokio::sync::mpsc;

use super::lifeline::is_plain;
use crate::error::{Error, ErrorKind, Result};
use crate::output::Signal;

/// How long the mark is looked for: what a login prints before it is not longer.
const LONGEST: usize = 64 << 10;

/// The process group of one command.
#[derive(Debug)]
pub(super) struct Group {
    mark: String,
    number: Number,
    /// Signals that were to be sent before the number was known.
    waiting: Vec<Signal>,
    /// To whoever sends them; its end is theirs.
    sender: Option<mpsc::Sender<Bytes>>,
}

#[derive(Debug)]
enum Number {
    /// What came last, which may be the beginning of the mark; and how much has come before.
    Awaited(Vec<u8>, usize),
    Known(u32),
    /// The login prints so much before it that it is no longer looked for.
    Unknown,
}

impl Group {
    /// Makes the mark by which the group will be known.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`] where the machine has no randomness.
    pub(super) fn new() -> Result<Self> {
        let mut bytes = [0; 12];
        getrandom::fill(&mut bytes)
            .map_err(|source| Error::new(ErrorKind::Local, "this machine gives no randomness").caused_by(source))?;
        let mark = format!("fabrs-{} ", HEXLOWER.encode(&bytes));
        Ok(Self { mark, number: Number::Awaited(Vec::new(), 0), waiting: Vec::new(), sender: None })
    }

    /// Returns the line that is sent for `command`. The shell that runs it leads the group: sshd makes it so.
    pub(super) fn line(&self, command: &str) -> String {
        format!("printf '%s%s\\n' '{}' \"$$\" >&2\n{command}", self.mark)
    }

    /// Takes the mark out of what the command writes to stderr, and returns what is left of it.
    pub(super) fn heard(&mut self, data: Bytes) -> Bytes {
        let Number::Awaited(held, before) = &mut self.number else { return data };
        let before = *before + data.len();
        let mut text = std::mem::take(held);
        text.extend_from_slice(&data);
        let Some(start) = memmem::find(&text, self.mark.as_bytes()) else {
            let kept = self.may_begin(&text);
            let rest = text.split_off(text.len() - kept);
            self.number = if before > LONGEST { Number::Unknown } else { Number::Awaited(rest.clone(), before) };
            if matches!(self.number, Number::Unknown) {
                text.extend_from_slice(&rest);
            }
            return text.into();
        };
        let behind = start + self.mark.len();
        let Some(end) = text.get(behind..).and_then(|rest| memchr::memchr(b'\n', rest)) else {
            let rest = text.split_off(start);
            self.number = Number::Awaited(rest, before);
            return text.into();
        };
        let number = text.get(behind..behind + end).and_then(|digits| std::str::from_utf8(digits).ok());
        self.number = number.and_then(|digits| digits.parse().ok()).map_or(Number::Unknown, Number::Known);
        text.drain(start..=behind + end);
        text.into()
    }

    /// Returns how much of the end of a text may be the beginning of the mark.
    fn may_begin(&self, text: &[u8]) -> usize {
        let longest = self.mark.len().min(text.len());
        (1..=longest).rev().find(|length| text.ends_with(&self.mark.as_bytes()[..*length])).unwrap_or(0)
    }

    /// Gives out what was held back, when nothing follows it any more.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        match &mut self.number {
            Number::Awaited(held, _) if !held.is_empty() => Some(std::mem::take(held).into()),
            Number::Awaited(..) | Number::Known(_) | Number::Unknown => None,
        }
    }

    /// Notes a signal that is to be sent.
    pub(super) fn wants(&mut self, signal: Signal) {
        if is_plain(signal.name()) {
            self.waiting.push(signal);
        }
    }

    /// Sends the signals that are to be sent, when the group is known: by what `start` makes of a line, once.
    pub(super) fn send(&mut self, start: impl FnOnce(String) -> mpsc::Sender<Bytes>) {
        let Number::Known(number) = self.number else { return };
        if self.waiting.is_empty() {
            return;
        }
        // A server that makes no groups has at least the shell.
        let line = format!("while read -r s; do kill -$s -{number} 2>/dev/null || kill -$s {number}; done");
        let sender = self.sender.get_or_insert_with(|| start(line));
        for signal in self.waiting.drain(..) {
            // Where it can't be sent, what stays is named.
            let _ = sender.try_send(format!("{}\n", signal.name()).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group() -> Group {
        Group::new().unwrap()
    }

    /// Returns the line that sends signals and what it would read, where there is something to send.
    fn sent(group: &mut Group) -> Option<(String, String)> {
        let mut started = None;
        group.send(|line| {
            let (sender, receiver) = mpsc::channel(8);
            started = Some((line, receiver));
            sender
        });
        let (line, mut receiver) = started?;
        let mut read = String::new();
        while let Ok(bytes) = receiver.try_recv() {
            read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        Some((line, read))
    }

    #[test]
    fn a_signal_waits_until_the_group_is_known() {
        let mut group = group();
        group.wants(Signal::new("TERM"));
        assert_eq!(sent(&mut group), None);
        let said = format!("motd\n{}4711\nerror\n", group.mark);
        assert_eq!(group.heard(said.into()), "motd\nerror\n");
        let line = "while read -r s; do kill -$s -4711 2>/dev/null || kill -$s 4711; done";
        assert_eq!(sent(&mut group), Some((line.to_owned(), "TERM\n".to_owned())));
        assert_eq!(sent(&mut group), None);
        assert_eq!(group.heard("more".into()), "more");
    }

    #[test]
    fn no_name_of_a_signal_is_more_than_a_word() {
        let mut group = group();
        group.wants(Signal::new("TERM; reboot"));
        let said = format!("{}4711\n", group.mark);
        assert_eq!(group.heard(said.into()), "");
        assert_eq!(sent(&mut group), None);
    }

    #[test]
    fn what_only_looks_like_the_mark_is_output() {
        let mut group = group();
        let half = group.mark.clone().into_bytes().split_off(4);
        assert_eq!(group.heard(Bytes::from(half.clone())), half);
        assert_eq!(group.heard("fab".into()), "");
        assert_eq!(group.rest().as_deref(), Some(&b"fab"[..]));
        let flood = vec![b'x'; LONGEST + 1];
        assert_eq!(group.heard(flood.clone().into()), flood);
        assert_eq!(group.heard("fab".into()), "fab", "it is no longer looked for");
    }

    proptest! {
        #[test]
        fn the_mark_is_found_over_all_borders(before in "[a-f\n-]{0,40}", after in "[a-f\n-]{0,40}", cuts in prop::collection::vec(1_usize..9, 0..60)) {
            let mut group = group();
            let said = format!("{before}{}4711\n{after}", group.mark);
            let (mut rest, mut heard) = (said.as_bytes(), Vec::new());
            for cut in cuts.into_iter().chain(std::iter::repeat(7)) {
                if rest.is_empty() {
                    break;
                }
                let (piece, left) = rest.split_at(cut.min(rest.len()));
                heard.extend_from_slice(&group.heard(Bytes::copy_from_slice(piece)));
                rest = left;
            }
            heard.extend_from_slice(&group.rest().unwrap_or_default());
            prop_assert_eq!(String::from_utf8(heard).unwrap(), format!("{before}{after}"));
            group.wants(Signal::new("KILL"));
            prop_assert!(sent(&mut group).is_some());
        }
    }
}
