//! The strategy of a site, its gates, and the logs of its services.

use std::sync::Arc;
use std::time::Duration;

use crate::gates::Gate;
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
