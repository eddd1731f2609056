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

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub(super) type Source = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// What went wrong, where, and while doing what.
///
/// Cheap to clone: an error that concerns several hosts is shared by them. [`Display`](fmt::Display) is one line that
/// names the host and what was being done; the cause is [`source`](std::error::Error::source), and is never repeated in
/// the text. [`block`](Self::block) is the whole of it for a person.
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

#[derive(Clone)]
pub(super) struct Inner {
    kind: ErrorKind,
    host: Option<Host>,
    pub(super) doing: Cow<'static, str>,
    pub(super) source: Option<Source>,
    pub(super) output: Option<Output>,
    pub(super) hint: Option<Cow<'static, str>>,
    place: Option<Place>,
    address: Option<Arc<str>>,
}

/// A line of the user's code.
#[derive(Clone)]
enum Place {
    Call(&'static Location<'static>),
    /// A panic hook gets the location only for as long as it runs.
    Panic(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(at) => write!(f, "{}:{}", at.file(), at.line()),
            Self::Panic(at) => f.write_str(at),
        }
    }
}

impl Error {
    /// Makes an error of a kind, saying what could not be done: lower case, no full stop, without the cause.
    pub fn new(kind: ErrorKind, doing: impl Into<Cow<'static, str>>) -> Self {
        let doing = doing.into();
        let inner =
            Inner { kind, host: None, doing, source: None, output: None, hint: None, place: None, address: None };
        Self { inner: Arc::new(inner) }
    }

    /// Names the host.
    pub fn on(self, host: &Host) -> Self {
        self.with(|inner| inner.host = Some(host.clone()))
    }

    /// Names the host, unless another one is named already or there is none.
    pub(crate) fn or_on(self, host: Option<&Host>) -> Self {
        match host {
            Some(host) if self.inner.host.is_none() => self.on(host),
            _ => self,
        }
    }

    /// Names the cause.
    ///
    /// If the cause is the open file limit, the hint explains the limit and replaces any other hint.
    pub fn caused_by(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        let hint = open_files::hint(&source);
        self.with(|inner| {
            inner.source = Some(Arc::new(source));
            inner.hint = hint.map(Cow::Owned).or(inner.hint.take());
        })
    }

    /// Adds the one thing to try, where possible a command that can be typed.
    ///
    /// Has no effect on an error that the open file limit caused: [`caused_by`](Self::caused_by) has set its hint.
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

    /// Names the line of the user's code that asked for it.
    pub fn at(self, location: &'static Location<'static>) -> Self {
        self.with(|inner| inner.place = Some(Place::Call(location)))
    }

    /// Names the line of the user's code that panicked, as `FILE:LINE`.
    pub(crate) fn at_panic(self, line: &str) -> Self {
        self.with(|inner| inner.place = Some(Place::Panic(Arc::from(line))))
    }

    /// Leaves out the line of code: for what was asked for on a command line, where it would say nothing.
    pub fn without_location(self) -> Self {
        self.with(|inner| inner.place = None)
    }

    /// Names the address that the text speaks of. Errors that differ only in it are equal ([`GroupedErrors`]).
    pub(crate) fn address_of(self, address: &str) -> Self {
        self.with(|inner| inner.address = Some(Arc::from(address)))
    }

    /// Carries what the command left.
    pub(crate) fn with_output(self, output: Output) -> Self {
        self.with(|inner| inner.output = Some(output))
    }

    /// Leaves out what the command left: where that is fabrs' own talk with a script, which says nothing to a person.
    pub(crate) fn without_output(self) -> Self {
        self.with(|inner| inner.output = None)
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    /// Returns at which stage it went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns the host it went wrong on.
    pub fn host(&self) -> Option<&Host> {
        self.inner.host.as_ref()
    }

    /// Returns what the command left, as far as it came: for [`ErrorKind::Exit`], [`ErrorKind::Timeout`] and, where
    /// something had arrived, [`ErrorKind::Channel`] and [`ErrorKind::Cancelled`].
    pub fn output(&self) -> Option<&Output> {
        self.inner.output.as_ref()
    }

    /// Returns what to try, where there is one thing to try.
    pub fn hint_text(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }

    /// Returns the line of the user's code that asked for it.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        match self.inner.place {
            Some(Place::Call(location)) => Some(location),
            Some(Place::Panic(_)) | None => None,
        }
    }

    /// Returns the line of the user's code that asked for it, or that panicked: `FILE:LINE`.
    pub(crate) fn place(&self) -> Option<String> {
        self.inner.place.as_ref().map(ToString::to_string)
    }

    /// Returns the exit code that `fab` gives for it.
    pub fn exit_code(&self) -> ExitCode {
        self.kind().exit_code()
    }

    /// Returns what could not be done, without the host.
    pub fn message(&self) -> &str {
        &self.inner.doing
    }

    /// Returns the texts of the causes, the nearest first.
    pub fn causes(&self) -> Vec<String> {
        let first = std::error::Error::source(self);
        std::iter::successors(first, |cause| cause.source()).map(ToString::to_string).collect()
    }

    pub(super) fn address(&self) -> Option<&str> {
        self.inner.address.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.inner.host {
            write!(f, "{}: ", host.label())?;
        }
        f.write_str(&self.inner.doing)
    }
}

impl fmt::Debug for Error {
    /// Shows the whole block, so that a test's `unwrap` and a `main` that returns an error read well.
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
    fn an_error_by_the_limit_of_open_files_keeps_the_hint_about_the_limit() {
        let hinted = || Error::new(ErrorKind::Connect, "could not connect").hint("is the name right?");
        let cause = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        let error = hinted().caused_by(cause(Errno::MFILE)).hint("does sshd run?");
        let outer = Error::new(ErrorKind::Connect, "could not get through its gateway").caused_by(error.clone());
        for error in [error, outer] {
            assert!(error.hint_text().unwrap().contains("`ulimit -n`"), "{error:?}");
            assert!(error.block().to_string().contains("Too many open files (os error 24)"), "{error:?}");
        }
        let other = hinted().caused_by(cause(Errno::CONNREFUSED));
        assert_eq!(other.hint_text(), Some("is the name right?"));
    }
}
