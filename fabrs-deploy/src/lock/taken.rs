//! Taking the lock of a site on all hosts, or on none.

use std::time::{Duration, SystemTime};

use fabrs::transport::Level;
use fabrs::{Client, Connection, Error, ErrorKind, Group, Hide};
use futures::future::join_all;
use futures::stream::StreamExt;
use tokio::time::{Instant, sleep};

use super::held::{HostLock, Lock};
use super::script::{Answer, Holder, line};
use crate::release::Layouts;
use crate::who::Who;

/// How long after the last try a lock is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is done where another run holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Patience {
    /// It is told, and this run ends.
    #[default]
    None,
    /// This run waits for it.
    Endless,
    /// This run waits for it so long.
    Limited(Duration),
}

impl Patience {
    fn until(self) -> Option<Instant> {
        match self {
            Self::None => Some(Instant::now()),
            Self::Endless => None,
            Self::Limited(limit) => Instant::now().checked_add(limit),
        }
    }
}

/// Takes the lock of a site on all hosts of a group, over sessions beside theirs ([`Connection::aside`]): what holds it is not
/// to end with the first Ctrl-C, but with the run.
///
/// Runs that want it on the same hosts meet on the first by name, so that one of them has it everywhere.
///
/// # Errors
///
/// [`ErrorKind::Task`] with who holds it, since when and why; as any command.
pub(crate) async fn take(hosts: &Group, layouts: &Layouts, what: &str, patience: Patience) -> Result<Lock, Error> {
    let until = patience.until();
    let mut told = false;
    loop {
        let refusal = match try_all(hosts, layouts, what).await {
            Ok(lock) => return Ok(lock),
            Err(Refused::Failed(error)) => return Err(error),
            Err(Refused::Held(error)) => error,
        };
        if until.is_some_and(|until| Instant::now() >= until) {
            return Err(match patience {
                Patience::None => refusal.hint("wait for it, or ask who holds it"),
                Patience::Endless | Patience::Limited(_) => refusal.hint("it was waited for in vain"),
            });
        }
        if let (false, Some(client)) = (told, client(hosts)) {
            client.note(None, format!("waiting: {refusal}"));
            told = true;
        }
        stop_or(hosts, sleep(AGAIN)).await?;
    }
}

/// Why there is no lock.
enum Refused {
    /// Somebody has it.
    Held(Error),
    /// It could not be tried.
    Failed(Error),
}

fn client(hosts: &Group) -> Option<&Client> {
    hosts.connections().first().and_then(Connection::client)
}

/// Waits, unless the run is stopped meanwhile.
async fn stop_or(hosts: &Group, wait: impl Future<Output = ()>) -> Result<(), Error> {
    let Some(client) = client(hosts) else {
        wait.await;
        return Ok(());
    };
    tokio::select! {
        () = wait => Ok(()),
        _ = client.stop().above(Level::Run) => {
            Err(Error::new(ErrorKind::Cancelled, "the run was stopped while it waited for the lock"))
        }
    }
}

/// Tries all hosts: the first by name, then the others at once. Where one refuses, what was taken is let go.
async fn try_all(hosts: &Group, layouts: &Layouts, what: &str) -> Result<Lock, Refused> {
    let holder = Holder {
        by: Who::here(),
        since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        what: what.to_owned(),
    };
    let mut ordered: Vec<&Connection> = hosts.connections().iter().collect();
    ordered.sort_by_key(|host| host.host().map(ToString::to_string));
    let Some((first, others)) = ordered.split_first() else { return Ok(Lock::new(Vec::new())) };
    let mut locks = vec![try_one(first, layouts, &holder).await?];
    let mut refused = None;
    for tried in join_all(others.iter().map(|host| try_one(host, layouts, &holder))).await {
        match tried {
            Ok(lock) => locks.push(lock),
            // That something failed says more than that somebody waits.
            Err(error @ Refused::Failed(_)) => refused = Some(error),
            Err(error @ Refused::Held(_)) => refused = refused.or(Some(error)),
        }
    }
    let lock = Lock::new(locks);
    match refused {
        None => Ok(lock),
        Some(refused) => {
            lock.release().await;
            Err(refused)
        }
    }
}

async fn try_one(host: &Connection, layouts: &Layouts, holder: &Holder) -> Result<HostLock, Refused> {
    let failed = Refused::Failed;
    let host = &host.aside().map_err(failed)?;
    let root = layouts.of(host).map_err(failed)?.own();
    let command = host.run(line(&root, holder)).hide(Hide::Both).stdin_open();
    let mut lines = command.stream_lines().map_err(failed)?;
    let said = match lines.next().await {
        Some(line) => line.map_err(failed)?,
        None => String::new(),
    };
    let held = |who: String| Refused::Held(on(host, ErrorKind::Task, who));
    match Answer::read(&said) {
        Answer::Locked => Ok(HostLock::new(host.clone(), lines)),
        Answer::Held(Some(holder)) => {
            Err(held(format!("{} has it locked since {}: {}", holder.by, holder.since, holder.what)))
        }
        Answer::Held(None) => Err(held("another run has it locked".to_owned())),
        Answer::Kept(Some(kept)) => {
            Err(failed(on(host, ErrorKind::Task, kept.to_string()).hint("it has to be unlocked first")))
        }
        Answer::Kept(None) => Err(failed(
            on(host, ErrorKind::Task, "it was locked by hand".to_owned()).hint("it has to be unlocked first"),
        )),
        Answer::NoFlock => {
            let error =
                on(host, ErrorKind::Task, "the host has no `flock`, without which it can't be locked".to_owned());
            Err(failed(error.hint("it is in the package util-linux")))
        }
        Answer::Other => Err(failed(on(host, ErrorKind::Task, "could not lock the site".to_owned()))),
    }
}

fn on(host: &Connection, kind: ErrorKind, text: String) -> Error {
    let error = Error::new(kind, text);
    match host.host() {
        Some(host) => error.on(host),
        None => error,
    }
}
