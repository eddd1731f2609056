//! [`Command`]: one command line on its way to one host.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::FutureExt;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::execution::{Execution, execute};
use super::handle::Connection;
use super::retry::run_with_retries;
use super::spec::CommandSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::output::Output;
use crate::shell::ShellLine;
use crate::state::RunState;
use crate::transport::Effect;

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
    pub(super) state: State,
    /// Once it has started: whose tasks carry its attempts.
    run: Option<RunState>,
}

/// The state of a [`Command`].
pub(super) enum State {
    /// Not started: a builder.
    Built(Box<CommandSpec>),
    Running(Execution),
    Done,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: &dyn fmt::Debug = match &self.state {
            State::Built(spec) => spec,
            State::Running(execution) => execution,
            State::Done => &"done",
        };
        f.debug_tuple("Command").field(state).finish()
    }
}

impl From<CommandSpec> for Command {
    fn from(spec: CommandSpec) -> Self {
        Self { state: State::Built(Box::new(spec)), run: None }
    }
}

impl Command {
    pub(crate) fn new(
        connection: Connection,
        line: ShellLine,
        effect: Effect,
        location: &'static Location<'static>,
    ) -> Self {
        CommandSpec::new(connection, line, effect, location).into()
    }

    /// Changes how the command runs; after its start there is nothing to change any more.
    pub(super) fn map_spec(mut self, change: impl FnOnce(&mut CommandSpec)) -> Self {
        if let State::Built(spec) = &mut self.state {
            change(spec);
        }
        self
    }

    /// Waits for the command in a plain function: on the blocking thread that a `fn` task runs on.
    ///
    /// # Errors
    ///
    /// As awaiting it, and [`ErrorKind::Usage`] where no tokio runtime is there.
    pub fn wait_blocking(self) -> Result<Output> {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime.block_on(self),
            Err(source) => {
                Err(Error::new(ErrorKind::Usage, "`.wait_blocking()` was called outside a task").caused_by(source))
            }
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
    pub(super) fn drive(&mut self) {
        let (State::Running(Execution::Attempts(_)), Some(run)) = (&self.state, self.run.clone()) else { return };
        let State::Running(Execution::Attempts(attempts)) = std::mem::replace(&mut self.state, State::Done) else {
            return;
        };
        let (mut sender, receiver) = oneshot::channel();
        run.tasks().spawn(async move {
            tokio::select! {
                // Whoever drops the handle drops the attempts, which ends them.
                () = sender.closed() => {}
                result = attempts => drop(sender.send(result)),
            }
        });
        let gone = |_| Err(Error::new(ErrorKind::Internal, "the task that carried the command is gone"));
        let attempts = async move { receiver.await.unwrap_or_else(gone) }.boxed();
        self.state = State::Running(Execution::Attempts(attempts));
    }

    /// Hands the command to its transport.
    pub(super) fn start(&mut self) -> Result<()> {
        let spec = match std::mem::replace(&mut self.state, State::Done) {
            State::Built(spec) => spec,
            state => {
                self.state = state;
                return Ok(());
            }
        };
        self.run.clone_from(&spec.connection.state);
        self.state = State::Running(match spec.retry {
            Some(policy) => {
                spec.check_start()?;
                Execution::Attempts(run_with_retries(spec, policy).boxed())
            }
            None => execute(spec)?,
        });
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

impl Future for Command {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Err(error) = self.start() {
            return Poll::Ready(Err(error));
        }
        let result = match &mut self.state {
            State::Running(execution) => ready!(Pin::new(execution).poll(cx)),
            State::Built(_) | State::Done => {
                Err(Error::new(ErrorKind::Usage, "a command was awaited after it had ended"))
            }
        };
        self.state = State::Done;
        Poll::Ready(result)
    }
}
