//! Output of a run: the sink, progress bars and pages.

mod bars;
mod captured;
mod lines;
mod sink;
mod terminal;
mod transfers;

pub(crate) use sink::{Screen, print};
