//! A point in a series of Graphite, and an event.

use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use super::notifier::{Notifier, NotifyFuture, run_blocking};
use super::report::DeployReport;

/// How long the connection is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A Graphite: a point of the series `PREFIX.deploy.live` or `PREFIX.deploy.failed`, by the plaintext protocol; drawn as
/// infinite it is a line in every graph. With [`event`](Self::event), an event with its text.
///
/// ```
/// use fabrs_deploy::{Graphite, Site};
///
/// let site = Site::new("/srv/shop").notify(Graphite::carbon("graphite.example.com:2003", "shop"));
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
    /// Sends a point to a carbon at this host and port, in a series whose name begins so.
    pub fn carbon(address: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { endpoint: Endpoint::Carbon { address: address.into(), prefix: prefix.into() } }
    }

    /// Posts an event to Graphite's own page for them, `https://graphite.example.com/events/`, with these tags and `deploy` or
    /// `rollback`.
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
                super::http::post(url, Vec::new(), event)
            }
        }
    }
}

fn send_point(address: &str, prefix: &str, report: &DeployReport) -> io::Result<()> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "there is no such address");
    let to = address.to_socket_addrs()?.next().ok_or_else(none)?;
    let mut carbon = TcpStream::connect_timeout(&to, CONNECT_TIMEOUT)?;
    let (event, outcome) = (report.action.as_str(), report.outcome.as_str());
    writeln!(carbon, "{prefix}.{event}.{outcome} 1 {}", report.unix_time())
}
