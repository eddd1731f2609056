//! `cmd!`: from a literal with placeholders to the pieces of a shell line.
//!
//! [`scan`] follows the quotes of the shell through the literal, [`placeholder`] reads what stands in braces, [`fault`]
//! holds every mistake with its text, [`expand`] turns the parts into Rust. Only [`expand`] knows tokens.

mod expand;
mod literal_error;
mod placeholder;
mod scan;

pub(crate) use expand::expand;
