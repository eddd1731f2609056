//! Held locks: the run sends heartbeats to each host. A host without an answer has lost the lock.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::StreamExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::script::{UNLOCK_MESSAGE, heartbeat_message};
use crate::connection::LineStream;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::shell::ShellLine;
use crate::state::RunState;
use crate::transport::{Fence, FenceGuard, boot_time};

/// A lock held on hosts. Dropping the lock releases the hosts in the background.
#[derive(Debug)]
#[must_use = "dropping the lock releases the hosts"]
pub struct Lock {
    hosts: Vec<HostLock>,
    losses: mpsc::Receiver<Error>,
}

/// The lock on a host.
#[derive(Debug)]
pub(super) struct HostLock {
    work: watch::Sender<LockWork>,
    /// Dropping the sender releases the host.
    end: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<()>,
    fence: FenceGuard,
}

/// The work of a run on a host, as reported to the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct LockWork {
    phase: String,
    folder: String,
}

/// A handle to a held [`Lock`]: records the progress of the run, and makes command lines atomic.
/// Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct LockHandle(Arc<[HostHandle]>);

#[derive(Debug)]
struct HostHandle {
    fence: Arc<Fence>,
    work: watch::Sender<LockWork>,
}

impl LockHandle {
    /// Records the phase of the work in `NAME.lock.phase` on each host. White space becomes `-`.
    pub fn set_phase(&self, phase: &str) {
        for host in &*self.0 {
            change(&host.work, |work| phase.clone_into(&mut work.phase));
        }
    }

    /// Sets the working directory of this run on a host. If the run dies, the host kills the
    /// processes in this directory before the lock is released. An empty string clears the setting.
    ///
    /// Linux only. Processes under sudo and processes in the `current` release are not killed.
    pub fn set_work_dir(&self, host: &Host, folder: &str) {
        if let Some(host) = self.find(host) {
            change(&host.work, |work| folder.clone_into(&mut work.folder));
        }
    }

    /// Wraps a command line. No other run can acquire the lock while the line runs.
    ///
    /// The host runs the line only while this run holds the lock. Keep the line short, since other
    /// runs wait for the end of the line. In a dry run, and for a host without this lock, the line
    /// is returned unchanged.
    ///
    /// A service started by the line must close file descriptor 8, as in `my-daemon 8>&- &`.
    /// Otherwise, other runs wait until the service ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the line is invalid.
    pub fn atomic(&self, host: &Host, line: &ShellLine) -> Result<ShellLine> {
        let Some(host) = self.find(host) else { return Ok(line.clone()) };
        host.fence.atomic(line.as_str()).map(ShellLine::raw).map_err(|source| {
            Error::new(ErrorKind::Usage, format!("`{line}` can't be sent")).on(&host.fence.host).caused_by(source)
        })
    }

    fn find(&self, host: &Host) -> Option<&HostHandle> {
        self.0.iter().find(|known| known.fence.host == *host)
    }
}

fn change(work: &watch::Sender<LockWork>, change: impl FnOnce(&mut LockWork)) {
    work.send_if_modified(|work| {
        let before = work.clone();
        change(work);
        *work != before
    });
}

impl Lock {
    pub(super) fn new(hosts: Vec<HostLock>, losses: mpsc::Receiver<Error>) -> Self {
        Self { hosts, losses }
    }

    /// Returns the lock of a dry run, held on no host.
    pub(super) fn planned() -> Self {
        let (_, losses) = mpsc::channel(1);
        Self { hosts: Vec::new(), losses }
    }

