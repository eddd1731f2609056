//! The gate for a command or another step.

use std::sync::Arc;

use fabrs::{Error, ErrorKind, TaskError};

use crate::gates::gate::{Gate, GateFuture, Measurement, measure_each};
use crate::gates::watched_host::WatchedHost;
use crate::last_line::last_line;
use crate::step::DeployStep;

/// A gate that runs a step on each host: a command with exit status 0 is good.
///
/// A timeout is inconclusive. Every other failure of the step is bad, with the last line of the
/// failed command's stderr, or else of its stdout, as the reason.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{CommandGate, Site};
///
/// let queue = CommandGate::new("queue", |_| probe("./manage.py check_queue"));
/// let site = Site::new("/srv/shop").gate(queue);
/// # drop(site);
/// ```
#[derive(Clone)]
#[must_use = "a gate does nothing until a site or a canary has it"]
pub struct CommandGate {
    name: String,
    step: Arc<dyn DeployStep>,
}

impl CommandGate {
    /// Creates a gate from a name and a step. The step starts in the directory of the release, and
    /// must not change anything.
    ///
    /// ```
    /// # use fabrs::prelude::*;
    /// # use fabrs_deploy::{CommandGate, Gate};
    /// let queue = CommandGate::new("queue", |_| probe("./manage.py check_queue"));
    /// assert_eq!(queue.name(), "queue");
    /// ```
    pub fn new(name: impl Into<String>, step: impl DeployStep) -> Self {
        Self { name: name.into(), step: Arc::new(step) }
    }

    async fn measure_host(self, host: WatchedHost) -> Result<Measurement, TaskError> {
        match self.step.run(host.app().clone()).await.map_err(TaskError::into_error) {
            Ok(()) => Ok(Measurement::good("passed")),
            Err(error) if error.kind() == ErrorKind::Timeout => {
                Ok(Measurement::inconclusive(error.message().to_owned()))
            }
            // A lost host or a stop of the run is not a result.
            Err(error) if !matches!(error.kind(), ErrorKind::Exit | ErrorKind::Task) => Err(error.into()),
            Err(error) => Ok(Measurement::bad(last_line(&error).unwrap_or_else(|| error.message().to_owned()))),
        }
    }
}

impl std::fmt::Debug for CommandGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandGate").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Gate for CommandGate {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn check(&self) -> Result<(), Error> {
        if self.name.trim().is_empty() {
            let error = Error::new(ErrorKind::Usage, "a gate has an empty name");
            return Err(error.hint("set the name: `CommandGate::new(\"queue\", ..)`"));
        }
        Ok(())
    }

    fn measure(&self, hosts: Arc<[WatchedHost]>) -> GateFuture {
        let gate = self.clone();
        measure_each(hosts, move |host| gate.clone().measure_host(host))
    }
}
