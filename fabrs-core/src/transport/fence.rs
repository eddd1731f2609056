//! Fences: a run that has lost a lock can't change the host any more.
//!
//! The holder of a lock has a token, and the host keeps the token of the present holder in a file. Each change of a locked
//! host first compares both, in the same command. So a run that was suspended, or whose step blocks, does not change a host
//! that another run has locked meanwhile.

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
use crate::transport::guarded::{Guard, refuse};
use crate::transport::request::{Answer, Program, Receive, Request};
use crate::transport::running::{End, How, Running};
use crate::transport::traits::Transport;

/// The status of a command that a fence has refused on the host.
const REFUSED: u32 = 223;

/// A lock on one host, as far as its changes need it.
#[derive(Debug)]
pub(crate) struct Fence {
    pub(crate) host: Host,
    /// The name of the lock, for messages.
    pub(crate) name: String,
    /// The file on the host that has the token of the holder.
    pub(crate) file: String,
    pub(crate) token: String,
    pub(crate) heartbeat: Heartbeat,
    /// The error of a lock that is lost.
    pub(crate) loss: watch::Sender<Option<Error>>,
}

/// When a host last confirmed that the run holds its lock.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// By the clock of [`boot_time`], in milliseconds.
    confirmed: AtomicU64,
    /// How long a host keeps the lock of a run that is silent.
    lease: Duration,
}

impl Heartbeat {
    /// Makes the heartbeat of a lock that is confirmed now.
    pub(crate) fn new(lease: Duration) -> Self {
        Self { confirmed: AtomicU64::new(millis(boot_time())), lease }
    }

    /// Records that the host has confirmed a message that was sent at this [`boot_time`].
    pub(crate) fn confirm(&self, sent: Duration) {
        self.confirmed.fetch_max(millis(sent), Ordering::AcqRel);
    }

    /// Returns how long the lock has not been confirmed, if a host may have released it since.
    fn overdue(&self) -> Option<Duration> {
        let confirmed = Duration::from_millis(self.confirmed.load(Ordering::Acquire));
        Some(boot_time().saturating_sub(confirmed)).filter(|since| *since > self.lease)
    }
}

/// Returns the time since the start of the machine. Unlike that of `Instant`, it includes a suspension.
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
    /// Refuses a change if the host may have released the lock.
    fn check(&self) -> Result<()> {
        match self.heartbeat.overdue() {
            None => Ok(()),
            Some(since) => Err(self.lost(&format!("the host has not confirmed it for {} s", since.as_secs()))),
        }
    }

    /// Makes the error of a lost lock.
    pub(crate) fn lost(&self, why: &str) -> Error {
        let text = format!("lost the lock `{}`, and this run no longer changes the host: {why}", self.name);
        let error = Error::new(ErrorKind::Channel, text).on(&self.host);
        error.hint("check the state of the host, then run again: another run may have changed it")
    }

    /// Returns the text that a refused command prints on the host.
    fn marker(&self) -> String {
        format!("fabrs: the lock was lost [{}]", self.token)
    }

    /// Returns the POSIX script that ends the shell unless the host still has the token of this run.
    fn script(&self) -> std::result::Result<String, ShellLineError> {
        let (file, token, marker) = (quote_path(&self.file)?, &self.token, self.marker());
        let marker = quote(&marker)?;
        Ok(format!("case $(cat {file} 2>/dev/null) in *{token}*) ;; *) echo {marker} >&2; exit {REFUSED} ;; esac"))
    }

    /// Returns a POSIX script that runs a line while no other run can acquire the lock, if the host has the token of this run.
    pub(crate) fn atomic(&self, line: &str) -> std::result::Result<String, ShellLineError> {
        let turn = format!("{}.turn", self.file);
        Ok(format!("( flock 8 || exit; {}\n{line}\n) 8>> {}", self.script()?, quote_path(&turn)?))
    }

    /// Returns the program of a request such that it runs only while the host has the token of this run.
    fn around(&self, request: &Request) -> Result<Program> {
        let program = match &request.invocation.program {
            // `||` and `exec` mean the same in every login shell; after `exit`, csh goes on with the next line.
            Program::Line(line) => self.script().map(|compare| {
                Program::Line(format!("{} || exec sh -c 'exit {REFUSED}'\n{line}", sh_call(&compare)).into())
            }),
            Program::Script(script) => {
                self.script().map(|compare| Program::Script(format!("{compare}\n{script}").into()))
            }
            // A subsystem has no shell that could compare.
            Program::Subsystem(name) => Ok(Program::Subsystem(name)),
        };
        program.map_err(|source| {
            let text = format!("`{}` can't be sent", request.invocation.shown);
            Error::new(ErrorKind::Usage, text).on(&request.host).caused_by(source)
        })
    }
}

