//! How a command is to run: the settings of [`Command`], and the methods that change them.

use std::panic::Location;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use super::again::Again;
use super::command::bound;
use super::frame::{Form, FrameError, Inside, detached};
use super::greeting::Greeting;
use super::input::{Feeder, Input};
use super::seat::Seat;
use super::watch::{Cue, Watch, Watchers};
use super::{Command, Connection, EnvValue, Hide, StdinBytes};
use crate::error::{Error, ErrorKind, Result};
use crate::output::{ExitStatus, Tail};
use crate::secret::Secret;
use crate::shell::{IntoShellLine, ShellLine};
use crate::transport::{Effect, Permission, Pty, Signals, Stdin};

/// Everything that is known of a command before it starts.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) connection: Connection,
    pub(super) line: ShellLine,
    /// What it is called, where the line itself says little to a person.
    pub(super) shown: Option<Arc<str>>,
    pub(super) effect: Effect,
    pub(super) inside: Inside,
    pub(super) under: Under,
    /// What was said of it that only sudo knows: the method's name.
    pub(super) of_sudo: Option<&'static str>,
    pub(super) location: &'static Location<'static>,
    pub(super) accepts: Accepts,
    pub(super) hide: Hide,
    pub(super) echo: Option<bool>,
    pub(super) pty: Option<Pty>,
    /// Whether this program's terminal is handed over to it.
    pub(super) interactive: bool,
    /// The terminal, while it is.
    pub(super) seat: Option<Seat>,
    pub(super) timeout: Option<Duration>,
    pub(super) input: Input,
    /// What it is given to read that must not be shown.
    pub(super) secrets: Vec<Secret>,
    pub(super) watchers: Watchers,
    /// By which its handle sends it signals.
    pub(super) signals: Signals,
    /// When it is run again, where it is.
    pub(super) again: Option<Again>,
    pub(super) bound: usize,
    /// A file that gets a copy of its output.
    pub(super) tee: Option<PathBuf>,
    /// Whether it goes on after its channel has ended.
    pub(super) detached: bool,
    /// Whether the shell of the login greets before it.
    pub(super) greets: bool,
}

impl Spec {
    /// Returns the same command for one attempt of several.
    pub(super) fn once_more(&self) -> Result<Self> {
        let Some(input) = self.input.once_more() else {
            let text = "what a command reads as it comes, or is answered, is not there a second time";
            let error = Error::new(ErrorKind::Usage, text).or_on(self.connection.host()).at(self.location);
            return Err(error.hint("leave `.retry(..)` or `.until(..)` out"));
        };
        Ok(Self {
            connection: self.connection.clone(),
            line: self.line.clone(),
            shown: self.shown.clone(),
            accepts: self.accepts.clone(),
            input,
            secrets: self.secrets.clone(),
            watchers: Watchers::default(),
            signals: self.signals.clone(),
            tee: self.tee.clone(),
            pty: self.pty.clone(),
            seat: None,
            again: None,
            ..*self
        })
    }

    /// Returns the line with all that stands around it, below sudo.
    pub(super) fn compose(&self, form: Form) -> std::result::Result<String, FrameError> {
        let line = self.connection.frame.compose(&self.line, self.inside, form)?;
        if self.detached { Ok(detached(&line, form)?) } else { Ok(line) }
    }

