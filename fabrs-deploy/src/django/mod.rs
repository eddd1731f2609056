//! Django: what makes a release whole, what it does to the database and when, and when going back is not safe.

mod manage;
mod plan;
mod preview;
mod project;
mod state;

pub use manage::manage;
pub use project::Django;
