//! Opens a [`Connection`] without a client at hand: in the current run, or with the settings of `ssh`.

use super::handle::Client;
use super::into_host::IntoHost;
use crate::connection::Connection;
use crate::error::Result;

impl Connection {
    /// Returns a connection that opens on first use.
    ///
    /// Inside a run it belongs to the run: it shares the run's connection to the host, its settings (`-S`, `-u`, `-P`), sudo
    /// passwords and output, and in a dry run it plans its changes. Outside, it has the settings of `ssh` and a client of
    /// its own.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn to(host: impl IntoHost) -> Result<Self> {
        Client::current_run().unwrap_or_else(|| Client::builder().build()).connect(host)
    }

    /// Like [`to`](Self::to), but connects at once.
    ///
    /// # Errors
    ///
    /// As [`to`](Self::to), and [`Connect`](crate::ErrorKind::Connect), [`HostKey`](crate::ErrorKind::HostKey) or
    /// [`Auth`](crate::ErrorKind::Auth).
    pub async fn open(host: impl IntoHost) -> Result<Self> {
        let connection = Self::to(host)?;
        connection.connect().await?;
        Ok(connection)
    }

    /// Returns the client of this connection. `None` outside a task.
    pub fn client(&self) -> Option<Client> {
        self.state().cloned().map(Client::from_state)
    }
}
