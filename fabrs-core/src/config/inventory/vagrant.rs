//! Vagrant machines in an inventory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::environment::Environment;
use crate::config::inventory::inventory::Inventory;
use crate::config::selection::Selection;
use crate::config::vagrant::vagrant::{Machines, Vagrant};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

impl Inventory {
    /// Allows `vagrant ssh-config` to run in `folder`, if the environment uses Vagrant. Vagrant
    /// runs once, when a host is needed.
    ///
    /// Vagrant searches `folder` and its parent directories for a Vagrantfile, and runs the code in
    /// the file.
    ///
    /// ```
    /// use fabrs_core::config::{Config, Inventory, Selection};
    ///
    /// let config = Config::parse("[env.dev]\nvagrant = true", "fabrs.toml".as_ref())?;
    /// let project = tempfile::tempdir().expect("a directory");
    /// let inventory = Inventory::new(&config, Some("dev"))?.with_vagrant(project.path());
    /// assert!(inventory.hosts_for(Selection::Inherit).is_err(), "the directory has no Vagrantfile");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn with_vagrant(self, folder: impl Into<PathBuf>) -> Self {
        self.with_checked_vagrant(folder, |_| Ok(()))
    }

    /// Like [`with_vagrant`](Self::with_vagrant). `check` receives the path of the Vagrantfile
    /// before Vagrant starts. If `check` returns an error, Vagrant does not start.
    ///
    /// ```
    /// use fabrs_core::config::{Config, Inventory, Selection};
    ///
    /// let config = Config::parse("[env.dev]\nvagrant = true", "fabrs.toml".as_ref())?;
    /// let project = tempfile::tempdir().expect("a directory");
    /// std::fs::write(project.path().join("Vagrantfile"), "").expect("the directory is writable");
    /// let refuse = |file: &std::path::Path| {
    ///     let message = format!("`{}` is not trusted", file.display());
    ///     Err(fabrs_core::Error::new(fabrs_core::ErrorKind::Config, message))
    /// };
    /// let inventory = Inventory::new(&config, Some("dev"))?.with_checked_vagrant(project.path(), refuse);
    /// assert!(inventory.hosts_for(Selection::Inherit).is_err());
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn with_checked_vagrant(
        mut self,
        folder: impl Into<PathBuf>,
        check: impl Fn(&Path) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let machines = self.environment.as_ref().and_then(Environment::vagrant);
        self.vagrant = machines.map(|machines| Arc::new(Vagrant::new(folder.into(), machines, Arc::new(check))));
        self
    }

    /// Returns the token that stops local programs.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Stops a running `vagrant ssh-config` when the token is cancelled.
    pub(crate) fn with_stop(mut self, stop: CancellationToken) -> Self {
        self.stop = stop;
        self
    }

    /// Runs Vagrant now, if a selection needs its machines. Without this call,
    /// [`hosts_for`](Self::hosts_for) and connections have to block until Vagrant ends.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Local`] if Vagrant is not installed.
    /// - [`ErrorKind::Config`] if the Vagrantfile is missing or has no such machine.
    /// - [`ErrorKind::Connect`] if a machine is not running.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops Vagrant.
    pub async fn prepare<'s>(&self, selections: impl IntoIterator<Item = Selection<'s>>) -> Result<()> {
        let elsewhere = self.explicit.as_ref().is_none_or(|typed| typed.iter().any(|host| !host.is_local()));
        let needed = elsewhere && selections.into_iter().any(|selection| selection != Selection::Local);
        match &self.vagrant {
            Some(vagrant) if needed => self.checked(vagrant.machines().await?).map(drop),
            _ => Ok(()),
        }
    }

    /// Returns the Vagrant machines and their `ssh_config`, if the host is a Vagrant machine.
    pub(crate) fn machines_with(&self, host: &Host) -> Result<Option<Arc<Machines>>> {
        Ok(self.machines()?.filter(|machines| machines.has(host)))
    }

    /// Returns the machines after a check: every unlisted host in an `[env.NAME.host.HOST]` table
    /// of `fabrs.toml` must be a machine.
    fn checked(&self, machines: Arc<Machines>) -> Result<Arc<Machines>> {
        if let Some(environment) = &self.environment {
            environment.check_machines(machines.hosts())?;
        }
        Ok(machines)
    }

    /// Returns the Vagrant machines, if the environment uses Vagrant.
    pub(super) fn machines(&self) -> Result<Option<Arc<Machines>>> {
        let named = self.environment.as_ref().filter(|environment| environment.vagrant().is_some());
        match (&self.vagrant, named) {
            (Some(vagrant), _) => self.checked(vagrant.machines_blocking(&self.stop)?).map(Some),
            (None, None) => Ok(None),
            (None, Some(environment)) => {
                let text = format!("running Vagrant is not allowed for the hosts of `{}`", environment.name());
                Err(Error::new(ErrorKind::Config, text).hint("call `Inventory::with_vagrant` to allow it"))
            }
        }
    }
}
