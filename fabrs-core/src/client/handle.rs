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

/// The factory for the connections of a run, or of an embedding program.
///
/// All connections of a client share the settings, the event [`Sink`], the stop signal and one
/// session per host. A client is cheap to clone.
///
/// Two clients share no state. The exception is a client made inside a run, by a task or after
/// [`install_global`](Self::install_global): such a client shares the dry run, the approval, the
/// secrets and the stop signal of the run.
///
/// ```
/// use fabrs_core::{Client, transport::{Fake, FakeAnswer}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// let fake = Fake::new().on("uname", FakeAnswer::stdout("Linux\n"));
/// let client = Client::builder().dial(fake).build();
/// assert_eq!(client.connect("web1")?.probe("uname").line().await?, "Linux");
/// client.close().await;
/// # Ok(()) }
/// ```
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

    /// Returns a connection to `host`. The connection opens on first use. All connections to a host
    /// share a session.
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

    /// Waits for background work and closes all connections. A closed connection opens again on the
    /// next use.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the wait. The remaining connections close when the client and all
    /// its connections are dropped.
    pub async fn close(&self) {
        self.state.close().await;
    }

    /// Returns a client of the same run with uncancellable commands. A stop of the run does not end
    /// these commands.
    ///
    /// Use the client to revert a half-finished change or to hold a lock. Hosts, settings and sinks
    /// are shared, but the connections are separate. Only a kill ends the commands.
    ///
    /// A stopped run waits briefly for running tasks. [`StopSignal::guard`] extends the wait.
    pub fn uncancellable(&self) -> Self {
        Self { state: self.state.uncancellable() }
    }

    /// Returns the sink that receives the events of the run.
    pub fn sink(&self) -> &Arc<dyn Sink> {
        self.state.sink()
    }

    /// Returns the prompter of the run.
    pub fn prompter(&self) -> &Arc<dyn Prompter> {
        self.state.prompter()
    }

    /// Prints a line of task output on stdout, prefixed by the name of `host`.
    pub fn print(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.sink().event(&Event::Message { host, stream: Stream::Stdout, text: text.as_ref() });
    }

    /// Prints a note for people on stderr, prefixed by the name of `host`.
    pub fn note(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.state.note(host, text);
    }

    /// Emits a warning.
    pub fn warn(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.sink().event(&Event::Warning { host, text: text.as_ref() });
    }

    /// Adds a secret to the values redacted in all output of this client. Add secrets that no
    /// command receives, for example a password printed by a host.
    ///
    /// Secrets passed to commands and answers to secret prompts are redacted already. A secret of
    /// fewer than six bytes is not redacted. The first short secret of a run causes a warning.
    ///
    /// ```
    /// use fabrs_core::{Client, Secret};
    ///
    /// let client = Client::builder().build();
    /// client.add_secret(&Secret::new("hunter2"));
    /// assert!(!client.redact("the password is hunter2").contains("hunter2"));
    /// ```
    pub fn add_secret(&self, secret: &Secret) {
        self.state.add_secret(secret);
    }

    /// Returns `text` with all known secrets redacted, for output outside the sink.
    pub fn redact(&self, text: &str) -> String {
        self.state.redactor().text(text).into_owned()
    }

    /// Returns the stop signal of the run. Raising the signal cancels every command of this client.
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
