//! What happens in a run, as one type, and who is told.
//!
//! An [`Event`] is the only thing that goes up besides return values. Everything below makes events; only a [`Sink`]
//! shows or stores them, and a sink never makes its caller wait.

mod capture;
mod diff;
mod event;
mod format;
mod formatter;
mod json;
mod json_fields;
mod map_texts;
mod outcome_kind;
mod output_queue;
mod passthrough;
mod plain;
mod redacting;
mod shown_errors;
mod sink;
mod stream;
mod style;
#[cfg(test)]
mod testing;

pub use crate::controls::escape_controls;
pub use capture::Capture;
pub use diff::Difference;
pub use event::Event;
pub use json::{Json, json_line};
pub use outcome_kind::Word;
pub use output_queue::Spool;
pub use passthrough::Passthrough;
pub use plain::Plain;
pub(crate) use redacting::Redacting;
pub(crate) use sink::Held;
pub use sink::{Broadcast, Granularity, NoSink, Sink};
pub use stream::Stream;
pub use style::{Prefix, Style};
