//! `ssh_config`: what `ssh` would do with a host name.
//!
//! A connection asks [`SshConfig::resolve`] for each host and gets a [`HostConfig`]. The rules are those of
//! `ssh_config(5)`: the first value of a keyword wins, `IdentityFile` accumulates, `Host` and `Match` decide which
//! lines count, and lines are read in order, so that a `Match user` sees the `User` that was set above it.
//!
//! What differs from `ssh`, always with a [`Warning`](crate::Warning) in [`HostConfig::warnings`]:
//!
//! - an unknown keyword is passed over (`ssh` stops), unless `IgnoreUnknown` already allows it;
//! - the criteria `exec`, `tagged`, `localnetwork`, `version`, `command` and `sessiontype` of `Match` are never met,
//!   negated or not; `Match final` is evaluated, in the second pass that it asks for;
//! - names are not canonicalized (`CanonicalizeHostname`), since that needs a name server;
//! - a jump host is never reached through itself, see [`HostConfig::proxy_jump`].

mod algorithms;
mod criteria;
mod directive;
mod expand;
mod host_config;
mod jump;
mod keyword;
mod line;
mod load;
mod proxy_command;
mod query;
mod resolve;
mod value;
mod values;

pub use host_config::{ForwardAgent, HostConfig, IdentityAgent};
pub use jump::Jump;
pub use load::{ConfigFiles, SshConfig};
pub use proxy_command::ProxyCommand;
pub use query::Query;
pub use value::StrictHostKeyChecking;
