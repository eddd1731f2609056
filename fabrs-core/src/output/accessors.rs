//! The fallible accessors of [`Output`].

use std::borrow::Cow;
use std::panic::Location;

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::output::plan_error::error_of;
use crate::output::record::{CapturedStream, CommandResult, Output};
use crate::output::status::ExitStatus;
use crate::output::tail::last_lines;

impl Output {
    /// Returns the exit status of the command.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::NotRun`] if a dry run only planned the command.
    /// - The error with the reason if the exit status is unknown: a timeout, a lost connection, or
    ///   a stopped run.
    #[track_caller]
    pub fn status(&self) -> Result<&ExitStatus> {
        self.status_for(Location::caller())
    }

    /// Returns the exit status for a caller at a line of the user's code.
    pub(crate) fn status_for(&self, location: &'static Location<'static>) -> Result<&ExitStatus> {
        self.check_was_run(location)?;
        match &self.record.result {
            CommandResult::Exited(status) => Ok(status),
            CommandResult::Unknown(cause) => Err(error_of(cause)),
            CommandResult::NotRun(_) => Err(self.not_run(location)),
        }
    }

    /// Fails if the command was not run, and ends the plan of the dry run.
    fn check_was_run(&self, location: &'static Location<'static>) -> Result<()> {
        match &self.record.result {
            CommandResult::Exited(_) | CommandResult::Unknown(_) => Ok(()),
            CommandResult::NotRun(plan) => Err(plan.or_end(|| self.not_run(location))),
        }
    }

    /// Returns whether the exit status is 0.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    #[track_caller]
    pub fn ok(&self) -> Result<bool> {
        Ok(self.status()?.success())
    }

    /// Returns the whole standard output. Bytes that are not UTF-8 become `U+FFFD`. With a pty,
    /// this includes stderr.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::NotRun`] if a dry run only planned the command.
    /// - [`ErrorKind::Truncated`] if the output exceeds the capture limit (1 MiB by default), or
    ///   the connection was lost after the end of the command and before the end of its output.
    #[track_caller]
    pub fn stdout(&self) -> Result<Cow<'_, str>> {
        Ok(String::from_utf8_lossy(self.stdout_bytes()?))
    }

    /// Returns the bytes of standard output.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout).
    #[track_caller]
    pub fn stdout_bytes(&self) -> Result<&[u8]> {
        self.complete_stream(&self.record.stdout, Location::caller())
    }

    /// Returns the whole standard error. Bytes that are not UTF-8 become `U+FFFD`. With a pty, the
    /// text is empty, because the pty merges both streams.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout).
    #[track_caller]
    pub fn stderr(&self) -> Result<Cow<'_, str>> {
        Ok(String::from_utf8_lossy(self.stderr_bytes()?))
    }

    /// Returns the bytes of standard error.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout).
    #[track_caller]
    pub fn stderr_bytes(&self) -> Result<&[u8]> {
        self.complete_stream(&self.record.stderr, Location::caller())
    }

    /// Returns a stream if the stream is complete.
    fn complete_stream<'a>(&self, kept: &'a CapturedStream, at: &'static Location<'static>) -> Result<&'a [u8]> {
        self.check_was_run(at)?;
        match &self.record.lost_output {
            Some(cause) => Err(self.lost_output(error_of(cause), at)),
            None if kept.dropped > 0 => Err(self.truncated(at)),
            None => Ok(&kept.bytes),
        }
    }

    /// Returns the first line of stdout without its line end.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout), and [`ErrorKind::Empty`] if the first line is missing or empty.
    #[track_caller]
    pub fn line(&self) -> Result<String> {
        let text = self.stdout()?;
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(line.to_owned()),
            Some(_) => Err(self.accessor_error(ErrorKind::Empty, "printed an empty first line", Location::caller())),
            None => Err(self.accessor_error(ErrorKind::Empty, "printed nothing", Location::caller())),
        }
    }

    /// Returns the lines of stdout without their line ends.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout).
    #[track_caller]
    pub fn lines(&self) -> Result<Vec<String>> {
        Ok(self.stdout()?.lines().map(str::to_owned).collect())
    }

    /// Returns the last `n` lines of stdout, even if the whole output exceeds the capture limit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] if a dry run only planned the command.
    #[track_caller]
    pub fn tail(&self, n: usize) -> Result<String> {
        self.check_was_run(Location::caller())?;
        Ok(last_lines(&self.record.stdout.bytes, n))
    }

    /// Returns the last `n` lines of stderr, even if the whole output exceeds the capture limit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] if a dry run only planned the command.
    #[track_caller]
    pub fn stderr_tail(&self, n: usize) -> Result<String> {
        self.check_was_run(Location::caller())?;
        Ok(last_lines(&self.record.stderr.bytes, n))
    }

    /// Deserializes stdout as JSON.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout), and [`ErrorKind::Format`] if stdout is not valid JSON for `T`.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let location = Location::caller();
        serde_json::from_slice(self.stdout_bytes()?).map_err(|source| {
            self.accessor_error(ErrorKind::Format, "did not print the expected JSON", location).caused_by(source)
        })
    }

    fn accessor_error(&self, kind: ErrorKind, what: &str, at: &'static Location<'static>) -> Error {
        Error::new(kind, format!("`{}` {what}", self.command())).on(self.host()).at(at)
    }

    fn lost_output(&self, cause: Error, at: &'static Location<'static>) -> Error {
        self.accessor_error(ErrorKind::Truncated, "ended, and the end of its output was lost", at).caused_by(cause)
    }

    fn truncated(&self, at: &'static Location<'static>) -> Error {
        self.accessor_error(ErrorKind::Truncated, "printed more than the capture limit", at)
            .hint("add `.capture_all()` to the command, or read the end of its output with `.tail(n)`")
    }

    /// Makes the error at the end of a dry run's plan. The error names two lines of code: the call
    /// of the accessor and the command.
    fn not_run(&self, at: &'static Location<'static>) -> Error {
        let what = self.record.location;
        let is_here = (what.file(), what.line()) == (at.file(), at.line());
        let place = if is_here { String::new() } else { format!("({}:{}) ", what.file(), what.line()) };
        let text = format!("{place}was not run in this dry run and has no result");
        self.accessor_error(ErrorKind::NotRun, &text, at)
            .hint("use `probe(..)` for a command that only reads, since a dry run also runs it")
    }
}
