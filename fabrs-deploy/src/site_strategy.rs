//! The strategy of a site, its gates, and the logs of its services.

use std::sync::Arc;
use std::time::Duration;

use crate::gates::Gate;
use crate::revert_limit::RevertLimit;
use crate::service_log::ServiceLog;
use crate::site::Site;
use crate::strategy::DeployStrategy;

impl Site {
    /// Sets the strategy of deploys: a [`Canary`](crate::Canary), or
    /// [`BlueGreen`](crate::BlueGreen). Defaults to the batches of the site.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{Canary, LogErrors, Site};
    ///
    /// let canary = Canary::hosts(1).watch(mins(5)).gate(LogErrors::journal("shop"));
    /// let site = Site::new("/srv/shop").strategy(canary);
    /// assert!(format!("{site:?}").contains("Canary"));
    /// ```
    pub fn strategy(mut self, strategy: impl Into<DeployStrategy>) -> Self {
        self.strategy = strategy.into();
        self
    }

    /// Adds a gate to every batch, including the canary. The gate is measured after the health
    /// checks of the batch. A bad gate reverts all switched hosts. Within [`on`](Self::on), the
    /// gate is measured on the subset only. A rollback measures no gate.
    ///
    /// ```
    /// use fabrs_deploy::{HttpGate, Site};
    ///
    /// let site = Site::new("/srv/shop").rolling(1).gate(HttpGate::get("http://127.0.0.1:8000/"));
    /// assert!(format!("{site:?}").contains("http://127.0.0.1:8000/"));
    /// ```
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.watch.gates.push((self.scope.clone(), Arc::new(gate)));
        self
    }

    /// Sets the duration of the watch of each batch by the gates of [`gate`](Self::gate), at most
    /// 7 days. Defaults to a single measurement.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{LogErrors, Site};
    ///
    /// let site = Site::new("/srv/shop")
    ///     .rolling(1)
    ///     .gate(LogErrors::journal("shop"))
    ///     .watch(secs(30));
    /// assert!(format!("{site:?}").contains("30s"));
    /// ```
    pub fn watch(mut self, duration: Duration) -> Self {
        self.watch.duration = duration;
        self
    }

    /// Makes each host return to its previous release by itself if the run is cut off before it
    /// confirms the new release: a killed laptop, a lost network.
    ///
    /// Before the switch, the run starts a watchdog process on the host. After the last health
    /// check and the last gate on all hosts, the run confirms the release, and the watchdogs end.
    ///
    /// The limit starts when a host loses the run: at once if the run is killed, and after the
    /// lease of the lock ([`lock_lease`](Self::lock_lease)) if the network is cut. The limit does
    /// not need to cover the duration of batches and watches. Fractions of a second are rounded
    /// up.
    ///
    /// After the limit, the host locks the site, links `current` to the previous release, runs the
    /// restart commands, and marks the new release as bad. Without a previous release, the host
    /// removes the link. [`status`](Self::status) shows pending and finished reverts. A deploy, a
    /// promotion or a rollback by another run takes precedence, and a
    /// [manual lock](Self::lock) delays the revert.
    ///
    /// # Requirements
    ///
    /// - Each restart step is a command that the host can run by itself:
    ///   [`Systemd`](crate::Systemd), [`Supervisor`](crate::Supervisor),
    ///   [`Gunicorn`](crate::Gunicorn), or a [`RestartCommand`](crate::RestartCommand). Hooks and
    ///   health checks do not run.
    /// - `sudo` runs these commands without a password. The check before the deploy (`sudo -n -l`)
    ///   does not detect a password for one of several permitted commands.
    /// - The site has releases: not [`in_place`](Self::in_place).
    ///
    /// A deploy that does not meet these requirements is refused before any change.
    ///
    /// # Limits
    ///
    /// - A reboot of the host ends the watchdog. The unconfirmed release then stays live, and
    ///   `status` reports the end of the watchdog. The same is true if root kills the processes of
    ///   the login user.
    /// - A run cut off during the confirmation itself may have confirmed some hosts. The other
    ///   hosts return to the previous release.
    /// - Database migrations are not undone.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{Site, Systemd};
    ///
    /// let site = Site::new("/srv/shop")
    ///     .with(Systemd::reload("shop"))
    ///     .revert_unless_confirmed(mins(5));
    /// # drop(site);
    /// ```
    pub fn revert_unless_confirmed(mut self, limit: Duration) -> Self {
        self.revert_limit = Some(RevertLimit::new(limit));
        self
    }

    /// Adds the log of a service. If a restart, a health check or a gate fails, the error has the
    /// last lines of the log since the switch. [`Systemd`](crate::Systemd) adds the journal of its
    /// service.
    ///
    /// ```
    /// use fabrs_deploy::{ServiceLog, Site};
    ///
    /// let site = Site::new("/srv/shop").log(ServiceLog::file("shared/log/gunicorn.log"));
    /// assert!(format!("{site:?}").contains("gunicorn.log"));
    /// ```
    pub fn log(mut self, log: ServiceLog) -> Self {
        self.logs.push((self.scope.clone(), log));
        self
    }
}
