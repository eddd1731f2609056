//! What a person or a program is shown: which sink, and the summary at the end.

mod bars;
mod lines;
mod sink;
mod summary;
mod terminal;
mod transfers;

pub(crate) use sink::{Screen, print};
pub(crate) use summary::summary;