    /// Returns whether this is the lock of a dry run, held on no host.
    pub fn is_planned(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Returns a handle for the work under the lock.
    pub fn handle(&self) -> LockHandle {
        let hosts = self.hosts.iter();
        LockHandle(hosts.map(|lock| HostHandle { fence: lock.fence.fence(), work: lock.work.clone() }).collect())
    }

    /// Runs `work` until the work ends or a host loses the lock. On a loss, `work` is dropped, and
    /// its commands end.
    ///
    /// The other hosts stay locked. The host without the lock rejects changes by this run until the
    /// [`Lock`] is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Channel`], with the host, if a host lost the lock.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `work`. The hosts stay locked.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            Some(lost) = self.losses.recv() => Err(lost),
            done = work => Ok(done),
        }
    }

    /// Releases all hosts, and waits until every host has released the lock.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future releases the hosts in the background.
    pub async fn release(self) {
        join_all(self.hosts.into_iter().map(HostLock::release)).await;
    }
}

impl HostLock {
    async fn release(mut self) {
        drop(self.end.take());
        // A dropped sender means that the lock was lost and the heartbeat task has ended.
        let _ended = (&mut self.ended).await;
    }
}

/// Waits until the run is over.
async fn run_closed(closing: &mut watch::Receiver<bool>) {
    // A dropped sender means that the run has ended.
    let _closed = closing.wait_for(|is_closing| *is_closing).await.is_ok();
}

/// Sends the heartbeats of a lock to a host.
pub(super) struct HeartbeatSender {
    pub(super) lines: LineStream,
    pub(super) fence: Arc<Fence>,
    pub(super) lease: Duration,
    pub(super) lost: mpsc::Sender<Error>,
}

impl HeartbeatSender {
    /// Starts the heartbeats in a separate async task, since a long step must not lose the lock.
    pub(super) fn start(mut self, run: &RunState, fence: FenceGuard) -> HostLock {
        let (work, mut changes) = watch::channel(LockWork::default());
        let (end, mut is_over) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        let mut closing = run.fences().closing();
        run.tasks().spawn(async move {
            tokio::select! {
                why = self.confirm(&mut changes) => {
                    let lost = self.fence.lost(why);
                    self.fence.loss.send_replace(Some(lost.clone()));
                    // A dropped receiver means that the run has ended.
                    drop(self.lost.send(lost).await);
                }
                _ = &mut is_over => self.release().await,
                () = run_closed(&mut closing) => self.release().await,
            }
            // A dropped receiver means that the lock was dropped.
            let _ = done.send(());
        });
        HostLock { work, end: Some(end), ended, fence }
    }

    /// Sends heartbeats until a heartbeat fails, and returns the reason.
    async fn confirm(&mut self, changes: &mut watch::Receiver<LockWork>) -> &'static str {
        // Up to five heartbeats may be lost before the lease of the host ends.
        let interval = self.lease / 6;
        loop {
            let LockWork { phase, folder } = changes.borrow_and_update().clone();
            let sent = boot_time();
            if self.lines.write(heartbeat_message(&phase, &folder)).await.is_err() {
                return "the connection was lost";
            }
            match timeout(self.lease, self.lines.next()).await {
                Ok(Some(Ok(_))) => self.fence.heartbeat.confirm(sent),
                Ok(Some(Err(error))) if error.kind() == ErrorKind::Channel => return "the connection was lost",
                Ok(Some(Err(_)) | None) => return "the process of the lock has ended",
                Err(_) => return "the host does not answer",
            }
            tokio::select! {
                () = sleep(interval) => {}
                changed = changes.changed() => if changed.is_err() { sleep(interval).await },
                line = self.lines.next() => match line {
                    Some(Ok(_)) => {}
                    Some(Err(error)) if error.kind() == ErrorKind::Channel => return "the connection was lost",
                    Some(Err(_)) | None => return "the process of the lock has ended",
                },
            }
        }
    }

    /// Releases the lock of the host, and waits for the end of the lock process.
    async fn release(&mut self) {
        // If the write fails, the process of the lock has ended, and the lock is released.
        let _gone = self.lines.write(format!("{UNLOCK_MESSAGE}\n")).await;
        self.lines.end_input();
        let freed = async { while self.lines.next().await.is_some() {} };
        let _in_time = timeout(self.lease, freed).await;
    }
}
