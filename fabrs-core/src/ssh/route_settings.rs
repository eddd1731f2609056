//! Settings of a host that also apply to its gateways.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Layered, SshConfigSource};

/// The settings of a host that also apply to the gateways on its route: the ssh config, the keys
/// and the connect timeout. Hosts with equal settings share the session of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RouteSettings {
    pub(super) ssh_config: SshConfigSource,
    /// Key files to offer before those of the ssh config: first the files of the command line.
    pub(super) identities: Vec<PathBuf>,
    pub(super) connect_timeout: Layered<Duration>,
}
