//! The canary: a few hosts receive the release first, and gates watch these hosts.

use std::sync::Arc;
use std::time::Duration;

use fabrs::{BatchSize, BatchSizeError, Error, IntoBatchSize};

use crate::gates::{Gate, Watch};
use crate::scope::Scope;

/// A canary: a few hosts receive the release first and are watched by gates. The other hosts follow
/// if all gates stay good. A bad gate reverts the canary, and the other hosts keep their release.
///
/// Once-only steps and migrations run before the canary, so the old release must work with the new
/// database during the watch. A rollback has no canary and measures no gate, since the live release
/// may be failing.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Canary, HttpGate, LogErrors, Site};
///
/// let canary = Canary::hosts(1)
///     .watch(mins(5))
///     .gate(LogErrors::journal("shop").at_most_ratio(1.5))
///     .gate(HttpGate::get("http://127.0.0.1:8000/").within(secs(1)));
/// let site = Site::new("/srv/shop").strategy(canary);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a canary does nothing until `Site::strategy` adds it to a site"]
pub struct Canary {
    size: Result<BatchSize, BatchSizeError>,
    pub(crate) watch: Watch,
}

impl Canary {
    /// Selects the first hosts of the deploy: a number, or a percentage of the hosts, rounded down
    /// with a minimum of one host. An invalid number is an error at the start of the deploy.
    ///
    /// ```
    /// # use fabrs_deploy::Canary;
    /// let canary = Canary::hosts(2);
    /// # assert!(format!("{canary:?}").contains("Ok(2)"));
    /// let canary = Canary::hosts("10%");
    /// assert!(format!("{canary:?}").contains("10%"));
    /// ```
    pub fn hosts(number: impl IntoBatchSize) -> Self {
        Self { size: number.into_batch_size(), watch: Watch::default() }
    }

    /// Sets the duration of the watch, at most 7 days. Defaults to a single measurement.
    ///
    /// ```
    /// # use fabrs::prelude::*;
    /// # use fabrs_deploy::Canary;
    /// assert!(format!("{:?}", Canary::hosts(1).watch(mins(5))).contains("300s"));
    /// ```
    #[doc(alias = "bake")]
    #[doc(alias = "soak")]
    pub fn watch(mut self, duration: Duration) -> Self {
        self.watch.duration = duration;
        self
    }

    /// Sets the pause between two measurements. Defaults to 10 s.
    ///
    /// ```
    /// # use fabrs::prelude::*;
    /// # use fabrs_deploy::Canary;
    /// let canary = Canary::hosts(1).watch(mins(5)).every(secs(30));
    /// # drop(canary);
    /// ```
    pub fn every(mut self, interval: Duration) -> Self {
        self.watch.interval = interval;
        self
    }

    /// Adds a gate.
    ///
    /// ```
    /// # use fabrs_deploy::{Canary, LogErrors};
    /// let canary = Canary::hosts(1).gate(LogErrors::journal("shop"));
    /// assert!(format!("{canary:?}").contains("errors in the journal of `shop`"));
    /// ```
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.watch.gates.push((Scope::default(), Arc::new(gate)));
        self
    }

    /// Returns the number of canary hosts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) for an invalid number.
    pub(crate) fn size(&self) -> Result<BatchSize, Error> {
        let error = |error: BatchSizeError| error.into_usage_error().hint("fix the argument of `Canary::hosts(..)`");
        self.size.clone().map_err(error)
    }
}
