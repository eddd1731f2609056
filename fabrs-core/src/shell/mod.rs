//! Lines for a shell, quoted by type: what is literal and what is a value is never in doubt.
//!
//! [`ShellLine`] is what every command takes. A literal converts by itself, `cmd!` builds one from a literal and
//! quoted values, [`ShellLine::raw`] takes any text and says so where it stands. Pure text, no I/O.

mod error;
mod join;
mod line;
mod plain;
mod scan;
mod sh_command;
mod value;

pub use error::ShellLineError;
pub(crate) use join::grouped;
pub use line::{IntoShellLine, Piece, ShellLine};
pub(crate) use plain::is_plain;
pub(crate) use sh_command::{sh_call, sh_command, sh_command_in_session};
pub(crate) use value::quote_path;
pub use value::{ShellList, ShellValue, quote};
