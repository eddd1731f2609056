//! Ending a command over another channel, where the server takes no signals and the command has an input of its own.
//!
//! Its line first tells its process group, on stderr and behind a random mark. With the first signal a
//! second command begins, which reads the names of signals and sends them to that group: so the last one, which has little
//! time, needs no new channel.

use bytes::Bytes;
use memchr::memmem;
use tokio::sync::mpsc;

use crate::error::Result;
use crate::output::Signal;
use crate::transport::random::word_by_chance;

/// How long the mark is looked for: what a login prints before it is not longer.
const LONGEST: usize = 64 << 10;

/// The process group of one command.
#[derive(Debug)]
pub(crate) struct Group {
    mark: String,
    target: Target,
    /// Signals that were to be sent before that was known.
    waiting: Vec<Signal>,
    /// To whoever sends them; its end is theirs.
    sender: Option<mpsc::Sender<Bytes>>,
}

/// To whom signals go.
#[derive(Debug)]
enum Target {
    /// What came last, which may be the beginning of the mark; and how much has come before.
    Awaited(Vec<u8>, usize),
    /// All of a group, which has its number as long as anybody is in it.
    Group(u32),
    /// The shell that runs the line, on a server that makes no groups.
    Shell(u32),
    /// The login prints so much before it that it is no longer looked for, or there is nobody any more.
    Nobody,
}

impl Group {
    /// Makes the mark by which the group will be known.
    ///
    /// # Errors
    ///
    /// As [`word_by_chance`].
    pub(crate) fn new() -> Result<Self> {
        let mark = format!("fabrs-{}", word_by_chance()?);
        Ok(Self { mark, target: Target::Awaited(Vec::new(), 0), waiting: Vec::new(), sender: None })
    }

    /// Returns the script that reports the group and then runs `body`. The shell that runs it leads the group, where the
    /// server or `setsid` has made one.
    pub(crate) fn script(&self, body: &str) -> String {
        // In two parts: a shell that traces shows this line before it runs it, and that is no mark.
        let (one, other) = self.mark.split_at(self.mark.len() / 2);
        let tell = |sign| format!("printf '%s%s%s%s\\n' {one} {other} '{sign}' $$ >&2");
        format!("if kill -0 -$$ 2>/dev/null; then {}; else {}; fi\n{body}", tell("-"), tell("+"))
    }

