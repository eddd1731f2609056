//! [`Connection::to`] and [`Connection::open`]: connections of the current run, or with the
//! settings of `ssh`.

use super::handle::Client;
use super::into_host::IntoHost;
use crate::connection::Connection;
use crate::error::Result;

impl Connection {
    /// Returns a connection to `host`, opened on first use.
    ///
    /// Inside a run, the connection belongs to the run. It shares the session to the host, the
    /// settings (`-S`, `-u`, `-P`), the sudo passwords and the output. In a dry run, changes are
    /// only planned. Outside a run, the connection has the settings of `ssh` and a separate client.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn to(host: impl IntoHost) -> Result<Self> {
        Client::current_run().unwrap_or_else(|| Client::builder().build()).connect(host)
    }

    /// Like [`to`](Self::to), but connects immediately.
    ///
    /// # Errors
    ///
    /// As [`to`](Self::to), and [`Connect`](crate::ErrorKind::Connect),
    /// [`HostKey`](crate::ErrorKind::HostKey) or [`Auth`](crate::ErrorKind::Auth).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt.
    pub async fn open(host: impl IntoHost) -> Result<Self> {
        let connection = Self::to(host)?;
        connection.connect().await?;
        Ok(connection)
    }

    /// Returns the client of this connection, or `None` for the connection that
    /// [`current`](crate::connection::current) returns outside a task.
    pub fn client(&self) -> Option<Client> {
        self.state().cloned().map(Client::from_state)
    }
}
