//! [`CommandSpec`]: the settings of a command before the start.

use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::context::{Activation, CommandContext, ContextError, Language, Rendering, detached};
use super::handle::Connection;
use super::hide::Hide;
use super::raw_terminal::RawTerminalGuard;
use super::retry_policy::RetryPolicy;
use super::stdin_plan::{StdinPlan, StdinWriter};
use super::watch::Watchers;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::output::{ExitStatus, TailBuffer};
use crate::secret::Secret;
use crate::shell::ShellLine;
use crate::transport::{Effect, EffectMode, Program, Pty, SignalQueue, StdinSource};

/// The settings of a command before the start.
#[derive(Debug)]
pub(super) struct CommandSpec {
    pub(super) connection: Connection,
    pub(super) line: ShellLine,
    /// The name in messages, if the line itself is unclear.
    pub(super) display_name: Option<Arc<str>>,
    pub(super) effect: Effect,
    /// True if the command is a check made by fabrs: the comparison of a transfer, or a test of
    /// sudo.
    pub(super) is_check: bool,
    pub(super) activation: Activation,
    pub(super) privilege: Privilege,
    /// The name of a called method that requires sudo.
    pub(super) sudo_only_method: Option<&'static str>,
    pub(super) location: &'static Location<'static>,
    pub(super) accepted: AcceptedStatus,
    pub(super) hide: Hide,
    /// True if the task has hidden both streams and the command line.
    pub(super) is_quiet: bool,
    pub(super) echo: Option<bool>,
    pub(super) pty: Option<Pty>,
    /// True if this program's terminal is connected to the command.
    pub(super) interactive: bool,
    /// The terminal, while connected to the command.
    pub(super) terminal: Option<RawTerminalGuard>,
    pub(super) timeout: Option<Duration>,
    pub(super) stdin: StdinPlan,
    /// The secrets in the stdin.
    pub(super) secrets: Vec<Secret>,
    /// True if the command uploads a secret.
    pub(super) carries_secret: bool,
    pub(super) watchers: Watchers,
    /// Signals from the handle of the command.
    pub(super) signals: SignalQueue,
    /// The retry policy.
    pub(super) retry: Option<RetryPolicy>,
    pub(super) capture_limit: usize,
    /// The file for a copy of the output.
    pub(super) tee: Option<PathBuf>,
    /// True if the command continues after the end of the channel.
    pub(super) detached: bool,
    /// True if the script prints the shell marker.
    pub(super) has_shell_probe: bool,
    pub(super) language: Language,
    /// The context of the connection that created a `local` command. It does not apply on this
    /// machine.
    pub(super) host_context: Option<Box<CommandContext>>,
}

impl CommandSpec {
    /// Returns a copy of the settings for one of several attempts.
    pub(super) fn for_attempt(&self) -> Result<Self> {
        let Some(stdin) = self.stdin.try_clone() else {
            let text = "a stream or watcher for the stdin cannot be used for a second attempt";
            let error = Error::new(ErrorKind::Usage, text).or_on(self.connection.host()).at(self.location);
            return Err(error.hint("remove `.retry(..)` or `.retry_for(..)`"));
        };
        Ok(Self {
            connection: self.connection.clone(),
            line: self.line.clone(),
            display_name: self.display_name.clone(),
            accepted: self.accepted.clone(),
            stdin,
            secrets: self.secrets.clone(),
            carries_secret: self.carries_secret,
            watchers: Watchers::default(),
            signals: self.signals.clone(),
            tee: self.tee.clone(),
            pty: self.pty.clone(),
            terminal: None,
            retry: None,
            host_context: None,
            ..*self
        })
    }

    /// Returns the line with the context (directory, environment, prefixes), without sudo.
    pub(super) fn compose(&self, rendering: Rendering) -> std::result::Result<String, ContextError> {
        let line = self.connection.context.compose(&self.line, self.activation, self.language, rendering)?;
        if self.detached { Ok(detached(&line, rendering)?) } else { Ok(line) }
    }

    /// Returns the program that runs a composed line.
    pub(super) fn program(&self, line: Arc<str>) -> Program {
        // Lines for sudo and `disown` are scripts of fabrs.
        let is_internal = self.detached || self.privilege != Privilege::Login;
        self.connection.context.program(line, if is_internal { Language::Posix } else { self.language })
    }

    /// Returns the host of the command.
    ///
    /// # Errors
    ///
    /// As [`Connection::host_and_run`], and [`ErrorKind::Usage`] for a `v_run` without a
    /// virtualenv.
    pub(super) fn checked_host(&self) -> Result<&Host> {
        let (host, _) = self.connection.host_and_run(self.location)?;
        if self.activation == Activation::Venv && !self.connection.context.has_venv() {
            let error = Error::new(ErrorKind::Usage, "no virtualenv is set for `v_run`").on(host).at(self.location);
            return Err(error.hint("set `.venv(\"/srv/app/env\")`, or `virtualenv` in fabrs.toml"));
        }
        Ok(host)
    }

