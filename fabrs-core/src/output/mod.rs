//! What a command left: how it ended, and what it printed.
//!
//! Plain data and its fallible reading. One layer with [`crate::error`]: an error may hold an [`Output`], and reading an
//! output that does not exist is an error.

mod plan_end;
mod read;
mod record;
mod status;
mod tail;

pub(crate) use plan_end::PlanEnd;
pub(crate) use read::last_lines;
pub use record::Output;
pub(crate) use record::{Ended, Kept, Record};
pub use status::{ExitStatus, Signal};
pub(crate) use tail::Tail;
