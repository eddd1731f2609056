//! The Graphite notifier: a data point of a deploy, or an event.

use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "notify-http")]
use super::http::HttpClient;
use super::notifier::{Notifier, NotifyFuture, run_blocking};
use super::report::DeployReport;

/// The time limit of a connection to carbon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A notifier for Graphite: marks each deploy in the graphs.
///
/// ```
/// use fabrs_deploy::{Graphite, Notifier, Site};
///
/// let carbon = Graphite::carbon("graphite.example.com:2003", "shop");
/// assert_eq!(carbon.name(), "Graphite at graphite.example.com:2003");
/// let site = Site::new("/srv/shop").notify(carbon);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct Graphite {
    endpoint: Endpoint,
}

#[derive(Debug, Clone)]
enum Endpoint {
    Carbon {
        address: String,
        prefix: String,
    },
    #[cfg(feature = "notify-http")]
    Event {
        url: String,
        tags: Vec<String>,
    },
}

impl Graphite {
    /// Sends a data point to carbon with the plaintext protocol, usually on port 2003.
    ///
    /// The series is `PREFIX.deploy.live`, `PREFIX.deploy.failed` or `PREFIX.deploy.cancelled`. The
    /// series of a rollback begin with `PREFIX.rollback`. Each value is 1. Graphite draws the
    /// values as vertical lines with the function `drawAsInfinite`.
    ///
    /// ```
    /// # use fabrs_deploy::{Graphite, Notifier};
    /// let carbon = Graphite::carbon("graphite.example.com:2003", "shop");
    /// assert_eq!(carbon.name(), "Graphite at graphite.example.com:2003");
    /// ```
    pub fn carbon(address: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { endpoint: Endpoint::Carbon { address: address.into(), prefix: prefix.into() } }
    }

    /// Posts an event to the events API of Graphite, with the text of the report.
    ///
    /// The event has `tags`, the action, the outcome and the environment as tags.
    ///
    /// ```
    /// # use fabrs_deploy::{Graphite, Notifier};
    /// let event = Graphite::event("https://graphite.example.com/events/", ["shop"]);
    /// assert_eq!(event.name(), "Graphite event at https://graphite.example.com/events/");
    /// ```
    #[cfg(feature = "notify-http")]
    pub fn event<S: Into<String>>(url: impl Into<String>, tags: impl IntoIterator<Item = S>) -> Self {
        Self { endpoint: Endpoint::Event { url: url.into(), tags: tags.into_iter().map(Into::into).collect() } }
    }
}

impl Notifier for Graphite {
    fn name(&self) -> String {
        match &self.endpoint {
            Endpoint::Carbon { address, .. } => format!("Graphite at {address}"),
            #[cfg(feature = "notify-http")]
            Endpoint::Event { url, .. } => format!("Graphite event at {url}"),
        }
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        match self.endpoint.clone() {
            Endpoint::Carbon { address, prefix } => run_blocking(move || send_point(&address, &prefix, &report)),
            #[cfg(feature = "notify-http")]
            Endpoint::Event { url, mut tags } => {
                tags.extend([report.action.as_str().to_owned(), report.outcome.as_str().to_owned()]);
                tags.extend(report.environment.clone());
                let event = serde_json::json!({
                    "what": report.subject(),
                    "tags": tags,
                    "when": report.unix_time(),
                    "data": report.text(),
                });
                HttpClient::default().post(url, Vec::new(), event)
            }
        }
    }
}

fn send_point(address: &str, prefix: &str, report: &DeployReport) -> io::Result<()> {
    let no_address = || io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    let address = address.to_socket_addrs()?.next().ok_or_else(no_address)?;
    let mut carbon = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    let (action, outcome) = (report.action.as_str(), report.outcome.as_str());
    writeln!(carbon, "{prefix}.{action}.{outcome} 1 {}", report.unix_time())
}
