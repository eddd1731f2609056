//! Python: one virtualenv for each set of requirements, shared by releases.

mod requirements;
mod virtualenv;

pub use virtualenv::Python;
