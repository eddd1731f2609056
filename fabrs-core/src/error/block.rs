//! [`ErrorBlock`]: the display of an error as several lines.

use std::error::Error as _;
use std::fmt;

use crate::controls::escape_except_colours;
use crate::error::error::Error;
use crate::output::{CommandResult, Output, last_lines};

/// The maximum number of lines shown from the end of a stream that was not shown yet.
const MAX_SHOWN_LINES: usize = 10;

/// The display of an error as one block: the message, the causes, output that was not shown yet,
/// and at most one hint.
///
/// ```text
/// error: web2: could not log in as deploy
///   caused by: no offered key was accepted (tried id_ed25519)
/// hint: is the key in the agent? try `ssh-add -l`
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ErrorBlock<'a> {
    error: &'a Error,
}

impl Error {
    /// Returns the error as a block of lines for a terminal.
    pub fn block(&self) -> ErrorBlock<'_> {
        ErrorBlock { error: self }
    }
}

impl<'a> ErrorBlock<'a> {
    /// Returns the shown hint: the hint of the error, or else of the nearest cause with a hint. An
    /// error made by [`Context`](crate::Context) has no hint, but its cause may have a hint.
    pub(crate) fn hint(self) -> Option<&'a str> {
        let mut inner = Some(self.error);
        while let Some(error) = inner {
            if let Some(hint) = error.hint_text() {
                return Some(hint);
            }
            inner = error.source().and_then(|source| source.downcast_ref());
        }
        None
    }

    /// Returns the lines between the message and the causes: the line of code, and output not shown
    /// yet.
    pub(super) fn details(self) -> String {
        let at = self.error.code_location().map(|at| format!("\n  at {at}"));
        let mut text = at.unwrap_or_default();
        let stream = |name| self.unshown_output(name).map(|lines| indented_stream(name, &lines)).unwrap_or_default();
        text += &stream("stdout");
        text += &stream("stderr");
        let is_merged = |output: &Output| output.record.has_pty && !output.record.shown.0;
        if self.error.output().is_some_and(is_merged) {
            text += "\n  stderr: included in stdout on a pty";
        }
        text
    }

    /// Returns the last lines of a stream, `stdout` or `stderr`. Returns `None` if the stream is
    /// empty or was already shown.
    pub(crate) fn unshown_output(self, stream: &str) -> Option<String> {
        let output = self.error.output()?;
        let record = &output.record;
        let (bytes, shown) = match stream {
            "stdout" => (&record.stdout.bytes, record.shown.0),
            _ if record.has_pty => return None,
            _ => (&record.stderr.bytes, record.shown.1),
        };
        if matches!(record.result, CommandResult::NotRun(_)) || bytes.is_empty() || shown {
            return None;
        }
        Some(last_lines(&record.redactor.bytes(bytes), MAX_SHOWN_LINES))
    }
}

impl fmt::Display for ErrorBlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("error: {}{}", self.error, self.details());
        for error in self.error.causes() {
            text += &cause_lines(&error);
        }
        if let Some(hint) = self.hint() {
            text = format!("{text}\nhint: {hint}");
        }
        // Most of the text is from hosts and commands, so it may contain control characters.
        let shown = escape_except_colours(&text);
        f.write_str(&shown)?;
        // A colour without a reset would continue into the next lines of the terminal.
        if shown.contains('\u{1b}') { f.write_str("\u{1b}[0m") } else { Ok(()) }
    }
}

/// Returns the lines of a cause.
pub(super) fn cause_lines(text: &str) -> String {
    let lead = |n| if n == 0 { "caused by: " } else { "           " };
    text.lines().enumerate().fold(String::new(), |all, (n, line)| all + "\n  " + lead(n) + line)
}

/// Returns the lines of a stream below its name.
fn indented_stream(name: &str, lines: &str) -> String {
    lines.lines().fold(format!("\n  {name}:"), |all, line| all + "\n    " + line)
}

#[cfg(test)]
mod tests {
    use std::panic::Location;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::error::ErrorKind;
    use crate::host::Host;
    use crate::output::{CapturedStream, CommandRecord, ExitStatus};
    use crate::secret::{Redactor, Secret};

    /// Returns the block of a command with fifteen lines on each stream, without the first line of
    /// the block.
    fn case(shown: (bool, bool), has_pty: bool) -> String {
        let lines = |name: &str| (1..=15).fold(String::new(), |text, n| format!("{text}{name} {n}\n")).into_bytes();
        let redactor = Redactor::default();
        redactor.add(&Secret::new("err 14"));
        let output = Output::new(CommandRecord {
            host: Host::local(),
            command: Arc::from("make"),
            location: Location::caller(),
            elapsed: Duration::ZERO,
            result: CommandResult::Exited(ExitStatus::Code(2)),
            stdout: CapturedStream { bytes: lines("out"), dropped: 0 },
            stderr: CapturedStream { bytes: lines("err"), dropped: 0 },
            lost_output: None,
            shown,
            has_pty,
            may_be_running: false,
            redactor,
        });
        let error = Error::new(ErrorKind::Exit, "`make` failed").with_output(output);
        let text = error.block().to_string();
        text.lines().skip(1).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_last_ten_unshown_lines_are_in_the_block() {
        let of = |name: &str| (6..=15).fold(String::new(), |text, n| format!("{text}\n    {name} {n}"));
        let (out, err) = (of("out"), of("err").replace("err 14", "[redacted]"));
        assert_eq!(case((false, false), false), format!("  stdout:{out}\n  stderr:{err}"));
        assert_eq!(case((true, false), false), format!("  stderr:{err}"));
        assert_eq!(case((true, true), false), "");
    }

    #[test]
    fn a_block_with_a_pty_explains_the_missing_stderr() {
        assert!(case((false, false), true).ends_with("out 15\n  stderr: included in stdout on a pty"));
        assert_eq!(case((true, true), true), "");
    }
}
