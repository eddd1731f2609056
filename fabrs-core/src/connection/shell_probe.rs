//! Detects hosts without a shell: a script first prints a greeting, and silence means that no shell has begun it.
//!
//! A host may run another program in place of the script: an SFTP server, or a program that refuses the login. So the
//! script begins with a greeting, and reads a first line of input. An SFTP server takes that line for an invalid request and
//! ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use memchr::memmem;

use super::watch::Watcher;
use crate::event::Stream;
use crate::transport::{Answer, STDIN_PREAMBLE, StdinSource};

/// What a shell says.
const HERE: &str = "fabrs-here\n";

/// Printed by a script right before its result. The profile of a configured shell prints before that, but after the greeting.
const RESULT: &str = "fabrs-result\n";

/// Hears whether a shell has with_greeting.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShellProbe {
    heard: Arc<AtomicBool>,
    /// The end of what came, since the greeting may come in pieces.
    last: Vec<u8>,
}

impl ShellProbe {
    /// Tells whether a shell has run the line, or has begun to.
    pub(crate) fn has_shell(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

/// Returns a script that marks where its result begins, for [`result_of`].
pub(crate) fn with_marked_result(script: &str) -> String {
    format!("printf '{}'\n{script}", RESULT.escape_default())
}

/// Returns the result in the output of a script, without the text that a login or the profile of a shell prints.
pub(crate) fn result_of(output: &[u8]) -> &[u8] {
    let at = memmem::find(output, RESULT.as_bytes()).map_or(0, |at| at + RESULT.len());
    output.get(at..).unwrap_or_default()
}

impl Watcher for ShellProbe {
    fn receive(&mut self, stream: Stream, bytes: &[u8], _: &mut Answer) {
        if stream != Stream::Stdout || self.has_shell() {
            return;
        }
        self.last.extend_from_slice(bytes);
        let found = memmem::find(&self.last, HERE.as_bytes()).is_some();
        self.heard.store(found, Ordering::Relaxed);
        let excess = self.last.len().saturating_sub(HERE.len());
        self.last.drain(..excess);
    }
}

/// Returns a script with its input, such that the shell prints the greeting before all else.
pub(crate) fn with_shell_probe(script: &str, stdin: StdinSource) -> (Arc<str>, StdinSource) {
    let greet = format!("printf '{}'; {script}", HERE.escape_default());
    match stdin {
        StdinSource::Answers(first) => {
            let first: Bytes = [STDIN_PREAMBLE.as_bytes(), &first[..]].concat().into();
            (format!("read -r fabrs; {greet}").into(), StdinSource::Answers(first))
        }
        // The others end, and the end of file ends who waits for more.
        ending => (greet.into(), ending),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_heard_also_in_pieces_and_nothing_else_is_one() {
        let hear = |pieces: &[&str]| {
            let mut greeting = ShellProbe::default();
            for piece in pieces {
                greeting.receive(Stream::Stdout, piece.as_bytes(), &mut Answer::default());
            }
            greeting.has_shell()
        };
        assert!(hear(&["Welcome!\nfabrs-", "here", "\nmore"]));
        assert!(!hear(&["This account is not available.\n"]));
        // What only repeats the line it was sent is no shell.
        assert!(!hear(&[&with_greeting("ls", StdinSource::Empty).0]));
    }

    #[test]
    fn text_of_a_login_or_of_a_profile_is_not_part_of_a_result() {
        assert_eq!(result_of(b"Welcome!\nfabrs-here\nprofile\nfabrs-result\na\0b\0"), b"a\0b\0");
        assert_eq!(result_of(b"a\0b\0"), b"a\0b\0");
    }
}
