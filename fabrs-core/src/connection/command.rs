//! [`Command`]: one command line on its way to one host.

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use serde::de::DeserializeOwned;

use super::builder::Spec;
use super::recorder::{Recorder, SharedCapture, take};
use super::spawned::Spawned;
use super::{Connection, Hide, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Stream};
use crate::output::{Ended, Output, Record, Signal};
use crate::shell::ShellLine;
use crate::transport::{Effect, End, How, Invocation, Program, Request, Running};

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
#[derive(Debug)]
pub struct Command {
    state: State,
}

#[derive(Debug)]
enum State {
    Made(Box<Spec>),
    Started(Box<Started>),
    Done,
}

/// A command that was handed to its transport.
#[derive(Debug)]
struct Started {
    running: Running,
    captured: SharedCapture,
    spec: Box<Spec>,
    command: Arc<str>,
}

impl Command {
    pub(crate) fn new(
        connection: Connection,
        line: ShellLine,
        effect: Effect,
        location: &'static Location<'static>,
    ) -> Self {
        Self { state: State::Made(Box::new(Spec::new(connection, line, effect, location))) }
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
    /// [`ErrorKind::Usage`] where the line can't be sent.
    pub fn spawn(self) -> Result<Spawned> {
        let mut command = self.hide(Hide::Both);
        command.start()?;
        Ok(Spawned::new(command))
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

    /// Hands the command to its transport.
    fn start(&mut self) -> Result<()> {
        let spec = match std::mem::replace(&mut self.state, State::Done) {
            State::Made(spec) => spec,
            state => {
                self.state = state;
                return Ok(());
            }
        };
        self.state = State::Started(Box::new(start(spec)?));
        Ok(())
    }
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

fn start(mut spec: Box<Spec>) -> Result<Started> {
    let location = spec.location;
    let connection = &spec.connection;
    if let Some(ended) = connection.plan.get() {
        return Err(ended.clone());
    }
    let (host, transport, client) = match (&connection.target, &connection.client) {
        (Target::Host { host, transport }, Some(client)) => (host, transport, client),
        (Target::Nowhere(error), _) => return Err(error.clone().at(error.location().unwrap_or(location))),
        (Target::Host { .. }, None) => return Err(Error::new(ErrorKind::Internal, "a connection without a client")),
    };
    let command: Arc<str> = match connection.frame.compose(&spec.line) {
        Ok(text) => text.into(),
        Err(source) => {
            let error = Error::new(ErrorKind::Usage, format!("`{}` can't be sent", spec.line));
            return Err(error.on(host).at(location).caused_by(source));
        }
    };
    let defaults = client.defaults();
    let echo = spec.echo.unwrap_or(defaults.echo);
    client.sink().event(&Event::CommandStarted { host, command: &command, echo });
    let (recorder, captured) =
        Recorder::new(host.clone(), Arc::clone(&command), Arc::clone(client.sink()), spec.hide, spec.bound);
    let running = transport.start(Request {
        host: host.clone(),
        invocation: Invocation {
            program: Program::Line(Arc::clone(&command)),
            shown: Arc::clone(&command),
            pty: spec.pty,
            stdin: std::mem::take(&mut spec.stdin),
            last_signal: Signal::new("KILL"),
        },
        effect: spec.effect,
        timeout: spec.timeout.or(defaults.timeout),
        ahead: defaults.ahead,
        receiver: Box::new(recorder),
        stop: client.stop().clone(),
    });
    Ok(Started { running, captured, spec, command })
}

impl Future for Command {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Err(error) = self.start() {
            return Poll::Ready(Err(error));
        }
        let State::Started(started) = &mut self.state else {
            return Poll::Ready(Err(Error::new(ErrorKind::Usage, "a command was awaited after it had ended")));
        };
        let end = ready!(Pin::new(&mut started.running).poll(cx));
        let result = finish(started, end);
        self.state = State::Done;
        Poll::Ready(result)
    }
}

/// Makes the output of a command that has ended, or the error that it is.
fn finish(started: &Started, end: End) -> Result<Output> {
    let spec = &started.spec;
    let connection = &spec.connection;
    let host = connection.host().cloned().unwrap_or_else(crate::host::Host::local);
    let captured = take(&started.captured);
    let (how, cut) = match end.how {
        How::Cut(status, why) => (How::Exited(status), Some(why.at(spec.location))),
        how => (how, None),
    };
    let heard = captured.stdout.dropped() > 0 || !captured.stdout.is_empty() || !captured.stderr.is_empty();
    let output = |ended| {
        Output::new(Record {
            host: host.clone(),
            command: Arc::clone(&started.command),
            location: spec.location,
            elapsed: end.elapsed,
            ended,
            dropped: captured.stdout.dropped(),
            stdout: captured.stdout.into_bytes(),
            stderr: captured.stderr.into_bytes(),
            cut: cut.clone(),
            shown: (spec.hide.shows(Stream::Stdout), spec.hide.shows(Stream::Stderr)),
            pty: spec.pty,
        })
    };
    let failed =
        |kind, what: String| Error::new(kind, format!("`{}` {what}", started.command)).on(&host).at(spec.location);
    // What was printed goes with the error, and nobody can mistake it for the output of a command whose end is known.
    let unknown = |error: &Error| Ended::Unknown(error.clone());
    let never_began = match &how {
        How::Planned => true,
        How::Failed(error) => error.kind() != ErrorKind::Channel,
        How::Exited(_) | How::Cut(..) | How::TimedOut { .. } | How::Stopped { .. } => false,
    };
    connection.used.fetch_or(!never_began, Ordering::Relaxed);
    match how {
        How::Exited(status) if status.success() || spec.warn => Ok(output(Ended::Status(status))),
        How::Exited(status) if connection.warns() => {
            // Of `.warn()` the task looks at what came of it; here nobody does, so it is told.
            if let Some(client) = &connection.client {
                let text = format!("`{}` ended with {status}", started.command);
                client.sink().event(&Event::Warning { host: Some(&host), text: &text });
            }
            Ok(output(Ended::Status(status)))
        }
        How::Exited(status) => {
            let error = failed(ErrorKind::Exit, format!("ended with {status}"));
            Err(error.with_output(output(Ended::Status(status))))
        }
        How::Planned => Ok(output(Ended::Planned(connection.plan.clone()))),
        How::TimedOut { gone } => {
            let limit = spec.timeout.or(connection.default_timeout()).unwrap_or_default();
            let left = if gone { "was ended" } else { "may still be running" };
            let error = failed(ErrorKind::Timeout, format!("ran longer than {} and {left}", seconds(limit)));
            let output = output(unknown(&error));
            Err(error.with_output(output))
        }
        How::Stopped { gone } => {
            let left = if gone { "was stopped" } else { "was stopped and may still be running" };
            let error = failed(ErrorKind::Cancelled, left.to_owned());
            let output = heard.then(|| output(unknown(&error)));
            Err(output.map_or_else(|| error.clone(), |output| error.clone().with_output(output)))
        }
        How::Cut(_, error) | How::Failed(error) => {
            let error = error.at(spec.location);
            let output = heard.then(|| output(unknown(&error)));
            Err(output.map_or_else(|| error.clone(), |output| error.clone().with_output(output)))
        }
    }
}

/// Returns a duration as people say it: `1 second`, `2.5 seconds`.
fn seconds(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    if (seconds - 1.0).abs() < f64::EPSILON { "1 second".to_owned() } else { format!("{seconds} seconds") }
}
