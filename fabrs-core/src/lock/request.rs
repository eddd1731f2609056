//! [`LockRequest`]: the builder of a lock.

use std::collections::HashMap;
use std::time::Duration;

use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

/// A request for a lock, made by [`Connection::lock`] or [`Group::lock`](crate::Group::lock).
/// Awaiting the request acquires the [`Lock`](crate::lock::Lock) on all hosts, or on none.
///
/// # Errors
///
/// - [`ErrorKind::Task`] with the holder if another run holds the lock, for a manual lock, for a
///   host without `flock`, and for an unexpected answer.
/// - [`ErrorKind::Usage`] for an invalid lock name, or without a host.
/// - [`ErrorKind::Cancelled`] if the run is stopped during the wait.
/// - The errors of any command.
///
/// # Cancel safety
///
/// Dropping the future releases the hosts locked so far.
#[derive(Debug, Clone)]
#[must_use = "a request locks nothing until it is awaited"]
pub struct LockRequest {
    hosts: Vec<Connection>,
    name: String,
    folders: HashMap<Host, String>,
    purpose: String,
    wait: Option<Wait>,
    lease: Duration,
}

/// The reaction to a lock held by another run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Fail.
    No,
    /// Wait until the lock is free.
    Endless,
    /// Wait at most this long.
    AtMost(Duration),
}

impl LockRequest {
    /// The default lease: 30 seconds. A host keeps the lock for this time without a heartbeat.
    pub const LEASE: Duration = Duration::from_secs(30);

    /// The default directory of locks on a host.
    const FOLDER: &str = "~/.fabrs/locks";

    pub(super) fn new(hosts: Vec<Connection>, name: String) -> Self {
        let (folders, lease) = (HashMap::new(), Self::LEASE);
        Self { hosts, name, folders, purpose: "a run of fab".to_owned(), wait: None, lease }
    }

    /// Sets the purpose of the lock, such as `deploy of deployable-314`. Other runs show the
    /// purpose when they fail on the lock or wait for the lock. Defaults to `a run of fab`.
    ///
    /// ```
    /// # use fabrs_core::{connection::current, TaskError};
    /// # async fn task() -> Result<(), TaskError> {
    /// let lock = current().lock("deploy").purpose("move the database").await?;
    /// # drop(lock); Ok(()) }
    /// ```
    pub fn purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = purpose.into();
        self
    }

    /// Sets whether the request waits while another run holds the lock. Defaults to the setting of
    /// the run (`--wait`).
    ///
    /// ```
    /// # use fabrs_core::{connection::current, TaskError};
    /// # async fn task() -> Result<(), TaskError> {
    /// let lock = current().lock("deploy").wait(true).await?;
    /// # drop(lock); Ok(()) }
    /// ```
    pub fn wait(mut self, waits: bool) -> Self {
        self.wait = Some(if waits { Wait::Endless } else { Wait::No });
        self
    }

    /// Waits at most this long while another run holds the lock.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fabrs_core::{connection::current, TaskError};
    /// # async fn task() -> Result<(), TaskError> {
    /// let lock = current().lock("deploy").wait_at_most(Duration::from_secs(60)).await?;
    /// # drop(lock); Ok(()) }
    /// ```
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.wait = Some(Wait::AtMost(limit));
        self
    }

    /// Sets the lease: the time for which a host keeps the lock without a heartbeat from the run.
    /// Defaults to 30 s. Fractions of a second are cut off, and the minimum is 1 s. A host without
    /// the `timeout` command keeps the lock until the connection ends.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fabrs_core::{connection::current, TaskError};
    /// # async fn task() -> Result<(), TaskError> {
    /// let lock = current().lock("deploy").lease(Duration::from_secs(120)).await?;
    /// # drop(lock); Ok(()) }
    /// ```
    pub fn lease(mut self, limit: Duration) -> Self {
        self.lease = limit;
        self
    }

    /// Sets the directory of the lock on a host: an absolute path, or a path below `~/`. Defaults
    /// to `~/.fabrs/locks`.
    ///
    /// ```
    /// # use fabrs_core::{connection::current, Context, TaskError};
    /// # async fn task() -> Result<(), TaskError> {
    /// let c = current();
    /// let host = c.host().context("a task has a host")?;
    /// let lock = c.lock("deploy").dir(host, "/srv/shop/locks").await?;
    /// # drop(lock); Ok(()) }
    /// ```
    pub fn dir(mut self, host: &Host, folder: impl Into<String>) -> Self {
        self.folders.insert(host.clone(), folder.into());
        self
    }

    pub(super) fn hosts(&self) -> &[Connection] {
        &self.hosts
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn purpose_text(&self) -> &str {
        &self.purpose
    }

    /// Returns the lease in whole seconds, as counted by the host.
    pub(super) fn lease_limit(&self) -> Duration {
        Duration::from_secs(self.lease.as_secs().max(1))
    }

    /// Returns the reaction to a held lock. The request's setting has precedence over the run's.
    pub(super) fn waits(&self) -> Wait {
        let client = self.hosts.first().and_then(Connection::client);
        let waits = client.is_some_and(|client| client.settings().wait_for_locks);
        self.wait.unwrap_or(if waits { Wait::Endless } else { Wait::No })
    }

    /// Returns the directory of the lock on a host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a name with `/`, and for a connection without a host.
    pub(super) fn dir_on(&self, host: &Connection) -> Result<String> {
        if self.name.is_empty() || self.name.contains(['/', '\n', '\0']) {
            let error = Error::new(
                ErrorKind::Usage,
                format!("invalid lock name `{}`: it must not be empty or contain `/`, a newline or NUL", self.name),
            );
            return Err(error.hint("use letters, digits and `-`: `c.lock(\"deploy\")`"));
        }
        let no_host = || Error::new(ErrorKind::Usage, "there is no host to lock");
        let host = host.host().ok_or_else(no_host)?;
        Ok(self.folders.get(host).cloned().unwrap_or_else(|| Self::FOLDER.to_owned()))
    }
}
