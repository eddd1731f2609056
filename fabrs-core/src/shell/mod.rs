//! Shell lines with quoted values.
//!
//! Every command accepts a [`ShellLine`]. A literal converts without a call. `cmd!` builds a line
//! from a literal and quoted values. [`ShellLine::raw`] accepts any text, so a search for `raw`
//! finds every unquoted text. This module only handles text, without I/O.

pub(crate) mod compose;
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
