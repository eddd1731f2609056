//! What a task says about where it runs, before anything is looked up.

/// Where a task says it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted<'a> {
    /// It says nothing: every host of the environment, those that only a role names included.
    Inherit,
    /// On these hosts.
    Hosts(&'a [&'a str]),
    /// On the hosts of this role of the environment.
    Role(&'a str),
    /// On these hosts, then on those of the role, each once.
    HostsAndRole(&'a [&'a str], &'a str),
}
