//! The `cmd!` macro: from a literal with placeholders to a shell line with quoted values.
//!
//! - [`scan`] splits the literal into text and placeholders, and tracks the quotes of the shell.
//! - [`placeholder`] parses the text between braces.
//! - [`literal_error`] defines all errors in the literal, with their messages.
//! - [`expand`] generates the Rust code. Only this module uses tokens.

mod expand;
mod literal_error;
mod placeholder;
mod scan;

pub(crate) use expand::expand;
