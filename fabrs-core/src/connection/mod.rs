//! One host to run commands on, and the commands.
//!
//! A [`Connection`] is a value: it carries the directory, environment and prefixes of its commands, and every change
//! makes another. A [`Command`] is what it makes, a future that starts when first polled.

mod ambient;
mod builder;
mod command;
mod frame;
mod hide;
mod recorder;
mod spawned;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::client::{Client, IntoHost};
use crate::config::Vars;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::output::Poison;
use crate::shell::IntoShellLine;
use crate::transport::{Effect, Transport};

pub use ambient::{cd, current, env, local, prefix, probe, run};
pub use builder::secs;
pub use command::Command;
pub use hide::{Hide, HideError};
pub use spawned::Spawned;

use frame::Frame;

/// A host to run commands on: cheap to clone, and a value that carries how its commands run.
///
/// [`cd`](Self::cd), [`env`](Self::env) and [`prefix`](Self::prefix) return a changed copy; nothing is ever changed in
/// place, so no task sees another's settings. All connections of one [`Client`] to one host share one link.
#[derive(Clone)]
pub struct Connection {
    client: Option<Client>,
    target: Target,
    frame: Frame,
    poison: Poison,
    /// Whether a command has run on the host, or may have.
    used: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Target {
    Host {
        host: Host,
        transport: Arc<dyn Transport>,
    },
    /// There is no host here, and why: each command fails with it.
    Nowhere(Error),
}

impl Connection {
    /// Returns a connection that opens on first use, with the settings `ssh` would have and a client of its own.
    ///
    /// Within a task use [`Client::connect`] or the task's own connection: they share links.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn to(host: impl IntoHost) -> Result<Self> {
        Client::builder().build().connect(host)
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

    /// Connects now rather than with the first command.
    ///
    /// # Errors
    ///
    /// [`Connect`](crate::ErrorKind::Connect), [`HostKey`](crate::ErrorKind::HostKey) or
    /// [`Auth`](crate::ErrorKind::Auth).
    pub async fn connect(&self) -> Result<()> {
        match &self.target {
            Target::Host { transport, .. } => transport.open().await,
            Target::Nowhere(error) => Err(error.clone()),
        }
    }

    /// Waits for what still runs on the host and closes the link; it opens again when it is used again.
    pub async fn close(&self) {
        if let Target::Host { transport, .. } = &self.target {
            transport.close().await;
        }
    }

    /// Returns the host, where there is one.
    pub fn host(&self) -> Option<&Host> {
        match &self.target {
            Target::Host { host, .. } => Some(host),
            Target::Nowhere(_) => None,
        }
    }

    /// Returns the client this connection belongs to, where there is one.
    pub fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// Reads the user's own values of `fabrs.toml` into a type: `[vars]`, under the environment's `vars`, under those of
    /// the host.
    ///
    /// ```
    /// use fabrs_core::config::{Config, Inventory};
    /// use fabrs_core::{Client, transport::Fake};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Shop { app: String, workers: u8 }
    ///
    /// let text = "vars = { app = 'shop', workers = 4 }\n\
    ///             [env.live]\nhosts = ['web1', 'web2']\nhost.web2.vars.workers = 16";
    /// let inventory = Inventory::new(&Config::parse(text, "fabrs.toml".as_ref())?, Some("live"))?;
    /// let client = Client::builder().dial(Fake::new()).inventory(inventory).build();
    /// let shop: Shop = client.connect("web2")?.vars()?;
    /// assert_eq!((shop.app.as_str(), shop.workers), ("shop", 16));
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config), naming file, line and field, where they do not fit the type;
    /// [`Usage`](crate::ErrorKind::Usage) outside a task.
    pub fn vars<T: DeserializeOwned>(&self) -> Result<T> {
        match (&self.client, &self.target) {
            (Some(client), _) => {
                client.inventory().vars_for(self.host()).read().map_err(|error| error.or_on(self.host()))
            }
            (None, Target::Nowhere(error)) => Err(error.clone()),
            (None, Target::Host { .. }) => Vars::default().read().map_err(|error| error.or_on(self.host())),
        }
    }