    /// Checks the preconditions of a start, before the first attempt: a host and an unfinished
    /// plan. A `local` command must not have settings of the connection.
    ///
    /// # Errors
    ///
    /// As [`Connection::host_and_run`], and [`ErrorKind::Usage`] for a `local` command with
    /// settings of the connection.
    pub(super) fn check_start(&self) -> Result<()> {
        self.connection.host_and_run(self.location)?;
        let ignored_settings = self
            .host_context
            .as_ref()
            .map(|context| context.settings(self.privilege != Privilege::Login))
            .unwrap_or_default();
        if ignored_settings.is_empty() {
            return Ok(());
        }
        let calls: Vec<String> = ignored_settings.iter().map(|method| format!("`.{method}(..)`")).collect();
        let text =
            format!("`{}` runs on this machine and would ignore {} of the connection", self.line, calls.join(", "));
        let hint = "call the function `local(..)`, and configure the command itself: `local(\"make\").cd(\"src\")`";
        Err(Error::new(ErrorKind::Usage, text).at(self.location).hint(hint))
    }

    /// Returns `true` if the command or its stdin is marked as secret.
    pub(super) fn has_secret(&self) -> bool {
        self.carries_secret || !self.secrets.is_empty() || self.connection.context.secrets().next().is_some()
    }

    /// Returns `true` if an interactive command still has to acquire the terminal.
    pub(super) fn needs_terminal(&self) -> bool {
        self.interactive && self.terminal.is_none() && self.connection.effect_mode() == EffectMode::Execute
    }

    /// Acquires the terminal for an interactive command.
    ///
    /// # Errors
    ///
    /// As [`RawTerminalGuard::acquire`].
    pub(super) async fn acquire_terminal(&mut self) -> Result<()> {
        let (_, run) = self.connection.host_and_run(self.location)?;
        let acquired = RawTerminalGuard::acquire(run).await;
        let (terminal, pty) = acquired.map_err(|error| error.or_on(self.connection.host()).at(self.location))?;
        (self.terminal, self.pty) = (Some(terminal), Some(pty));
        Ok(())
    }

    /// Removes and returns the stdin of the command, preceded by the secret variables of the line.
    /// All secrets are redacted from now on.
    pub(super) fn take_stdin(&mut self) -> Result<StdinSource> {
        let (_, run) = self.connection.host_and_run(self.location)?;
        let context = &self.connection.context;
        for secret in context.secrets().chain(&self.secrets) {
            run.add_secret(secret);
        }
        if self.pty.is_some() && self.terminal.is_none() && context.secrets().next().is_some() {
            let text = "a command on a pty cannot receive a secret variable, since a terminal echoes its input";
            let error = Error::new(ErrorKind::Usage, text).or_on(self.connection.host()).at(self.location);
            return Err(error.hint("remove `.pty()`, or send the secret with `.watch(Responder::new(..))`"));
        }
        if self.effect == Effect::Changes && self.connection.effect_mode() == EffectMode::Plan {
            std::mem::take(&mut self.stdin).discard(run);
            return Ok(StdinSource::Empty);
        }
        let writer = StdinWriter { run, signals: &self.signals, watchers: &self.watchers };
        let prefix = context.input();
        if self.detached && !(prefix.is_empty() && self.stdin.is_empty()) {
            let text = "a disowned command has no stdin, so it cannot receive input or a secret variable";
            let error = Error::new(ErrorKind::Usage, text).or_on(self.connection.host()).at(self.location);
            return Err(error.hint("upload the input to a file first"));
        }
        let stdin = std::mem::take(&mut self.stdin);
        stdin.into_source(prefix, &writer).map_err(|error| error.or_on(self.connection.host()).at(self.location))
    }
}

/// The exit statuses that count as success.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum AcceptedStatus {
    /// Status 0.
    #[default]
    Zero,
    /// The listed exit codes.
    Codes(Vec<u32>),
    /// Any status or signal.
    Any,
    /// Only exit code 0, even if the run accepts failures: a retry has to detect a failure.
    OnlyZero,
}

impl AcceptedStatus {
    /// Returns the exit statuses that end a series of attempts.
    pub(super) fn for_attempt(&self) -> Self {
        match self {
            Self::Codes(codes) => Self::Codes(codes.clone()),
            Self::Zero | Self::Any | Self::OnlyZero => Self::OnlyZero,
        }
    }

    pub(super) fn includes(&self, status: &ExitStatus) -> bool {
        match (self, status) {
            (Self::Any, _) => true,
            (Self::Zero | Self::OnlyZero, status) => status.success(),
            (Self::Codes(codes), ExitStatus::Code(code)) => codes.contains(code),
            (Self::Codes(_), ExitStatus::Signal(_)) => false,
        }
    }
}

/// The privileges of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Privilege {
    /// The privileges of the login.
    #[default]
    Login,
    /// The privileges granted by sudo.
    Sudo,
    /// No command: `sudo -v` only checks the privileges.
    Validation,
}

impl CommandSpec {
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
            display_name: None,
            effect,
            is_check: false,
            activation: Activation::default(),
            privilege: Privilege::default(),
            sudo_only_method: None,
            location,
            accepted: AcceptedStatus::default(),
            hide,
            is_quiet: false,
            echo: None,
            pty: None,
            interactive: false,
            terminal: None,
            timeout: None,
            stdin: StdinPlan::default(),
            secrets: Vec::new(),
            carries_secret: false,
            watchers: Watchers::default(),
            signals: SignalQueue::default(),
            retry: None,
            capture_limit: TailBuffer::DEFAULT_BOUND,
            tee: None,
            detached: false,
            has_shell_probe: false,
            language: Language::default(),
            host_context: None,
        }
    }
}
