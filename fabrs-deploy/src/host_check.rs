//! A check of one host before a deploy changes anything.

use std::fmt;
use std::sync::Arc;

use fabrs::{Connection, Error};
use futures::future::BoxFuture;

/// A check of one host that only reads.
#[derive(Clone)]
pub(crate) struct HostCheck(Arc<dyn Fn(Connection) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>);

impl HostCheck {
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
