//! Valid uses of the macros compile without lints, and have the documented results.
//!
//! These tests are no cases of `ui`: trybuild compiles its cases in one run of cargo only if no case
//! runs a program.

mod cmd;
mod shadowed_names;
pub mod tasks;
