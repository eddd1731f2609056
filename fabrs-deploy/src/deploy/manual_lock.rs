//! The manual lock of a site: `Site::lock` and `Site::unlock`.

use fabrs::{Error, ErrorKind, Group};

use crate::deploy::connected_site::ConnectedSite;
use crate::outcomes::all_ok;
use crate::site::Site;

impl Site {
    /// Locks the site manually on all hosts of a group: no deploy starts before
    /// [`unlock`](Self::unlock). A running deploy continues. The lock survives the run.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Blocks all deploys.
    /// #[task(local)]
    /// async fn lock(reason: String) -> Result {
    ///     Site::new("/srv/shop").lock(on(role("web"))?, &reason).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] without a reason.
    /// - [`ErrorKind::Task`] if the site is locked already, with the user and the reason.
    /// - The errors of a command.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. Some hosts may be locked already.
    pub async fn lock(&self, hosts: Group, reason: &str) -> Result<(), Error> {
        if reason.trim().is_empty() {
            let error = Error::new(ErrorKind::Usage, "a lock needs a reason");
            return Err(error.hint("add a reason, which is shown to the next deploy: `--reason 'database move'`"));
        }
        let (hosts, _) = ConnectedSite::connect(self.clone(), hosts).await?;
        all_ok(hosts.lock_request()?.lock_manually(reason).await)?;
        hosts.client().note(None, format!("locked: {} on {}", hosts.site.root, hosts.label()));
        Ok(())
    }

    /// Removes the manual lock on all hosts of a group, and prints the user and the reason of each
    /// lock. A host without a manual lock is not an error.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Allows deploys again.
    /// #[task(local)]
    /// async fn unlock() -> Result {
    ///     Site::new("/srv/shop").unlock(on(role("web"))?).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of a command.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. Some hosts may be unlocked already.
    pub async fn unlock(&self, hosts: Group) -> Result<(), Error> {
        let (hosts, _) = ConnectedSite::connect(self.clone(), hosts).await?;
        let unlocked = hosts.lock_request()?.remove_manual_lock().await?;
        for (host, manual) in unlocked.iter().filter_map(|(host, manual)| Some((host, manual.as_ref()?))) {
            hosts.client().note(Some(host), format!("was {manual}"));
        }
        if unlocked.iter().all(|(_, manual)| manual.is_none()) {
            hosts.client().note(None, "no host has a manual lock");
        }
        Ok(())
    }
}
