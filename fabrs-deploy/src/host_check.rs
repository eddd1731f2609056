//! A check of a host between the approval and the first change, for example of sudo.

use std::fmt;
use std::sync::Arc;

use fabrs::{Connection, Error};
use futures::future::BoxFuture;

/// A check of a host without any change.
#[derive(Clone)]
pub(crate) struct HostCheck(Arc<dyn Fn(Connection) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>);

impl HostCheck {
    /// Creates a check from a function.
    pub(crate) fn new<F>(check: impl Fn(Connection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self(Arc::new(move |host| Box::pin(check(host))))
    }

    /// Checks a host.
    pub(crate) fn run(&self, host: Connection) -> BoxFuture<'static, Result<(), Error>> {
        (self.0)(host)
    }
}

impl fmt::Debug for HostCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostCheck")
    }
}
