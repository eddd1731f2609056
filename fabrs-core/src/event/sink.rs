//! [`Sink`]: the receiver of events.

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, join_all};

use crate::event::event::Event;

/// A receiver of the events of a run.
///
/// The async tasks that read from hosts call these methods, so a sink must never block. A sink for
/// a slow destination queues the event and returns.
pub trait Sink: Send + Sync + fmt::Debug {
    /// Receives an event.
    fn event(&self, event: &Event<'_>);

    /// Returns the form in which the sink receives output. Defaults to lines.
    fn granularity(&self) -> Granularity {
        Granularity::LINES
    }

    /// Waits until all earlier events are written. If the sink is paused, waits only for a write in
    /// progress. Called before a prompt or a command uses the terminal.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    fn flush(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }

    /// Holds back later events while a prompt or a command uses the terminal. Each call needs a
    /// call of [`resume`](Self::resume). Returns at once. [`flush`](Self::flush) waits for a write
    /// in progress.
    fn pause(&self) {}

    /// Writes the events held back by [`pause`](Self::pause).
    fn resume(&self) {}

    /// Waits until all events are written. Blocks. Called once at the end of a run.
    fn finish(&self) {}
}

/// A paused sink. Dropping this value resumes the sink.
#[derive(Debug)]
pub(crate) struct PausedSink(Arc<dyn Sink>);

impl PausedSink {
    /// Waits until the sink has written all earlier events, and pauses the sink.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future resumes the sink.
    pub(crate) async fn of(sink: &Arc<dyn Sink>) -> Self {
        sink.flush().await;
        sink.pause();
        let paused = Self(Arc::clone(sink));
        // A write for another host may be in progress.
        sink.flush().await;
        paused
    }
}

impl Drop for PausedSink {
    fn drop(&mut self) {
        self.0.resume();
    }
}

/// The form in which a sink receives output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Granularity {
    /// True to receive [`Event::OutputLines`].
    pub lines: bool,
    /// True to receive [`Event::OutputBytes`].
    pub bytes: bool,
}

impl Granularity {
    /// Complete lines of output.
    pub const LINES: Self = Self { lines: true, bytes: false };
    /// Output as received.
    pub const BYTES: Self = Self { lines: false, bytes: true };
    /// No output.
    pub const NONE: Self = Self { lines: false, bytes: false };
}

/// A sink that discards all events. The default of an embedding program.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn event(&self, _: &Event<'_>) {}

    fn granularity(&self) -> Granularity {
        Granularity::NONE
    }
}

/// A sink that passes events to several sinks.
#[derive(Debug, Clone)]
pub struct BroadcastSink(Vec<Arc<dyn Sink>>);

impl BroadcastSink {
    /// Makes a sink that passes each event to `sinks`, in this order.
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
        self.0.iter().fold(Granularity::NONE, |all, sink| {
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
