//! The `#[task]` macro: generates the description of a task and a typed call next to the function.
//!
//! - [`attr`] parses `#[task(…)]`, [`params`] the parameters, and [`arg`] their `#[arg(…)]`.
//! - [`rolling`] parses the number of hosts at a time.
//! - [`docs`] converts doc comments to help text.
//! - [`check`] rejects invalid functions and keys.
//! - [`mod@expand`] generates the code, and [`task_macro`] combines the steps.
//!
//! Parsing continues after an error. The expansion contains as much valid code as possible next to
//! the compile errors, so a single mistake causes a single error.

mod arg;
mod attr;
mod check;
mod docs;
mod expand;
mod params;
mod rolling;
mod task_macro;
#[cfg(test)]
mod tests;

pub(crate) use task_macro::expand;
