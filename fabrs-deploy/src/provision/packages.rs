//! [`Packages`]: packages installed with apt-get, dnf or yum.

use fabrs::{Command, Connection, Error, ErrorKind};

use super::account_name::check_name;
use super::resource::ProbedResource;
use crate::remote_script::with_arguments;

/// Defines the test of one package.
const INSTALLED: &str = include_str!("packages_installed.sh");

/// Prints the missing packages.
const PROBE: &str = include_str!("packages_probe.sh");

/// Installs packages.
const INSTALL: &str = include_str!("packages_install.sh");

/// Fails if a package is still missing.
const VERIFY: &str = include_str!("packages_verify.sh");

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

impl ProbedResource for Packages {
    fn label(&self) -> String {
        format!("packages {}", self.names.join(", "))
    }

    fn check(&self) -> Result<(), Error> {
        for name in &self.names {
            check_name("package", name, "+-._:")?;
            // apt-get removes `nginx` if the argument is `nginx-`.
            if name.ends_with('-') {
                return Err(Error::new(ErrorKind::Usage, format!("invalid package name `{name}`: ends with `-`")));
            }
        }
        Ok(())
    }

    fn probe(&self, connection: &Connection) -> Command {
        connection.probe(with_arguments(&self.names, &format!("{INSTALLED}{PROBE}")))
    }

    fn change(&self, connection: &Connection, differences: &[String]) -> Command {
        let missing: Vec<_> = self.names.iter().filter(|name| differences.contains(name)).collect();
        // In a dry run with an unreachable host, the missing packages are unknown.
        let names = if missing.is_empty() { self.names.iter().collect() } else { missing };
        connection.sudo(with_arguments(names, &format!("{INSTALL}{INSTALLED}{VERIFY}")))
    }

    fn change_label(&self, differences: &[String]) -> String {
        let is_known = differences.iter().all(|difference| self.names.contains(difference));
        format!("install {}", if is_known { differences } else { &self.names }.join(", "))
    }
}
