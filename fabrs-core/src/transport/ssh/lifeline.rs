//! Ending a command on a server that takes no signals.
//!
//! sshd passes a `signal` request on only where a process of its own stands between it and the login (privilege
//! separation), and for root there is none. Such a command is started beside a watcher in the same process group, which
//! reads what we write to its input; when the connection breaks it reads the end of file and ends the group too. The
//! command itself reads an empty input, as it would without.

use std::borrow::Cow;

use bytes::Bytes;

use crate::output::Signal;
use crate::transport::{Invocation, Stdin};

/// What a terminal takes for an interrupt and for a quit (`stty intr`, `stty quit`), unless a program has changed it.
const INTERRUPT: &[u8] = &[3];
const QUIT: &[u8] = &[28];

/// How a command can be told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By the `signal` request of RFC 4254 §6.9.
    Signal,
    /// By a word to the watcher beside it.
    Watcher,
    /// By a key, for a command on a pty.
    Key,
}

impl Ending {
    /// Returns how a command of `user` can be told to end. One of root that reads an input of its own can't be: there
    /// the signal is tried all the same, and what stays is named.
    pub(super) fn of(user: &str, invocation: &Invocation) -> Self {
        match (user, invocation.pty, &invocation.stdin) {
            ("root", true, _) => Self::Key,
            ("root", false, Stdin::Empty) => Self::Watcher,
            _ => Self::Signal,
        }
    }

    /// Returns the line that is sent for `command`.
    ///
    /// Only POSIX is used, and tried with dash, bash and busybox: asynchronous lists get `/dev/null` for input, hence
    /// descriptor 3; the watcher survives the TERM that it sends, since KILL may have to follow.
    pub(super) fn line(self, command: &str) -> Cow<'_, str> {
        match self {
            Self::Signal | Self::Key => command.into(),
            Self::Watcher => format!(
                "exec 3<&0; {{ {command}\n}} </dev/null 3<&- & p=$!; \
                 {{ trap '' TERM; while read -r s; do [ \"$s\" = KILL ] && kill -KILL 0; kill -TERM 0; done; \
                 kill -TERM 0; sleep 1; kill -KILL 0; }} <&3 >/dev/null 2>&1 & w=$!; \
                 exec 3<&-; wait $p; s=$?; kill -KILL $w; exit $s"
            )
            .into(),
        }
    }

    /// Returns what is written for a signal; nothing where the signal itself is sent.
    pub(super) fn words(self, signal: &Signal) -> Option<Bytes> {
        let kills = signal.name() == "KILL";
        match self {
            Self::Signal => None,
            Self::Watcher => Some(Bytes::from(format!("{}\n", signal.name()))),
            Self::Key => Some(Bytes::from_static(if kills { QUIT } else { INTERRUPT })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(pty: bool, stdin: Stdin) -> Invocation {
        Invocation { command: "ls".into(), pty, stdin }
    }

    #[test]
    fn only_root_needs_another_way_than_signals() {
        assert_eq!(Ending::of("deploy", &invocation(false, Stdin::Empty)), Ending::Signal);
        assert_eq!(Ending::of("root", &invocation(false, Stdin::Empty)), Ending::Watcher);
        assert_eq!(Ending::of("root", &invocation(true, Stdin::Empty)), Ending::Key);
        assert_eq!(Ending::of("root", &invocation(false, Stdin::Bytes(Bytes::new()))), Ending::Signal);
    }
}
