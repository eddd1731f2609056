//! [`Selection`]: the hosts selected by a task, before they are resolved.

/// The hosts selected by a task.
///
/// A selection contains no addresses. [`Inventory::hosts_for`](crate::config::Inventory::hosts_for)
/// resolves a selection to hosts. The hosts of `-H` replace the hosts of a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Selection<'a> {
    /// All hosts of the environment, including hosts that are only in roles.
    #[default]
    Inherit,
    /// No host. The task runs on this machine and orchestrates others.
    Local,
    /// These hosts.
    Hosts(&'a [&'a str]),
    /// The hosts of this role of the environment.
    Role(&'a str),
    /// These hosts, then the hosts of the role, without duplicates.
    HostsAndRole(&'a [&'a str], &'a str),
}

impl<'a> Selection<'a> {
    /// Returns the hosts of the selection itself.
    pub fn hosts(self) -> &'a [&'a str] {
        match self {
            Self::Hosts(hosts) | Self::HostsAndRole(hosts, _) => hosts,
            Self::Inherit | Self::Local | Self::Role(_) => &[],
        }
    }

    /// Returns the role of the selection.
    pub fn role(self) -> Option<&'a str> {
        match self {
            Self::Role(role) | Self::HostsAndRole(_, role) => Some(role),
            Self::Inherit | Self::Local | Self::Hosts(_) => None,
        }
    }
}
