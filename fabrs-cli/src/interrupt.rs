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
const ASKING: [SignalKind; 3] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

/// The maximum time without progress of the last output of an interrupted run.
const LAST_OUTPUT: Duration = Duration::from_millis(300);

/// Listens for signals that ask for the end of a run.
#[derive(Debug)]
pub(crate) struct Interrupts {
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

/// How a run was interrupted, so that `fab` can say so by its exit code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interrupted(SignalKind);

impl Interrupted {
    /// Returns the exit code of a run that was ended by the signal: 128 and its number.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// Returns the number of that exit code.
    pub(crate) fn number(self) -> u8 {
        128 + u8::try_from(self.0.as_raw_value()).unwrap_or(2)
    }
}

impl Interrupts {
    /// Begins to listen. Before this, a signal ends the process as the system does.
    pub(crate) fn new() -> io::Result<Self> {
        let ignored = ignored();
        // Who started us with a signal ignored (`nohup`, a job in the background) wants it to stay so.
        let heard = ASKING.into_iter().filter(|kind| ignored & (1 << (kind.as_raw_value() - 1)) == 0);
        let signals = heard.map(|kind| Ok((kind, signal(kind)?))).collect::<io::Result<_>>()?;
        Ok(Self { signals, first: FirstSignal::default() })
    }

    /// Returns the first signal, which [`guard`](Self::guard) notes.
    pub(crate) fn first(&self) -> FirstSignal {
        self.first.clone()
    }

    async fn next(&mut self) -> SignalKind {
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
    pub(crate) async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        tokio::select! {
            done = work => Ok(done),
            kind = self.next() => Err(Interrupted(kind)),
        }
    }

    /// Awaits the work of a run. The first signal stops the commands of `client`, the second kills them, the third ends the
    /// wait. After a signal, output that is left when `ended` is cancelled has [`LAST_OUTPUT`] to be written: its
    /// reader may have stopped.
    ///
    /// Returns the result of the work and the first signal.
    pub(crate) async fn guard<T>(
        mut self,
        client: &Client,
        say: impl Fn(&str),
        ended: &CancellationToken,
        written: impl Fn() -> u64,
        work: impl Future<Output = T>,
    ) -> (Option<T>, Option<Interrupted>) {
        let mut work = std::pin::pin!(work);
        let mut first = None;
        let mut steps = [
            (Level::Stop, "stopping: Ctrl-C again kills what is left"),
            (Level::Kill, "killing: Ctrl-C again ends fab at once"),
        ]
        .into_iter();
        loop {
            tokio::select! {
                done = &mut work => return (Some(done), first),
                () = left_unread(ended, &written), if first.is_some() => return (None, first),
                kind = self.next() => {
                    first = first.or(Some(Interrupted(kind)));
                    let number = kind.as_raw_value();
                    let _ = self.first.0.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
                    if ended.is_cancelled() {
                        continue;
                    }
                    let Some((level, text)) = steps.next() else { return (None, first) };
                    // Before the stop: its effects are told by other threads.
                    say(text);
                    client.stop().raise(level);
                }
            }
        }
    }
}

/// Waits for the end of a run, and then until its output is not read any more.
async fn left_unread(ended: &CancellationToken, written: impl Fn() -> u64) {
    ended.cancelled().await;
    loop {
        let before = written();
        sleep(LAST_OUTPUT).await;
        if written() == before {
            return;
        }
    }
}

/// Returns the signals that this process was started with as ignored, one bit each.
///
/// Only Linux tells without asking in a way that changes it; elsewhere none is taken for ignored.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
