//! [`Error`]: the error type of this crate.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::error::exit_code::ExitCode;
use crate::error::kind::ErrorKind;
use crate::host::Host;
use crate::open_files;
use crate::output::Output;

/// The result of a fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub(super) type Source = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// An error with kind, host, message, cause and hint.
///
/// Cloning is cheap: the hosts of one failure share one error. [`Display`](fmt::Display) prints one
/// line with the host and the message. The cause is available as
/// [`source`](std::error::Error::source) and is not repeated in the message. [`block`](Self::block)
/// prints everything for a terminal.
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

#[derive(Clone)]
pub(super) struct Inner {
    kind: ErrorKind,
    host: Option<Host>,
    pub(super) message: Cow<'static, str>,
    pub(super) source: Option<Source>,
    pub(super) output: Option<Output>,
    pub(super) hint: Option<Cow<'static, str>>,
    code_location: Option<CodeLocation>,
    address: Option<Arc<str>>,
}

/// A line of the user's code.
#[derive(Clone)]
enum CodeLocation {
    Call(&'static Location<'static>),
    /// As text, because a panic hook can't store a `Location`.
    Panic(Arc<str>),
}

impl fmt::Display for CodeLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(at) => write!(f, "{}:{}", at.file(), at.line()),
            Self::Panic(at) => f.write_str(at),
        }
    }
}

impl Error {
    /// Makes an error. The message names the failed action in lower case, without full stop and
    /// without the cause.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let inner = Inner {
            kind,
            host: None,
            message,
            source: None,
            output: None,
            hint: None,
            code_location: None,
            address: None,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Sets the host.
    ///
    /// ```
    /// use fabrs_core::{Error, ErrorKind};
    ///
    /// let host = "web1".parse()?;
    /// let error = Error::new(ErrorKind::File, "cannot read `motd`").on(&host);
    /// assert_eq!(error.host(), Some(&host));
    /// # Ok::<(), fabrs_core::HostError>(())
    /// ```
    pub fn on(self, host: &Host) -> Self {
        self.with(|inner| inner.host = Some(host.clone()))
    }

    /// Sets the host, unless the error already has a host.
    pub(crate) fn or_on(self, host: Option<&Host>) -> Self {
        match host {
            Some(host) if self.inner.host.is_none() => self.on(host),
            _ => self,
        }
    }

    /// Sets the cause.
    ///
    /// If the cause is the open file limit, the hint explains the limit and replaces any other
    /// hint.
    ///
    /// ```
    /// use fabrs_core::{Error, ErrorKind};
    ///
    /// let cause = std::io::Error::other("the disk is full");
    /// let error = Error::new(ErrorKind::Local, "cannot write `dump.sql`").caused_by(cause);
    /// assert_eq!(std::error::Error::source(&error).map(ToString::to_string).as_deref(), Some("the disk is full"));
    /// ```
    pub fn caused_by(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        let hint = open_files::hint(&source);
        self.with(|inner| {
            inner.source = Some(Arc::new(source));
            inner.hint = hint.map(Cow::Owned).or(inner.hint.take());
        })
    }

