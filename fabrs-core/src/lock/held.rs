//! A lock while it is held: the run confirms it to each host, and a host that does not answer is lost.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::StreamExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::script::{BYE, alive};
use crate::client::Client;
use crate::connection::LineStream;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::transport::{Fence, FenceGuard, boot_time};

/// A lock that is held on hosts. Dropping it releases the hosts in the background.
#[derive(Debug)]
#[must_use = "dropping it releases the hosts"]
pub struct Lock {
    hosts: Vec<HostLock>,
    losses: mpsc::Receiver<Error>,
}

/// The lock on one host.
#[derive(Debug)]
pub(super) struct HostLock {
    work: watch::Sender<Work>,
    /// Dropping it releases the host.
    end: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<()>,
    fence: FenceGuard,
}

/// The work of a run on one host, as the host is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Work {
    phase: String,
    folder: String,
}

impl Lock {
    pub(super) fn new(hosts: Vec<HostLock>, losses: mpsc::Receiver<Error>) -> Self {
        Self { hosts, losses }
    }

    /// Makes the lock of a dry run, which is held on no host.
    pub(super) fn planned() -> Self {
        let (_, losses) = mpsc::channel(1);
        Self { hosts: Vec::new(), losses }
    }

    /// Tells whether no host is locked: in a dry run.
    pub fn is_planned(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Reports the phase of the work, for people who look at the lock.
    pub fn set_phase(&self, phase: &str) {
        for host in &self.hosts {
            host.set(|work| phase.clone_into(&mut work.phase));
        }
    }

    /// Sets the folder on a host whose processes end with the run: if the run dies, the host ends them before it frees the lock
    /// (on Linux; not under sudo). An empty folder stands for none.
    pub fn set_folder(&self, host: &Host, folder: &str) {
        if let Some(host) = self.hosts.iter().find(|lock| lock.fence.host() == host) {
            host.set(|work| folder.clone_into(&mut work.folder));
        }
    }

    /// Runs `work` while the lock is held on all hosts. If a host loses it, the work is dropped, and its commands end.
    ///
    /// The other hosts stay locked. The lost one stays fenced: no change of this run reaches it until the lock is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Channel`] with the host that has lost the lock.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            Some(lost) = self.losses.recv() => Err(lost),
            done = work => Ok(done),
        }
    }

    /// Releases all hosts, and waits until they are free.
    pub async fn release(self) {
        join_all(self.hosts.into_iter().map(HostLock::release)).await;
    }
}

impl HostLock {
    fn set(&self, change: impl FnOnce(&mut Work)) {
        self.work.send_if_modified(|work| {
            let before = work.clone();
            change(work);
            *work != before
        });
    }

    async fn release(mut self) {
        drop(self.end.take());
        // The keeper is gone if the lock was lost.
        let _ended = (&mut self.ended).await;
    }
}

/// Confirms the lock to one host.
pub(super) struct Keeper {
    pub(super) lines: LineStream,
    pub(super) fence: Arc<Fence>,
    pub(super) silence: Duration,
    pub(super) lost: mpsc::Sender<Error>,
}

impl Keeper {
    /// Starts to confirm, in a task of its own: a step that takes long must not lose the lock.
    pub(super) fn start(mut self, client: &Client, fence: FenceGuard) -> HostLock {
        let (work, mut changes) = watch::channel(Work::default());
        let (end, mut is_over) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        client.tasks().spawn(async move {
            tokio::select! {
                why = self.confirm(&mut changes) => {
                    // The run has ended if nobody listens.
                    drop(self.lost.send(self.fence.lost(why)).await);
                }
                _ = &mut is_over => self.release().await,
            }
            drop(done.send(()));
        });
        HostLock { work, end: Some(end), ended, fence }
    }

    /// Confirms the lock again and again, and returns why that is no longer possible.
    async fn confirm(&mut self, changes: &mut watch::Receiver<Work>) -> &'static str {
        // Several confirmations may be late before the host gives the lock away.
        let interval = self.silence / 6;
        loop {
            let Work { phase, folder } = changes.borrow_and_update().clone();
            let sent = boot_time();
            if self.lines.write(alive(&phase, &folder)).await.is_err() {
                return "the connection was lost";
            }
            match timeout(self.silence / 2, self.lines.next()).await {
                Ok(Some(Ok(_))) => self.fence.heartbeat.confirm(sent),
                Ok(Some(Err(error))) if error.kind() == ErrorKind::Channel => return "the connection was lost",
                Ok(Some(Err(_)) | None) => return "the process that held it has ended",
                Err(_) => return "the host does not answer",
            }
            tokio::select! {
                () = sleep(interval) => {}
                changed = changes.changed() => if changed.is_err() { sleep(interval).await },
                line = self.lines.next() => match line {
                    Some(Ok(_)) => {}
                    Some(Err(error)) if error.kind() == ErrorKind::Channel => return "the connection was lost",
                    Some(Err(_)) | None => return "the process that held it has ended",
                },
            }
        }
    }

    /// Releases the host, and waits until it is free.
    async fn release(&mut self) {
        // A host that reads no more has released the lock, too.
        let _gone = self.lines.write(format!("{BYE}\n")).await;
        self.lines.end_input();
        let freed = async { while self.lines.next().await.is_some() {} };
        let _in_time = timeout(self.silence, freed).await;
    }
}
