//! What can go wrong, as one type with a published kind, and how it is told.
//!
//! Errors are made by the code that meets them, out of [`Error::new`] and what is added to it; this module knows no
//! other but [`crate::host`], [`crate::secret`], [`crate::output`] and `open_files`.

mod block;
mod cause_text;
mod error;
mod exit_code;
mod grouped;
mod kind;
mod macros;
mod masked;
mod redacted;
mod task;

pub use block::ErrorBlock;
pub(crate) use cause_text::CauseText;
pub use error::{Error, Result};
pub use exit_code::ExitCode;
pub use grouped::GroupedErrors;
pub use kind::ErrorKind;
pub use task::{Context, TaskError};
