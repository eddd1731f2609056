//! What the server said it is: overheard from its greeting, since not every server takes signals.

use std::sync::{Arc, OnceLock};

/// How much is looked at for the greeting: its line has at most 255 bytes (RFC 4253 §4.2), but others may come before.
const LIMIT: usize = 8 << 10;

/// The identification of a server, once it has greeted.
pub(super) type Server = Arc<OnceLock<Identification>>;

/// The `SSH-2.0-…` line of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identification(String);

impl Identification {
    /// Tells whether it passes on the `signal` request of RFC 4254 §6.9 to a command's process group, as OpenSSH does
    /// from 7.9 on and our own server. Of one that nobody knows it is not assumed.
    pub(super) fn passes_signals(&self) -> bool {
        if self.is_ours() {
            return true;
        }
        let version = self.open_ssh().unwrap_or_default();
        // OpenSSH for Windows has no process groups.
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
        let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        version >= (7, 9) && !self.0.contains("Windows")
    }

    /// Tells whether a channel that carries nothing yet stays open, as it does with OpenSSH and our own server. Of one that
    /// nobody knows it is not assumed.
    pub(super) fn keeps_idle_channels(&self) -> bool {
        self.is_ours() || self.open_ssh().is_some()
    }

    /// Tells whether it closes a channel that carries nothing yet when a command of another one ends, as dropbear does: also
    /// one that was just opened, and whose command is on its way.
    pub(super) fn closes_idle_channels(&self) -> bool {
        self.0.starts_with("SSH-2.0-dropbear")
    }

    /// Tells whether each command leads a process group, as with OpenSSH and our own server. dropbear makes none.
    pub(super) fn makes_groups(&self) -> bool {
        self.is_ours() || self.open_ssh().is_some()
    }

    fn is_ours(&self) -> bool {
        self.0.starts_with("SSH-2.0-fabrs_")
    }

    /// Returns the version of an OpenSSH.
    fn open_ssh(&self) -> Option<&str> {
        self.0.strip_prefix("SSH-2.0-OpenSSH_")
    }
}

/// Reads the identification out of the first bytes of a server; `None` while it has not come.
fn identification(bytes: &[u8]) -> Option<Identification> {
    let whole = bytes.get(..=bytes.iter().rposition(|byte| *byte == b'\n')?)?;
    let line = whole.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"SSH-"))?;
    Some(Identification(String::from_utf8_lossy(line).trim_end().to_owned()))
}

/// Returns what listens to a server until it has identified itself, which it notes.
pub(super) fn listener(server: Server) -> impl FnMut(&[u8]) + Send {
    // Nothing more is kept afterwards.
    let mut beginning = Some(Vec::new());
    move |bytes| {
        let Some(heard) = &mut beginning else { return };
        heard.extend_from_slice(bytes);
        let found = identification(heard);
        if found.is_some() || heard.len() > LIMIT {
            beginning = None;
        }
        if let Some(found) = found {
            // A second stream to the same server says the same.
            let _ = server.set(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(line: &str, expected: bool) {
        assert_eq!(Identification(line.to_owned()).passes_signals(), expected, "{line}");
    }

    #[test]
    fn only_servers_that_are_known_to_pass_signals_on_are_asked_to() {
        case("SSH-2.0-OpenSSH_7.9", true);
        case("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7", true);
        case("SSH-2.0-OpenSSH_10.0", true);
        case("SSH-2.0-fabrs_0.1.0", true);
        case("SSH-2.0-OpenSSH_7.8p1", false);
        case("SSH-2.0-OpenSSH_6.6.1p1 Ubuntu-2ubuntu2", false);
        case("SSH-2.0-OpenSSH_for_Windows_9.5", false);
        case("SSH-2.0-dropbear_2022.83", false);
        case("SSH-2.0-", false);
    }

    #[test]
    fn channels_are_opened_ahead_only_where_they_are_known_to_stay() {
        let lines = [
            ("OpenSSH_6.6", true, false),
            ("fabrs_0.1.0", true, false),
            ("dropbear_2022.83", false, true),
            ("x", false, false),
        ];
        for (line, keeps, closes) in lines {
            let server = Identification(format!("SSH-2.0-{line}"));
            assert_eq!((server.keeps_idle_channels(), server.closes_idle_channels()), (keeps, closes), "{line}");
        }
    }

    #[test]
    fn the_identification_is_found_behind_other_lines_and_only_when_it_is_whole() {
        assert_eq!(identification(b"SSH-2.0-Open"), None);
        assert_eq!(identification(b"notice\r\nSSH-2.0-x y\r\n\0\0"), Some(Identification("SSH-2.0-x y".to_owned())));
        assert_eq!(identification(b"\xff\n\n"), None);
    }
}