    /// Tells whether a signal reaches every process of the command, as far as the host has reported.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.target, Target::Group(_) | Target::Awaited(..))
    }

    /// Takes the mark out of what the command writes to stderr, and returns what is left of it.
    pub(crate) fn heard(&mut self, data: Bytes) -> Bytes {
        let Target::Awaited(held, before) = &mut self.target else { return data };
        let before = *before + data.len();
        let mut text = std::mem::take(held);
        text.extend_from_slice(&data);
        let start = memmem::find(&text, self.mark.as_bytes());
        let end = start.and_then(|start| Some(start + memchr::memchr(b'\n', text.get(start..)?)?));
        if let (Some(start), Some(end)) = (start, end) {
            let told = text.get(start + self.mark.len()..end).and_then(|told| std::str::from_utf8(told).ok());
            self.target = told.and_then(Target::told).unwrap_or(Target::Nobody);
            text.drain(start..=end);
            return text.into();
        }
        if before > LONGEST {
            self.target = Target::Nobody;
            return text.into();
        }
        let rest = text.split_off(start.unwrap_or_else(|| text.len() - self.may_begin(&text)));
        self.target = Target::Awaited(rest, before);
        text.into()
    }

    /// Returns how much of the end of a text may be the beginning of the mark.
    fn may_begin(&self, text: &[u8]) -> usize {
        let mark = self.mark.as_bytes();
        (1..=mark.len())
            .rev()
            .find(|length| mark.get(..*length).is_some_and(|begin| text.ends_with(begin)))
            .unwrap_or(0)
    }

    /// Gives out what was held back, when nothing follows it any more.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        match &mut self.target {
            Target::Awaited(held, _) if !held.is_empty() => Some(std::mem::take(held).into()),
            Target::Awaited(..) | Target::Group(_) | Target::Shell(_) | Target::Nobody => None,
        }
    }

    /// Notes that the shell that ran the line has ended: its number may be another's soon.
    pub(crate) fn shell_ended(&mut self) {
        if let Target::Shell(_) = self.target {
            self.target = Target::Nobody;
        }
    }

    /// Tells whether it is known to whom signals go.
    pub(crate) fn is_known(&self) -> bool {
        matches!(self.target, Target::Group(_) | Target::Shell(_))
    }

    /// Notes a signal that is to be sent.
    pub(crate) fn wants(&mut self, signal: Signal) {
        if signal.is_plain() {
            self.waiting.push(signal);
        }
    }

    /// Sends the signals that are to be sent, when it is known to whom: by what `start` makes of a line.
    pub(crate) fn send(&mut self, start: impl FnOnce(String) -> mpsc::Sender<Bytes>) {
        let to = match self.target {
            Target::Group(number) => format!("-{number}"),
            Target::Shell(number) => number.to_string(),
            Target::Awaited(..) | Target::Nobody => return,
        };
        if self.waiting.is_empty() {
            return;
        }
        // It may have ended for want of signals.
        self.sender = self.sender.take().filter(|sender| !sender.is_closed());
        let sender = self.sender.get_or_insert_with(|| start(format!("while read -r s; do kill -$s {to}; done")));
        for signal in self.waiting.drain(..) {
            // Where it can't be sent, what stays is named.
            let _ = sender.try_send(format!("{}\n", signal.name()).into());
        }
    }
}

impl Target {
    /// Reads what stands behind the mark: a sign and a number.
    fn told(text: &str) -> Option<Self> {
        match (text.get(..1)?, text.get(1..)?.parse().ok()?) {
            ("-", number) => Some(Self::Group(number)),
            ("+", number) => Some(Self::Shell(number)),
            _ => None,
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
        let said = format!("motd\n{}-4711\nerror\n", group.mark);
        assert_eq!(group.heard(said.into()), "motd\nerror\n");
        let line = "while read -r s; do kill -$s -4711; done";
        assert_eq!(sent(&mut group), Some((line.to_owned(), "TERM\n".to_owned())));
        assert_eq!(sent(&mut group), None);
        assert_eq!(group.heard("more".into()), "more");
    }

    #[test]
    fn the_shell_of_a_server_without_groups_is_sent_signals_as_long_as_it_runs() {
        let mut group = group();
        let said = format!("{}+4711\n", group.mark);
        assert_eq!(group.heard(said.into()), "");
        group.wants(Signal::new("KILL"));
        assert_eq!(sent(&mut group).map(|(line, _)| line).as_deref(), Some("while read -r s; do kill -$s 4711; done"));
        group.shell_ended();
        group.wants(Signal::new("KILL"));
        assert_eq!(sent(&mut group), None);
    }

    #[test]
    fn the_line_itself_is_no_mark() {
        let mut group = group();
        let traced = group.script("true");
        assert_eq!(group.heard(traced.clone().into()), traced);
        assert!(!group.is_known());
    }

    #[test]
    fn no_name_of_a_signal_is_more_than_a_word() {
        let mut group = group();
        group.wants(Signal::new("TERM; reboot"));
        let said = format!("{}-4711\n", group.mark);
        assert_eq!(group.heard(said.into()), "");
        assert_eq!(sent(&mut group), None);
    }

    #[test]
    fn what_only_looks_like_the_mark_is_output() {
        let mut group = group();
        // Behind a sign that begins no mark: what chance makes of the mark may end as one begins.
        let half = [&group.mark.as_bytes()[4..], b"."].concat();
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
            let said = format!("{before}{}-4711\n{after}", group.mark);
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
