//! The result of a command: its exit status and its output.
//!
//! The data does not import [`crate::error`], because an error can contain an [`Output`]. The
//! fallible accessors, which return errors, are in separate files.

mod accessors;
mod cause;
mod plan_end;
mod plan_error;
mod record;
mod status;
mod tail;

pub(crate) use plan_end::PlanEnd;
#[cfg(test)]
pub(crate) use record::CapturedStream;
pub use record::Output;
pub(crate) use record::{CommandRecord, CommandResult};
pub use status::{ExitStatus, Signal};
pub(crate) use tail::{TailBuffer, last_lines};
