//! Valid uses of the macros compile without lints, and have the documented results.
//!
//! These files are not cases of `ui`: trybuild compiles its cases in a single run of cargo only if
//! no case runs a program.

mod cmd;
mod shadowed_names;
pub mod tasks;
