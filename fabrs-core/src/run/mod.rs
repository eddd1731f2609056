//! Runs: executes a plan, and reports the outcome of every host.

mod effect;
mod env_var;
mod executor;
mod host_task;
mod once;
mod report;
mod sudo_check;

pub use effect::{EffectResult, effect};
pub use env_var::env_var;
pub use executor::Executor;
pub use once::once;
pub use report::{Report, StageReport};
