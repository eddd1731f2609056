//! A text that may differ between hosts: a root, an address.

use std::fmt;
use std::sync::Arc;

use fabrs::{Connection, Error};

/// Makes the text for a host.
type Make = dyn Fn(&Connection) -> Result<String, Error> + Send + Sync;

/// A text that is the same on all hosts, or depends on the host.
#[derive(Clone)]
pub(crate) enum PerHost {
    Fixed(String),
    Computed(Arc<Make>),
}

impl PerHost {
    /// Returns the text for a host.
    ///
    /// # Errors
    ///
    /// That of the function, with the host.
    pub(crate) fn on(&self, host: &Connection) -> Result<String, Error> {
        match self {
            Self::Fixed(text) => Ok(text.clone()),
            Self::Computed(make) => make(host).map_err(|error| match (error.host(), host.host()) {
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
            Self::Computed(_) => f.write_str("by host"),
        }
    }
}
