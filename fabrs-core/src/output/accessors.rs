//! Reading an [`Output`]: every accessor that only a command which ran can answer.

use std::borrow::Cow;
use std::panic::Location;

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::output::plan_error::error_of;
use crate::output::record::{CapturedStream, CommandResult, Output};
use crate::output::status::ExitStatus;
use crate::output::tail::last_lines;

impl Output {
    /// Returns how the command ended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run; where its own end is not known (a timeout, a lost connection, a run that was
    /// stopped), the error that says why.
    #[track_caller]
    pub fn status(&self) -> Result<&ExitStatus> {
        self.status_for(Location::caller())
    }

    /// Returns how the command ended, to somebody who looks at it in a line of the user's code.
    pub(crate) fn status_for(&self, location: &'static Location<'static>) -> Result<&ExitStatus> {
        self.ran(location)?;
        match &self.record.ended {
            CommandResult::Exited(status) => Ok(status),
            CommandResult::Unknown(cause) => Err(error_of(cause)),
            CommandResult::NotRun(_) => Err(self.not_run(location)),
        }
    }

    /// Fails where the command was not run, and ends the plan there.
    fn ran(&self, location: &'static Location<'static>) -> Result<()> {
        match &self.record.ended {
            CommandResult::Exited(_) | CommandResult::Unknown(_) => Ok(()),
            CommandResult::NotRun(plan) => Err(plan.or_end(|| self.not_run(location))),
        }
    }

    /// Tells whether the command returned 0.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    #[track_caller]
    pub fn ok(&self) -> Result<bool> {
        Ok(self.status()?.success())
    }

    /// Returns everything the command wrote to stdout; bytes that are not UTF-8 are shown as `U+FFFD`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run; [`ErrorKind::Truncated`] where more was written than is kept, or the
    /// connection was lost after the command had ended and before all of its output had come.
    #[track_caller]
    pub fn stdout(&self) -> Result<Cow<'_, str>> {
        Ok(String::from_utf8_lossy(self.stdout_bytes()?))
    }

    /// Returns the bytes the command wrote to stdout.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout).
    #[track_caller]
    pub fn stdout_bytes(&self) -> Result<&[u8]> {
        self.whole(&self.record.stdout, Location::caller())
    }

    /// Returns everything the command wrote to stderr; bytes that are not UTF-8 are shown as `U+FFFD`. Empty where a pty
    /// merged the two.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout).
    #[track_caller]
    pub fn stderr(&self) -> Result<Cow<'_, str>> {
        Ok(String::from_utf8_lossy(self.stderr_bytes()?))
    }

    /// Returns the bytes the command wrote to stderr.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout).
    #[track_caller]
    pub fn stderr_bytes(&self) -> Result<&[u8]> {
        self.whole(&self.record.stderr, Location::caller())
    }

    /// Returns a stream, where nothing of it is missing.
    fn whole<'a>(&self, kept: &'a CapturedStream, at: &'static Location<'static>) -> Result<&'a [u8]> {
        self.ran(at)?;
        match &self.record.cut {
            Some(cause) => Err(self.cut(error_of(cause), at)),
            None if kept.dropped > 0 => Err(self.truncated(at)),
            None => Ok(&kept.bytes),
        }
    }

    /// Returns the first line of stdout without its line end; an error where there is none.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout), and [`ErrorKind::Empty`] where the command printed no line.
    #[track_caller]
    pub fn line(&self) -> Result<String> {
        let text = self.stdout()?;
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(line.to_owned()),
            _ => Err(self.unreadable(ErrorKind::Empty, "printed nothing", Location::caller())),
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

    /// Returns the last `n` lines of stdout, however much was written before them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run.
    #[track_caller]
    pub fn tail(&self, n: usize) -> Result<String> {
        self.ran(Location::caller())?;
        Ok(last_lines(&self.record.stdout.bytes, n))
    }

    /// Returns the last `n` lines of stderr, however much was written before them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run.
    #[track_caller]
    pub fn stderr_tail(&self, n: usize) -> Result<String> {
        self.ran(Location::caller())?;
        Ok(last_lines(&self.record.stderr.bytes, n))
    }

    /// Reads stdout as JSON.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Self::stdout), and [`ErrorKind::Format`] where it is not the JSON that `T` wants.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let location = Location::caller();
        serde_json::from_slice(self.stdout_bytes()?).map_err(|source| {
            self.unreadable(ErrorKind::Format, "did not print the JSON that was expected", location).caused_by(source)
        })
    }

    fn unreadable(&self, kind: ErrorKind, what: &str, at: &'static Location<'static>) -> Error {
        Error::new(kind, format!("`{}` {what}", self.command())).on(self.host()).at(at)
    }

    fn cut(&self, cause: Error, at: &'static Location<'static>) -> Error {
        self.unreadable(ErrorKind::Truncated, "ended, but the end of its output was lost", at).caused_by(cause)
    }

    fn truncated(&self, at: &'static Location<'static>) -> Error {
        self.unreadable(ErrorKind::Truncated, "printed more than is kept", at)
            .hint("say `.capture_all()` on the command, or read its end with `.tail(n)`")
    }

    /// Makes the error that ends the plan of a dry run, naming both lines: where it looks, and what was not run.
    fn not_run(&self, at: &'static Location<'static>) -> Error {
        let what = self.record.location;
        let is_here = (what.file(), what.line()) == (at.file(), at.line());
        let place = if is_here { String::new() } else { format!("({}:{}) ", what.file(), what.line()) };
        let text = format!("{place}was not run in this dry run, so it has no result");
        self.unreadable(ErrorKind::NotRun, &text, at)
            .hint("use `probe(..)` for a command that only reads: a dry run runs it too")
    }
}
