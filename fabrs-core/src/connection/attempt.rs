//! [`StartedAttempt`]: one attempt of a command, from the composed line to its result.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::context::Rendering;
use super::finish::finish;
use super::raw_terminal::RawTerminalGuard;
use super::recorder::{Recorder, SharedCapture, take_capture};
use super::shell_probe::with_shell_marker;
use super::spec::CommandSpec;
use super::tee::Tee;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;
use crate::output::{Output, Signal};
use crate::state::RunState;
use crate::transport::{
    Effect, EffectMode, Invocation, OutputReceiver, PlanTexts, Request, RunningCommand, StdinSource,
};

/// An attempt started on the transport.
#[derive(Debug)]
pub(super) struct StartedAttempt {
    running: RunningCommand,
    captured: SharedCapture,
    spec: Box<CommandSpec>,
    shown: Arc<str>,
}

impl Future for StartedAttempt {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let end = ready!(Pin::new(&mut self.running).poll(cx));
        Poll::Ready(finish(&self.spec, &self.shown, take_capture(&self.captured), end))
    }
}

/// The parts of an attempt for the transport.
pub(super) struct Attempt {
    pub(super) line: Arc<str>,
    pub(super) shown: Arc<str>,
    pub(super) plan: Option<PlanTexts>,
    pub(super) stdin: StdinSource,
    pub(super) last_signal: Signal,
}

/// Starts a command without sudo.
pub(super) fn start(mut spec: Box<CommandSpec>) -> Result<StartedAttempt> {
    let host = spec.checked_host()?;
    if let Some(method) = spec.sudo_only_method {
        let text = format!("`.{method}(..)` requires sudo, and `{}` is not under sudo", spec.line);
        let error = Error::new(ErrorKind::Usage, text).on(host).at(spec.location);
        return Err(error.hint("use `sudo(..)`, or add `.sudo()` to the command"));
    }
    let compose = |rendering| -> Result<Arc<str>> {
        spec.compose(rendering).map(Arc::from).map_err(|source| {
            let error = Error::new(ErrorKind::Usage, format!("`{}` can't be sent", spec.line));
            error.on(host).at(spec.location).caused_by(source)
        })
    };
    let command = compose(Rendering::Sent)?;
    let shown = match &spec.display_name {
        Some(shown) => Arc::clone(shown),
        None if !spec.detached && spec.connection.context.is_bare(spec.activation) => Arc::clone(&command),
        None => compose(Rendering::Shown)?,
    };
    let plan = plan_texts(&spec, || compose(Rendering::Shown), || spec.line.to_string().into())?;
    let stdin = spec.take_stdin()?;
    let shown = match spec.connection.redactor().text(&shown) {
        Cow::Borrowed(_) => shown,
        Cow::Owned(text) => text.into(),
    };
    let (recorder, captured) = emit_start(&spec, &shown)?;
    let last_signal = Signal::new("KILL");
    let attempt = Attempt { line: command, shown: Arc::clone(&shown), plan, stdin, last_signal };
    let running = launch(&spec, attempt, Box::new(recorder))?;
    Ok(StartedAttempt { running, captured, spec, shown })
}

/// Returns the texts of a planned command. `short` is the text of a command without a name. Returns
/// `None` for a command to execute.
///
/// # Errors
///
/// The error of `compose`.
pub(super) fn plan_texts(
    spec: &CommandSpec,
    compose: impl FnOnce() -> Result<Arc<str>>,
    short: impl FnOnce() -> Arc<str>,
) -> Result<Option<PlanTexts>> {
    if spec.effect == Effect::Reads || spec.connection.effect_mode() == EffectMode::Execute {
        return Ok(None);
    }
    let redacted = |text: Arc<str>| spec.connection.redactor().text(&text).into();
    let short = spec.display_name.clone().unwrap_or_else(short);
    Ok(Some(PlanTexts { short: redacted(short), shell_line: redacted(compose()?) }))
}

/// Emits the start of a command. Returns the recorder, and the capture filled by the recorder.
pub(super) fn emit_start(spec: &CommandSpec, shown: &str) -> Result<(Recorder, SharedCapture)> {
    let host = spec.connection.host().cloned().unwrap_or_else(Host::local);
    // The `tee` file is created before the start event. A dry run does not create the file, since
    // creation would empty an existing file.
    let makes_changes = spec.connection.effect_mode() == EffectMode::Execute;
    let runs = spec.effect == Effect::Reads || makes_changes;
    let tee = spec.tee.as_deref().filter(|_| makes_changes).map(Tee::create).transpose();
    let tee = tee.map_err(|error| error.or_on(spec.connection.host()).at(spec.location))?;
    let sink = spec.connection.sink();
    // A planned command is not echoed, since the plan reports it. A hidden command with a name,
    // such as a transfer, is echoed by its name.
    let is_quiet = spec.is_quiet && spec.display_name.is_none();
    let echo = runs
        && !is_quiet
        && spec.echo.unwrap_or_else(|| spec.connection.defaults().is_some_and(|defaults| defaults.echo));
    let number = spec.connection.state.as_ref().map_or(0, RunState::next_number);
    sink.event(&Event::CommandStarted { id: number, host: &host, command: shown, is_echoed: echo });
    let (recorder, captured) = Recorder::new(number, host, shown.into(), sink, spec.hide, spec.capture_limit);
    let recorder = recorder.with_watchers(spec.watchers.clone()).with_redactor(spec.connection.redactor());
    Ok((recorder.with_tee(tee).with_screen(spec.terminal.as_ref().map(RawTerminalGuard::screen)), captured))
}

/// Starts an attempt of a command on the transport.
pub(super) fn launch(
    spec: &CommandSpec,
    attempt: Attempt,
    receiver: Box<dyn OutputReceiver>,
) -> Result<RunningCommand> {
    let (host, run) = spec.connection.host_and_run(spec.location)?;
    let Some(transport) = spec.connection.transport() else {
        return Err(Error::new(ErrorKind::Internal, "internal error: the host has no transport").on(host));
    };
    let defaults = run.defaults();
    let Attempt { line, shown, plan, stdin, last_signal } = attempt;
    let (line, stdin) = if spec.has_shell_probe { with_shell_marker(&line, stdin) } else { (line, stdin) };
    // A line may contain a known secret that is not marked as secret, such as the password in the
    // URL of a repository.
    let is_known = |text: &[u8]| matches!(run.redactor().bytes(text), Cow::Owned(_));
    let has_secret = spec.has_secret() || is_known(line.as_bytes()) || stdin.known().is_some_and(is_known);
    let program = spec.program(line);
    Ok(transport.start(Request {
        host: host.clone(),
        invocation: Invocation { program, shown, plan, pty: spec.pty.clone(), stdin, has_secret, last_signal },
        effect: spec.effect,
        is_check: spec.is_check,
        timeout: spec.timeout.or(defaults.timeout),
        prefetch_channel: defaults.prefetch_channel,
        signals: spec.signals.clone(),
        receiver,
        stop: run.stop().clone(),
    }))
}
