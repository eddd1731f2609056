//! Events of a run, and the sinks that show or store them.
//!
//! Events and return values are the only results that pass from the lower layers to the higher
//! layers. Other modules only emit events. A [`Sink`] shows or stores events, and never blocks the
//! emitting code.

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
mod phase_formatter;
mod phase_lines;
mod phase_plan;
mod plain;
mod redacting;
mod shown_errors;
mod sink;
mod stream;
mod style;
#[cfg(test)]
mod testing;

pub use crate::controls::escape_controls;
pub use capture::CaptureSink;
pub use diff::FileDiff;
pub use event::{Event, PlannedCommand};
pub use json::{JsonSink, json_line};
pub use outcome_kind::OutcomeKind;
pub use output_queue::OutputQueue;
pub use passthrough::PassthroughSink;
pub use phase_lines::running_phase_line;
pub use plain::PlainSink;
pub(crate) use redacting::RedactingSink;
pub(crate) use sink::PausedSink;
pub use sink::{BroadcastSink, Granularity, NoSink, Sink};
pub use stream::Stream;
pub use style::{Prefix, Style};