    /// Takes what the command reads, with what its line reads before it, and keeps the secrets of both out of what is shown.
    pub(super) fn take_stdin(&mut self) -> Result<Stdin> {
        let frame = &self.connection.frame;
        let redactor = self.connection.redactor();
        for secret in frame.secrets().chain(&self.secrets) {
            redactor.add(secret);
        }
        if self.pty.is_some() && frame.secrets().next().is_some() {
            let text = "a command on a pty can't be given a secret variable: what is typed there is shown";
            let error = Error::new(ErrorKind::Usage, text).or_on(self.connection.host()).at(self.location);
            return Err(error.hint("leave `.pty()` out, or give it by `.watch(Responder::new(..))`"));
        }
        let (_, client) = bound(&self.connection, self.location)?;
        if self.interactive && self.connection.permission() == Permission::Make {
            let taken = Seat::take(client).map_err(|error| error.or_on(self.connection.host()).at(self.location));
            let (seat, pty) = taken?;
            (self.seat, self.pty) = (Some(seat), Some(pty));
        }
        if self.effect == Effect::Changes && self.connection.permission() == Permission::Planned {
            std::mem::take(&mut self.input).discard(client);
            return Ok(Stdin::Empty);
        }
        let feeder = Feeder { client, signals: &self.signals, watchers: &self.watchers };
        let first = frame.input();
        if self.detached && !(first.is_empty() && self.input.is_nothing()) {
            let text =
                "a command that is left to itself reads nothing: it can't be given an input or a secret variable";
            let error = Error::new(ErrorKind::Usage, text).or_on(self.connection.host()).at(self.location);
            return Err(error.hint("put what it needs into a file first"));
        }
        let input = std::mem::take(&mut self.input);
        input.begin(first, &feeder).map_err(|error| error.or_on(self.connection.host()).at(self.location))
    }
}

/// Which ends of a command are no error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Accepts {
    /// Status 0.
    #[default]
    Success,
    /// These statuses.
    Codes(Vec<u32>),
    /// Any status or signal.
    Any,
}

impl Accepts {
    pub(super) fn takes(&self, status: &ExitStatus) -> bool {
        match (self, status) {
            (Self::Any, _) => true,
            (Self::Success, status) => status.success(),
            (Self::Codes(codes), ExitStatus::Code(code)) => codes.contains(code),
            (Self::Codes(_), ExitStatus::Signal(_)) => false,
        }
    }
}

/// By whose rights a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Under {
    /// Those of the login.
    #[default]
    Login,
    /// Those that sudo gives.
    Sudo,
    /// None: sudo is only asked whether it would give any.
    Validation,
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
            shown: None,
            effect,
            inside: Inside::default(),
            under: Under::default(),
            of_sudo: None,
            location,
            accepts: Accepts::default(),
            hide,
            echo: None,
            pty: None,
            interactive: false,
            seat: None,
            timeout: None,
            input: Input::default(),
            secrets: Vec::new(),
            watchers: Watchers::default(),
            signals: Signals::default(),
            again: None,
            bound: Tail::DEFAULT_BOUND,
            tee: None,
            detached: false,
            greets: false,
        }
    }
}

impl Command {
    /// Says that the command only looks: it is executed in a dry run too, and its stdout is not shown, as of one that
    /// [`Connection::probe`] made. For `sudo("..")`, `local("..")` and `v_run("..")`.
    pub fn probe(self) -> Self {
        self.changed(|spec| {
            spec.effect = Effect::Reads;
            spec.hide = Hide::Stdout;
        })
    }

    /// Takes any status as success; [`Output::status`](crate::Output::status) tells which it was.
    ///
    /// Timeouts, a lost connection and the like stay errors.
    pub fn warn(self) -> Self {
        self.changed(|spec| spec.accepts = Accepts::Any)
    }

    /// Takes these statuses as success, and no others: `grep` has 1 for "nothing found". 0 is one only where it is named.
    pub fn ok_codes(self, codes: impl IntoIterator<Item = u32>) -> Self {
        let codes = codes.into_iter().collect();
        self.changed(|spec| spec.accepts = Accepts::Codes(codes))
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
        self.changed(|spec| spec.pty = Some(Pty::default()))
    }

    /// Hands this program's terminal over to the command, as `ssh -t` does: what is typed goes to it as it is, Ctrl-C too,
    /// what it writes stands on the screen as it comes, and it learns of the window's size. Afterwards the terminal is as it
    /// was.
    ///
    /// An error of kind [`Usage`](ErrorKind::Usage) where this program has no terminal.
    pub fn interactive(self) -> Self {
        self.changed(|spec| {
            spec.interactive = true;
            spec.pty = Some(Pty::default());
            spec.input = Input::Inherited;
        })
    }

    /// Ends the command when it has run for `limit`, counted from its start. Without end by default.
    pub fn timeout(self, limit: Duration) -> Self {
        self.changed(|spec| spec.timeout = Some(limit))
    }

