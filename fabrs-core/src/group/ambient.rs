//! `on(role("web"))`: the hosts of a role, from within a task.

use std::panic::Location;

use super::Group;
use crate::config::Selection;
use crate::connection::current;
use crate::error::{Error, ErrorKind, Result};

/// The name of a role of the run's environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Role(String);

/// Names a role, for [`on`].
pub fn role(name: impl Into<String>) -> Role {
    Role(name.into())
}

/// Returns the hosts of a role of the run's environment as a group.
///
/// # Errors
///
/// [`ErrorKind::Usage`] outside a task, and where the environment has no such role.
#[track_caller]
pub fn on(Role(role): Role) -> Result<Group> {
    let location = Location::caller();
    let here = current();
    let Some(client) = here.client() else {
        return Err(Error::new(ErrorKind::Usage, "`on(..)` was called outside a task").at(location));
    };
    let hosts = client.inventory().hosts_for(Selection::Role(&role)).map_err(|error| error.at(location))?;
    Group::of(client, hosts)
}
