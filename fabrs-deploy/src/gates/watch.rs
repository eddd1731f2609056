//! A watch: gates, and the duration of their measurements.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fabrs::{Error, ErrorKind};

use crate::gates::gate::Gate;
use crate::scope::Scope;
use crate::service_log::ServiceLog;

/// Gates and the duration of their measurements. Defaults to no gate, and to one measurement.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) duration: Duration,
    /// The pause between two measurements.
    pub(crate) interval: Duration,
    pub(crate) gates: Vec<(Scope, Arc<dyn Gate>)>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { duration: Duration::ZERO, interval: Self::INTERVAL, gates: Vec::new() }
    }
}

impl Watch {
    /// The maximum duration of a watch. The lock blocks other runs during a watch.
    const MAX_DURATION: Duration = Duration::from_hours(7 * 24);

    /// The default pause between two measurements.
    pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

    /// Checks the settings of all gates.
    ///
    /// # Errors
    ///
    /// The first invalid setting.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |text| Err(Error::new(ErrorKind::Usage, text));
        if self.interval.is_zero() {
            return invalid("the pause between two measurements of the gates is 0");
        }
        if self.duration > Self::MAX_DURATION {
            return invalid("the gates watch the hosts for more than 7 days");
        }
        self.gates.iter().try_for_each(|(_, gate)| gate.check())
    }

    /// Returns the logs of all gates with their scopes.
    pub(crate) fn logs(&self) -> impl Iterator<Item = (&Scope, ServiceLog)> {
        self.gates.iter().flat_map(|(scope, gate)| gate.logs().into_iter().map(move |log| (scope, log)))
    }

    /// Returns `true` for a watch without gates and without a duration.
    pub(crate) fn is_empty(&self) -> bool {
        self.gates.is_empty() && self.duration.is_zero()
    }

    /// Returns the names of the gates: `errors in the journal of shop, http://127.0.0.1/`.
    pub(crate) fn names(&self) -> String {
        self.gates.iter().map(|(_, gate)| gate.name()).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: [{}]", self.duration, self.names())
    }
}
