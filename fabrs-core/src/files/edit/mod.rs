//! Files that are looked at, read and edited where they are.
//!
//! An edit reads the file, has [`text`] say what becomes of it, and puts that as every file is put: whole or not at all,
//! and not where it is there already. Between the two nobody else may have changed it.

mod change;
mod kinds;
mod look;
mod make;
mod read;
mod remove;
mod text;

pub use change::Edit;
pub use kinds::{Append, Change, Comment, IntoLines, Line, Replace, Uncomment};
pub use look::Look;
pub use make::Make;
pub use read::Read;
pub use remove::Remove;
