//! Settings of machines: [`MachineNetworkBuilder`] and [`MachineBuilder`].

use std::collections::HashSet;

use super::apt_source::Mirror;

/// The maximum number of machines in a network.
const MAX_MACHINES: usize = 200;

/// The settings of a [`MachineNetwork`](crate::MachineNetwork). Created by
/// [`MachineNetwork::builder`](crate::MachineNetwork::builder).
#[derive(Debug, Clone, Default)]
#[must_use = "no machine boots until `.start()`"]
pub struct MachineNetworkBuilder {
    pub(super) machines: Vec<MachineBuilder>,
    pub(super) mirror: Option<Mirror>,
}

impl MachineNetworkBuilder {
    /// Adds a machine: a name, or a [`MachineBuilder`].
    pub fn machine(mut self, machine: impl Into<MachineBuilder>) -> Self {
        self.machines.push(machine.into());
        self
    }

    /// Adds several machines with the same kind of settings.
    pub fn machines<M: Into<MachineBuilder>>(mut self, machines: impl IntoIterator<Item = M>) -> Self {
        self.machines.extend(machines.into_iter().map(Into::into));
        self
    }

    /// Allows `apt-get` on the machines to use the Debian mirror of the host that runs the test.
    /// Other servers stay unreachable.
    ///
    /// # Panics
    ///
    /// If the apt configuration of this host has no Debian mirror.
    #[track_caller]
    pub fn mirror(mut self) -> Self {
        self.mirror = Some(Mirror::of_this_machine());
        self
    }

    /// Checks the names and the number of the machines.
    #[track_caller]
    pub(super) fn check(&self) {
        assert!(!self.machines.is_empty(), "a network has at least one machine");
        assert!(self.machines.len() <= MAX_MACHINES, "a network has at most {MAX_MACHINES} machines");
        let mut names = HashSet::new();
        for machine in &self.machines {
            let name = &machine.name;
            assert!(is_valid(name), "invalid name of a machine: `{name}`");
            assert!(names.insert(name), "two machines have the name `{name}`");
            if let Some((layer, _)) = &machine.layer {
                assert!(is_valid(layer), "invalid name of a layer: `{layer}`");
            }
        }
    }
}

/// Returns `true` for a host name without dots. The names of layers follow the same rule, because
/// both are names of directories.
fn is_valid(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_allowed)
}

/// The settings of a [`Machine`](crate::Machine). Created by
/// [`Machine::builder`](crate::Machine::builder).
#[derive(Debug, Clone)]
pub struct MachineBuilder {
    pub(super) name: String,
    pub(super) layer: Option<(String, Vec<String>)>,
    pub(super) users: Vec<String>,
}

impl MachineBuilder {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), layer: None, users: Vec::new() }
    }

    /// Installs packages besides those of the base, for example
    /// `packages("db", ["postgresql"])`. Their servers start at boot.
    ///
    /// The result is cached under the name `layer`. Other packages under the same name make a new
    /// layer. A second call replaces the first.
    pub fn packages<'a>(mut self, layer: &str, packages: impl IntoIterator<Item = &'a str>) -> Self {
        self.layer = Some((layer.to_owned(), packages.into_iter().map(str::to_owned).collect()));
        self
    }

    /// Adds a user without rights under sudo. The user logs in with the key of the network.
    pub fn user(mut self, name: &str) -> Self {
        self.users.push(name.to_owned());
        self
    }
}

impl From<&str> for MachineBuilder {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "two machines have the name `web1`")]
    fn names_are_unique() {
        MachineNetworkBuilder::default().machines(["web1", "web1"]).check();
    }

    #[test]
    #[should_panic(expected = "invalid name of a machine: `../web1`")]
    fn a_name_is_a_host_name() {
        MachineNetworkBuilder::default().machine("../web1").check();
    }
}
