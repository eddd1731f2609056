//! Who is told what happens.

use std::fmt;
use std::sync::Arc;

use super::Event;

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

    /// Waits until everything that was handed over so far is written. Blocks; called before a command gets the terminal.
    fn flush(&self) {}

    /// Keeps what is handed over from now on until [`release`](Self::release) was called as often: somebody is asked at the
    /// terminal, or works there. Blocks until nothing is being written any more.
    fn hold(&self) {}

    /// Writes what was kept.
    fn release(&self) {}

    /// Waits until everything that was handed over is written. Blocks; called once, at the end of a run.
    fn finish(&self) {}
}

/// Holds a sink until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(Arc<dyn Sink>);

impl Held {
    /// Lets a sink write what it was told so far, and then nothing more.
    pub(crate) fn of(sink: &Arc<dyn Sink>) -> Self {
        sink.flush();
        sink.hold();
        Self(Arc::clone(sink))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// In which form a sink wants what commands print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granularity {
    /// As [`Event::Lines`].
    pub lines: bool,
    /// As [`Event::Bytes`].
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
pub struct Broadcast(Vec<Arc<dyn Sink>>);

impl Broadcast {
    /// Tells each of `sinks`, in that order.
    pub fn new(sinks: Vec<Arc<dyn Sink>>) -> Self {
        Self(sinks)
    }
}

impl Sink for Broadcast {
    fn event(&self, event: &Event<'_>) {
        for sink in &self.0 {
            let wants = sink.granularity();
            match event {
                Event::Lines { .. } if !wants.lines => {}
                Event::Bytes { .. } if !wants.bytes => {}
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

    fn flush(&self) {
        for sink in &self.0 {
            sink.flush();
        }
    }

    fn hold(&self) {
        for sink in &self.0 {
            sink.hold();
        }
    }

    fn release(&self) {
        for sink in &self.0 {
            sink.release();
        }
    }

    fn finish(&self) {
        for sink in &self.0 {
            sink.finish();
        }
    }
}
