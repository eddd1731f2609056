//! [`EnsureRequest`]: an awaitable builder for a resource.

use std::fmt;
use std::future::IntoFuture;
use std::panic::Location;

use fabrs::{Connection, Error};
use futures::future::{BoxFuture, FutureExt, TryFutureExt};

use super::resource::Resource;
use super::resource_changes::ResourceChanges;

/// A request for the desired state of a resource: an awaitable builder. The output is
/// [`ResourceChanges`].
///
/// A read-only command compares the host with the desired state. If they differ, a second command
/// changes the host: with sudo, except for feature flags. A dry run compares the state and plans
/// the change.
///
/// # Cancel safety
///
/// Dropping the future stops the running command. Some changes may be missing on the host. The next
/// run completes them.
#[must_use = "nothing changes until the request is awaited"]
pub struct EnsureRequest<R> {
    connection: Connection,
    resource: R,
    /// The line of the user's code, for errors.
    location: &'static Location<'static>,
}

impl<R: fmt::Debug> fmt::Debug for EnsureRequest<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnsureRequest({:?})", self.resource)
    }
}

impl<R> EnsureRequest<R> {
    #[track_caller]
    pub(crate) fn new(connection: &Connection, resource: R) -> Self {
        Self { connection: connection.clone(), resource, location: Location::caller() }
    }

    pub(crate) fn map(mut self, change: impl FnOnce(&mut R)) -> Self {
        change(&mut self.resource);
        self
    }
}

impl<R: Resource> IntoFuture for EnsureRequest<R> {
    type Output = Result<ResourceChanges, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { connection, resource, location } = self;
        resource.ensure(connection).map_err(move |error| error.at(location)).boxed()
    }
}
