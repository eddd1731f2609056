//! `on(role("web"))` and `on(["web1", "web2"])`: groups of hosts inside a task.

use std::panic::Location;

use super::connection_group::Group;
use crate::client::{Client, IntoHost};
use crate::config::Selection;
use crate::connection::current;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

/// The name of a role of the run's environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Role(String);

impl Role {
    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Returns the role with this name, for [`on`]: `on(role("web"))`.
pub fn role(name: impl Into<String>) -> Role {
    Role(name.into())
}

/// The hosts accepted by [`on`]: a [`Role`], or an array, a slice or a `Vec` of hosts.
///
/// A single string is not accepted, since the string could be a role or a host.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a role nor a list of hosts",
    label = "expected a role or a list of hosts",
    note = "write `on(role(\"web\"))` for the hosts of a role, or `on([\"web1\"])` for hosts"
)]
pub trait Targets {
    /// Returns the hosts in order, without duplicates.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the environment has no such role, or a host is invalid.
    /// [`ErrorKind::NoHost`] if the result contains no host.
    fn hosts(self, client: &Client) -> Result<Vec<Host>>;
}

impl Targets for Role {
    fn hosts(self, client: &Client) -> Result<Vec<Host>> {
        client.inventory().narrowed_hosts(Selection::Role(&self.0))
    }
}

impl<H: IntoHost, const N: usize> Targets for [H; N] {
    fn hosts(self, client: &Client) -> Result<Vec<Host>> {
        named(self, client)
    }
}

impl<H: IntoHost> Targets for Vec<H> {
    fn hosts(self, client: &Client) -> Result<Vec<Host>> {
        named(self, client)
    }
}

impl<H: IntoHost + Clone> Targets for &[H] {
    fn hosts(self, client: &Client) -> Result<Vec<Host>> {
        named(self.iter().cloned(), client)
    }
}

impl<H: IntoHost + Clone, const N: usize> Targets for &[H; N] {
    fn hosts(self, client: &Client) -> Result<Vec<Host>> {
        named(self.iter().cloned(), client)
    }
}

fn named<H: IntoHost>(hosts: impl IntoIterator<Item = H>, client: &Client) -> Result<Vec<Host>> {
    let hosts = hosts.into_iter().map(IntoHost::into_host).collect::<Result<Vec<_>>>()?;
    client.inventory().resolve_hosts(hosts)
}

/// Returns hosts of the run as a group: the hosts of a role, or the given hosts.
///
/// `-H` narrows a role to the hosts in both lists, and does not apply to given hosts. `-x` excludes
/// hosts in both cases. The limits of the command line (`-P`, `--serial`, `--skip-bad-hosts`) apply
/// to the group.
///
/// ```
/// # use fabrs_core::{Client, group::on, transport::Fake};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// # let client = Client::builder().dial(Fake::new()).build();
/// # client.local()?.enter(async {
/// let web = on(["web1", "web2"])?;
/// assert_eq!(web.connections().len(), 2);
/// # Ok(()) }).await
/// # }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Usage`] outside a task, if the environment has no such role, or if a host is
/// invalid. [`ErrorKind::NoHost`] if `-H` and the role have no common host, or if `-x` excludes all
/// hosts.
#[track_caller]
pub fn on(targets: impl Targets) -> Result<Group> {
    let location = Location::caller();
    let here = current();
    let Some(client) = here.client() else {
        return Err(Error::new(ErrorKind::Usage, "`on(..)` was called outside a task").at(location));
    };
    let hosts = targets.hosts(&client).map_err(|error| error.at(location))?;
    Group::of(&client, hosts)
}
