//! How a command is to run: the settings of [`Command`], and the methods that change them.

use std::panic::Location;
use std::time::Duration;

use bytes::Bytes;

use super::{Command, Connection, Hide};
use crate::output::Tail;
use crate::shell::ShellLine;
use crate::transport::{Effect, Stdin};

/// Everything that is known of a command before it starts.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) connection: Connection,
    pub(super) line: ShellLine,
    pub(super) effect: Effect,
    /// Whether it runs under sudo.
    pub(super) elevated: bool,
    pub(super) location: &'static Location<'static>,
    pub(super) warn: bool,
    pub(super) hide: Hide,
    pub(super) echo: Option<bool>,
    pub(super) pty: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) stdin: Stdin,
    pub(super) bound: usize,
}

impl Spec {
    pub(super) fn new(
        connection: Connection,
        line: ShellLine,
        effect: Effect,
        location: &'static Location<'static>,
    ) -> Self {
        // What a probe prints is an answer to the program, not a message to the person.
        let hide = match effect {
            Effect::Reads => Hide::Stdout,
            Effect::Changes => Hide::Nothing,
        };
        Self {
            connection,
            line,
            effect,
            elevated: false,
            location,
            warn: false,
            hide,
            echo: None,
            pty: false,
            timeout: None,
            stdin: Stdin::Empty,
            bound: Tail::DEFAULT_BOUND,
        }
    }
}

impl Command {
    /// Takes any status as success; [`Output::status`](crate::Output::status) tells which it was.
    ///
    /// Timeouts, a lost connection and the like stay errors.
    pub fn warn(self) -> Self {
        self.changed(|spec| spec.warn = true)
    }

    /// Does not show the streams named; they are captured all the same. A probe hides its stdout by default.
    pub fn hide(self, streams: Hide) -> Self {
        self.changed(|spec| spec.hide = streams)
    }

    /// Shows the command line before it runs.
    pub fn echo(self) -> Self {
        self.changed(|spec| spec.echo = Some(true))
    }

    /// Gives the command a pseudo-terminal (`ssh -t`), which merges its stderr into stdout.
    pub fn pty(self) -> Self {
        self.changed(|spec| spec.pty = true)
    }

    /// Ends the command when it has run for `limit`, counted from its start. Without end by default.
    pub fn timeout(self, limit: Duration) -> Self {
        self.changed(|spec| spec.timeout = Some(limit))
    }

    /// Gives the command `bytes` to read, then the end of file. By default it sees the end of file at once (`ssh -n`).
    pub fn stdin(self, bytes: impl Into<Bytes>) -> Self {
        self.changed(|spec| spec.stdin = Stdin::Bytes(bytes.into()))
    }

    /// Keeps all of stdout in memory, rather than the last 1 MiB.
    pub fn capture_all(self) -> Self {
        self.changed(|spec| spec.bound = usize::MAX)
    }

    /// Runs the command under sudo as this user, by name or number; as root by default.
    ///
    /// Only for a command that [`Connection::sudo`] made.
    pub fn user(self, user: impl Into<String>) -> Self {
        self.changed(|spec| spec.connection = spec.connection.sudo_user(user))
    }

    /// Runs the command under sudo in this group, by name or number.
    ///
    /// Only for a command that [`Connection::sudo`] made.
    pub fn group(self, group: impl Into<String>) -> Self {
        self.changed(|spec| spec.connection = spec.connection.sudo_group(group))
    }

    /// Runs the command under sudo as a login would: in the user's home, with the user's profile (`sudo -i`).
    ///
    /// Only for a command that [`Connection::sudo`] made.
    pub fn login(self) -> Self {
        self.changed(|spec| spec.connection = spec.connection.changed(|frame| frame.sudo_mut().login = true))
    }

    /// Runs the command under sudo.
    pub(super) fn elevated(self) -> Self {
        self.changed(|spec| spec.elevated = true)
    }

    /// Sets a variable for this command: [`Connection::env`].
    pub fn env(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.changed(|spec| spec.connection = spec.connection.env(name, value))
    }
}

/// Returns a duration of `n` seconds, for `.timeout(secs(30))`.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
