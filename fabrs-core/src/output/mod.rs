//! What a command left: how it ended, and what it printed.
//!
//! The data imports nothing of [`crate::error`], since an error may contain an [`Output`]. The accessors that can fail
//! are in a file of their own and import it.

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
