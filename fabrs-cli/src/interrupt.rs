//! Handling of Ctrl-C (SIGINT), SIGTERM and SIGHUP: the first signal stops the commands of a run,
//! the second kills them, the third ends `fab` at once.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use fabrs_core::Client;
use fabrs_core::transport::StopLevel;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The signals to stop a run, sent by the keyboard, by a service manager, and by a closed terminal.
const HANDLED_SIGNALS: [SignalKind; 3] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

/// Maximum time without progress in writing the last output of an interrupted run.
const UNREAD_OUTPUT_TIMEOUT: Duration = Duration::from_millis(300);

/// Listens for the signals to stop a run.
#[derive(Debug)]
pub(crate) struct SignalListener {
    signals: Vec<(SignalKind, Signal)>,
    first: FirstSignal,
}

/// The first signal received during a run. Clones share the signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct FirstSignal(Arc<AtomicI32>);

impl FirstSignal {
    /// Returns the exit code for the signal, 128 plus its number, or `None` without a signal.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            number => Some(128 + u8::try_from(number).unwrap_or(2)),
        }
    }
}

/// The signal that interrupted a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interruption(SignalKind);

impl Interruption {
    /// Returns the exit code of the interrupted run: 128 plus the signal number.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// Returns the exit code as a number.
    pub(crate) fn code(self) -> u8 {
        128 + u8::try_from(self.0.as_raw_value()).unwrap_or(2)
    }
}

impl SignalListener {
    /// Starts listening. Before this call, each signal has the default effect of the system.
    pub(crate) fn new() -> io::Result<Self> {
        let ignored = ignored_signals();
        // A parent that ignores a signal (`nohup`, a background job) expects children to ignore it.
        let kinds = HANDLED_SIGNALS.into_iter().filter(|kind| ignored & (1 << (kind.as_raw_value() - 1)) == 0);
        let signals = kinds.map(|kind| Ok((kind, signal(kind)?))).collect::<io::Result<_>>()?;
        Ok(Self { signals, first: FirstSignal::default() })
    }

    /// Returns a handle to the first signal, set by
    /// [`stop_run_on_signals`](Self::stop_run_on_signals).
    pub(crate) fn first(&self) -> FirstSignal {
        self.first.clone()
    }

    async fn next_signal(&mut self) -> SignalKind {
        if self.signals.is_empty() {
            return std::future::pending().await;
        }
        let receivers = self.signals.iter_mut().map(|(kind, signal)| {
            let kind = *kind;
            Box::pin(async move {
                signal.recv().await;
                kind
            })
        });
        futures::future::select_all(receivers).await.0
    }

    /// Awaits `work` until a signal arrives. A signal drops `work` and is returned as the error.
    pub(crate) async fn run_until_signal<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Interruption> {
        tokio::select! {
            done = work => Ok(done),
            kind = self.next_signal() => Err(Interruption(kind)),
        }
    }

    /// Awaits the work of a run and handles signals. The first signal stops the commands of
    /// `client`, the second kills them, and the third ends the wait.
    ///
    /// After a signal, the remaining output has a limited time once `ended` is cancelled: the wait
    /// ends after [`UNREAD_OUTPUT_TIMEOUT`] without progress in `written`, because the reader of
    /// the output may have stopped.
    ///
    /// Returns the result of the work, `None` if the wait ended early, and the first signal.
    pub(crate) async fn stop_run_on_signals<T>(
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
            (StopLevel::Stop, "stopping; press Ctrl-C again to kill the remaining commands"),
            (StopLevel::Kill, "killing the remaining commands; press Ctrl-C again to end fab at once"),
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
                    // Announce the stop first, because other threads report its effects.
                    announce(text);
                    client.stop().raise(level);
                }
            }
        }
    }
}

/// Waits for the end of a run, and then until the number of written bytes stops growing.
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

/// Returns the signals ignored since the start of this process, as a bit mask.
///
/// Only Linux offers a query without a change of the signal handler. On other systems, the mask is
/// empty.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
