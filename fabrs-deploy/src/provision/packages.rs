//! [`Packages`]: installed packages of apt or dnf.

use fabrs::{Command, Connection, Error};
use futures::future::{BoxFuture, FutureExt};

use super::account_name::check_name;
use super::resource::{ProbedResource, ensure, sealed};
use super::resource_changes::ResourceChanges;
use crate::remote_script::with_arguments;

/// Prints the missing packages.
const PROBE: &str = include_str!("packages_probe.sh");

/// Installs packages.
const INSTALL: &str = include_str!("packages_install.sh");

/// Installed packages: see [`Provision::ensure_packages`](super::Provision::ensure_packages).
#[derive(Debug, Clone)]
pub struct Packages {
    names: Vec<String>,
}

impl Packages {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names }
    }
}

impl sealed::Resource for Packages {
    fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>> {
        async move { Ok(ensure(&connection, &self).await?.into()) }.boxed()
    }
}

impl ProbedResource for Packages {
    fn label(&self) -> String {
        format!("packages {}", self.names.join(", "))
    }

    fn check(&self) -> Result<(), Error> {
        self.names.iter().try_for_each(|name| check_name("package", name, "+-._:"))
    }

    fn probe(&self, connection: &Connection) -> Command {
        connection.probe(with_arguments(self.names.iter().map(String::as_str), PROBE))
    }

    fn change(&self, connection: &Connection, differences: &[String]) -> Command {
        let missing: Vec<_> = self.names.iter().filter(|name| differences.contains(name)).collect();
        // In a dry run with an unreachable host, the missing packages are unknown.
        let names = if missing.is_empty() { self.names.iter().collect() } else { missing };
        connection.sudo(with_arguments(names.into_iter().map(String::as_str), &format!("{INSTALL}{PROBE}")))
    }

    fn change_label(&self, differences: &[String]) -> String {
        format!("install {}", differences.join(", "))
    }
}
