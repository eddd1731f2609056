//! [`Client`]: makes connections that share one run's settings, output and stop signal.

use std::fmt;
use std::sync::Arc;

use super::into_host::IntoHost;
use crate::config::{Inventory, Settings};
use crate::connection::Connection;
use crate::error::Result;
use crate::event::{Event, Sink, Stream};
use crate::host::Host;
use crate::secret::Secret;
use crate::state::RunState;
use crate::transport::{Prompter, StopSignal};

/// Makes the connections of one run, or of one program that embeds this crate.
///
/// All connections of a client share its settings, its event [`Sink`], its stop signal and one session a host. Cheap to
/// clone. Two clients share nothing, except for a client that a task makes: it keeps to the dry run, the approval and the
/// stop signal of its run.
#[derive(Clone)]
pub struct Client {
    state: RunState,
}

impl Client {
    pub(crate) fn from_state(state: RunState) -> Self {
        Self { state }
    }

    pub(crate) fn state(&self) -> &RunState {
        &self.state
    }

    /// Returns a connection to `host`, which opens on first use. All connections to one host share a session.
    ///
    /// The user and the port of the settings apply to a host without a user or port.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) if the host is invalid,
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the ssh config is wrong.
    pub fn connect(&self, host: impl IntoHost) -> Result<Connection> {
        Connection::in_run(&self.state, self.state.inventory().qualified(host.into_host()?))
    }

    /// Returns a connection to this machine.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn local(&self) -> Result<Connection> {
        self.connect(Host::local())
    }

    /// Waits for background work and closes all connections. A connection opens again on its next use.
    pub async fn close(&self) {
        self.state.close().await;
    }

    /// Returns a client of the same run whose commands a stop does not cancel: for work that undoes half a change or holds a
    /// lock. It has the same hosts, settings and sinks, and connections of its own. Only a kill ends its commands.
    ///
    /// A stopped run waits briefly for its tasks. [`StopSignal::guard`] makes it wait longer.
    pub fn uncancellable(&self) -> Self {
        Self { state: self.state.uncancellable() }
    }

    /// Returns the sink that receives the events of the run.
    pub fn sink(&self) -> &Arc<dyn Sink> {
        self.state.sink()
    }

    /// Returns the prompter of the run.
    pub fn ask(&self) -> &Arc<dyn Prompter> {
        self.state.ask()
    }

    /// Prints the output of a task on stdout, with the name of `host` in front.
    pub fn print(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.sink().event(&Event::Message { host, stream: Stream::Stdout, text: text.as_ref() });
    }

    /// Prints a note for people on stderr, with the name of `host` in front.
    pub fn note(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.state.note(host, text);
    }

    /// Emits a warning.
    pub fn warn(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.sink().event(&Event::Warning { host, text: text.as_ref() });
    }

    /// Adds a secret to the values that are redacted in all output of this client. For secrets that no command received:
    /// for example, one printed by a host.
    ///
    /// Secrets given to commands and answers to secret prompts are redacted already. A secret of fewer than six bytes is not
    /// redacted. The first short secret of a run causes a warning.
    pub fn add_secret(&self, secret: &Secret) {
        self.state.add_secret(secret);
    }

    /// Returns `text` with the known secrets redacted, for output outside the sink.
    pub fn redact(&self, text: &str) -> String {
        self.state.redactor().text(text).into_owned()
    }

    /// Returns the stop signal of the run. Raising it cancels every command of this client.
    pub fn stop(&self) -> &StopSignal {
        self.state.stop()
    }

    /// Returns the hosts and roles of this client.
    pub fn inventory(&self) -> &Inventory {
        self.state.inventory()
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        self.state.settings()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.state).finish()
    }
}
