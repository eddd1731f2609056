//! A point in a series of Graphite, and an event.

use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use super::notifier::{Receiver, ToldFuture, waiting};
use super::report::News;

/// How long the connection is waited for.
const CONNECT: Duration = Duration::from_secs(10);

/// A Graphite: a point of the series `PREFIX.deploy.live` or `PREFIX.deploy.failed`, by the plaintext protocol; drawn as
/// infinite it is a line in every graph. With [`event`](Self::event), an event with its text.
///
/// ```
/// use fabrs_deploy::{Graphite, Site};
///
/// let site = Site::new("/srv/shop").tell(Graphite::carbon("graphite.example.com:2003", "shop"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct Graphite {
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Carbon {
        address: String,
        prefix: String,
    },
    #[cfg(feature = "http")]
    Event {
        url: String,
        tags: Vec<String>,
    },
}

impl Graphite {
    /// Sends a point to a carbon at this host and port, in a series whose name begins so.
    pub fn carbon(address: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { way: Way::Carbon { address: address.into(), prefix: prefix.into() } }
    }

    /// Posts an event to Graphite's own page for them, `https://graphite.example.com/events/`, with these tags and `deploy` or
    /// `rollback`.
    #[cfg(feature = "http")]
    pub fn event<S: Into<String>>(url: impl Into<String>, tags: impl IntoIterator<Item = S>) -> Self {
        Self { way: Way::Event { url: url.into(), tags: tags.into_iter().map(Into::into).collect() } }
    }
}

impl Receiver for Graphite {
    fn name(&self) -> String {
        match &self.way {
            Way::Carbon { address, .. } => format!("Graphite at {address}"),
            #[cfg(feature = "http")]
            Way::Event { url, .. } => format!("Graphite event at {url}"),
        }
    }

    fn tell(&self, news: Arc<News>) -> ToldFuture {
        match self.way.clone() {
            Way::Carbon { address, prefix } => waiting(move || point(&address, &prefix, &news)),
            #[cfg(feature = "http")]
            Way::Event { url, mut tags } => {
                tags.extend([news.event.as_str().to_owned(), news.outcome.as_str().to_owned()]);
                tags.extend(news.environment.clone());
                let event = serde_json::json!({
                    "what": news.subject(),
                    "tags": tags,
                    "when": news.unix_time(),
                    "data": news.text(),
                });
                super::http::post(url, Vec::new(), event)
            }
        }
    }
}

fn point(address: &str, prefix: &str, news: &News) -> io::Result<()> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "there is no such address");
    let to = address.to_socket_addrs()?.next().ok_or_else(none)?;
    let mut carbon = TcpStream::connect_timeout(&to, CONNECT)?;
    let (event, outcome) = (news.event.as_str(), news.outcome.as_str());
    writeln!(carbon, "{prefix}.{event}.{outcome} 1 {}", news.unix_time())
}
