//! The process group of a remote command, as a target for signals over a side channel.
//!
//! The command line first prints its process group on stderr, after a random marker. With the first
//! signal, a second command starts. It reads names of signals from its stdin and sends them to the
//! group. KILL therefore needs no new channel, which could take longer than the remaining time.

use bytes::Bytes;
use memchr::memmem;
use tokio::sync::mpsc;

use crate::error::Result;
use crate::output::Signal;
use crate::transport::random::random_token;

/// The maximum number of bytes searched for the marker. A login prints less before the marker.
const MAX_SEARCH_BYTES: usize = 64 << 10;

/// The process group of a remote command.
#[derive(Debug)]
pub(crate) struct RemoteProcessGroup {
    marker: String,
    target: SignalTarget,
    /// Signals queued until the group is known.
    queued: Vec<Signal>,
    /// The stdin of the helper command. Dropping the sender ends the helper.
    sender: Option<mpsc::Sender<Bytes>>,
}

/// The receiver of signals.
#[derive(Debug)]
enum SignalTarget {
    /// The marker has not arrived. Contains the end of the output, which may be the beginning of
    /// the marker, and the number of bytes so far.
    Awaited(Vec<u8>, usize),
    /// A process group. Its number stays valid while one of its processes runs.
    Group(u32),
    /// The shell of the command line, on a server without process groups.
    Shell(u32),
    /// The login printed too much output before the marker, or the shell has exited.
    Unknown,
}

impl RemoteProcessGroup {
    /// Creates a random marker.
    ///
    /// # Errors
    ///
    /// As [`random_token`].
    pub(crate) fn new() -> Result<Self> {
        let marker = format!("fabrs-{}", random_token()?);
        Ok(Self { marker, target: SignalTarget::Awaited(Vec::new(), 0), queued: Vec::new(), sender: None })
    }

    /// Returns a script to print the group and then run `body`. The shell leads the group if
    /// the server or `setsid` has created a group.
    pub(crate) fn script(&self, body: &str) -> String {
        // The line contains the marker in two halves. A shell with `set -x` prints the line itself,
        // and must not print the whole marker.
        let (one, other) = self.marker.split_at(self.marker.len() / 2);
        let print = |sign| format!("printf '%s%s%s%s\\n' {one} {other} '{sign}' $$ >&2");
        format!("if kill -0 -$$ 2>/dev/null; then {}; else {}; fi\n{body}", print("-"), print("+"))
    }

    /// Returns true if a signal reaches every process of the command, according to the host. Also
    /// returns true before the marker has arrived.
    pub(crate) fn reaches_all_processes(&self) -> bool {
        matches!(self.target, SignalTarget::Group(_) | SignalTarget::Awaited(..))
    }

    /// Removes the marker from a chunk of stderr, and returns the rest.
    pub(crate) fn strip_marker(&mut self, data: Bytes) -> Bytes {
        let SignalTarget::Awaited(held_back, before) = &mut self.target else { return data };
        let before = *before + data.len();
        let mut text = std::mem::take(held_back);
        text.extend_from_slice(&data);
        let start = memmem::find(&text, self.marker.as_bytes());
        let end = start.and_then(|start| Some(start + memchr::memchr(b'\n', text.get(start..)?)?));
        if let (Some(start), Some(end)) = (start, end) {
            let report = text.get(start + self.marker.len()..end).and_then(|report| std::str::from_utf8(report).ok());
            self.target = report.and_then(SignalTarget::parse).unwrap_or(SignalTarget::Unknown);
            text.drain(start..=end);
            return text.into();
        }
        if before > MAX_SEARCH_BYTES {
            self.target = SignalTarget::Unknown;
            return text.into();
        }
        let rest = text.split_off(start.unwrap_or_else(|| text.len() - self.possible_marker_len(&text)));
        self.target = SignalTarget::Awaited(rest, before);
        text.into()
    }

    /// Returns the length of the longest suffix of `text` that is a prefix of the marker.
    fn possible_marker_len(&self, text: &[u8]) -> usize {
        let marker = self.marker.as_bytes();
        (1..=marker.len())
            .rev()
            .find(|length| marker.get(..*length).is_some_and(|begin| text.ends_with(begin)))
            .unwrap_or(0)
    }

    /// Returns the bytes held back as a possible marker. Called at the end of the output, because
    /// no marker follows.
    pub(crate) fn take_held_back(&mut self) -> Option<Bytes> {
        match &mut self.target {
            SignalTarget::Awaited(held_back, _) if !held_back.is_empty() => Some(std::mem::take(held_back).into()),
            SignalTarget::Awaited(..) | SignalTarget::Group(_) | SignalTarget::Shell(_) | SignalTarget::Unknown => None,
        }
    }

    /// Forgets the shell after its exit, because its process number may be reused.
    pub(crate) fn shell_ended(&mut self) {
        if let SignalTarget::Shell(_) = self.target {
            self.target = SignalTarget::Unknown;
        }
    }

    /// Returns true if signals have a known receiver.
    pub(crate) fn is_known(&self) -> bool {
        matches!(self.target, SignalTarget::Group(_) | SignalTarget::Shell(_))
    }

