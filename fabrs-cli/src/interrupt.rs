//! Ctrl-C: the first stops and reports, the second kills, the third ends `fab` itself.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use fabrs_core::Client;
use fabrs_core::transport::Level;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The signals that ask for an end: from the keyboard, from a service manager, and from a terminal that is closed.
const STOP_SIGNALS: [SignalKind; 3] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

/// The maximum time without progress of the last output of an interrupted run.
const UNREAD_OUTPUT_TIMEOUT: Duration = Duration::from_millis(300);

/// Listens for signals that ask for the end of a run.
#[derive(Debug)]
pub(crate) struct SignalListener {
    signals: Vec<(SignalKind, Signal)>,
    first: FirstSignal,
}

/// The first signal of a run, if there was one.
#[derive(Debug, Clone, Default)]
pub(crate) struct FirstSignal(Arc<AtomicI32>);

impl FirstSignal {
    /// Returns the exit code that it makes: 128 and its number.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            number => Some(128 + u8::try_from(number).unwrap_or(2)),
        }
    }
}

/// How a run was interrupted, so that `fab` can announce so by its exit code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interruption(SignalKind);

impl Interruption {
    /// Returns the exit code of a run that was ended by the signal: 128 and its number.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// Returns the number of that exit code.
    pub(crate) fn code(self) -> u8 {
        128 + u8::try_from(self.0.as_raw_value()).unwrap_or(2)
    }
}

impl SignalListener {
    /// Begins to listen. Before this, a signal ends the process as the system does.
    pub(crate) fn new() -> io::Result<Self> {
        let ignored_signals = ignored_signals();
        // Who started us with a signal ignored_signals (`nohup`, a job in the background) wants it to stay so.
        let listened = STOP_SIGNALS.into_iter().filter(|kind| ignored_signals & (1 << (kind.as_raw_value() - 1)) == 0);
        let signals = listened.map(|kind| Ok((kind, signal(kind)?))).collect::<io::Result<_>>()?;
        Ok(Self { signals, first: FirstSignal::default() })
    }

    /// Returns the first signal, which [`supervise`](Self::supervise) notes.
    pub(crate) fn first(&self) -> FirstSignal {
        self.first.clone()
    }

    async fn next_signal(&mut self) -> SignalKind {
        if self.signals.is_empty() {
            return std::future::pending().await;
        }
        let waiting = self.signals.iter_mut().map(|(kind, signal)| {
            let kind = *kind;
            Box::pin(async move {
                signal.recv().await;
                kind
            })
        });
        futures::future::select_all(waiting).await.0
    }

    /// Awaits `work`, unless a signal comes before it is done; it is dropped then.
    pub(crate) async fn run_until_signal<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Interruption> {
        tokio::select! {
            done = work => Ok(done),
            kind = self.next_signal() => Err(Interruption(kind)),
        }
    }

    /// Awaits the work of a run. The first signal stops the commands of `client`, the second kills them, the third ends the
    /// wait. After a signal, output that is left when `ended` is cancelled has [`UNREAD_OUTPUT_TIMEOUT`] to be written: its
    /// reader may have stopped.
    ///
    /// Returns the result of the work and the first signal.
    pub(crate) async fn supervise<T>(
        mut self,
        client: &Client,
        announce: impl Fn(&str),
        ended: &CancellationToken,
        written: impl Fn() -> u64,
        work: impl Future<Output = T>,
    ) -> (Option<T>, Option<Interruption>) {
        let mut work = std::pin::pin!(work);
        let mut first = None;
        let mut escalation = [
            (Level::Stop, "stopping: Ctrl-C again kills what is left"),
            (Level::Kill, "killing: Ctrl-C again ends fab at once"),
        ]
        .into_iter();
        loop {
            tokio::select! {
                done = &mut work => return (Some(done), first),
                () = output_stalled(ended, &written), if first.is_some() => return (None, first),
                kind = self.next_signal() => {
                    first = first.or(Some(Interruption(kind)));
                    let number = kind.as_raw_value();
                    let _ = self.first.0.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
                    if ended.is_cancelled() {
                        continue;
                    }
                    let Some((level, text)) = escalation.next() else { return (None, first) };
                    // Before the stop: its effects are told by other threads.
                    announce(text);
                    client.stop().raise(level);
                }
            }
        }
    }
}

/// Waits for the end of a run, and then until its output is not read any more.
async fn output_stalled(ended: &CancellationToken, written: impl Fn() -> u64) {
    ended.cancelled().await;
    loop {
        let before = written();
        sleep(UNREAD_OUTPUT_TIMEOUT).await;
        if written() == before {
            return;
        }
    }
}

/// Returns the signals that this process was started with as ignored_signals, one bit each.
///
/// Only Linux tells without asking in a way that changes it; elsewhere none is taken for ignored_signals.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
