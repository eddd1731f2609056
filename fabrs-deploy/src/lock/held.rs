//! A lock while it is held: each host is told that the run lives, and what does not answer is lost.

use std::collections::HashMap;
use std::time::Duration;

use fabrs::connection::LineStream;
use fabrs::{Connection, Error, ErrorKind, Host};
use futures::future::{join_all, select_all};
use futures::stream::StreamExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::script::BYE;

/// How often each host is told that the run lives.
const BEAT: Duration = Duration::from_secs(5);
/// How long the answer to that is waited for. With [`BEAT`] it is well below the silence at which a host lets go.
const ANSWER: Duration = Duration::from_secs(15);

/// The lock of a site on one host.
#[derive(Debug)]
pub(super) struct HostLock {
    host: Connection,
    lines: LineStream,
}

impl HostLock {
    pub(super) fn new(host: Connection, lines: LineStream) -> Self {
        Self { host, lines }
    }

    /// Tells the host that the run lives and where it is at work, again and again, and returns when it does not answer.
    async fn keep(&mut self, mut work: watch::Receiver<HashMap<Host, String>>) -> Error {
        loop {
            let folder = self.host.host().and_then(|host| work.borrow_and_update().get(host).cloned());
            let beat = format!("alive {}\n", folder.unwrap_or_default());
            if let Err(error) = self.lines.write(beat).await {
                return self.lost(&error);
            }
            match timeout(ANSWER, self.lines.next()).await {
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return self.lost(&error),
                Ok(None) => return self.lost(&Error::new(ErrorKind::Channel, "what holds the lock there has ended")),
                Err(_) => {
                    return self.lost(&Error::new(ErrorKind::Channel, "what holds the lock there does not answer"));
                }
            }
            // Nothing is said between the beats but that it is over.
            tokio::select! {
                () = sleep(BEAT) => {}
                changed = work.changed() => if changed.is_err() { sleep(BEAT).await },
                said = self.lines.next() => match said {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return self.lost(&error),
                    None => return self.lost(&Error::new(ErrorKind::Channel, "what holds the lock there has ended")),
                },
            }
        }
    }

    /// Makes the error of a lock that is lost. That the connection was lost says enough: not by which line the lock was held.
    fn lost(&self, cause: &Error) -> Error {
        let why = match cause.kind() {
            ErrorKind::Channel if std::error::Error::source(cause).is_some() => "the connection was lost",
            _ => "what held the lock there has ended",
        };
        let error = Error::new(ErrorKind::Channel, format!("{why}, so nothing more is changed there"));
        match self.host.host() {
            Some(host) => error.on(host),
            None => error,
        }
    }

    /// Lets go, and waits until that is so.
    async fn release(mut self) {
        // That it does not read any more is as good.
        let _gone = self.lines.write(format!("{BYE}\n")).await;
        self.lines.end_input();
        while self.lines.next().await.is_some() {}
    }
}

/// The lock of a site on all of its hosts.
#[derive(Debug)]
#[must_use = "dropping it lets go"]
pub(crate) struct Lock {
    hosts: Vec<HostLock>,
}

/// Where a run is at work on each host, in folders that are not live yet: what dies with it.
#[derive(Debug, Default)]
pub(crate) struct AtWork(watch::Sender<HashMap<Host, String>>);

impl AtWork {
    /// Says in which folder it is at work on a host.
    pub(crate) fn on(&self, host: &Connection, folder: &str) {
        if let Some(host) = host.host() {
            self.0.send_modify(|work| drop(work.insert(host.clone(), folder.to_owned())));
        }
    }

    /// Says that what runs on a host may be its services, which outlive the run.
    pub(crate) fn over(&self, host: &Connection) {
        self.on(host, "");
    }
}

impl Lock {
    pub(super) fn new(hosts: Vec<HostLock>) -> Self {
        Self { hosts }
    }

    /// Does `work` as long as the lock is held on all of its hosts. Where it is lost on one the work is dropped, and with it all
    /// that it runs; on the others it is still held.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Channel`] with the host on which the lock is lost.
    pub(crate) async fn during<T>(&mut self, at: &AtWork, work: impl Future<Output = T>) -> Result<T, Error> {
        if self.hosts.is_empty() {
            return Ok(work.await);
        }
        let lost = select_all(self.hosts.iter_mut().map(|host| Box::pin(host.keep(at.0.subscribe()))));
        let (error, index) = tokio::select! {
            biased;
            (error, index, _) = lost => (error, index),
            done = work => return Ok(done),
        };
        drop(self.hosts.remove(index));
        Err(error)
    }

    /// Lets go on all hosts, and waits until that is so.
    pub(crate) async fn release(self) {
        join_all(self.hosts.into_iter().map(HostLock::release)).await;
    }
}
