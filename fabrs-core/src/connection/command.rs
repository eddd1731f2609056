//! [`Command`]: one command line on its way to one host.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::{BoxFuture, FutureExt};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::again::repeat;
use super::finish::finish;
use super::frame::Form;
use super::greeting::greeted;
use super::handle::{Connection, Target};
use super::hide::Hide;
use super::line_stream::{Cut, LineStream, SharedQueue};
use super::recorder::{Recorder, SharedCapture, take};
use super::seat::Seat;
use super::spawned::Spawned;
use super::spec::{Spec, Under};
use super::sudo::elevate;
use super::tee::Tee;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;
use crate::output::{Output, Signal};
use crate::shell::ShellLine;
use crate::state::RunState;
use crate::transport::{Effect, Invocation, Permission, Receive, Request, Running, Signals, Stdin};

/// A command for one host: a builder, and the future of its [`Output`].
///
/// It starts when first polled, and belongs to the connection it was made by, so `select!`, `join!` and
/// `JoinSet::spawn` take it. A status other than 0 is an error of kind [`Exit`](ErrorKind::Exit), unless
/// [`warn`](Self::warn) was said.
///
/// # Cancel safety
///
/// Dropping a command that has started ends it on the host: its process group gets TERM, a second later KILL.
#[must_use = "a command does nothing until it is awaited"]
pub struct Command {
    state: State,
    /// Once it has started: whose tasks carry its attempts.
    run: Option<RunState>,
}

enum State {
    Made(Box<Spec>),
    Started(Box<Started>),
    /// On its way in more than one attempt: under sudo, or again after a failure.
    Attempts(BoxFuture<'static, Result<Output>>),
    Done,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: &dyn fmt::Debug = match &self.state {
            State::Made(spec) => spec,
            State::Started(started) => started,
            State::Attempts(_) => &"attempts",
            State::Done => &"done",
        };
        f.debug_tuple("Command").field(state).finish()
    }
}

/// A command that was handed to its transport.
#[derive(Debug)]
struct Started {
    running: Running,
    captured: SharedCapture,
    spec: Box<Spec>,
    shown: Arc<str>,
}

impl From<Spec> for Command {
    fn from(spec: Spec) -> Self {
        Self { state: State::Made(Box::new(spec)), run: None }
    }
}

impl Command {
    pub(crate) fn new(
        connection: Connection,
        line: ShellLine,
        effect: Effect,
        location: &'static Location<'static>,
    ) -> Self {
        Spec::new(connection, line, effect, location).into()
    }

    /// Changes how the command runs; after its start there is nothing to change any more.
    pub(super) fn changed(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        if let State::Made(spec) = &mut self.state {
            change(spec);
        }
        self
    }

    /// Starts the command now, with its output hidden, and returns its handle, to be awaited when it is needed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where the line can't be sent, and of one that is left to itself ([`disown`](Self::disown)).
    pub fn spawn(self) -> Result<Spawned> {
        let mut command = self.changed(|spec| spec.hide = Hide::Both);
        let (mut writer, mut signals) = (None, Signals::default());
        if let State::Made(spec) = &mut command.state {
            if spec.detached {
                let text = "a command that is left to itself has no handle";
                let error = Error::new(ErrorKind::Usage, text).or_on(spec.connection.host()).at(spec.location);
                return Err(error.hint("say `.disown()` or `.spawn()`"));
            }
            writer = spec.input.open();
            signals = spec.signals.clone();
        }
        command.start()?;
        command.drive();
        Ok(Spawned::new(command, writer, signals))
    }

    /// Starts the command now and returns the lines of its stdout as they come, rather than when it has ended: for `tail -f`.
    /// They are not shown.
    ///
    /// ```
    /// # use fabrs_core::{Client, ShellLine, Result};
    /// use futures::TryStreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let mut lines = here.run("echo one; echo two").stream_lines()?;
    /// while let Some(line) = lines.try_next().await? {
    ///     println!("{line}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn); each item as awaiting the command, and [`ErrorKind::Truncated`] where 64 MiB of lines wait
    /// for being read.
    pub fn stream_lines(self) -> Result<LineStream> {
        if let State::Made(spec) = &self.state
            && spec.again.is_some()
        {
            let text = "the lines of a command that is run again can't be told apart";
            let error = Error::new(ErrorKind::Usage, text).or_on(spec.connection.host()).at(spec.location);
            return Err(error.hint("leave `.retry(..)` or `.until(..)` out"));
        }
        let queue = SharedQueue::default();
        let cut = Cut::new(&queue);
        Ok(LineStream::new(queue, self.watched_by(cut).spawn()?))
    }

