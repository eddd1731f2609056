//! The virtualenv of a release: shared by all releases with the same requirements, and never changed under a live one.

mod requirements;
mod virtualenv;

pub use virtualenv::Python;
