//! An error as a person is shown it.

use std::error::Error as _;
use std::fmt;

use super::Error;
use crate::output::{Ended, Output, last_lines};

/// How many of the last lines of a hidden stream are shown.
const LAST: usize = 10;

/// Displays an error as one block: what failed, the causes, what the command printed if that was not seen yet, and at
/// most one hint.
///
/// ```text
/// error: web2: could not log in as deploy
///   caused by: no offered key was accepted (tried id_ed25519)
/// hint: is the key in the agent? try `ssh-add -l`
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    error: &'a Error,
}

impl<'a> Block<'a> {
    pub(super) fn new(error: &'a Error) -> Self {
        Self { error }
    }

    /// Returns the hint that is shown. A context that was put around an error has no advice of its own; the error inside may.
    pub(super) fn hint(self) -> Option<&'a str> {
        let mut inner = Some(self.error);
        while let Some(error) = inner {
            if let Some(hint) = error.advice() {
                return Some(hint);
            }
            inner = error.source().and_then(|source| source.downcast_ref());
        }
        None
    }
}

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.error)?;
        if let Some(at) = self.error.location() {
            write!(f, "\n  at {}:{}", at.file(), at.line())?;
        }
        if let Some(output) = self.error.output() {
            stream(f, output, "stdout", &output.record.stdout.bytes, output.record.shown.0)?;
            if !output.record.pty {
                stream(f, output, "stderr", &output.record.stderr.bytes, output.record.shown.1)?;
            } else if !output.record.shown.0 {
                f.write_str("\n  stderr: on a pty it is part of stdout")?;
            }
        }
        let mut source = self.error.source();
        while let Some(cause) = source {
            for (n, line) in cause.to_string().lines().enumerate() {
                let lead = if n == 0 { "caused by: " } else { "           " };
                write!(f, "\n  {lead}{line}")?;
            }
            source = cause.source();
        }
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Shows the last lines of a stream that was not on the screen already.
fn stream(f: &mut fmt::Formatter<'_>, output: &Output, name: &str, bytes: &[u8], shown: bool) -> fmt::Result {
    if matches!(output.record.ended, Ended::Planned(_)) || bytes.is_empty() || shown {
        return Ok(());
    }
    write!(f, "\n  {name}:")?;
    for line in last_lines(&output.record.redactor.bytes(bytes), LAST).lines() {
        write!(f, "\n    {line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::panic::Location;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::error::ErrorKind;
    use crate::host::Host;
    use crate::output::{ExitStatus, Kept, Record};
    use crate::secret::{Redactor, Secret};

    /// Returns the block of a command that printed fifteen lines to each stream, without its first two lines.
    fn case(shown: (bool, bool), pty: bool) -> String {
        let lines = |name: &str| (1..=15).fold(String::new(), |text, n| format!("{text}{name} {n}\n")).into_bytes();
        let redactor = Redactor::default();
        redactor.add(&Secret::new("err 14"));
        let output = Output::new(Record {
            host: Host::local(),
            command: Arc::from("make"),
            location: Location::caller(),
            elapsed: Duration::ZERO,
            ended: Ended::Status(ExitStatus::Code(2)),
            stdout: Kept { bytes: lines("out"), dropped: 0 },
            stderr: Kept { bytes: lines("err"), dropped: 0 },
            cut: None,
            shown,
            pty,
            is_left: false,
            redactor,
        });
        let error = Error::new(ErrorKind::Exit, "`make` failed").with_output(output);
        let text = error.block().to_string();
        text.lines().skip(1).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn of_what_was_not_shown_the_last_ten_lines_are() {
        let of = |name: &str| (6..=15).fold(String::new(), |text, n| format!("{text}\n    {name} {n}"));
        let (out, err) = (of("out"), of("err").replace("err 14", "[redacted]"));
        assert_eq!(case((false, false), false), format!("  stdout:{out}\n  stderr:{err}"));
        assert_eq!(case((true, false), false), format!("  stderr:{err}"));
        assert_eq!(case((true, true), false), "");
    }

    #[test]
    fn on_a_pty_it_says_where_stderr_is() {
        assert!(case((false, false), true).ends_with("out 15\n  stderr: on a pty it is part of stdout"));
        assert_eq!(case((true, true), true), "");
    }
}
