//! One host to run commands on, and the commands.
//!
//! A [`Connection`] is a value: it carries the directory, environment and prefixes of its commands, and every change
//! makes another. A [`Command`] is what it makes, a future that starts when first polled.

mod again;
mod ambient;
mod around;
mod builder;
mod command;
mod finish;
mod frame;
mod given;
mod greeting;
mod hide;
mod inherited;
mod input;
mod line_stream;
mod prompt;
mod recorder;
mod seat;
mod spawned;
mod spec;
mod sudo;
mod tee;
mod transfer;
mod used_hosts;
mod watch;
mod work;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::client::{Client, CommandDefaults, IntoHost};
use crate::config::{Diffs, Selection, Vars};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{NoSink, Sink};
use crate::host::Host;
use crate::output::PlanEnd;
use crate::secret::Redactor;
use crate::shell::ShellLine;
use crate::transport::{Effect, Permission, Transport};

pub(crate) use ambient::{ambient_client, for_all};
pub use ambient::{cd, current, env, get, local, prefix, probe, put, run, sudo, sync, v_run};
pub use builder::secs;
pub use command::Command;
pub use given::{EnvValue, StdinBytes};
pub use hide::{Hide, HideError};
pub use line_stream::LineStream;
pub use prompt::{Confirm, Prompt, confirm, prompt};
pub use spawned::Spawned;
pub use sudo::SudoRefusal;
#[doc(hidden)]
pub use transfer::ReadOnce;
#[cfg(feature = "template")]
pub use transfer::Template;
pub use transfer::{
    Append, Change, Changes, Comment, Edit, FileKind, Get, IntoLines, Line, Look, Make, Put, Read, Remove, Replace,
    Rsync, Source, Stat, Sync, Uncomment,
};
pub use watch::{Responder, Watch};

use frame::Frame;
use used_hosts::UsedHosts;

/// A host to run commands on: cheap to clone, and a value that carries how its commands run.
///
/// [`cd`](Self::cd), [`env`](Self::env) and [`prefix`](Self::prefix) return a changed copy; nothing is ever changed in
/// place, so no task sees another's settings. All connections of one [`Client`] to one host share one link.
#[derive(Clone)]
pub struct Connection {
    client: Option<Client>,
    target: Target,
    frame: Frame,
    /// The plan of its task, in a dry run.
    plan: PlanEnd,
    /// Whether a command of the client has run on the host, or may have.
    used: Arc<AtomicBool>,
    /// The hosts that its task declares, inside a task.
    declared: Option<Selection<'static>>,
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

