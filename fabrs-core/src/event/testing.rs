//! Test helpers for sinks.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::event::event::Event;
use crate::event::output_queue::queue::OutputQueue;
use crate::event::sink::Sink;
use crate::host::Host;
use crate::mutex::lock;

#[derive(Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Passes `events` to a sink, and returns its output on stdout and stderr.
pub(super) fn output_of<S: Sink>(make: impl FnOnce(Arc<OutputQueue>) -> S, events: &[Event<'_>]) -> (String, String) {
    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
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
