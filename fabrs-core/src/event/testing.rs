//! For the tests of sinks: what they print.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::event::Event;
use crate::event::output_queue::queue::OutputQueue;
use crate::event::sink::Sink;
use crate::host::Host;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells a sink of `events` and returns what it printed to stdout and to stderr.
pub(super) fn printed<S: Sink>(make: impl FnOnce(Arc<OutputQueue>) -> S, events: &[Event<'_>]) -> (String, String) {
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let sink = make(Arc::new(OutputQueue::new(stdout.clone(), stderr.clone(), || {})));
    for event in events {
        sink.event(event);
    }
    sink.finish();
    (stdout.text(), stderr.text())
}

/// Returns the host `deploy@web1`.
pub(super) fn web1() -> Host {
    "deploy@web1".parse().expect("this is a host")
}
