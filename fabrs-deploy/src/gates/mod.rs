//! Gates: checks of a new release by its effects after the switch, such as errors in a log.

mod command_gate;
mod gate;
mod http_gate;
#[cfg(feature = "gate-json")]
mod json_query;
mod log_errors;
mod munin_value;
mod threshold;
mod watch;
mod watched_host;

pub use command_gate::CommandGate;
pub use gate::{Gate, GateFuture, Measurement, Verdict};
pub use http_gate::HttpGate;
#[cfg(feature = "gate-json")]
pub use json_query::JsonQuery;
pub use log_errors::LogErrors;
pub use munin_value::MuninValue;
pub(crate) use watch::Watch;
pub(crate) use watched_host::LogSpan;
pub use watched_host::WatchedHost;
