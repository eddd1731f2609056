//! What happens in a run, as one type, and who is told.
//!
//! An [`Event`] is the only thing that goes up besides return values. Everything below makes events; only a [`Sink`]
//! shows or stores them, and a sink never makes its caller wait.

mod capture;
mod difference;
mod failures;
mod fields;
mod happening;
mod json;
mod notes;
mod passthrough;
mod plain;
#[cfg(test)]
mod printed;
mod redacting;
mod sink;
mod spool;
mod style;
mod texts;
mod wording;

pub use crate::controls::escape_controls;
pub use capture::Capture;
pub use difference::Difference;
pub use happening::{Event, Stream, Word};
pub use json::{Json, json_line};
pub use passthrough::Passthrough;
pub use plain::Plain;
pub(crate) use redacting::Redacting;
pub(crate) use sink::Held;
pub use sink::{Broadcast, Granularity, NoSink, Sink};
pub use spool::Spool;
pub use style::{Prefix, Style};
