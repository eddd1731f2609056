//! [`Connection`]: a host with the directory, environment and prefixes of its commands.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::context::CommandContext;
use crate::config::{DiffMode, Selection, Vars};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{NoSink, Sink};
use crate::host::Host;
use crate::output::PlanEnd;
use crate::secret::Redactor;
use crate::state::{CommandDefaults, RunState};
use crate::transport::{Effect, EffectMode, Transport};

/// A host to run commands on, with the settings of its commands. Cheap to clone.
///
/// [`cd`](Self::cd), [`env`](Self::env) and [`prefix`](Self::prefix) return a changed copy. A
/// connection is never changed in place, so tasks do not share settings. All connections of a
/// [`Client`](crate::Client) to the same host share a session.
///
/// ```
/// # use fabrs_core::Client;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// # let here = Client::builder().build().local()?;
/// let root = here.cd("/");
/// assert_eq!(root.run("pwd").line().await?, "/");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Connection {
    pub(super) state: Option<RunState>,
    pub(super) destination: Destination,
    pub(super) context: CommandContext,
    /// The end of the plan of the task, in a dry run.
    pub(super) plan_end: PlanEnd,
    /// True if a command of the run has started on the host, or may have started.
    pub(crate) used: Arc<AtomicBool>,
    /// The hosts declared by the task, inside a task.
    pub(super) declared: Option<Selection<'static>>,
}

/// The destination of commands.
#[derive(Clone)]
pub(crate) enum Destination {
    Host {
        host: Host,
        transport: Arc<dyn Transport>,
    },
    /// The connection has no host. Each command fails with this error.
    Unavailable(Error),
}

impl Connection {
    /// Connects immediately instead of with the first command.
    ///
    /// ```
    /// # use fabrs_core::{Client, ErrorKind, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let client = Client::builder().dial(Fake::new().unreachable("web2")).build();
    /// client.connect("web1")?.connect().await?;
    /// let error = client.connect("web2")?.connect().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Connect);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Connect`](crate::ErrorKind::Connect), [`HostKey`](crate::ErrorKind::HostKey) or
    /// [`Auth`](crate::ErrorKind::Auth).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt. The next use connects again.
    pub async fn connect(&self) -> Result<()> {
        match &self.destination {
            Destination::Host { transport, .. } => transport.open().await,
            Destination::Unavailable(error) => Err(error.clone()),
        }
    }

    /// Waits for the running commands of the host and closes the session. A closed session opens
    /// again on the next use.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before the commands have ended leaves the session open.
    pub async fn close(&self) {
        if let Destination::Host { transport, .. } = &self.destination {
            transport.close().await;
        }
    }

    /// Returns the host, or `None` for the connection of a local task and for
    /// [`current`](crate::connection::current) outside a task.
    pub fn host(&self) -> Option<&Host> {
        match &self.destination {
            Destination::Host { host, .. } => Some(host),
            Destination::Unavailable(_) => None,
        }
    }

    /// Returns the transport to the host, or `None` for a connection without a host.
    pub(crate) fn transport(&self) -> Option<&Arc<dyn Transport>> {
        match &self.destination {
            Destination::Host { transport, .. } => Some(transport),
            Destination::Unavailable(_) => None,
        }
    }

    /// Returns the working directory of commands, if one is set.
    pub(crate) fn directory(&self) -> Option<&str> {
        self.context.cwd()
    }

    /// Returns the host and the run of this connection.
    ///
    /// # Errors
    ///
    /// The error of a connection without a host, with `at` as its location, or the error that ended
    /// the plan of the task.
    pub(crate) fn host_and_run(&self, at: &'static Location<'static>) -> Result<(&Host, &RunState)> {
        if let Some(ended) = self.plan_end.get() {
            return Err(ended.clone());
        }
        match (&self.destination, &self.state) {
            (Destination::Host { host, .. }, Some(run)) => Ok((host, run)),
            (Destination::Unavailable(error), _) => Err(error.clone().at(error.location().unwrap_or(at))),
            (Destination::Host { .. }, None) => {
                Err(Error::new(ErrorKind::Internal, "internal error: the connection has no run"))
            }
        }
    }

    pub(crate) fn state(&self) -> Option<&RunState> {
        self.state.as_ref()
    }

    /// Reads the user-defined variables of `fabrs.toml` into a type.
    ///
    /// Variables of the host take precedence over those of the environment, and these over the
    /// top-level `[vars]`.
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
    /// - [`Config`](crate::ErrorKind::Config) if the variables do not match the type, with file,
    ///   line and field.
    /// - [`Usage`](crate::ErrorKind::Usage) for [`current`](crate::connection::current) outside a
    ///   task.
    pub fn vars<T: DeserializeOwned>(&self) -> Result<T> {
        match (&self.state, &self.destination) {
            (Some(state), _) => {
                state.inventory().vars_for(self.host()).read().map_err(|error| error.or_on(self.host()))
            }
            (None, Destination::Unavailable(error)) => Err(error.clone()),
            (None, Destination::Host { .. }) => Vars::default().read().map_err(|error| error.or_on(self.host())),
        }
    }

    /// Returns a connection with a separate plan, for the body of a task on one host.
    pub(crate) fn with_new_plan(&self) -> Self {
        Self { plan_end: PlanEnd::default(), ..self.clone() }
    }

