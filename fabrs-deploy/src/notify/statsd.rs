//! A counter and a timer for statsd.

use std::net::UdpSocket;
use std::sync::Arc;

use cadence::prelude::*;
use cadence::{MetricError, StatsdClient, UdpMetricSink};

use super::notifier::{Notifier, NotifyFuture, run_blocking};
use super::report::DeployReport;

/// A statsd: a counter `PREFIX.deploy.live` or `PREFIX.deploy.failed`, and a timer `PREFIX.deploy.time`; for a rollback,
/// `PREFIX.rollback.…`.
///
/// ```
/// use fabrs_deploy::{Site, Statsd};
///
/// let site = Site::new("/srv/shop").notify(Statsd::at("stats.example.com:8125", "shop"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct Statsd {
    address: String,
    prefix: String,
}

impl Statsd {
    /// Sends packets to this host and port, with names that begin so.
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
            let event = report.action.as_str();
            client.count(&format!("{event}.{}", report.outcome.as_str()), 1)?;
            client.time(&format!("{event}.time"), report.elapsed)?;
            Ok::<_, MetricError>(())
        })
    }
}
