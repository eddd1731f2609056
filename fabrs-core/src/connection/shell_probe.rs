//! [`ShellProbe`]: detects hosts without a shell. A script first prints a marker. Without the
//! marker, no shell has started the script.
//!
//! A host may run another program in place of the script: an SFTP server, or a program to refuse
//! the login. The script therefore prints a marker, and reads a first line of input. An SFTP server
//! rejects this line as an invalid request and ends immediately.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use memchr::memmem;

use super::watch::Watcher;
use crate::event::Stream;
use crate::transport::{Answer, STDIN_PREAMBLE, StdinSource};

/// The marker printed by a shell.
const SHELL_MARKER: &str = "fabrs-here\n";

/// The marker printed directly before the result. The profile of a configured shell prints text
/// earlier, but after the shell marker.
const RESULT_MARKER: &str = "fabrs-result\n";

/// The watcher for the shell marker.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShellProbe {
    is_detected: Arc<AtomicBool>,
    /// The end of the output, for a marker split between chunks.
    tail: Vec<u8>,
}

impl ShellProbe {
    /// Returns `true` if a shell has started the script.
    pub(crate) fn has_shell(&self) -> bool {
        self.is_detected.load(Ordering::Relaxed)
    }
}

/// Returns a script with a marker before the result, for [`result_of`].
pub(crate) fn with_marked_result(script: &str) -> String {
    format!("printf '{}'\n{script}", RESULT_MARKER.escape_default())
}

/// Returns the result in the output of a script, without text printed by the login or the profile
/// of a shell.
pub(crate) fn result_of(output: &[u8]) -> &[u8] {
    let at = memmem::find(output, RESULT_MARKER.as_bytes()).map_or(0, |at| at + RESULT_MARKER.len());
    output.get(at..).unwrap_or_default()
}

impl Watcher for ShellProbe {
    fn receive(&mut self, stream: Stream, bytes: &[u8], _: &mut Answer) {
        if stream != Stream::Stdout || self.has_shell() {
            return;
        }
        self.tail.extend_from_slice(bytes);
        let found = memmem::find(&self.tail, SHELL_MARKER.as_bytes()).is_some();
        self.is_detected.store(found, Ordering::Relaxed);
        let excess = self.tail.len().saturating_sub(SHELL_MARKER.len());
        self.tail.drain(..excess);
    }
}

/// Returns a script that first prints the shell marker, and the stdin for this script.
pub(crate) fn with_shell_marker(script: &str, stdin: StdinSource) -> (Arc<str>, StdinSource) {
    let script = format!("printf '{}'; {script}", SHELL_MARKER.escape_default());
    match stdin {
        StdinSource::Answers(prefix) => {
            let prefix: Bytes = [STDIN_PREAMBLE.as_bytes(), &prefix[..]].concat().into();
            (format!("read -r fabrs; {script}").into(), StdinSource::Answers(prefix))
        }
        // Other sources end by themselves. Their end of file ends a program that waits for input.
        ending => (script.into(), ending),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_shell_marker_is_detected_and_other_text_is_not() {
        let detects = |chunks: &[&str]| {
            let mut probe = ShellProbe::default();
            for chunk in chunks {
                probe.receive(Stream::Stdout, chunk.as_bytes(), &mut Answer::default());
            }
            probe.has_shell()
        };
        assert!(detects(&["Welcome!\nfabrs-", "here", "\nmore"]));
        assert!(!detects(&["This account is not available.\n"]));
        // An echo of the script does not prove a shell.
        assert!(!detects(&[&with_shell_marker("ls", StdinSource::Empty).0]));
    }

    #[test]
    fn login_and_profile_text_is_not_part_of_the_result() {
        assert_eq!(result_of(b"Welcome!\nfabrs-here\nprofile\nfabrs-result\na\0b\0"), b"a\0b\0");
        assert_eq!(result_of(b"a\0b\0"), b"a\0b\0");
    }
}
