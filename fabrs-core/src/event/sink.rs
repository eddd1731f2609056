//! Who is told what happens.

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, join_all};

use crate::event::event::Event;

/// Receives everything that happens in a run.
///
/// Called from the tasks that read from hosts, so it must never wait: a sink that writes to something slow hands over
/// and returns.
pub trait Sink: Send + Sync + fmt::Debug {
    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);

    /// Returns in which form the sink wants what commands print. Defaults to lines.
    fn granularity(&self) -> Granularity {
        Granularity { lines: true, bytes: false }
    }

    /// Waits until all earlier events are written. If the sink is held, waits only for a write in progress. Called
    /// before a prompt or a command uses the terminal.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    fn flush(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }

    /// Holds back later events while a prompt or a command uses the terminal. Each call needs a call of
    /// [`resume`](Self::resume). Returns at once. [`flush`](Self::flush) waits for a write in progress.
    fn pause(&self) {}

    /// Writes the kept events.
    fn resume(&self) {}

    /// Waits until everything that was handed over is written. Blocks; called once, at the end of a run.
    fn finish(&self) {}
}

/// Holds a sink until it is dropped.
#[derive(Debug)]
pub(crate) struct PausedSink(Arc<dyn Sink>);

impl PausedSink {
    /// Waits until a sink has written all earlier events, and holds it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future releases the sink.
    pub(crate) async fn of(sink: &Arc<dyn Sink>) -> Self {
        sink.flush().await;
        sink.pause();
        let held = Self(Arc::clone(sink));
        // An event of another host may be on its way to the terminal.
        sink.flush().await;
        held
    }
}

impl Drop for PausedSink {
    fn drop(&mut self) {
        self.0.resume();
    }
}

/// In which form a sink wants what commands print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granularity {
    /// As [`Event::OutputLines`].
    pub lines: bool,
    /// As [`Event::OutputBytes`].
    pub bytes: bool,
}

/// Shows nothing: what an embedding program gets when it names no sink.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn event(&self, _: &Event<'_>) {}

    fn granularity(&self) -> Granularity {
        Granularity { lines: false, bytes: false }
    }
}

/// Tells several sinks.
#[derive(Debug, Clone)]
pub struct BroadcastSink(Vec<Arc<dyn Sink>>);

impl BroadcastSink {
    /// Tells each of `sinks`, in that order.
    pub fn new(sinks: Vec<Arc<dyn Sink>>) -> Self {
        Self(sinks)
    }
}

impl Sink for BroadcastSink {
    fn event(&self, event: &Event<'_>) {
        for sink in &self.0 {
            let wants = sink.granularity();
            match event {
                Event::OutputLines { .. } if !wants.lines => {}
                Event::OutputBytes { .. } if !wants.bytes => {}
                _ => sink.event(event),
            }
        }
    }

    fn granularity(&self) -> Granularity {
        self.0.iter().fold(Granularity { lines: false, bytes: false }, |all, sink| {
            let one = sink.granularity();
            Granularity { lines: all.lines || one.lines, bytes: all.bytes || one.bytes }
        })
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        join_all(self.0.iter().map(|sink| sink.flush())).map(drop).boxed()
    }

    fn pause(&self) {
        for sink in &self.0 {
            sink.pause();
        }
    }

    fn resume(&self) {
        for sink in &self.0 {
            sink.resume();
        }
    }

    fn finish(&self) {
        for sink in &self.0 {
            sink.finish();
        }
    }
}
