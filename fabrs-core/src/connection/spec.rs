//! [`Spec`]: the settings of a command before its start.

use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::context::{CommandContext, ContextError, Inside, Language, Rendering, detached};
use super::handle::Connection;
use super::hide::Hide;
use super::input::{Feeder, Input};
use super::raw_terminal::RawTerminalGuard;
use super::retry_policy::RetryPolicy;
use super::watch::Watchers;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::output::{ExitStatus, TailBuffer};
use crate::secret::Secret;
use crate::shell::ShellLine;
use crate::transport::{Effect, EffectMode, Program, Pty, SignalQueue, StdinSource};

/// The settings of a command before its start.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) connection: Connection,
    pub(super) line: ShellLine,
    /// The name for messages, if the line itself is unclear.
    pub(super) shown: Option<Arc<str>>,
    pub(super) effect: Effect,
    /// Whether it is a check of fabrs itself: the comparison of a transfer, or a try of sudo.
    pub(super) is_check: bool,
    pub(super) inside: Inside,
    pub(super) under: Privilege,
    /// The name of a called method that only applies under sudo.
    pub(super) of_sudo: Option<&'static str>,
    pub(super) location: &'static Location<'static>,
    pub(super) accepts: Accepts,
    pub(super) hide: Hide,
    /// Whether the task has hidden both streams, and the command line with them.
    pub(super) is_quiet: bool,
    pub(super) echo: Option<bool>,
    pub(super) pty: Option<Pty>,
    /// Whether the command takes over this program's terminal.
    pub(super) interactive: bool,
    /// The terminal, while the command has it.
    pub(super) seat: Option<RawTerminalGuard>,
    pub(super) timeout: Option<Duration>,
    pub(super) input: Input,
    /// The secrets in the input.
    pub(super) secrets: Vec<Secret>,
    /// Whether the command uploads a secret.
    pub(super) carries_secret: bool,
    pub(super) watchers: Watchers,
    /// Signals from the handle of the command.
    pub(super) signals: SignalQueue,
    /// The retry policy.
    pub(super) retry: Option<RetryPolicy>,
    pub(super) bound: usize,
    /// The file for a copy of the output.
    pub(super) tee: Option<PathBuf>,
    /// Whether the command goes on after the end of its channel.
    pub(super) detached: bool,
    /// Whether the script prints a greeting as proof of a shell.
    pub(super) greets: bool,
    pub(super) language: Language,
    /// The host's settings of a `local` command. They do not apply on this machine.
    pub(super) host_frame: Option<Box<CommandContext>>,
}

impl Spec {
    /// Returns the same command for one attempt of several.
    pub(super) fn once_more(&self) -> Result<Self> {
        let Some(input) = self.input.once_more() else {
            let text = "what a command reads as it comes, or is answered, is not there a second time";
            let error = Error::new(ErrorKind::Usage, text).or_on(self.connection.host()).at(self.location);
            return Err(error.hint("leave `.retry(..)` or `.retry_for(..)` out"));
        };
        Ok(Self {
            connection: self.connection.clone(),
            line: self.line.clone(),
            shown: self.shown.clone(),
            accepts: self.accepts.clone(),
            input,
            secrets: self.secrets.clone(),
            carries_secret: self.carries_secret,
            watchers: Watchers::default(),
            signals: self.signals.clone(),
            tee: self.tee.clone(),
            pty: self.pty.clone(),
            seat: None,
            retry: None,
            host_frame: None,
            ..*self
        })
    }

    /// Returns the line with its frame (directory, environment and others), without sudo.
    pub(super) fn compose(&self, form: Rendering) -> std::result::Result<String, ContextError> {
        let line = self.connection.frame.compose(&self.line, self.inside, self.language, form)?;
        if self.detached { Ok(detached(&line, form)?) } else { Ok(line) }
    }

    /// Returns the program that runs a composed line.
    pub(super) fn program(&self, line: Arc<str>) -> Program {
        // Lines of sudo and of `disown` are fabrs' own.
        let is_ours = self.detached || self.under != Privilege::Login;
        self.connection.frame.program(line, if is_ours { Language::Posix } else { self.language })
    }

    /// Returns the host of the command.
    ///
    /// # Errors
    ///
    /// As [`bound`], and [`ErrorKind::Usage`] for a `v_run` without a virtualenv.
    pub(super) fn place(&self) -> Result<&Host> {
        let (host, _) = self.connection.host_and_run(self.location)?;
        if self.inside == Inside::Venv && !self.connection.frame.has_venv() {
            let error = Error::new(ErrorKind::Usage, "no virtualenv was named for `v_run`").on(host).at(self.location);
            return Err(error.hint("say `.venv(\"/srv/app/env\")`, or `virtualenv` in fabrs.toml"));
        }
        Ok(host)
    }

