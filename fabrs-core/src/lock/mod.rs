//! Locks on hosts: one run at a time changes a host, and a run that dies releases its lock.
//!
//! On each host a shell holds the kernel's lock (`flock`) on a file, over a session of its own. The run confirms every few
//! seconds that it lives. If the run dies, is suspended for too long or loses its connection, the shell ends, and the kernel
//! frees the lock.
//!
//! While a run holds a lock, its changes of that host are fenced: each command first compares the token in the lock's file.
//! A run that has lost its lock without noticing is refused by the host. SFTP has no shell that could compare: there, only the
//! time of the last confirmation counts.
//!
//! | file in the lock's folder | content |
//! |---|---|
//! | `NAME.lock` | the [`LockHolder`], as JSON; empty if free |
//! | `NAME.lock.phase` | the phase that the holder has reported |
//! | `NAME.locked` | the [`ManualLock`], as JSON, while one is in place |

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

/// Locks hosts for a task, without those that the run has locked under the name already. A connection without a host stands for
/// this machine.
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
            (Some(name_of), Some(run)) => run.fences().has(name_of, name),
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
    /// If the host loses the lock, it rejects further changes of this run: see the [module](crate::lock).
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
    /// Requests the lock `name` on all hosts of the group. Awaiting the request acquires the [`Lock`] on all hosts, or on none.
    ///
    /// Every run tries the first host by name first. So of two runs that lock the same group, one gets all hosts.
    pub fn lock(&self, name: impl Into<String>) -> LockRequest {
        LockRequest::new(self.connections().to_vec(), name.into())
    }
}
