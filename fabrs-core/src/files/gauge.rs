//! How far a content has come, told while it is on its way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::place::Place;
use crate::event::{Event, Sink};
use crate::host::Host;

/// What takes less time is told at its end alone.
const FIRST: Duration = Duration::from_millis(500);
/// How often more is told.
const EVERY: Duration = Duration::from_millis(200);

/// How far one content has come; dropped, it is on its way no more.
#[derive(Debug)]
pub(super) struct Gauge {
    number: u64,
    sink: Arc<dyn Sink>,
    host: Host,
    what: String,
    total: u64,
    begun: Instant,
    state: Mutex<State>,
}

/// How many transfers of a client have begun.
#[derive(Debug, Default)]
struct Count(AtomicU64);

#[derive(Debug, Default)]
struct State {
    done: u64,
    /// When it was told last, since it began.
    told: Option<Duration>,
}

impl Gauge {
    /// Begins with nothing of `total` bytes.
    pub(super) fn new(place: &Place, what: &str, total: u64) -> Arc<Self> {
        let run = place.connection.state();
        Arc::new(Self {
            number: run.map_or(0, |run| run.extension::<Count>().0.fetch_add(1, Ordering::Relaxed) + 1),
            sink: place.connection.sink(),
            host: place.connection.host().cloned().unwrap_or_else(Host::local),
            what: what.to_owned(),
            total,
            begun: Instant::now(),
            state: Mutex::default(),
        })
    }

    /// Returns one that tells nobody.
    #[cfg(test)]
    pub(super) fn silent() -> Arc<Self> {
        let (sink, host) = (Arc::new(crate::event::NoSink), Host::local());
        Arc::new(Self {
            number: 0,
            sink,
            host,
            what: String::new(),
            total: 0,
            begun: Instant::now(),
            state: Mutex::default(),
        })
    }

    /// Notes that more has come.
    pub(super) fn add(&self, bytes: usize) {
        let elapsed = self.begun.elapsed();
        let done = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.done += bytes as u64;
            if elapsed < state.told.map_or(FIRST, |told| told + EVERY) {
                return;
            }
            state.told = Some(elapsed);
            state.done
        };
        self.tell(done, elapsed, false);
    }

    fn tell(&self, done: u64, elapsed: Duration, over: bool) {
        let (number, host, what, total) = (self.number, &self.host, &*self.what, self.total);
        self.sink.event(&Event::Progress {
            id: number,
            host,
            operation: what,
            done_bytes: done,
            total_bytes: total,
            elapsed,
            is_finished: over,
        });
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.told.is_some() {
            let done = state.done;
            self.tell(done, self.begun.elapsed(), true);
        }
    }
}
