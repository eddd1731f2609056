//! Locks on hosts: only one run at a time changes a host. A run that dies releases its locks.
//!
//! On each host, a shell holds a kernel lock (`flock`) on a file, over a separate session. The run
//! sends a heartbeat every few seconds. If the run dies, is suspended for too long or loses the
//! connection, the shell ends, and the kernel releases the lock.
//!
//! While a run holds a lock, the changes made by the run are fenced: each command first compares
//! the token in the lock file. If a run has lost the lock without noticing, the host rejects the
//! changes of this run. SFTP has no shell for this comparison: the run itself stops changes if the
//! last heartbeat is older than the lease.
//!
//! | file in the directory of the lock | content |
//! |---|---|
//! | `NAME.lock` | the [`LockHolder`], as JSON; empty if free |
//! | `NAME.lock.phase` | the phase reported by the holder |
//! | `NAME.locked` | the [`ManualLock`], as JSON, while there is a manual lock |

mod acquire;
mod held;
mod holder;
mod lock_json;
mod manual;
mod request;
mod script;

pub use held::{Lock, LockHandle};
pub use holder::LockHolder;
pub use manual::ManualLock;
pub use request::LockRequest;

use crate::connection::Connection;
use crate::error::Result;
use crate::group::Group;

/// Locks hosts for a task, except hosts already locked by the run under this name. A connection
/// without a host means this machine.
///
/// # Errors
///
/// As a [`LockRequest`].
pub(crate) async fn for_task(name: &str, purpose: &str, hosts: &[Connection]) -> Result<Option<Lock>> {
    let mut free = Vec::new();
    for host in hosts {
        let host = match (host.host(), host.client()) {
            (None, Some(client)) => client.local()?,
            _ => host.clone(),
        };
        let is_held = match (host.host(), host.state()) {
            (Some(address), Some(run)) => run.fences().has(address, name),
            _ => true,
        };
        if !is_held {
            free.push(host);
        }
    }
    if free.is_empty() {
        return Ok(None);
    }
    LockRequest::new(free, name.to_owned()).purpose(purpose).await.map(Some)
}

impl Connection {
    /// Requests the lock `name` on this host. Awaiting the request acquires the [`Lock`].
    ///
    /// If the host loses the lock, the host rejects further changes by this run: see the
    /// [module](crate::lock).
    ///
    /// ```
    /// # use fabrs_core::{connection::current, TaskError};
    /// # async fn task() -> Result<(), TaskError> {
    /// let c = current();
    /// let lock = c.lock("deploy").purpose("move the database").await?;
    /// c.run("systemctl stop shop").await?;
    /// lock.release().await;
    /// # Ok(()) }
    /// ```
    pub fn lock(&self, name: impl Into<String>) -> LockRequest {
        LockRequest::new(vec![self.clone()], name.into())
    }
}

impl Group {
    /// Requests the lock `name` on all hosts of the group. Awaiting the request acquires the
    /// [`Lock`] on all hosts, or on none.
    ///
    /// Every run first tries the host with the first name in alphabetical order. If two runs lock
    /// the same group, one run therefore gets all hosts, and the other run gets no host.
    pub fn lock(&self, name: impl Into<String>) -> LockRequest {
        LockRequest::new(self.connections().to_vec(), name.into())
    }
}
