//! The machines of Vagrant in an inventory: when they are asked for, and by whom.

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
    /// Allows that `vagrant ssh-config` is run in `folder`, where the hosts of the environment come from it. It runs
    /// once, when a host is needed.
    ///
    /// The Vagrantfile is searched for in `folder` and the folders above, as Vagrant does. Vagrant runs the code in it.
    pub fn with_vagrant(self, folder: impl Into<PathBuf>) -> Self {
        self.with_checked_vagrant(folder, |_| Ok(()))
    }

    /// Like [`with_vagrant`](Self::with_vagrant). `check` receives the path of the Vagrantfile before Vagrant starts.
    /// If `check` returns an error, Vagrant does not start.
    pub fn with_checked_vagrant(
        mut self,
        folder: impl Into<PathBuf>,
        check: impl Fn(&Path) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let machines = self.environment.as_ref().and_then(Environment::vagrant);
        self.vagrant = machines.map(|machines| Arc::new(Vagrant::new(folder.into(), machines, Arc::new(check))));
        self
    }

    /// Returns the token that ends programs of this machine.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Ends a running `vagrant ssh-config` when the token is cancelled.
    pub(crate) fn with_stop(mut self, stop: CancellationToken) -> Self {
        self.stop = stop;
        self
    }

    /// Asks now what [`hosts_for`](Self::hosts_for) and connections would have to ask and wait for: Vagrant, where one of
    /// these selections needs it.
    ///
    /// # Errors
    ///
    /// Why there are no machines: [`ErrorKind::Local`] without Vagrant, [`ErrorKind::Config`] where its Vagrantfile is
    /// missing or has no such machine, [`ErrorKind::Connect`] where one does not run.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends what it runs.
    pub async fn prepare<'s>(&self, selections: impl IntoIterator<Item = Selection<'s>>) -> Result<()> {
        let elsewhere = self.typed.as_ref().is_none_or(|typed| typed.iter().any(|host| !host.is_local()));
        let needed = elsewhere && selections.into_iter().any(|selection| selection != Selection::Local);
        match &self.vagrant {
            Some(vagrant) if needed => self.checked(vagrant.machines().await?).map(drop),
            _ => Ok(()),
        }
    }

    /// Returns the machines of Vagrant where the host is one of them: what `ssh` would be told of it.
    pub(crate) fn machines_with(&self, host: &Host) -> Result<Option<Arc<Machines>>> {
        Ok(self.machines()?.filter(|machines| machines.has(host)))
    }

    /// Returns the machines if `fabrs.toml` speaks of no other.
    fn checked(&self, machines: Arc<Machines>) -> Result<Arc<Machines>> {
        if let Some(environment) = &self.environment {
            environment.check_machines(machines.hosts())?;
        }
        Ok(machines)
    }

    /// Returns the machines of Vagrant, where the environment has some.
    pub(super) fn machines(&self) -> Result<Option<Arc<Machines>>> {
        let named = self.environment.as_ref().filter(|environment| environment.vagrant().is_some());
        match (&self.vagrant, named) {
            (Some(vagrant), _) => self.checked(vagrant.machines_now(&self.stop)?).map(Some),
            (None, None) => Ok(None),
            (None, Some(environment)) => {
                let text = format!("this program may not ask Vagrant for the hosts of `{}`", environment.name());
                Err(Error::new(ErrorKind::Config, text).hint("`Inventory::with_vagrant` allows it"))
            }
        }
    }
}