    /// Runs the command again while it fails, at most `times` times more: after `pause` at first, and then after twice the last
    /// pause each time. What has failed is a status that is no success, a time that was over, a host that could not be reached;
    /// where the connection was lost on the way, only a [`probe`](Self::probe) is run again, since all else may have happened.
    pub fn retry(self, times: u32, pause: Duration) -> Self {
        self.changed(|spec| spec.again = Some(Again::Times(times, pause)))
    }

    /// Runs the command again, a second after each failure, until it succeeds: for what takes its time to come up. An error of
    /// kind [`Timeout`](ErrorKind::Timeout) where it has not within `limit`.
    pub fn until(self, limit: Duration) -> Self {
        self.changed(|spec| spec.again = Some(Again::Until(limit)))
    }

    /// Gives the command `bytes` to read, or a [`Secret`], then the end of file. By default it sees the end of file at once
    /// (`ssh -n`).
    pub fn stdin(self, bytes: impl Into<StdinBytes>) -> Self {
        self.changed(|spec| {
            let (bytes, secret) = bytes.into().into_parts();
            spec.input = Input::Bytes(bytes);
            spec.secrets.extend(secret);
        })
    }

    /// Gives the command a file of this machine to read. One that can't be read to its end ends the command, and is an error
    /// of kind [`Local`](ErrorKind::Local).
    pub fn stdin_file(self, path: impl Into<PathBuf>) -> Self {
        self.changed(|spec| spec.input = Input::File(path.into()))
    }

    /// Gives the command what `reader` yields, as fast as it reads it.
    pub fn stdin_reader(self, reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        self.changed(|spec| spec.input = Input::Reader(Mutex::new(Box::new(reader))))
    }

    /// Gives the command this program's own standard input, which no other command touches.
    pub fn stdin_inherit(self) -> Self {
        self.changed(|spec| spec.input = Input::Inherited)
    }

    /// Keeps the command's input open, for its handle to write to: [`spawn`](Self::spawn), then
    /// [`Spawned::write`](super::Spawned::write).
    pub fn stdin_open(self) -> Self {
        self.changed(|spec| spec.input = Input::Open)
    }

    /// Lets `watch` answer what the command asks on its output: a [`Responder`](super::Responder), or one of your own.
    /// May be said several times. Many programs, `read -p` of bash among them, only ask where there is a terminal: give
    /// them one with [`pty`](Self::pty).
    ///
    /// The command's input then stays open and is what the watchers write; our own standard input is not touched. It takes
    /// the place of [`stdin`](Self::stdin).
    pub fn watch(self, watch: impl Watch + 'static) -> Self {
        self.changed(|spec| {
            spec.input = Input::Answers;
            spec.secrets.extend(watch.secrets());
            spec.watchers.add(Box::new(watch));
        })
    }

    /// Writes what the command prints, stdout and stderr as they come, to a file of this machine too; secrets are left out. One
    /// that is there is written anew, by each attempt of several.
    pub fn tee(self, path: impl Into<PathBuf>) -> Self {
        self.changed(|spec| spec.tee = Some(path.into()))
    }

    /// Leaves the command running on its host, by itself: it returns as soon as the command has begun, and from then on nothing
    /// of this run ends it. It reads nothing, and what it prints is lost unless the line says where it goes.
    pub fn disown(self) -> Self {
        self.changed(|spec| spec.detached = true)
    }

    /// Keeps all that is printed in memory, rather than the last 1 MiB of each stream.
    pub fn capture_all(self) -> Self {
        self.changed(|spec| spec.bound = usize::MAX)
    }

    /// Runs the command under sudo as this user, by name or number; as root by default.
    ///
    /// Of a command that is not under [`sudo`](Self::sudo) it is an error: that would run as somebody else.
    pub fn user(self, user: impl Into<String>) -> Self {
        self.said("user", |connection| connection.sudo_user(user))
    }

    /// Runs the command under sudo in this group, by name or number.
    ///
    /// Of a command that is not under [`sudo`](Self::sudo) it is an error: that would run as somebody else.
    pub fn group(self, group: impl Into<String>) -> Self {
        self.said("group", |connection| connection.sudo_group(group))
    }

