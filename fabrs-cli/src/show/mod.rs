//! What a person or a program is shown: which sink, and the summary at the end.

mod sink;
mod summary;

pub(crate) use sink::{Screen, print};
pub(crate) use summary::summary;
