//! The scanner of `cmd!`: splits a literal into text and placeholders.

mod braces;
mod dollar;
mod here_document;
mod quotes;
mod scanner;
#[cfg(test)]
mod tests;

pub(super) use scanner::{LinePart, scan};
