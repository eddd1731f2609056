//! [`ProgressCounter`]: counts transferred bytes and emits progress events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::context::TransferContext;
use crate::event::{Event, Sink};
use crate::host::Host;
use crate::mutex::lock;

/// The delay of the first event. A shorter transfer emits no event.
const FIRST_EVENT_DELAY: Duration = Duration::from_millis(500);
/// The minimum time between two events.
const EVENT_INTERVAL: Duration = Duration::from_millis(200);

/// The progress of one file. Dropping the counter emits the last event.
#[derive(Debug)]
pub(crate) struct ProgressCounter {
    number: u64,
    sink: Arc<dyn Sink>,
    host: Host,
    operation: String,
    total: u64,
    started: Instant,
    state: Mutex<State>,
}

/// The number of transfers of a client, for the IDs of events.
#[derive(Debug, Default)]
struct TransferCount(AtomicU64);

#[derive(Debug, Default)]
struct State {
    done: u64,
    /// The time from the start to the last event.
    last_event: Option<Duration>,
}

impl ProgressCounter {
    /// Creates a counter for `total` bytes.
    pub(crate) fn new(context: &TransferContext, operation: &str, total: u64) -> Arc<Self> {
        let run = context.connection.state();
        Arc::new(Self {
            number: run.map_or(0, |run| run.extension::<TransferCount>().0.fetch_add(1, Ordering::Relaxed) + 1),
            sink: context.connection.sink(),
            host: context.connection.host().cloned().unwrap_or_else(Host::local),
            operation: operation.to_owned(),
            total,
            started: Instant::now(),
            state: Mutex::default(),
        })
    }

    /// Creates a counter without a receiver of its events.
    #[cfg(test)]
    pub(crate) fn silent() -> Arc<Self> {
        let (sink, host) = (Arc::new(crate::event::NoSink), Host::local());
        Arc::new(Self {
            number: 0,
            sink,
            host,
            operation: String::new(),
            total: 0,
            started: Instant::now(),
            state: Mutex::default(),
        })
    }

    /// Adds transferred bytes.
    pub(crate) fn add(&self, bytes: usize) {
        let elapsed = self.started.elapsed();
        let done = {
            let mut state = lock(&self.state);
            state.done += bytes as u64;
            if elapsed < state.last_event.map_or(FIRST_EVENT_DELAY, |last_event| last_event + EVENT_INTERVAL) {
                return;
            }
            state.last_event = Some(elapsed);
            state.done
        };
        self.emit(done, elapsed, false);
    }

    fn emit(&self, done: u64, elapsed: Duration, is_finished: bool) {
        let (number, host, operation, total) = (self.number, &self.host, &*self.operation, self.total);
        self.sink.event(&Event::Progress {
            id: number,
            host,
            operation,
            done_bytes: done,
            total_bytes: total,
            elapsed,
            is_finished,
        });
    }
}

impl Drop for ProgressCounter {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.last_event.is_some() {
            let done = state.done;
            self.emit(done, self.started.elapsed(), true);
        }
    }
}
