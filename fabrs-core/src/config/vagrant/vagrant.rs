//! [`Vagrant`]: runs `vagrant ssh-config` when its machines are needed, and caches the result.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use fabrs_openssh::config::SshConfig;
use tokio_util::sync::CancellationToken;

use crate::blocking::wait;
use crate::config::vagrant::messages::COMMAND;
use crate::config::vagrant::ssh_config_command::{Check, SshConfigCommand};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::mutex::lock;

/// The machines of `vagrant ssh-config` in a project, loaded when needed.
///
/// Errors are not cached, because a task may start the machines and try again.
#[derive(Debug)]
pub(crate) struct Vagrant {
    command: SshConfigCommand,
    cached: Mutex<Option<Arc<Machines>>>,
}

/// The Vagrant machines and their SSH configuration.
#[derive(Debug)]
pub(crate) struct Machines {
    hosts: Vec<Host>,
    config: SshConfig,
}

impl Vagrant {
    /// Makes a loader for these machines of the project in `folder`. An empty list means all
    /// machines. `check` must accept the Vagrantfile first.
    pub(crate) fn new(folder: PathBuf, machines: &[String], check: Check) -> Self {
        Self { command: SshConfigCommand::new(folder, machines.to_vec(), check), cached: Mutex::default() }
    }

    /// Runs a script in place of Vagrant.
    #[cfg(test)]
    pub(crate) fn script(folder: &std::path::Path, script: &str) -> Self {
        Self { command: SshConfigCommand::script(folder, script), cached: Mutex::default() }
    }

    /// Returns the machines. Runs Vagrant if the machines are not known yet.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops `vagrant` and its child processes.
    pub(crate) async fn machines(&self) -> Result<Arc<Machines>> {
        if let Some(machines) = lock(&self.cached).clone() {
            return Ok(machines);
        }
        let machines = Arc::new(Machines::read(&self.command.output().await?)?);
        *lock(&self.cached) = Some(Arc::clone(&machines));
        Ok(machines)
    }

    /// Like [`machines`](Self::machines), but blocks the calling thread, for callers that can't
    /// await.
    ///
    /// # Errors
    ///
    /// As [`machines`](Self::machines), and [`ErrorKind::Cancelled`] if the run is stopped. This
    /// also stops `vagrant`.
    pub(crate) fn machines_blocking(&self, stop: &CancellationToken) -> Result<Arc<Machines>> {
        if let Some(machines) = lock(&self.cached).clone() {
            return Ok(machines);
        }
        let result = wait(stop.run_until_cancelled(self.machines()));
        let result =
            result.map_err(|source| Error::new(ErrorKind::Internal, "could not run Vagrant").caused_by(source))?;
        let stopped = || Error::new(ErrorKind::Cancelled, format!("`{COMMAND}` was stopped"));
        result.unwrap_or_else(|| Err(stopped()))
    }
}

impl Machines {
    /// Parses the output of `vagrant ssh-config` as `ssh` does.
    fn read(text: &str) -> Result<Self> {
        let home = dirs::home_dir().unwrap_or_else(|| PathBuf::from("/"));
        let config = SshConfig::parse_with_includes(text, COMMAND, home).map_err(|source| {
            Error::new(ErrorKind::Config, format!("could not read the output of `{COMMAND}`")).caused_by(source)
        })?;
        let host = |name: &str| {
            name.parse().map_err(|source| {
                Error::new(ErrorKind::Config, "a Vagrant machine has an invalid host name").caused_by(source)
            })
        };
        let hosts: Vec<Host> = config.host_names().into_iter().map(host).collect::<Result<_>>()?;
        if hosts.is_empty() {
            let error = Error::new(ErrorKind::NoHost, format!("`{COMMAND}` listed no machine"));
            return Err(error.hint("run `vagrant up` to start the machines, or `vagrant status` to list them"));
        }
        Ok(Self { hosts, config })
    }

    /// Returns the machines as hosts, in the order reported by Vagrant.
    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Returns whether a host is a Vagrant machine.
    pub(crate) fn has(&self, host: &Host) -> bool {
        self.hosts.iter().any(|machine| machine.name() == host.name())
    }

    /// Returns the SSH configuration of the machines.
    pub(crate) fn ssh_config(&self) -> &SshConfig {
        &self.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_keep_the_order_of_vagrant() {
        let machines = Machines::read(include_str!("recorded/three.txt")).unwrap();
        assert_eq!(machines.hosts().iter().map(Host::name).collect::<Vec<_>>(), ["web", "db", "queue"]);
        assert!(machines.has(&"root@db:22".parse().unwrap()) && !machines.has(&"web1".parse().unwrap()));
    }

    #[test]
    fn output_without_a_machine_is_an_empty_selection() {
        for text in ["", "\n", "# nothing\n"] {
            let error = Machines::read(text).unwrap_err();
            assert_eq!(error.exit_code().code(), 3);
            assert_eq!(
                error.block().to_string(),
                "error: `vagrant ssh-config` listed no machine\n\
                 hint: run `vagrant up` to start the machines, or `vagrant status` to list them"
            );
        }
    }

    #[test]
    fn invalid_ssh_config_is_reported_with_its_line() {
        let error = Machines::read("Host default\n  Port none\n").unwrap_err();
        assert_eq!(
            error.block().to_string(),
            "error: could not read the output of `vagrant ssh-config`\n  caused by: \
             vagrant ssh-config:2: `port`: invalid port `none`: expected a number from 1 to 65535"
        );
    }
}
