//! [`CaptureSink`]: keeps events in memory, for tests and embedding programs.

use std::sync::Mutex;

use serde_json::Value;

use crate::event::event::Event;
use crate::event::sink::Sink;
use crate::mutex::lock;

/// A sink that keeps all events in their JSON form.
///
/// ```
/// use fabrs_core::event::{CaptureSink, Event, Sink};
///
/// let capture = CaptureSink::default();
/// capture.event(&Event::Warning { host: None, text: "look" });
/// assert_eq!(capture.events()[0]["text"], "look");
/// ```
#[derive(Debug, Default)]
pub struct CaptureSink {
    events: Mutex<Vec<Value>>,
}

impl CaptureSink {
    /// Returns all events so far.
    pub fn events(&self) -> Vec<Value> {
        lock(&self.events).clone()
    }

    /// Returns the events of a kind, such as `planned`.
    pub fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == kind).collect()
    }
}

impl Sink for CaptureSink {
    fn event(&self, event: &Event<'_>) {
        let value = serde_json::to_value(event).unwrap_or(Value::Null);
        lock(&self.events).push(value);
    }
}