/// The fences of the hosts of a client; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fences(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The number of fences, so that a client without a lock pays for no mutex.
    count: AtomicUsize,
    by_host: Mutex<HashMap<Host, Vec<Arc<Fence>>>>,
    /// Whether the run is over.
    closing: watch::Sender<bool>,
}

impl Fences {
    /// Puts a fence around its host, until the guard is dropped.
    pub(crate) fn put(&self, fence: &Arc<Fence>) -> FenceGuard {
        self.lock().entry(fence.host.clone()).or_default().push(Arc::clone(fence));
        self.0.count.fetch_add(1, Ordering::AcqRel);
        FenceGuard { fences: self.clone(), fence: Arc::clone(fence) }
    }

    /// Waits until the run loses a lock on a host, and returns the error; for ever, if it has none there.
    pub(crate) async fn lost(&self, host: &Host) -> Error {
        let loss_of = |fence: Arc<Fence>| async move {
            let mut loss = fence.loss.subscribe();
            // The fence lives as long as the sender.
            let error = loss.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
            error.unwrap_or_else(|| fence.lost("the host has released it"))
        };
        let losses: Vec<_> = self.of(host).into_iter().map(|fence| Box::pin(loss_of(fence))).collect();
        if losses.is_empty() {
            return std::future::pending().await;
        }
        select_all(losses).await.0
    }

    /// Ends the locks of the run: it is over.
    pub(crate) fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Allows locks again, as a client that was closed may be used again.
    pub(crate) fn reopen(&self) {
        self.0.closing.send_replace(false);
    }

    /// Returns what tells that the run is over.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.0.closing.subscribe()
    }

    /// Tells whether the run holds a lock of this name on a host.
    pub(crate) fn has(&self, host: &Host, name: &str) -> bool {
        self.of(host).iter().any(|fence| fence.name == name)
    }

    fn of(&self, host: &Host) -> Vec<Arc<Fence>> {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        self.lock().get(host).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Host, Vec<Arc<Fence>>>> {
        lock(&self.0.by_host)
    }
}

/// A fence in its place.
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

/// Whether one of these fences has refused a command on the host.
#[derive(Debug, Clone)]
struct Refusal {
    fences: Arc<[Arc<Fence>]>,
    refused: Arc<OnceLock<Arc<Fence>>>,
}

impl Refusal {
    /// Returns the end of a command, which is a failure if a fence has refused it: it never began.
    fn judge(&self, end: End) -> End {
        match (self.refused.get(), &end.how) {
            (Some(fence), How::Exited(ExitStatus::Code(REFUSED)) | How::Cut(..)) => {
                End { how: How::Failed(fence.lost("the host has released it")), ..end }
            }
            _ => end,
        }
    }
}

/// Finds the marker of a fence in the output of a command.
#[derive(Debug)]
struct Listener {
    refusal: Refusal,
    inner: Box<dyn Receive>,
    /// The end of the output so far: a marker may arrive in pieces.
    last: Vec<u8>,
}

impl Receive for Listener {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        self.last.extend_from_slice(bytes);
        let markers = self.refusal.fences.iter().map(|fence| (fence, fence.marker()));
        let mut longest = 0;
        for (fence, marker) in markers {
            longest = longest.max(marker.len());
            if memmem::find(&self.last, marker.as_bytes()).is_some() {
                // It can be set once only, and the first one counts.
                let _ = self.refusal.refused.set(Arc::clone(fence));
            }
        }
        let excess = self.last.len().saturating_sub(longest);
        self.last.drain(..excess);
        self.inner.receive(stream, bytes, answer);
    }

    fn ended(&mut self, end: &End) {
        self.inner.ended(&self.refusal.judge(end.clone()));
    }
}

impl Guard for Fences {
    fn start(&self, inner: &dyn Transport, mut request: Request) -> Running {
        let fences = self.of(&request.host);
        if fences.is_empty() {
            return inner.start(request);
        }
        for fence in &fences {
            match fence.check().and_then(|()| fence.around(&request)) {
                Ok(program) => request.invocation.program = program,
                Err(error) => return refuse(request, error),
            }
        }
        let refusal = Refusal { fences: fences.into(), refused: Arc::default() };
        let receiver = Listener { refusal: refusal.clone(), inner: request.receiver, last: Vec::new() };
        let request = Request { receiver: Box::new(receiver), ..request };
        inner.start(request).map(move |end| refusal.judge(end))
    }

    fn effect(&self, _name: &str) -> Result<()> {
        Ok(())
    }
}
