//! The connection of the running task, in a task-local variable.

use std::panic::Location;

use super::handle::{Connection, Destination};
use super::used_hosts::UsedHosts;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::state::RunState;

tokio::task_local! {
    static CURRENT: Connection;
    /// Set while a value is computed once for all hosts of a run.
    static ONCE_SCOPE: ();
}

impl Connection {
    /// Creates a connection to `host` in the run of `state`.
    pub(crate) fn in_run(state: &RunState, host: Host) -> Result<Self> {
        let transport = state.transport(&host)?;
        let used = state.extension::<UsedHosts>().flag(&host);
        // Planned changes of further connections made by a task belong to the plan of the task.
        let plan_end = CURRENT.try_with(|connection| connection.plan_end.clone()).unwrap_or_default();
        Ok(Self::from_parts(state.clone(), host, transport, used, plan_end))
    }

    /// Returns a connection to the same host with uncancellable commands. A stop of the run does
    /// not end these commands. The connection has a separate session, and keeps all settings. See
    /// [`Client::uncancellable`](crate::Client::uncancellable).
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let fake = Fake::new().on("rm /srv/lock", FakeAnswer::stdout(""));
    /// # let web = Client::builder().dial(fake.clone()).build().connect("web1")?;
    /// web.uncancellable()?.run("rm /srv/lock").await?;
    /// assert_eq!(fake.commands(), ["web1: rm /srv/lock"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::connect`](crate::Client::connect).
    pub fn uncancellable(&self) -> Result<Self> {
        let (Some(state), Destination::Host { host, .. }) = (&self.state, &self.destination) else {
            return Ok(self.clone());
        };
        let uncancellable = Self::in_run(&state.uncancellable(), host.clone())?;
        Ok(Self { state: uncancellable.state, destination: uncancellable.destination, ..self.clone() })
    }

    /// Returns a connection to this machine for the same task, without the settings of this
    /// connection's commands.
    pub(crate) fn to_this_machine(&self) -> Self {
        let here = match &self.state {
            Some(state) => {
                Self::in_run(state, Host::local()).unwrap_or_else(|error| Self::unavailable(Some(state.clone()), error))
            }
            None => self.clone(),
        };
        // Commands on this machine and on the host belong to the plan of one task.
        Self { plan_end: self.plan_end.clone(), ..here }
    }

    /// Runs a future with this connection as the target of the free functions (`run(..)`,
    /// `cd(..)`).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// use fabrs_core::connection::run;
    ///
    /// let line = here.cd("/").enter(async { run("pwd").line().await }).await?;
    /// assert_eq!(line, "/");
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the inner future.
    pub async fn enter<F: Future>(&self, future: F) -> F::Output {
        CURRENT.scope(self.clone(), future).await
    }

    /// Runs a plain function with this connection as the target of the free functions.
    pub fn enter_sync<T>(&self, function: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), function)
    }
}

/// Runs a future with a shared result for all hosts of a run.
pub(crate) async fn in_once_scope<F: Future>(future: F) -> F::Output {
    ONCE_SCOPE.scope((), future).await
}

/// Returns `true` if the running code computes a value for all hosts of the run.
pub(super) fn is_in_once_scope() -> bool {
    ONCE_SCOPE.try_with(|()| ()).is_ok()
}

/// Returns the run of the calling task.
pub(crate) fn task_state() -> Option<RunState> {
    CURRENT.try_with(|connection| connection.state.clone()).ok().flatten()
}

/// Returns the connection of the calling task.
///
/// Outside a task, the commands of the returned connection fail with an error that contains the
/// calling line. The function does not panic.
#[track_caller]
pub fn current() -> Connection {
    let location = Location::caller();
    CURRENT.try_with(Connection::clone).unwrap_or_else(|_| {
        let error = Error::new(ErrorKind::Usage, "no current host: called outside a task")
            .at(location)
            .hint("use a connection, as in `c.run(..)`, or set one with `c.enter(future)`");
        Connection::unavailable(None, error)
    })
}
