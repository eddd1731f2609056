//! The [`Transport`] and [`Dial`] traits: run the commands of one host, and make the transport for a host.

use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use crate::error::Result;
use crate::host::Host;
use crate::transport::request::{Effect, Request};
use crate::transport::running::Running;

/// Runs commands on one host.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Starts a command and returns at once; a connection is opened where there is none.
    ///
    /// Whatever goes wrong, also while connecting, is told by the [`Running`]. Must be called within a tokio runtime.
    fn start(&self, request: Request) -> Running;

    /// Says whether a command with this effect is run. A dry run tells changes instead.
    fn permission(&self, effect: Effect) -> Permission {
        let _ = effect;
        Permission::Make
    }

    /// Reports a change of this host that is more than one command. Only a dry run has changes to report.
    fn plan_change(&self, host: &Host, what: &str) {
        let _ = (host, what);
    }

    /// Returns how many changes of the host were planned, and not made: none outside a dry run.
    fn planned(&self) -> usize {
        0
    }

    /// Connects now, rather than with the first command.
    ///
    /// # Errors
    ///
    /// [`Connect`](crate::ErrorKind::Connect), [`HostKey`](crate::ErrorKind::HostKey) or
    /// [`Auth`](crate::ErrorKind::Auth).
    fn open(&self) -> BoxFuture<'_, Result<()>>;

    /// Waits for what is still running, and closes the connection. A later [`start`](Self::start) opens it again.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Makes the transport for a host.
pub trait Dial: Send + Sync + fmt::Debug {
    /// Returns a transport for `host`; nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`Usage`](crate::ErrorKind::Usage) or [`Config`](crate::ErrorKind::Config) where there is none for such a host.
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>>;

    /// Says whether a change that is no command (a mail, a marker) is to be made. A dry run tells it instead.
    ///
    /// # Errors
    ///
    /// That it must not be made yet.
    fn effect(&self, name: &str) -> Result<Permission> {
        let _ = name;
        Ok(Permission::Make)
    }

    /// Returns how a host is reached, as far as that is known without a connection: address, user, port and gateways. The text
    /// is for comparison.
    ///
    /// # Errors
    ///
    /// As [`dial`](Self::dial).
    fn route(&self, host: &Host) -> Result<String> {
        Ok(host.to_string())
    }

    /// Closes what all its transports share, after they are closed themselves: the gateways.
    fn close(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// It is.
    Make,
    /// It was told, and is not.
    Planned,
}
