//! Acquires a lock on all hosts, or on none.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::held::{HeartbeatSender, HostLock, Lock};
use super::holder::LockHolder;
use super::request::{LockRequest, Wait};
use super::script::{LockAnswer, lock_script};
use crate::client::Client;
use crate::connection::{Connection, Hide};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{EffectMode, Fence, Heartbeat, StopLevel, boot_time};

/// The maximum duration of the command that holds a lock. `--command-timeout` does not apply.
const MAX_HOLD: Duration = Duration::from_hours(365 * 24);

/// The pause before the next attempt to acquire the lock.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Acquires a lock. A dry run reports the lock without acquiring the lock.
pub(super) async fn acquire(request: LockRequest) -> Result<Lock> {
    let Some(client) = request.hosts().first().and_then(Connection::client) else {
        return Err(Error::new(ErrorKind::Usage, "there is no host to lock"));
    };
    for host in request.hosts() {
        request.dir_on(host)?;
    }
    let what = format!("lock `{}` on {}", request.name(), label(request.hosts()));
    if client.state().dial().begin_effect(&what)? == EffectMode::Plan {
        return Ok(Lock::planned());
    }
    let started = Instant::now();
    let limit = match request.waits() {
        Wait::No => Some(Duration::ZERO),
        Wait::Endless => None,
        Wait::AtMost(limit) => Some(limit),
    };
    let mut is_noted = false;
    loop {
        let (holder, host) = match try_all_hosts(&request, &client).await {
            Ok(lock) => return Ok(lock),
            Err(AttemptError::Failed(error)) => return Err(error),
            Err(AttemptError::Held(held)) => *held,
        };
        let by = holder.map_or_else(|| "another run".to_owned(), |holder| holder.to_string());
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            let text = match limit {
                Some(limit) if !limit.is_zero() => {
                    format!("timed out after {} s waiting for the lock held by {by}", limit.as_secs())
                }
                _ => format!("locked by {by}"),
            };
            let hint = match request.waits() {
                Wait::AtMost(_) => "allow more time: `.wait_at_most(..)`",
                Wait::No | Wait::Endless => "wait for the lock: `--wait`, or `.wait(true)` in the task",
            };
            return Err(host_error(&host, text).hint(hint));
        }
        if !is_noted {
            client.note(host.host(), format!("waiting for the lock held by {by}"));
            is_noted = true;
        }
        tokio::select! {
            () = sleep(RETRY_DELAY) => {}
            _ = client.stop().wait_above(StopLevel::None) => {
                return Err(Error::new(ErrorKind::Cancelled, "the run was stopped during the wait for the lock"));
            }
        }
    }
}

/// The reason for a failed attempt.
enum AttemptError {
    /// Another run holds the lock on this host.
    Held(Box<(Option<LockHolder>, Connection)>),
    /// The attempt failed.
    Failed(Error),
}

/// Tries all hosts: the first by name, then the others in parallel. After a failure, all acquired
/// locks are released.
async fn try_all_hosts(request: &LockRequest, client: &Client) -> std::result::Result<Lock, AttemptError> {
    let holder = LockHolder::new(request.purpose_text()).map_err(AttemptError::Failed)?;
    let mut ordered: Vec<&Connection> = request.hosts().iter().collect();
    ordered.sort_by_key(|host| host.host().map(ToString::to_string));
    let (lost, losses) = mpsc::channel(ordered.len().max(1));
    let Some((first, others)) = ordered.split_first() else { return Ok(Lock::planned()) };
    let try_on = |host| try_host(request, client, host, &holder, lost.clone());
    let mut locks = vec![try_on(*first).await?];
    let mut refused = None;
    for tried in join_all(others.iter().map(|host| try_on(host))).await {
        match tried {
            Ok(lock) => locks.push(lock),
            // An error has precedence over a lock held by another run.
            Err(error @ AttemptError::Failed(_)) => refused = Some(error),
            Err(error @ AttemptError::Held(_)) => refused = refused.or(Some(error)),
        }
    }
    let lock = Lock::new(locks, losses);
    match refused {
        None => Ok(lock),
        Some(refused) => {
            lock.release().await;
            Err(refused)
        }
    }
}

async fn try_host(
    request: &LockRequest,
    client: &Client,
    host: &Connection,
    holder: &LockHolder,
    lost: mpsc::Sender<Error>,
) -> std::result::Result<HostLock, AttemptError> {
    let failed = AttemptError::Failed;
    let folder = request.dir_on(host).map_err(failed)?;
    let Some(address) = host.host() else {
        return Err(failed(host_error(host, "there is no host to lock".to_owned())));
    };
    // The lock has a separate session, since the lock must survive the first Ctrl-C and end with
    // the run. The settings of the caller's commands are left out, since they could print text or
    // change the meaning of `~`.
    let separate = client.uncancellable().connect(address).map_err(failed)?;
    let lease = request.lease_limit();
    let script = lock_script(&folder, request.name(), holder, lease);
    let script = script.map_err(|source| {
        failed(host_error(host, "the directory of the lock can't be sent".to_owned()).caused_by(source))
    })?;
    let sent = boot_time();
    let command = separate.run(script).posix().hide(Hide::Both).named(format!("hold the lock `{}`", request.name()));
    let mut lines = command.timeout(MAX_HOLD).stdin_open().stream_lines().map_err(failed)?;
    let answer = match lines.next().await {
        Some(line) => LockAnswer::read(&line.map_err(failed)?),
        None => LockAnswer::Other,
    };
    match answer {
        LockAnswer::Locked => {}
        LockAnswer::Held(holder) => return Err(AttemptError::Held(Box::new((holder, host.clone())))),
        LockAnswer::Manual(manual) => {
            return Err(failed(
                host_error(host, manual.to_string())
                    .hint(format!("remove the manual lock first: `rm {folder}/{}.locked` on the host", request.name())),
            ));
        }
        LockAnswer::NoFlock => {
            let error = host_error(host, "the host has no `flock`, and a lock needs `flock`".to_owned());
            return Err(failed(error.hint("install the package util-linux")));
        }
        LockAnswer::Other => {
            return Err(failed(host_error(
                host,
                format!("could not lock `{}`: unexpected answer from the host", request.name()),
            )));
        }
    }
    let heartbeat = Heartbeat::new(lease);
    heartbeat.confirm(sent);
    let fence = Arc::new(Fence {
        host: address.clone(),
        name: request.name().to_owned(),
        file: format!("{}/{}.lock", folder.trim_end_matches('/'), request.name()),
        token: holder.token.clone(),
        heartbeat,
        loss: watch::Sender::new(None),
    });
    let guard = client.state().fences().put(&fence);
    Ok(HeartbeatSender { lines, fence, lease, lost }.start(client.state(), guard))
}

fn host_error(host: &Connection, text: String) -> Error {
    Error::new(ErrorKind::Task, text).or_on(host.host())
}

/// Returns the name of a single host, or the number of several hosts.
fn label(hosts: &[Connection]) -> String {
    match hosts {
        [one] => one.host().map_or_else(String::new, |host| host.label().to_string()),
        several => format!("{} hosts", several.len()),
    }
}

impl IntoFuture for LockRequest {
    type Output = Result<Lock>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(acquire(self))
    }
}