    /// Checks that the command starts at all, before its first attempt: it has a host, its task's plan goes on, and it needs no
    /// setting that stays with another host.
    ///
    /// # Errors
    ///
    /// As [`bound`], and [`ErrorKind::Usage`] for a `local` with settings of its connection.
    pub(super) fn check_start(&self) -> Result<()> {
        self.connection.host_and_run(self.location)?;
        let lost =
            self.host_frame.as_ref().map(|frame| frame.settings(self.under != Privilege::Login)).unwrap_or_default();
        if lost.is_empty() {
            return Ok(());
        }
        let calls: Vec<String> = lost.iter().map(|method| format!("`.{method}(..)`")).collect();
        let text = format!("`{}` runs on this machine, without {} of the connection", self.line, calls.join(", "));
        let hint = "write `local(..)`, and change the command for this machine: `local(\"make\").cd(\"src\")`";
        Err(Error::new(ErrorKind::Usage, text).at(self.location).hint(hint))
    }

    /// Returns whether the command or its input is marked to have a secret.
    pub(super) fn has_secret(&self) -> bool {
        self.carries_secret || !self.secrets.is_empty() || self.connection.frame.secrets().next().is_some()
    }

    /// Returns true for an interactive command that has yet to take the terminal.
    pub(super) fn needs_terminal(&self) -> bool {
        self.interactive && self.seat.is_none() && self.connection.effect_mode() == EffectMode::Execute
    }

    /// Takes the terminal for an interactive command.
    ///
    /// # Errors
    ///
    /// As [`RawTerminalGuard::take`].
    pub(super) async fn take_terminal(&mut self) -> Result<()> {
        let (_, run) = self.connection.host_and_run(self.location)?;
        let taken = RawTerminalGuard::take(run).await;
        let (seat, pty) = taken.map_err(|error| error.or_on(self.connection.host()).at(self.location))?;
        (self.seat, self.pty) = (Some(seat), Some(pty));
        Ok(())
    }

    /// Takes what the command reads, with what its line reads before it, and keeps the secrets of both out of what is shown.
    pub(super) fn take_stdin(&mut self) -> Result<StdinSource> {
        let (_, run) = self.connection.host_and_run(self.location)?;
        let frame = &self.connection.frame;
        for secret in frame.secrets().chain(&self.secrets) {
            run.add_secret(secret);
        }
        if self.pty.is_some() && self.seat.is_none() && frame.secrets().next().is_some() {
            let text = "a command on a pty can't be given a secret variable: what is typed there is shown";
            let error = Error::new(ErrorKind::Usage, text).or_on(self.connection.host()).at(self.location);
            return Err(error.hint("leave `.pty()` out, or give it by `.watch(Responder::new(..))`"));
        }
        if self.effect == Effect::Changes && self.connection.effect_mode() == EffectMode::Plan {
            std::mem::take(&mut self.input).discard(run);
            return Ok(StdinSource::Empty);
        }
        let feeder = Feeder { run, signals: &self.signals, watchers: &self.watchers };
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

/// The exit statuses that count as success.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Accepts {
    /// Status 0.
    #[default]
    Success,
    /// These statuses.
    Codes(Vec<u32>),
    /// Any status or signal.
    Any,
    /// Status 0, also if the run accepts failures: a retry has to see a failure.
    OnlySuccess,
}

impl Accepts {
    /// Returns the exit statuses that end a series of attempts.
    pub(super) fn for_an_attempt(&self) -> Self {
        match self {
            Self::Codes(codes) => Self::Codes(codes.clone()),
            Self::Success | Self::Any | Self::OnlySuccess => Self::OnlySuccess,
        }
    }

    pub(super) fn takes(&self, status: &ExitStatus) -> bool {
        match (self, status) {
            (Self::Any, _) => true,
            (Self::Success | Self::OnlySuccess, status) => status.success(),
            (Self::Codes(codes), ExitStatus::Code(code)) => codes.contains(code),
            (Self::Codes(_), ExitStatus::Signal(_)) => false,
        }
    }
}

/// The rights of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Privilege {
    /// The rights of the login.
    #[default]
    Login,
    /// The rights that sudo gives.
    Sudo,
    /// None: `sudo -v` only checks the rights.
    Validation,
}

impl Spec {
    pub(super) fn new(
        connection: Connection,
        line: ShellLine,
        effect: Effect,
        location: &'static Location<'static>,
    ) -> Self {
        // The output of a probe is for the program, not for the user.
        let hide = match effect {
            Effect::Reads => Hide::Stdout,
            Effect::Changes => Hide::Nothing,
        };
        Self {
            connection,
            line,
            shown: None,
            effect,
            is_check: false,
            inside: Inside::default(),
            under: Privilege::default(),
            of_sudo: None,
            location,
            accepts: Accepts::default(),
            hide,
            is_quiet: false,
            echo: None,
            pty: None,
            interactive: false,
            seat: None,
            timeout: None,
            input: Input::default(),
            secrets: Vec::new(),
            carries_secret: false,
            watchers: Watchers::default(),
            signals: SignalQueue::default(),
            retry: None,
            bound: TailBuffer::DEFAULT_BOUND,
            tee: None,
            detached: false,
            greets: false,
            language: Language::default(),
            host_frame: None,
        }
    }
}
