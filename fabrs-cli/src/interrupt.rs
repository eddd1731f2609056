//! Ctrl-C: the first stops and reports, the second kills, the third ends `fab` itself.

use std::io;

use fabrs_core::Client;
use fabrs_core::transport::Level;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for an end: from the keyboard, from a service manager, and from a terminal that is closed.
const ASKING: [SignalKind; 3] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

/// Listens for signals that ask for the end of a run.
#[derive(Debug)]
pub(crate) struct Interrupts {
    signals: Vec<(SignalKind, Signal)>,
}

/// How a run was interrupted, so that `fab` can say so by its exit code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interrupted(pub(crate) SignalKind);

impl Interrupts {
    /// Begins to listen. Before this, a signal ends the process as the system does.
    pub(crate) fn new() -> io::Result<Self> {
        let signals = ASKING.into_iter().map(|kind| Ok((kind, signal(kind)?))).collect::<io::Result<_>>()?;
        Ok(Self { signals })
    }

    async fn next(&mut self) -> SignalKind {
        let waiting = self.signals.iter_mut().map(|(kind, signal)| {
            let kind = *kind;
            Box::pin(async move {
                signal.recv().await;
                kind
            })
        });
        futures::future::select_all(waiting).await.0
    }

    /// Runs `work`, stopping what `client` runs at the first signal and killing it at the second; at the third the work
    /// is dropped. Returns what came of the work, and the first signal.
    pub(crate) async fn guard<T>(
        mut self,
        client: &Client,
        say: impl Fn(&str),
        work: impl Future<Output = T>,
    ) -> (Option<T>, Option<Interrupted>) {
        let mut work = std::pin::pin!(work);
        let mut first = None;
        for step in [(Level::Stop, "stopping: once more kills"), (Level::Kill, "killing: once more ends fab at once")] {
            tokio::select! {
                done = &mut work => return (Some(done), first),
                kind = self.next() => {
                    first = first.or(Some(Interrupted(kind)));
                    client.stop().raise(step.0);
                    say(step.1);
                }
            }
        }
        tokio::select! {
            done = &mut work => (Some(done), first),
            _ = self.next() => (None, first),
        }
    }
}
