//! [`Command`]: a command line for one host, as a builder and a future.

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
/// The command starts at the first poll. The future owns the connection, so `select!`, `join!` and
/// `JoinSet::spawn` accept a command. An exit status other than 0 is an error of kind
/// [`Exit`](ErrorKind::Exit), unless accepted by [`warn`](Self::warn) or
/// [`ok_codes`](Self::ok_codes).
///
/// ```
/// # use fabrs_core::Client;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// # let here = Client::builder().build().local()?;
/// let output = here.run("echo hello").await?;
/// assert_eq!(output.line()?, "hello");
/// # Ok(()) }
/// ```
///
/// # Cancel safety
///
/// Dropping a started command kills the remote process: the process group receives TERM, and KILL a
/// second later.
#[must_use = "a command does nothing until it is awaited"]
pub struct Command {
    pub(super) state: CommandState,
    /// The run that drives the attempts in a background task. Set at the start.
    run: Option<RunState>,
}

/// The state of a [`Command`].
pub(super) enum CommandState {
    /// Not started, and configurable.
    Built(Box<CommandSpec>),
    Running(Execution),
    Done,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: &dyn fmt::Debug = match &self.state {
            CommandState::Built(spec) => spec,
            CommandState::Running(execution) => execution,
            CommandState::Done => &"done",
        };
        f.debug_tuple("Command").field(state).finish()
    }
}

impl From<CommandSpec> for Command {
    fn from(spec: CommandSpec) -> Self {
        Self { state: CommandState::Built(Box::new(spec)), run: None }
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

    /// Changes the settings of the command. Has no effect after the start.
    pub(super) fn map_spec(mut self, change: impl FnOnce(&mut CommandSpec)) -> Self {
        if let CommandState::Built(spec) = &mut self.state {
            change(spec);
        }
        self
    }

    /// Blocks the current thread until the command ends. For plain functions, such as `fn` tasks on
    /// their blocking thread.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # fn main() -> fabrs_core::Result<()> {
    /// let runtime = tokio::runtime::Runtime::new().unwrap();
    /// let _guard = runtime.enter();
    /// let here = Client::builder().build().local()?;
    /// assert_eq!(here.run("echo hello").wait_blocking()?.line()?, "hello");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As awaiting the command, and [`ErrorKind::Usage`] without a tokio runtime.
    ///
    /// # Panics
    ///
    /// If called inside an async function, since blocking there would block the runtime. Use
    /// `.await` there.
    #[doc(alias = "block_on")]
    pub fn wait_blocking(self) -> Result<Output> {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime.block_on(self),
            Err(source) => {
                Err(Error::new(ErrorKind::Usage, "`.wait_blocking()` was called outside a task").caused_by(source))
            }
        }
    }

    /// Awaits the command and returns the first line of stdout, like [`Output::line`].
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.run("echo hello").line().await?, "hello");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As awaiting the command, and as [`Output::line`].
    #[track_caller]
    pub fn line(self) -> impl Future<Output = Result<String>> + Send {
        read(self, Location::caller(), Output::line)
    }

    /// Awaits the command and returns the lines of stdout, like [`Output::lines`].
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert_eq!(here.run("echo one; echo two").lines().await?, ["one", "two"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As awaiting the command, and as [`Output::lines`].
    #[track_caller]
    pub fn lines(self) -> impl Future<Output = Result<Vec<String>>> + Send {
        read(self, Location::caller(), Output::lines)
    }

    /// Awaits the command and returns `true` for exit status 0.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// assert!(here.probe("test -d /").ok().await?);
    /// assert!(!here.probe("test -f /").ok().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As awaiting the command, except for the exit status.
    #[track_caller]
    pub fn ok(self) -> impl Future<Output = Result<bool>> + Send {
        read(self.warn(), Location::caller(), Output::ok)
    }

    /// Awaits the command and parses stdout as JSON, like [`Output::json`].
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// let ports: Vec<u16> = here.run("echo '[80, 443]'").json().await?;
    /// assert_eq!(ports, [80, 443]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As awaiting the command, and as [`Output::json`].
    #[track_caller]
    pub fn json<T: DeserializeOwned>(self) -> impl Future<Output = Result<T>> + Send {
        read(self, Location::caller(), Output::json)
    }

    /// Drives the attempts of a command in a background async task of the run.
    pub(super) fn drive(&mut self) {
        let (CommandState::Running(Execution::Attempts(_)), Some(run)) = (&self.state, self.run.clone()) else {
            return;
        };
        let CommandState::Running(Execution::Attempts(attempts)) =
            std::mem::replace(&mut self.state, CommandState::Done)
        else {
            return;
        };
        let (mut sender, receiver) = oneshot::channel();
        run.tasks().spawn(async move {
            tokio::select! {
                // Dropping the handle drops the attempts and so kills the command.
                () = sender.closed() => {}
                result = attempts => drop(sender.send(result)),
            }
        });
        let closed =
            |_| Err(Error::new(ErrorKind::Internal, "internal error: the background task of the command ended early"));
        let attempts = async move { receiver.await.unwrap_or_else(closed) }.boxed();
        self.state = CommandState::Running(Execution::Attempts(attempts));
    }

    /// Starts the command on the transport.
    pub(super) fn start(&mut self) -> Result<()> {
        let spec = match std::mem::replace(&mut self.state, CommandState::Done) {
            CommandState::Built(spec) => spec,
            state => {
                self.state = state;
                return Ok(());
            }
        };
        self.run.clone_from(&spec.connection.state);
        self.state = CommandState::Running(match spec.retry {
            Some(policy) => {
                spec.check_start()?;
                Execution::Attempts(run_with_retries(spec, policy).boxed())
            }
            None => execute(spec)?,
        });
        Ok(())
    }
}

/// Awaits a command and reads the output. A read error has the location of the caller.
async fn read<T>(
    command: Command,
    location: &'static Location<'static>,
    read: impl Fn(&Output) -> Result<T>,
) -> Result<T> {
    let output = command.await?;
    // In a dry run, the first access to the result ends the plan and records a location. This call
    // records the location of the caller. `read` would record a line of this file.
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
            CommandState::Running(execution) => ready!(Pin::new(execution).poll(cx)),
            CommandState::Built(_) | CommandState::Done => {
                Err(Error::new(ErrorKind::Usage, "the command was awaited again after its end"))
            }
        };
        self.state = CommandState::Done;
        Poll::Ready(result)
    }
}
