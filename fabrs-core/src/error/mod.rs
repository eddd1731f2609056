//! Errors: one type with a public kind, and its display as a block.
//!
//! The code that detects a failure builds the error with [`Error::new`] and the methods of
//! [`Error`]. This module imports only [`crate::host`], [`crate::secret`], [`crate::output`],
//! `controls` and `open_files`.

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