    /// Sets the hint: one next step for the user, if possible a command to paste.
    ///
    /// Has no effect if the open file limit caused the error, because
    /// [`caused_by`](Self::caused_by) has already set the hint.
    ///
    /// ```
    /// use fabrs_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Usage, "no environment `prod`").hint("use `production`");
    /// assert_eq!(error.hint_text(), Some("use `production`"));
    /// ```
    pub fn hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        if self.is_out_of_files() {
            return self;
        }
        let hint = hint.into();
        self.with(|inner| inner.hint = Some(hint))
    }

    /// Returns whether the open file limit caused this error.
    pub(crate) fn is_out_of_files(&self) -> bool {
        open_files::is_exhausted(self)
    }

    /// Sets the line of the user's code with the failed call.
    ///
    /// ```
    /// use fabrs_core::{Error, ErrorKind};
    ///
    /// let here = std::panic::Location::caller();
    /// let error = Error::new(ErrorKind::Task, "no build").at(here);
    /// assert_eq!(error.location(), Some(here));
    /// ```
    pub fn at(self, location: &'static Location<'static>) -> Self {
        self.with(|inner| inner.code_location = Some(CodeLocation::Call(location)))
    }

    /// Sets the line of the user's code that panicked, as `FILE:LINE`.
    pub(crate) fn at_panic(self, line: &str) -> Self {
        self.with(|inner| inner.code_location = Some(CodeLocation::Panic(Arc::from(line))))
    }

    /// Removes the line of code, for a command from the command line. Such a command has no line in
    /// the user's code.
    ///
    /// ```
    /// use fabrs_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Task, "no build").at(std::panic::Location::caller());
    /// assert_eq!(error.without_location().location(), None);
    /// ```
    pub fn without_location(self) -> Self {
        self.with(|inner| inner.code_location = None)
    }

    /// Records an address used in the message. [`GroupedErrors`](crate::error::GroupedErrors)
    /// ignores the address in a comparison of errors.
    pub(crate) fn with_address(self, address: &str) -> Self {
        self.with(|inner| inner.address = Some(Arc::from(address)))
    }

    /// Attaches the output of the failed command.
    pub(crate) fn with_output(self, output: Output) -> Self {
        self.with(|inner| inner.output = Some(output))
    }

    /// Removes the output. The output of an internal script has no meaning for users.
    pub(crate) fn without_output(self) -> Self {
        self.with(|inner| inner.output = None)
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    /// Returns the kind: the stage of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns the host of the failure, if any.
    pub fn host(&self) -> Option<&Host> {
        self.inner.host.as_ref()
    }

    /// Returns the output of the failed command.
    ///
    /// The error of a command has an output for the kinds [`ErrorKind::Exit`] and
    /// [`ErrorKind::Timeout`]. For the kinds [`ErrorKind::Channel`] and [`ErrorKind::Cancelled`],
    /// the error has an output if the command printed anything. An error that wraps the error of a
    /// command, such as the timeout of [`Command::retry_for`](crate::Command::retry_for), has no
    /// output. Its source has the output.
    pub fn output(&self) -> Option<&Output> {
        self.inner.output.as_ref()
    }

    /// Returns the hint of this error, without the hints of its causes.
    pub fn hint_text(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }

    /// Returns the line of the failed call in the user's code, if known.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        match self.inner.code_location {
            Some(CodeLocation::Call(location)) => Some(location),
            Some(CodeLocation::Panic(_)) | None => None,
        }
    }

    /// Returns the line of the failed call or the panic in the user's code, as `FILE:LINE`.
    pub(crate) fn code_location(&self) -> Option<String> {
        self.inner.code_location.as_ref().map(ToString::to_string)
    }

    /// Returns the exit code of `fab` for this error.
    pub fn exit_code(&self) -> ExitCode {
        self.kind().exit_code()
    }

    /// Returns the message without the host.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Returns the messages of the causes, the nearest cause first.
    pub fn causes(&self) -> Vec<String> {
        let first = std::error::Error::source(self);
        std::iter::successors(first, |cause| cause.source()).map(ToString::to_string).collect()
    }

    pub(super) fn address(&self) -> Option<&str> {
        self.inner.address.as_deref()
    }
}

impl fmt::Display for Error {
    /// Prints the host and the message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.inner.host {
            write!(f, "{}: ", host.label())?;
        }
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    /// Prints the whole block. A failed `unwrap` and a `main` that returns an error show this text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.block(), f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn the_open_file_limit_keeps_its_hint() {
        let hinted = || Error::new(ErrorKind::Connect, "could not connect").hint("is the name right?");
        let cause = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        let error = hinted().caused_by(cause(Errno::MFILE)).hint("does sshd run?");
        let outer = Error::new(ErrorKind::Connect, "could not connect through its gateway").caused_by(error.clone());
        for error in [error, outer] {
            assert!(error.hint_text().unwrap().contains("`ulimit -n`"), "{error:?}");
            assert!(error.block().to_string().contains("Too many open files (os error 24)"), "{error:?}");
        }
        let other = hinted().caused_by(cause(Errno::CONNREFUSED));
        assert_eq!(other.hint_text(), Some("is the name right?"));
    }
}