    /// Returns a connection for one host of a group, with a part of the task's plan.
    pub(crate) fn with_plan_part(&self) -> Self {
        Self { plan_end: self.plan_end.part(), ..self.clone() }
    }

    /// Returns `true` if a command of the run has started on the host, or may have started.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns the end of the plan of the task. In a dry run, the plan ends at the first read of a
    /// missing result.
    pub(crate) fn plan_end(&self) -> &PlanEnd {
        &self.plan_end
    }

    /// Creates a connection to `host` in the run of `state`. All connections of the run to `host`
    /// share the flag `used`.
    pub(crate) fn from_parts(
        state: RunState,
        host: Host,
        transport: Arc<dyn Transport>,
        used: Arc<AtomicBool>,
        plan_end: PlanEnd,
    ) -> Self {
        let context = CommandContext::configured(state.inventory(), &host);
        let destination = Destination::Host { host, transport };
        Self { state: Some(state), destination, context, plan_end, used, declared: None }
    }

    /// Creates a connection whose commands fail with `error`.
    pub(crate) fn unavailable(state: Option<RunState>, error: Error) -> Self {
        Self {
            state,
            destination: Destination::Unavailable(error),
            context: CommandContext::default(),
            plan_end: PlanEnd::default(),
            used: Arc::default(),
            declared: None,
        }
    }

    /// Creates the connection of a local task (`#[task(local)]`). The task has no host, so all
    /// commands fail.
    pub(crate) fn for_local_task(state: RunState) -> Self {
        let error = Error::new(ErrorKind::Usage, "this task runs on this machine and has no host")
            .hint("use `local(..)` for this machine, or `on(role(..))` for hosts");
        Self::unavailable(Some(state), error)
    }

    /// Returns the connection of the same task without the host, like the connection of a local
    /// task.
    pub(crate) fn without_host(&self, state: RunState) -> Self {
        Self { plan_end: self.plan_end.clone(), ..Self::for_local_task(state) }
    }

    /// Returns the connection inside a task that declares these hosts. A task without declared
    /// hosts inherits the hosts of the caller.
    pub(crate) fn in_task(&self, declared: Selection<'static>) -> Self {
        let declared = match (declared, self.declared) {
            (Selection::Inherit, Some(callers)) => callers,
            (declared, _) => declared,
        };
        Self { declared: Some(declared), ..self.clone() }
    }

    /// Returns the hosts declared by the surrounding task.
    pub(crate) fn declared(&self) -> Option<Selection<'static>> {
        self.declared
    }

    /// Returns a connection for an internal script. The connection keeps only the directory, the
    /// shell and the sudo user.
    pub(crate) fn for_internal_script(&self) -> Self {
        self.map_context(|context| *context = context.for_internal_script())
    }

    /// Returns a connection whose commands run in the login shell, without the configured shell.
    pub(crate) fn without_shell(&self) -> Self {
        self.map_context(|context| *context = context.clone().without_shell())
    }

    pub(crate) fn defaults(&self) -> Option<&CommandDefaults> {
        self.state.as_ref().map(RunState::defaults)
    }

    pub(crate) fn sink(&self) -> Arc<dyn Sink> {
        self.state.as_ref().map_or_else(|| Arc::new(NoSink) as Arc<dyn Sink>, |run| Arc::clone(run.sink()))
    }

    /// Returns the mode of changes: executed, or only planned.
    pub(crate) fn effect_mode(&self) -> EffectMode {
        match &self.destination {
            Destination::Host { transport, .. } => transport.effect_mode(Effect::Changes),
            Destination::Unavailable(_) => EffectMode::Execute,
        }
    }

    /// Reports a single planned change that takes several commands.
    pub(crate) fn plan_change(&self, operation: &str) {
        if let Destination::Host { host, .. } = &self.destination {
            self.plan_for(host, operation);
        }
    }

    /// Reports a planned change of this host under the name of another host, as for a download.
    pub(crate) fn plan_for(&self, displayed_host: &Host, operation: &str) {
        if let Destination::Host { transport, .. } = &self.destination {
            transport.plan_change(displayed_host, operation);
        }
    }

    /// Returns the number of planned changes of the host.
    pub(crate) fn planned(&self) -> usize {
        match &self.destination {
            Destination::Host { transport, .. } => transport.planned(),
            Destination::Unavailable(_) => 0,
        }
    }

    pub(crate) fn redactor(&self) -> Redactor {
        self.state.as_ref().map(|run| run.redactor().clone()).unwrap_or_default()
    }

    pub(crate) fn diff_mode(&self) -> DiffMode {
        self.state.as_ref().map_or(DiffMode::Off, |run| run.settings().diff)
    }

    pub(crate) fn accepts_failures(&self) -> bool {
        self.defaults().is_some_and(|defaults| defaults.warn)
    }

    pub(crate) fn default_timeout(&self) -> Option<Duration> {
        self.defaults().and_then(|defaults| defaults.timeout)
    }

    pub(super) fn map_context(&self, change: impl FnOnce(&mut CommandContext)) -> Self {
        let mut copy = self.clone();
        change(&mut copy.context);
        copy
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("host", &self.host()).field("context", &self.context).finish_non_exhaustive()
    }
}
