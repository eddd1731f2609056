//! `ssh_config` files: the settings of `ssh` for a host.
//!
//! [`SshConfig::resolve`] returns the [`HostConfig`] of a host, by the rules of `ssh_config(5)`:
//!
//! - The first value of a keyword wins. `IdentityFile` and `CertificateFile` accumulate.
//! - `Host` and `Match` blocks select the lines for a host.
//! - Lines are read in order. A `Match user` block depends on a `User` line above.
//!
//! The following differences from `ssh` add a [`Warning`](crate::Warning) to
//! [`HostConfig::warnings`]:
//!
//! - `Match exec` requires [`Query::exec`]. Without this function, a `Match exec` block never
//!   matches, negated or not. The same applies to the criteria `localnetwork`, `version`, `command`
//!   and `sessiontype`.
//! - Host names are not canonicalized (`CanonicalizeHostname`), because this requires a name
//!   server.
//! - The connection to a jump host never passes through the jump host itself, see
//!   [`HostConfig::proxy_jump`].
//!
//! The module accepts the keywords of `ssh` up to 10.5, and `UseKeychain` of macOS. Like `ssh`, it
//! reports an error for an unknown keyword, unless `IgnoreUnknown` lists the keyword.

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
