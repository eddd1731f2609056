//! Locks on hosts: one run at a time changes a host. A run that dies releases its locks.
//!
//! On each host, a shell holds a kernel lock (`flock`) on a file, over its own session. The run
//! sends a heartbeat every few seconds. If the run dies, is suspended for too long or loses its
//! connection, the shell ends, and the kernel releases the lock.
//!
//! While a run holds a lock, its changes of that host are fenced: each command first compares the
//! token in the lock file. A host rejects a run that has lost its lock without noticing. SFTP has
//! no shell for this comparison. There, only the time of the last heartbeat counts.
//!
//! | file in the directory of the lock | content |
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

/// Locks hosts for a task, without the hosts that the run has locked under this name already. A
/// connection without a host means this machine.
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
    /// Requests the lock `name` on all hosts of the group. Awaiting the request acquires the
    /// [`Lock`] on all hosts, or on none.
    ///
    /// Every run tries the first host by name first. Two runs that lock the same group therefore
    /// never share it: one run gets all hosts.
    pub fn lock(&self, name: impl Into<String>) -> LockRequest {
        LockRequest::new(self.connections().to_vec(), name.into())
    }
}