    /// Queues a signal.
    pub(crate) fn queue_signal(&mut self, signal: Signal) {
        if signal.is_plain() {
            self.queued.push(signal);
        }
    }

    /// Sends the queued signals if their receiver is known. `start` starts the helper command.
    pub(crate) fn send_queued(&mut self, start: impl FnOnce(String) -> mpsc::Sender<Bytes>) {
        let to = match self.target {
            SignalTarget::Group(number) => format!("-{number}"),
            SignalTarget::Shell(number) => number.to_string(),
            SignalTarget::Awaited(..) | SignalTarget::Unknown => return,
        };
        if self.queued.is_empty() {
            return;
        }
        // An idle helper ends. A new helper then replaces the old one.
        self.sender = self.sender.take().filter(|sender| !sender.is_closed());
        let sender = self.sender.get_or_insert_with(|| start(format!("while read -r s; do kill -$s {to}; done")));
        for signal in self.queued.drain(..) {
            // A signal that cannot be sent is not an error: the command is then reported as
            // possibly still running.
            let _ = sender.try_send(format!("{}\n", signal.name()).into());
        }
    }
}

impl SignalTarget {
    /// Parses the text after the marker: a sign and a number.
    fn parse(text: &str) -> Option<Self> {
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

    fn group() -> RemoteProcessGroup {
        RemoteProcessGroup::new().unwrap()
    }

    /// Returns the helper's command line and stdin, or `None` if no signal was sent.
    fn sent(group: &mut RemoteProcessGroup) -> Option<(String, String)> {
        let mut started = None;
        group.send_queued(|line| {
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
        group.queue_signal(Signal::new("TERM"));
        assert_eq!(sent(&mut group), None);
        let printed = format!("motd\n{}-4711\nerror\n", group.marker);
        assert_eq!(group.strip_marker(printed.into()), "motd\nerror\n");
        let line = "while read -r s; do kill -$s -4711; done";
        assert_eq!(sent(&mut group), Some((line.to_owned(), "TERM\n".to_owned())));
        assert_eq!(sent(&mut group), None);
        assert_eq!(group.strip_marker("more".into()), "more");
    }

    #[test]
    fn without_process_groups_the_running_shell_receives_signals() {
        let mut group = group();
        let printed = format!("{}+4711\n", group.marker);
        assert_eq!(group.strip_marker(printed.into()), "");
        group.queue_signal(Signal::new("KILL"));
        assert_eq!(sent(&mut group).map(|(line, _)| line).as_deref(), Some("while read -r s; do kill -$s 4711; done"));
        group.shell_ended();
        group.queue_signal(Signal::new("KILL"));
        assert_eq!(sent(&mut group), None);
    }

    #[test]
    fn the_script_itself_contains_no_marker() {
        let mut group = group();
        let traced = group.script("true");
        assert_eq!(group.strip_marker(traced.clone().into()), traced);
        assert!(!group.is_known());
    }

    #[test]
    fn a_signal_name_with_other_characters_is_not_sent() {
        let mut group = group();
        group.queue_signal(Signal::new("TERM; reboot"));
        let printed = format!("{}-4711\n", group.marker);
        assert_eq!(group.strip_marker(printed.into()), "");
        assert_eq!(sent(&mut group), None);
    }

    #[test]
    fn text_similar_to_the_marker_is_output() {
        let mut group = group();
        // The marker without its first bytes, then a dot: without the dot, the random part may end
        // like the beginning of the marker.
        let half = [&group.marker.as_bytes()[4..], b"."].concat();
        assert_eq!(group.strip_marker(Bytes::from(half.clone())), half);
        assert_eq!(group.strip_marker("fab".into()), "");
        assert_eq!(group.take_held_back().as_deref(), Some(&b"fab"[..]));
        let flood = vec![b'x'; MAX_SEARCH_BYTES + 1];
        assert_eq!(group.strip_marker(flood.clone().into()), flood);
        assert_eq!(group.strip_marker("fab".into()), "fab", "the search has ended");
    }

    proptest! {
        #[test]
        fn the_marker_is_found_across_chunk_borders(before in "[a-f\n-]{0,40}", after in "[a-f\n-]{0,40}", cuts in prop::collection::vec(1_usize..9, 0..60)) {
            let mut group = group();
            let printed = format!("{before}{}-4711\n{after}", group.marker);
            let (mut rest, mut output) = (printed.as_bytes(), Vec::new());
            for cut in cuts.into_iter().chain(std::iter::repeat(7)) {
                if rest.is_empty() {
                    break;
                }
                let (piece, left) = rest.split_at(cut.min(rest.len()));
                output.extend_from_slice(&group.strip_marker(Bytes::copy_from_slice(piece)));
                rest = left;
            }
            output.extend_from_slice(&group.take_held_back().unwrap_or_default());
            prop_assert_eq!(String::from_utf8(output).unwrap(), format!("{before}{after}"));
            group.queue_signal(Signal::new("KILL"));
            prop_assert!(sent(&mut group).is_some());
        }
    }
}