    /// Makes a command that may change something on the host.
    #[track_caller]
    pub fn run(&self, line: impl IntoShellLine) -> Command {
        Command::new(self.clone(), line.into_shell_line(), Effect::Changes, Location::caller())
    }

    /// Makes a command that only looks: it is executed in a dry run too.
    #[track_caller]
    pub fn probe(&self, line: impl IntoShellLine) -> Command {
        Command::new(self.clone(), line.into_shell_line(), Effect::Reads, Location::caller())
    }

    /// Makes a command for this machine, whatever the connection leads to; a remote `cd` does not change where it runs.
    #[track_caller]
    pub fn local(&self, line: impl IntoShellLine) -> Command {
        let here = match &self.client {
            Some(client) => client.local().unwrap_or_else(|error| Self::nowhere(Some(client.clone()), error)),
            None => self.clone(),
        };
        // What is planned here and what is planned there is one task's plan.
        let here = Self { poison: Arc::clone(&self.poison), ..here };
        Command::new(here, line.into_shell_line(), Effect::Changes, Location::caller())
    }

    /// Returns a connection whose commands run in `directory`; a relative one is taken from the directory so far.
    ///
    /// A leading `~/` is the remote user's home.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn cd(&self, directory: impl AsRef<str>) -> Self {
        self.changed(|frame| frame.cd(directory.as_ref()))
    }

    /// Returns a connection whose commands have the variable `name`, with exactly `value` in it.
    ///
    /// The value is part of the command line: whoever can list processes on the host can read it, and so it is no place
    /// for a password. [`Command::stdin`] is.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn env(&self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.changed(|frame| frame.env(name.into(), value.into()))
    }

    /// Returns a connection that runs `line` before each command, in the same shell; the command runs where it succeeds.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn prefix(&self, line: impl IntoShellLine) -> Self {
        self.changed(|frame| frame.prefix(line.into_shell_line()))
    }

    /// Runs a future with this connection as the one that the free functions (`run(..)`, `cd(..)`) mean.
    pub async fn enter<F: Future>(&self, future: F) -> F::Output {
        ambient::scope(self.clone(), future).await
    }

    /// Runs a plain function with this connection as the one that the free functions mean.
    pub fn enter_sync<T>(&self, function: impl FnOnce() -> T) -> T {
        ambient::scope_sync(self.clone(), function)
    }

    /// Makes a connection for the body of one task on one host: what it plans is told apart from every other's.
    pub(crate) fn fresh(&self) -> Self {
        Self { poison: Poison::default(), used: Arc::default(), ..self.clone() }
    }

    /// Returns where the plan of this connection's task ends.
    /// Tells whether a command of this connection, or of a copy of it, has run on the host, or may have.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn poison(&self) -> &Poison {
        &self.poison
    }

    pub(crate) fn bound(client: Client, host: Host, transport: Arc<dyn Transport>) -> Self {
        let target = Target::Host { host, transport };
        Self { client: Some(client), target, frame: Frame::default(), poison: Poison::default(), used: Arc::default() }
    }

    /// Makes a connection whose commands fail with `error`.
    pub(crate) fn nowhere(client: Option<Client>, error: Error) -> Self {
        Self {
            client,
            target: Target::Nowhere(error),
            frame: Frame::default(),
            poison: Poison::default(),
            used: Arc::default(),
        }
    }

    fn warns(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.defaults().warn)
    }

    fn default_timeout(&self) -> Option<Duration> {
        self.client.as_ref().and_then(|client| client.defaults().timeout)
    }

    fn changed(&self, change: impl FnOnce(&mut Frame)) -> Self {
        let mut copy = self.clone();
        change(&mut copy.frame);
        copy
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("host", &self.host()).field("frame", &self.frame).finish_non_exhaustive()
    }
}

/// Connections are equal when they lead to the same host as the same user through the same port.
impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        self.host() == other.host()
    }
}

impl Eq for Connection {}

impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.host().hash(state);
    }
}
