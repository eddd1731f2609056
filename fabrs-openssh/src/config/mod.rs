//! `ssh_config`: the settings of `ssh` for a host name.
//!
//! A connection calls [`SshConfig::resolve`] for each host and gets a [`HostConfig`]. The rules are those of
//! `ssh_config(5)`: the first value of a keyword wins, `IdentityFile` accumulates, `Host` and `Match` decide which
//! lines count, and lines are read in order, so that a `Match user` sees the `User` that was set above it.
//!
//! Differences from `ssh`, always with a [`Warning`](crate::Warning) in [`HostConfig::warnings`]:
//!
//! - `Match exec` needs [`Query::exec`]. Without it, and for the criteria `localnetwork`, `version`, `command` and
//!   `sessiontype`, a `Match` line never matches, negated or not.
//! - Names are not canonicalized (`CanonicalizeHostname`), since that needs a name server.
//! - A jump host is never reached through itself, see [`HostConfig::proxy_jump`].
//!
//! Keywords of newer versions, and `UseKeychain` of macOS, are known. An unknown keyword is an error, as in `ssh`, unless
//! `IgnoreUnknown` allows it.

mod algorithm_list;
mod criteria;
mod directive;
mod expand_values;
mod host_config;
mod jump_host;
mod keyword;
mod known_algorithms;
mod line;
mod load;
mod proxy_command;
mod query;
mod resolve;
mod tokens;
mod unexpanded_values;
mod value;

pub use algorithm_list::AlgorithmList;
pub use host_config::{ForwardAgent, HostConfig, IdentityAgent, RawValue};
pub use jump_host::JumpHost;
pub use load::{ConfigFiles, SshConfig};
pub use proxy_command::ProxyCommand;
pub use query::Query;
pub use value::StrictHostKeyChecking;
