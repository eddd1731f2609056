//! Ending a command: by signals to its process group, and another way where a server takes no signals.

pub(super) mod escalation;
pub(super) mod process_group;
pub(super) mod signal_strategy;
pub(super) mod stop_signal;

pub use stop_signal::{Hold, Level, RunStop};