    /// Waits for the command in a plain function: on the blocking thread that a `fn` task runs on.
    ///
    /// # Errors
    ///
    /// As awaiting it, and [`ErrorKind::Usage`] where no tokio runtime is there.
    pub fn wait(self) -> Result<Output> {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime.block_on(self),
            Err(source) => Err(Error::new(ErrorKind::Usage, "`.wait()` was called outside a task").caused_by(source)),
        }
    }

    /// Awaits the command and returns the first line of its stdout: [`Output::line`].
    ///
    /// # Errors
    ///
    /// As awaiting it, and as [`Output::line`].
    #[track_caller]
    pub fn line(self) -> impl Future<Output = Result<String>> + Send {
        read(self, Location::caller(), Output::line)
    }

    /// Awaits the command and returns the lines of its stdout: [`Output::lines`].
    ///
    /// # Errors
    ///
    /// As awaiting it, and as [`Output::lines`].
    #[track_caller]
    pub fn lines(self) -> impl Future<Output = Result<Vec<String>>> + Send {
        read(self, Location::caller(), Output::lines)
    }

    /// Awaits the command, which may fail, and tells whether it returned 0.
    ///
    /// # Errors
    ///
    /// As awaiting it, except for its status.
    #[track_caller]
    pub fn ok(self) -> impl Future<Output = Result<bool>> + Send {
        read(self.warn(), Location::caller(), Output::ok)
    }

    /// Awaits the command and reads its stdout as JSON: [`Output::json`].
    ///
    /// # Errors
    ///
    /// As awaiting it, and as [`Output::json`].
    #[track_caller]
    pub fn json<T: DeserializeOwned>(self) -> impl Future<Output = Result<T>> + Send {
        read(self, Location::caller(), Output::json)
    }

    /// Has the attempts of a command go on by themselves, in a task of the client.
    fn drive(&mut self) {
        let (State::Attempts(_), Some(run)) = (&self.state, self.run.clone()) else { return };
        let State::Attempts(attempts) = std::mem::replace(&mut self.state, State::Done) else { return };
        let (mut sender, receiver) = oneshot::channel();
        run.tasks().spawn(async move {
            tokio::select! {
                // Whoever drops the handle drops the attempts, which ends them.
                () = sender.closed() => {}
                result = attempts => drop(sender.send(result)),
            }
        });
        let gone = |_| Err(Error::new(ErrorKind::Internal, "the task that carried the command is gone"));
        self.state = State::Attempts(async move { receiver.await.unwrap_or_else(gone) }.boxed());
    }

    /// Hands the command to its transport.
    fn start(&mut self) -> Result<()> {
        let spec = match std::mem::replace(&mut self.state, State::Done) {
            State::Made(spec) => spec,
            state => {
                self.state = state;
                return Ok(());
            }
        };
        spec.check_start()?;
        self.run.clone_from(&spec.connection.state);
        self.state = match (spec.again, spec.under) {
            (Some(again), _) => State::Attempts(repeat(spec, again).boxed()),
            (None, _) if spec.needs_terminal() => State::Attempts(on_terminal(spec).boxed()),
            (None, Under::Login) => State::Started(Box::new(start(spec)?)),
            (None, Under::Sudo | Under::Validation) => State::Attempts(elevate(spec).boxed()),
        };
        Ok(())
    }
}

/// Runs an interactive command as soon as it has the terminal.
async fn on_terminal(mut spec: Box<Spec>) -> Result<Output> {
    spec.take_terminal().await?;
    Command::from(*spec).await
}

/// Awaits a command and reads its output; an error of the reading names the line that asked for it.
async fn read<T>(
    command: Command,
    location: &'static Location<'static>,
    read: impl Fn(&Output) -> Result<T>,
) -> Result<T> {
    let output = command.await?;
    // Where a dry run ends is remembered, so the line has to be right from the start.
    output.status_for(location)?;
    read(&output).map_err(|error| error.at(location))
}

/// One way to hand a command to its transport.
pub(super) struct Attempt {
    pub(super) line: Arc<str>,
    pub(super) shown: Arc<str>,
    pub(super) stdin: Stdin,
    pub(super) last_signal: Signal,
}

fn start(mut spec: Box<Spec>) -> Result<Started> {
    let host = spec.place()?;
    if let Some(method) = spec.of_sudo {
        let text = format!("`.{method}(..)` says how sudo runs a command, and `{}` is not under sudo", spec.line);
        let error = Error::new(ErrorKind::Usage, text).on(host).at(spec.location);
        return Err(error.hint("say `sudo(..)`, or `.sudo()` on the command"));
    }
    let compose = |form| -> Result<Arc<str>> {
        spec.compose(form).map(Arc::from).map_err(|source| {
            let error = Error::new(ErrorKind::Usage, format!("`{}` can't be sent", spec.line));
            error.on(host).at(spec.location).caused_by(source)
        })
    };
    let command = compose(Form::Sent)?;
    let shown = match &spec.shown {
        Some(shown) => Arc::clone(shown),
        None if !spec.detached && spec.connection.frame.is_bare(spec.inside) => Arc::clone(&command),
        None => compose(Form::Shown)?,
    };
    let stdin = spec.take_stdin()?;
    let shown = match spec.connection.redactor().text(&shown) {
        Cow::Borrowed(_) => shown,
        Cow::Owned(text) => text.into(),
    };
    let (recorder, captured) = announce(&spec, &shown)?;
    let attempt = Attempt { line: command, shown: Arc::clone(&shown), stdin, last_signal: Signal::new("KILL") };
    let running = launch(&spec, attempt, Box::new(recorder))?;
    Ok(Started { running, captured, spec, shown })
}

