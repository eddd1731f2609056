//! Backend selection: shell scripts, or SFTP for hosts without a shell.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::backend::Backend;
use super::script::ShellBackend;
use super::sftp::SftpBackend;
use crate::connection::format_seconds;
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::host::Host;
use crate::mutex::lock;
use crate::transfer::backend_error::BackendError;
use crate::transfer::context::TransferContext;
use crate::transport::{Effect, StopLevel};

/// The hosts found to have no shell, for one run. Later transfers skip the attempt with a script.
#[derive(Debug, Default)]
struct HostsWithoutShell {
    hosts: Mutex<HashSet<Host>>,
}

impl HostsWithoutShell {
    fn hosts(&self) -> MutexGuard<'_, HashSet<Host>> {
        lock(&self.hosts)
    }
}

/// A transfer by the shell backend, with a fallback to SFTP.
pub(crate) struct BackendSelector<'a> {
    pub(crate) context: &'a TransferContext,
    pub(crate) effect: Effect,
    /// The description of the transfer, for messages.
    pub(crate) operation: &'a str,
}

impl BackendSelector<'_> {
    /// Runs `work` with the shell backend. If the host has no shell, runs `work` with SFTP. A
    /// transfer under sudo has no fallback.
    pub(crate) async fn run<T, F>(&self, work: impl Fn(Backend) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        let (host, run) = self.context.connection.host_and_run(self.context.location)?;
        let without_shell = run.extension::<HostsWithoutShell>();
        let is_known = without_shell.hosts().contains(host);
        let no_shell = if is_known {
            None
        } else {
            match work(Arc::new(ShellBackend::new(self.context.clone()))).await {
                Err(BackendError::NoShell(error)) => Some(error),
                Err(BackendError::Failed(error)) => return Err(error),
                Ok(done) => return Ok(done),
            }
        };
        if self.context.elevated {
            let error = self.context.could_not(self.operation).caused_by(CauseText(NO_SUDO.to_owned()));
            return Err(error);
        }
        let over_sftp = async {
            let backend = match (SftpBackend::open(self.context, self.effect, self.operation).await, no_shell) {
                (Ok(backend), _) => backend,
                // The host has neither backend. The error of the shell backend contains the reason.
                (Err(error), Some(no_shell)) if is_about_sftp(&error) => return Err(no_shell.hint(NO_BACKEND)),
                (Err(error), _) => return Err(error),
            };
            without_shell.hosts().insert(host.clone());
            work(Arc::new(backend)).await.map_err(|failure| match failure {
                BackendError::NoShell(error) | BackendError::Failed(error) => error,
            })
        };
        self.until_stopped(over_sftp).await
    }

    /// Runs work of several requests until the run is stopped, or until the timeout of commands.
    /// Only the work is cancelled: the clean-up needs the session.
    async fn until_stopped<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let (_, run) = self.context.connection.host_and_run(self.context.location)?;
        let limit = run.defaults().timeout;
        tokio::select! {
            biased;
            _ = run.stop().wait_above(StopLevel::None) => {
                Err(self.context.error(Error::new(ErrorKind::Cancelled, format!("`{}` was stopped", self.operation))))
            }
            limit = expired(limit) => {
                let text = format!("`{}` ran longer than {} and was ended", self.operation, format_seconds(limit));
                Err(self.context.error(Error::new(ErrorKind::Timeout, text)))
            }
            result = work => result,
        }
    }
}

/// The cause of the error for a transfer under sudo.
const NO_SUDO: &str = "sudo needs a POSIX shell on the host";
/// The hint for a host with neither backend.
const NO_BACKEND: &str = "enable a POSIX shell or SFTP for this login on the host";

/// Returns true if the server rejects SFTP. A lost connection has another kind.
fn is_about_sftp(error: &Error) -> bool {
    error.kind() == ErrorKind::File
}

async fn expired(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}
