//! A text setting with one value for each host: the root of a site, the URL of a health check.

use std::fmt;
use std::sync::Arc;

use fabrs::{Connection, Error};

/// A function from a host to its text.
type TextForHost = dyn Fn(&Connection) -> Result<String, Error> + Send + Sync;

/// A text for all hosts, or computed for each host.
#[derive(Clone)]
pub(crate) enum PerHost {
    Fixed(String),
    Computed(Arc<TextForHost>),
}

impl PerHost {
    /// Returns the text for a host.
    ///
    /// # Errors
    ///
    /// The error of the function, with the host.
    pub(crate) fn on(&self, host: &Connection) -> Result<String, Error> {
        match self {
            Self::Fixed(text) => Ok(text.clone()),
            Self::Computed(compute) => compute(host).map_err(|error| match (error.host(), host.host()) {
                (None, Some(host)) => error.on(host),
                _ => error,
            }),
        }
    }
}

impl fmt::Debug for PerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(text) => write!(f, "{text:?}"),
            Self::Computed(_) => f.write_str("computed for each host"),
        }
    }
}
