//! The [`Transport`] and [`Dialer`] traits.

use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use crate::error::Result;
use crate::host::Host;
use crate::transport::request::{Effect, Request};
use crate::transport::running::RunningCommand;

/// The execution of commands on one host.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Starts a command and returns at once. A transport without a connection connects first.
    ///
    /// Every error is reported by the [`RunningCommand`], errors of the connection included. Must
    /// be called within a tokio runtime.
    fn start(&self, request: Request) -> RunningCommand;

    /// Returns the mode of commands with this effect. A dry run only prints changes.
    fn effect_mode(&self, effect: Effect) -> EffectMode {
        let _ = effect;
        EffectMode::Execute
    }

    /// Reports a planned change consisting of several commands. Does nothing outside a dry run.
    fn plan_change(&self, host: &Host, operation: &str) {
        let _ = (host, operation);
    }

    /// Returns the number of changes planned for this host. 0 outside a dry run.
    fn planned(&self) -> usize {
        0
    }

    /// Connects now instead of at the first command.
    ///
    /// # Errors
    ///
    /// [`Connect`](crate::ErrorKind::Connect), [`HostKey`](crate::ErrorKind::HostKey) or
    /// [`Auth`](crate::ErrorKind::Auth).
    fn open(&self) -> BoxFuture<'_, Result<()>>;

    /// Waits for running commands, then closes the connection. A later [`start`](Self::start)
    /// connects again.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A factory for the transports of hosts.
pub trait Dialer: Send + Sync + fmt::Debug {
    /// Returns a transport for `host` without connecting.
    ///
    /// # Errors
    ///
    /// [`Usage`](crate::ErrorKind::Usage) or [`Config`](crate::ErrorKind::Config) if the host
    /// cannot be reached by this dialer.
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>>;

    /// Announces a change that is not a command, such as a mail, and returns its mode. A dry run
    /// prints the name of the change instead of making the change.
    ///
    /// # Errors
    ///
    /// [`Prompt`](crate::ErrorKind::Prompt) if the run is not approved yet.
    fn begin_effect(&self, name: &str) -> Result<EffectMode> {
        let _ = name;
        Ok(EffectMode::Execute)
    }

    /// Returns address, user, port and gateways of a host, without connecting. The text is only for
    /// comparisons.
    ///
    /// # Errors
    ///
    /// As [`dial`](Self::dial).
    fn route(&self, host: &Host) -> Result<String> {
        Ok(host.to_string())
    }

    /// Closes resources shared by the transports, such as gateways. Call after closing the
    /// transports.
    fn close(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

/// The mode of an effect: executed, or only planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EffectMode {
    /// The effect is executed.
    Execute,
    /// The effect was printed as planned and is not executed.
    Plan,
}