    /// Returns a connection to the same host that a stop of the run does not end, over a session of its own:
    /// [`Client::aside`]. It carries all that this one does.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn aside(&self) -> Result<Self> {
        let (Some(client), Target::Host { host, .. }) = (&self.client, &self.target) else { return Ok(self.clone()) };
        let aside = client.aside().connect(host)?;
        Ok(Self { client: aside.client, target: aside.target, ..self.clone() })
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
        Self { plan: PlanEnd::default(), ..self.clone() }
    }

    /// Makes a connection for one host's part of the work of this connection's task.
    pub(crate) fn part(&self) -> Self {
        Self { plan: self.plan.part(), ..self.clone() }
    }

    /// Tells whether a command of its client has run on the host, or may have.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns the plan of this connection's task, which ends in a dry run where it looks at what was not run.
    pub(crate) fn plan(&self) -> &PlanEnd {
        &self.plan
    }

    pub(crate) fn bound(client: Client, host: Host, transport: Arc<dyn Transport>) -> Self {
        let frame = Frame::configured(client.inventory(), &host);
        let used = client.shared::<UsedHosts>().flag(&host);
        let target = Target::Host { host, transport };
        // A task may make connections of its own; what it plans is one plan.
        let plan = ambient::plan().unwrap_or_default();
        Self { client: Some(client), target, frame, plan, used, declared: None }
    }

    /// Makes a connection whose commands fail with `error`.
    pub(crate) fn nowhere(client: Option<Client>, error: Error) -> Self {
        Self {
            client,
            target: Target::Nowhere(error),
            frame: Frame::default(),
            plan: PlanEnd::default(),
            used: Arc::default(),
            declared: None,
        }
    }

    /// Makes the connection of a task that orchestrates: it has no host, and its commands fail with that.
    pub(crate) fn orchestrating(client: Client) -> Self {
        let error = Error::new(ErrorKind::Usage, "this task runs here and has no host of its own")
            .hint("say `local(..)` for this machine, or `on(role(..))` for hosts");
        Self::nowhere(Some(client), error)
    }

    /// Returns a connection to this machine for the same task, without the settings of this connection's commands.
    fn to_this_machine(&self) -> Self {
        let here = match &self.client {
            Some(client) => client.local().unwrap_or_else(|error| Self::nowhere(Some(client.clone()), error)),
            None => self.clone(),
        };
        // Commands here and on the host are one task's plan.
        Self { plan: self.plan.clone(), ..here }
    }

    /// Returns the connection of the same task without its host, as for a task that orchestrates.
    pub(crate) fn without_host(&self, client: Client) -> Self {
        Self { plan: self.plan.clone(), ..Self::orchestrating(client) }
    }

    /// Returns the connection inside a task that declares these hosts. A task without hosts of its own has those of its
    /// caller.
    pub(crate) fn in_task(&self, declared: Selection<'static>) -> Self {
        let declared = match (declared, self.declared) {
            (Selection::Inherit, Some(callers)) => callers,
            (declared, _) => declared,
        };
        Self { declared: Some(declared), ..self.clone() }
    }

    /// Returns the hosts that the task around it declares.
    pub(crate) fn declared(&self) -> Option<Selection<'static>> {
        self.declared
    }

    /// Makes a command of fabrs' own.
    fn command(&self, line: ShellLine, effect: Effect, location: &'static Location<'static>) -> Command {
        Command::new(self.clone(), line, effect, location)
    }

    /// Returns a connection for a script of fabrs: with the directory, the shell and the user under sudo, without the other
    /// settings for commands.
    fn only_placed(&self) -> Self {
        self.changed(|frame| *frame = frame.only_placed())
    }

    fn defaults(&self) -> Option<&CommandDefaults> {
        self.client.as_ref().map(Client::defaults)
    }

    fn sink(&self) -> Arc<dyn Sink> {
        self.client.as_ref().map_or_else(|| Arc::new(NoSink) as Arc<dyn Sink>, |client| Arc::clone(client.sink()))
    }

    /// Says whether changes are made, and not only planned.
    fn permission(&self) -> Permission {
        match &self.target {
            Target::Host { transport, .. } => transport.permission(Effect::Changes),
            Target::Nowhere(_) => Permission::Make,
        }
    }

    /// Reports a planned change that is more than one command.
    fn plan_change(&self, what: &str) {
        if let Target::Host { host, .. } = &self.target {
            self.plan_for(host, what);
        }
    }

    /// Plans a change of this host that is shown as one of another: a download.
    fn plan_for(&self, shown: &Host, what: &str) {
        if let Target::Host { transport, .. } = &self.target {
            transport.plan_change(shown, what);
        }
    }

    /// Returns how many changes of the host were planned, and not made.
    fn planned(&self) -> usize {
        match &self.target {
            Target::Host { transport, .. } => transport.planned(),
            Target::Nowhere(_) => 0,
        }
    }

    fn redactor(&self) -> Redactor {
        self.client.as_ref().map(|client| client.redactor().clone()).unwrap_or_default()
    }

    fn diffs(&self) -> Diffs {
        self.client.as_ref().map_or(Diffs::None, |client| client.settings().diff)
    }

    fn warns(&self) -> bool {
        self.defaults().is_some_and(|defaults| defaults.warn)
    }

    fn default_timeout(&self) -> Option<Duration> {
        self.defaults().and_then(|defaults| defaults.timeout)
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
