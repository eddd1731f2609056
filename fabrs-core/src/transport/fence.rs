//! Fences: a run that has lost its lock cannot change the host.
//!
//! The holder of a lock has a token (a fencing token), and a file on the host contains the token of
//! the current holder. Each change of a locked host first compares the two, in the same command. A
//! run that was suspended, or blocked in a step, therefore does not change a host locked by another
//! run in the meantime.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use futures::future::select_all;
use memchr::memmem;
use tokio::sync::watch;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Stream;
use crate::host::Host;
use crate::mutex::lock;
use crate::output::ExitStatus;
use crate::shell::{ShellLineError, quote, quote_path, sh_call};
use crate::transport::guarded::{ChangeGuard, reject};
use crate::transport::request::{Answer, OutputReceiver, Program, Request};
use crate::transport::running::{CommandOutcome, Completion, RunningCommand};
use crate::transport::traits::Transport;

/// The exit status of a command rejected by a fence on the host.
const REJECTED_STATUS: u32 = 223;

/// The lock of a host, with the data needed to fence changes.
#[derive(Debug)]
pub(crate) struct Fence {
    pub(crate) host: Host,
    /// The name of the lock, for messages.
    pub(crate) name: String,
    /// The file on the host with the token of the holder.
    pub(crate) file: String,
    pub(crate) token: String,
    pub(crate) heartbeat: Heartbeat,
    /// The error, once the lock is lost.
    pub(crate) loss: watch::Sender<Option<Error>>,
}

/// The time of the last confirmation of a lock by its host.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// Milliseconds on the clock of [`boot_time`].
    confirmed: AtomicU64,
    /// The time after which a host releases the lock of a silent run.
    lease: Duration,
}

impl Heartbeat {
    /// Creates the heartbeat of a lock confirmed now.
    pub(crate) fn new(lease: Duration) -> Self {
        Self { confirmed: AtomicU64::new(millis(boot_time())), lease }
    }

    /// Records the confirmation of a message sent at this [`boot_time`].
    pub(crate) fn confirm(&self, sent: Duration) {
        self.confirmed.fetch_max(millis(sent), Ordering::AcqRel);
    }

    /// Returns the time since the last confirmation if the host may have released the lock.
    fn overdue(&self) -> Option<Duration> {
        let confirmed = Duration::from_millis(self.confirmed.load(Ordering::Acquire));
        Some(boot_time().saturating_sub(confirmed)).filter(|since| *since > self.lease)
    }
}

/// Returns the time since the boot of this machine. Unlike `Instant`, the clock includes
/// suspensions.
pub(crate) fn boot_time() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0));
    Duration::new(seconds, nanos)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Fence {
    /// Returns an error if the host may have released the lock.
    fn check(&self) -> Result<()> {
        match self.heartbeat.overdue() {
            None => Ok(()),
            Some(since) => Err(self.lost(&format!("the host has not confirmed the lock for {} s", since.as_secs()))),
        }
    }

    /// Returns the error of a lost lock.
    pub(crate) fn lost(&self, why: &str) -> Error {
        let text = format!("lost the lock `{}`, and this run no longer changes the host: {why}", self.name);
        let error = Error::new(ErrorKind::Channel, text).on(&self.host);
        error.hint("check the state of the host, then run again: another run may have changed it")
    }

    /// Returns the text printed on the host by a rejected command.
    fn marker(&self) -> String {
        format!("fabrs: the lock was lost [{}]", self.token)
    }

    /// Returns a POSIX script that exits unless the file on the host still contains the token.
    fn script(&self) -> std::result::Result<String, ShellLineError> {
        let (file, token, marker) = (quote_path(&self.file)?, &self.token, self.marker());
        let marker = quote(&marker)?;
        Ok(format!(
            "case $(cat {file} 2>/dev/null) in *{token}*) ;; *) echo {marker} >&2; exit {REJECTED_STATUS} ;; esac"
        ))
    }

    /// Returns a POSIX script to run a line, if the host still has the token of this run. The
    /// script holds `flock` on a second file, so no other run can acquire the lock meanwhile.
    pub(crate) fn atomic(&self, line: &str) -> std::result::Result<String, ShellLineError> {
        let turn = format!("{}.turn", self.file);
        Ok(format!("( flock 8 || exit; {}\n{line}\n) 8>> {}", self.script()?, quote_path(&turn)?))
    }

    /// Returns the program of a request, prefixed by the comparison of the tokens.
    fn guarded_program(&self, request: &Request) -> Result<Program> {
        let program = match &request.invocation.program {
            // `||` and `exec` work in every login shell. After `exit`, csh continues with the next
            // line.
            Program::Line(line) => self.script().map(|compare| {
                Program::Line(format!("{} || exec sh -c 'exit {REJECTED_STATUS}'\n{line}", sh_call(&compare)).into())
            }),
            Program::Script(script) => {
                self.script().map(|compare| Program::Script(format!("{compare}\n{script}").into()))
            }
            // A subsystem has no shell to compare the tokens.
            Program::Subsystem(name) => Ok(Program::Subsystem(name)),
        };
        program.map_err(|source| {
            let text = format!("`{}` can't be sent", request.invocation.shown);
            Error::new(ErrorKind::Usage, text).on(&request.host).caused_by(source)
        })
    }
}

/// The fences of all hosts of a client. Clones share their state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fences(Arc<SharedFences>);

