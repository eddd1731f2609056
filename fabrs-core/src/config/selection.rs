//! Where something is to run, before anything is looked up.

/// Where a task says it runs, and what of the inventory a run is asked for.
///
/// A value without any address in it: [`Inventory::hosts_for`](super::Inventory::hosts_for) makes hosts of it, and
/// hosts that were typed stand over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Selection<'a> {
    /// Nothing is said: every host of the environment, those that only a role names included.
    #[default]
    Inherit,
    /// Here, with no host of its own: it orchestrates.
    Local,
    /// On these hosts.
    Hosts(&'a [&'a str]),
    /// On the hosts of this role of the environment.
    Role(&'a str),
    /// On these hosts, then on those of the role, each once.
    HostsAndRole(&'a [&'a str], &'a str),
}

impl<'a> Selection<'a> {
    /// Returns the hosts that it names itself.
    pub fn hosts(self) -> &'a [&'a str] {
        match self {
            Self::Hosts(hosts) | Self::HostsAndRole(hosts, _) => hosts,
            Self::Inherit | Self::Local | Self::Role(_) => &[],
        }
    }

    /// Returns the role that it names.
    pub fn role(self) -> Option<&'a str> {
        match self {
            Self::Role(role) | Self::HostsAndRole(_, role) => Some(role),
            Self::Inherit | Self::Local | Self::Hosts(_) => None,
        }
    }
}