/// Returns the host of a connection and its client, or why there is none, or why the plan of its task has ended.
pub(crate) fn bound<'a>(
    connection: &'a Connection,
    at: &'static Location<'static>,
) -> Result<(&'a Host, &'a RunState)> {
    if let Some(ended) = connection.plan.get() {
        return Err(ended.clone());
    }
    match (&connection.target, &connection.state) {
        (Target::Host { host, .. }, Some(run)) => Ok((host, run)),
        (Target::Nowhere(error), _) => Err(error.clone().at(error.location().unwrap_or(at))),
        (Target::Host { .. }, None) => Err(Error::new(ErrorKind::Internal, "a connection without a run")),
    }
}

/// Tells that a command begins, and makes its recorder and the capture that it fills.
pub(super) fn announce(spec: &Spec, shown: &str) -> Result<(Recorder, SharedCapture)> {
    let host = spec.connection.host().cloned().unwrap_or_else(Host::local);
    // Before anything is told, and not where the command is only planned: an old file would be emptied for nothing.
    let makes_changes = spec.connection.permission() == Permission::Make;
    let runs = spec.effect == Effect::Reads || makes_changes;
    let tee = spec.tee.as_deref().filter(|_| makes_changes).map(Tee::create).transpose();
    let tee = tee.map_err(|error| error.or_on(spec.connection.host()).at(spec.location))?;
    let sink = spec.connection.sink();
    // What is only planned is told by the plan. Transfers have a name, and hide the words of their scripts.
    let is_quiet = spec.is_quiet && spec.shown.is_none();
    let echo = runs
        && !is_quiet
        && spec.echo.unwrap_or_else(|| spec.connection.defaults().is_some_and(|defaults| defaults.echo));
    let number = spec.connection.state.as_ref().map_or(0, RunState::next_number);
    sink.event(&Event::CommandStarted { number, host: &host, command: shown, echo });
    let (recorder, captured) = Recorder::new(number, host, shown.into(), sink, spec.hide, spec.bound);
    let recorder = recorder.with_watchers(spec.watchers.clone()).with_redactor(spec.connection.redactor());
    Ok((recorder.with_tee(tee).with_screen(spec.seat.as_ref().map(Seat::screen)), captured))
}

/// Hands one attempt at a command to its transport.
pub(super) fn launch(spec: &Spec, attempt: Attempt, receiver: Box<dyn Receive>) -> Result<Running> {
    let (host, run) = bound(&spec.connection, spec.location)?;
    let Target::Host { transport, .. } = &spec.connection.target else {
        return Err(Error::new(ErrorKind::Internal, "a host without a transport").on(host));
    };
    let defaults = run.defaults();
    let Attempt { line, shown, stdin, last_signal } = attempt;
    let (line, stdin) = if spec.greets { greeted(&line, stdin) } else { (line, stdin) };
    // A line may have a known secret without a mark, such as the password in the URL of a repository.
    let is_known = |text: &[u8]| matches!(run.redactor().bytes(text), Cow::Owned(_));
    let has_secret = spec.has_secret() || is_known(line.as_bytes()) || stdin.known().is_some_and(is_known);
    let program = spec.program(line);
    Ok(transport.start(Request {
        host: host.clone(),
        invocation: Invocation { program, shown, pty: spec.pty.clone(), stdin, has_secret, last_signal },
        effect: spec.effect,
        is_check: spec.is_check,
        timeout: spec.timeout.or(defaults.timeout),
        ahead: defaults.prefetch_channel,
        signals: spec.signals.clone(),
        receiver,
        stop: run.stop().clone(),
    }))
}

impl Future for Command {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Err(error) = self.start() {
            return Poll::Ready(Err(error));
        }
        let result = match &mut self.state {
            State::Started(started) => {
                let end = ready!(Pin::new(&mut started.running).poll(cx));
                finish(&started.spec, &started.shown, take(&started.captured), end)
            }
            State::Attempts(attempts) => ready!(attempts.as_mut().poll(cx)),
            State::Made(_) | State::Done => {
                Err(Error::new(ErrorKind::Usage, "a command was awaited after it had ended"))
            }
        };
        self.state = State::Done;
        Poll::Ready(result)
    }
}