#[derive(Debug, Default)]
struct SharedFences {
    /// The number of fences. If 0, the mutex is not locked.
    count: AtomicUsize,
    by_host: Mutex<HashMap<Host, Vec<Arc<Fence>>>>,
    /// True if the run is ending.
    closing: watch::Sender<bool>,
}

impl Fences {
    /// Adds a fence to its host until the guard is dropped.
    pub(crate) fn put(&self, fence: &Arc<Fence>) -> FenceGuard {
        self.lock().entry(fence.host.clone()).or_default().push(Arc::clone(fence));
        self.0.count.fetch_add(1, Ordering::AcqRel);
        FenceGuard { fences: self.clone(), fence: Arc::clone(fence) }
    }

    /// Waits until a lock of a host is lost, and returns the error. Waits for ever without a lock.
    pub(crate) async fn lost(&self, host: &Host) -> Error {
        let loss_of = |fence: Arc<Fence>| async move {
            let mut loss = fence.loss.subscribe();
            // The sender is a field of the fence, so waiting can't fail.
            let error = loss.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
            error.unwrap_or_else(|| fence.lost("the host has released the lock"))
        };
        let losses: Vec<_> = self.for_host(host).into_iter().map(|fence| Box::pin(loss_of(fence))).collect();
        if losses.is_empty() {
            return std::future::pending().await;
        }
        select_all(losses).await.0
    }

    /// Announces the end of the run: heartbeats stop.
    pub(crate) fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Allows locks again, for a client used again after its close.
    pub(crate) fn reopen(&self) {
        self.0.closing.send_replace(false);
    }

    /// Returns a receiver of the announcement of [`close`](Self::close).
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.0.closing.subscribe()
    }

    /// Returns true if the run holds a lock of this name on a host.
    pub(crate) fn has(&self, host: &Host, name: &str) -> bool {
        self.for_host(host).iter().any(|fence| fence.name == name)
    }

    fn for_host(&self, host: &Host) -> Vec<Arc<Fence>> {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        self.lock().get(host).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Host, Vec<Arc<Fence>>>> {
        lock(&self.0.by_host)
    }
}

/// An installed fence.
#[derive(Debug)]
#[must_use = "dropping it removes the fence"]
pub(crate) struct FenceGuard {
    fences: Fences,
    fence: Arc<Fence>,
}

impl FenceGuard {
    pub(crate) fn fence(&self) -> Arc<Fence> {
        Arc::clone(&self.fence)
    }
}

impl Drop for FenceGuard {
    fn drop(&mut self) {
        if let Some(fences) = self.fences.lock().get_mut(&self.fence.host) {
            fences.retain(|other| !Arc::ptr_eq(other, &self.fence));
        }
        self.fences.0.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The record of a rejection by one of several fences.
#[derive(Debug, Clone)]
struct FenceRejection {
    fences: Arc<[Arc<Fence>]>,
    refused: Arc<OnceLock<Arc<Fence>>>,
}

impl FenceRejection {
    /// Replaces the completion of a rejected command by a failure: the command did not start.
    fn judge(&self, end: Completion) -> Completion {
        match (self.refused.get(), &end.outcome) {
            (
                Some(fence),
                CommandOutcome::Exited(ExitStatus::Code(REJECTED_STATUS)) | CommandOutcome::Truncated(..),
            ) => Completion { outcome: CommandOutcome::Failed(fence.lost("the host has released the lock")), ..end },
            _ => end,
        }
    }
}

/// An output receiver searching the output for the markers of fences.
#[derive(Debug)]
struct MarkerDetector {
    rejection: FenceRejection,
    inner: Box<dyn OutputReceiver>,
    /// The end of the output so far, because a marker may arrive in parts.
    tail: Vec<u8>,
}

impl OutputReceiver for MarkerDetector {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        self.tail.extend_from_slice(bytes);
        let markers = self.rejection.fences.iter().map(|fence| (fence, fence.marker()));
        let mut longest = 0;
        for (fence, marker) in markers {
            longest = longest.max(marker.len());
            if memmem::find(&self.tail, marker.as_bytes()).is_some() {
                // A second rejection is ignored: the cell is set once.
                let _ = self.rejection.refused.set(Arc::clone(fence));
            }
        }
        let excess = self.tail.len().saturating_sub(longest);
        self.tail.drain(..excess);
        self.inner.receive(stream, bytes, answer);
    }

    fn ended(&mut self, end: &Completion) {
        self.inner.ended(&self.rejection.judge(end.clone()));
    }
}

impl ChangeGuard for Fences {
    fn start(&self, inner: &dyn Transport, mut request: Request) -> RunningCommand {
        let fences = self.for_host(&request.host);
        if fences.is_empty() {
            return inner.start(request);
        }
        for fence in &fences {
            match fence.check().and_then(|()| fence.guarded_program(&request)) {
                Ok(program) => request.invocation.program = program,
                Err(error) => return reject(request, error),
            }
        }
        let rejection = FenceRejection { fences: fences.into(), refused: Arc::default() };
        let receiver = MarkerDetector { rejection: rejection.clone(), inner: request.receiver, tail: Vec::new() };
        let request = Request { receiver: Box::new(receiver), ..request };
        inner.start(request).map(move |end| rejection.judge(end))
    }

    fn begin_effect(&self, _name: &str) -> Result<()> {
        Ok(())
    }
}
