//! The statsd notifier: a counter and a timer of a deploy.

use std::net::UdpSocket;
use std::sync::Arc;

use cadence::prelude::*;
use cadence::{MetricError, StatsdClient, UdpMetricSink};

use super::notifier::{Notifier, NotifyFuture, run_blocking};
use super::report::DeployReport;

/// A notifier for statsd: counts deploys and reports their duration.
///
/// The counter is `PREFIX.deploy.live`, `PREFIX.deploy.failed` or `PREFIX.deploy.cancelled`, and
/// the timer is `PREFIX.deploy.time`. The metrics of a rollback begin with `PREFIX.rollback`. UDP
/// packets are not acknowledged, so a statsd server that is down causes no warning.
///
/// ```
/// use fabrs_deploy::{Notifier, Site, Statsd};
///
/// let statsd = Statsd::at("stats.example.com:8125", "shop");
/// assert_eq!(statsd.name(), "statsd at stats.example.com:8125");
/// let site = Site::new("/srv/shop").notify(statsd);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct Statsd {
    address: String,
    prefix: String,
}

impl Statsd {
    /// Sends UDP packets to this host and port. The names of all metrics begin with `prefix`.
    ///
    /// ```
    /// # use fabrs_deploy::{Notifier, Statsd};
    /// assert_eq!(Statsd::at("localhost:8125", "shop").name(), "statsd at localhost:8125");
    /// ```
    pub fn at(address: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { address: address.into(), prefix: prefix.into() }
    }
}

impl Notifier for Statsd {
    fn name(&self) -> String {
        format!("statsd at {}", self.address)
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        let Self { address, prefix } = self.clone();
        run_blocking(move || {
            let sink = UdpMetricSink::from(&address, UdpSocket::bind("0.0.0.0:0").map_err(MetricError::from)?)?;
            let client = StatsdClient::from_sink(&prefix, sink);
            let action = report.action.as_str();
            client.count(&format!("{action}.{}", report.outcome.as_str()), 1)?;
            client.time(&format!("{action}.time"), report.elapsed)?;
            Ok::<_, MetricError>(())
        })
    }
}