    /// Runs the command under sudo as a login would: in the user's home, with the user's profile (`sudo -i`).
    ///
    /// Of a command that is not under [`sudo`](Self::sudo) it is an error: that would run as somebody else.
    pub fn login(self) -> Self {
        self.said("login", Connection::sudo_login)
    }

    /// Lets the command under sudo keep the environment of the login (`sudo -E`), where the rules allow that. What
    /// [`env`](Self::env) says is there in any case.
    ///
    /// Of a command that is not under [`sudo`](Self::sudo) it is an error: it has that environment anyway.
    pub fn keep_env(self) -> Self {
        self.said("keep_env", |connection| connection.changed(|frame| frame.sudo_mut().keeps_env = true))
    }

    fn said(self, method: &'static str, change: impl FnOnce(&Connection) -> Connection) -> Self {
        self.changed(|spec| {
            spec.of_sudo = Some(method);
            spec.connection = change(&spec.connection);
        })
    }

    /// Runs the command inside the connection's virtualenv.
    pub(super) fn in_venv(self) -> Self {
        self.changed(|spec| spec.inside = Inside::Venv)
    }

    /// Calls the command so in messages, events and plans.
    pub(super) fn called(self, shown: &str) -> Self {
        self.changed(|spec| spec.shown = Some(shown.into()))
    }

    /// Gives the command what comes here as its input, when it says on its stdout that it is ready for it.
    pub(super) fn on_cue(self, cue: &'static str, input: mpsc::Receiver<Bytes>) -> Self {
        self.watch(Cue::new(cue, input))
    }

    /// Has the shell of the login greet, so that a host which gives none is known: `greeting` has heard it or not.
    pub(super) fn greeted(self, greeting: &Greeting) -> Self {
        self.watched_by(greeting.clone()).changed(|spec| spec.greets = true)
    }

    /// Lets `watch` hear the output, without an answer.
    pub(super) fn watched_by(self, watch: impl Watch + 'static) -> Self {
        self.changed(|spec| spec.watchers.add(Box::new(watch)))
    }

    /// Keeps this many bytes of the end of stdout in memory.
    pub(super) fn keeping(self, bytes: usize) -> Self {
        self.changed(|spec| spec.bound = bytes)
    }

    /// Runs the command under sudo, as [`Connection::sudo`] does: `v_run("..").sudo()` is inside the virtualenv too.
    pub fn sudo(self) -> Self {
        self.changed(|spec| spec.under = Under::Sudo)
    }

    /// Runs the command in this directory: [`Connection::cd`].
    pub fn cd(self, directory: impl AsRef<str>) -> Self {
        self.on(|connection| connection.cd(directory))
    }

    /// Looks in this folder for programs first: [`Connection::path`].
    pub fn path(self, folder: impl Into<String>) -> Self {
        self.on(|connection| connection.path(folder))
    }

    /// Has the command make files without these permissions: [`Connection::umask`].
    pub fn umask(self, mask: u32) -> Self {
        self.on(|connection| connection.umask(mask))
    }

    /// Runs this line before the command, in the same shell: [`Connection::prefix`].
    pub fn prefix(self, line: impl IntoShellLine) -> Self {
        self.on(|connection| connection.prefix(line))
    }

    /// Names the virtualenv of a `v_run`: [`Connection::venv`].
    pub fn venv(self, folder: impl AsRef<str>) -> Self {
        self.on(|connection| connection.venv(folder))
    }

    /// Runs the command by this shell: [`Connection::with_shell`].
    pub fn with_shell(self, shell: impl Into<String>) -> Self {
        self.on(|connection| connection.with_shell(shell))
    }

    fn on(self, change: impl FnOnce(&Connection) -> Connection) -> Self {
        self.changed(|spec| spec.connection = change(&spec.connection))
    }

    /// Sets a variable for this command: [`Connection::env`].
    pub fn env(self, name: impl Into<String>, value: impl Into<EnvValue>) -> Self {
        self.on(|connection| connection.env(name, value))
    }
}

/// Returns a duration of `n` seconds, for `.timeout(secs(30))`.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
