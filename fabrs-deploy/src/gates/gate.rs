//! The [`Gate`] trait and the result of a gate.

use std::pin::Pin;
use std::sync::Arc;

use fabrs::{Error, Host, TaskError};
use futures::future::join_all;

use crate::gates::watched_host::WatchedHost;
use crate::service_log::ServiceLog;

/// The future of a measurement.
pub type GateFuture = Pin<Box<dyn Future<Output = Result<Measurement, TaskError>> + Send>>;

/// A check of a new release by its effects after the switch: errors in a log, response times, a
/// value of a monitoring system.
///
/// A gate is measured for the hosts of a batch, after their health checks. A bad result reverts the
/// deploy. [`Canary::gate`](crate::Canary::gate) and [`Site::gate`](crate::Site::gate) add a gate.
///
/// ```
/// use std::sync::Arc;
///
/// use fabrs::TaskError;
/// use fabrs_deploy::{Gate, GateFuture, Measurement, Site, WatchedHost};
///
/// /// Fails if the queue of the application is long.
/// struct Queue;
///
/// impl Gate for Queue {
///     fn name(&self) -> String {
///         "queue".to_owned()
///     }
///
///     fn measure(&self, hosts: Arc<[WatchedHost]>) -> GateFuture {
///         Box::pin(async move {
///             let Some(host) = hosts.first() else { return Ok(Measurement::good("no host")) };
///             let length = host.app().connection().probe("./queue-length").line().await?;
///             let jobs: u32 = length.parse()?;
///             Ok(match jobs {
///                 0..100 => Measurement::good(format!("{jobs} jobs")),
///                 _ => Measurement::bad(format!("{jobs} jobs, more than 100")),
///             })
///         })
///     }
/// }
///
/// let site = Site::new("/srv/shop").gate(Queue);
/// # drop(site);
/// ```
pub trait Gate: Send + Sync + 'static {
    /// Returns the name of the gate in messages: `errors in the journal of shop`.
    fn name(&self) -> String;

    /// Checks the settings of the gate, before a deploy changes anything. Defaults to no check.
    ///
    /// # Errors
    ///
    /// An invalid setting.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Returns the logs read by the gate. Their positions are recorded before the switch. A deploy
    /// is refused before the build if a log cannot be read. Defaults to no log.
    fn logs(&self) -> Vec<ServiceLog> {
        Vec::new()
    }

    /// Measures the new release on the hosts of a batch. During a watch, the gate is measured
    /// several times.
    ///
    /// # Errors
    ///
    /// Any error counts as a failed gate. Return [`Measurement::inconclusive`] if a monitoring
    /// system does not respond.
    fn measure(&self, hosts: Arc<[WatchedHost]>) -> GateFuture;
}

/// The result of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// The release is good by this gate.
    Good,
    /// The gate could not measure the release. At the end of the watch, an inconclusive gate fails.
    Inconclusive,
    /// The release is bad.
    Bad,
}

/// The result of one measurement of a gate, with a text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measurement {
    /// The result.
    pub verdict: Verdict,
    /// The measured value and the limit: `7 errors since the switch, more than 3`.
    pub text: String,
    /// The host of a bad result, if the gate measures hosts separately.
    pub host: Option<Host>,
}

impl Measurement {
    /// Creates a good result.
    ///
    /// ```
    /// use fabrs_deploy::{Measurement, Verdict};
    ///
    /// assert_eq!(Measurement::good("2 errors").verdict, Verdict::Good);
    /// ```
    pub fn good(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, text: text.into(), host: None }
    }

    /// Creates a bad result. The deploy is reverted at once.
    ///
    /// ```
    /// use fabrs_deploy::{Measurement, Verdict};
    ///
    /// assert_eq!(Measurement::bad("40 errors, more than 3").verdict, Verdict::Bad);
    /// ```
    pub fn bad(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, ..Self::good(text) }
    }

    /// Creates a result without a measured value. The gate is measured again until the end of the
    /// watch.
    ///
    /// ```
    /// use fabrs_deploy::{Measurement, Verdict};
    ///
    /// assert_eq!(Measurement::inconclusive("no data points").verdict, Verdict::Inconclusive);
    /// ```
    pub fn inconclusive(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Inconclusive, ..Self::good(text) }
    }

    /// Sets the host of the result.
    ///
    /// ```
    /// use fabrs_deploy::Measurement;
    ///
    /// let host: fabrs::Host = "web1".parse().unwrap();
    /// assert_eq!(Measurement::bad("load 12").on(&host).host, Some(host));
    /// ```
    #[must_use]
    pub fn on(self, host: &Host) -> Self {
        Self { host: Some(host.clone()), ..self }
    }
}

/// Measures each host separately and in parallel, and returns the worst result with its host.
pub(super) fn measure_each<F>(
    hosts: Arc<[WatchedHost]>,
    measure: impl Fn(WatchedHost) -> F + Send + Sync + 'static,
) -> GateFuture
where
    F: Future<Output = Result<Measurement, TaskError>> + Send + 'static,
{
    Box::pin(async move {
        let measured = join_all(hosts.iter().map(|host| measure(host.clone()))).await;
        let mut worst: Option<Measurement> = None;
        for (host, measured) in hosts.iter().zip(measured) {
            let mut measured = measured?;
            measured.host = host.app().connection().host().cloned();
            if worst.as_ref().is_none_or(|worst| measured.verdict > worst.verdict) {
                worst = Some(measured);
            }
        }
        Ok(worst.unwrap_or_else(|| Measurement::inconclusive("no host was measured")))
    })
}
