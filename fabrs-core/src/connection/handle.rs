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

/// A host to run commands on: cheap to clone, and a value that carries how its commands run.
///
/// [`cd`](Self::cd), [`env`](Self::env) and [`prefix`](Self::prefix) return a changed copy; nothing is ever changed in
/// place, so no task sees another's settings. All connections of one [`Client`] to one host share one link.
#[derive(Clone)]
pub struct Connection {
    pub(super) state: Option<RunState>,
    pub(super) target: Target,
    pub(super) context: CommandContext,
    /// The plan of its task, in a dry run.
    pub(super) plan: PlanEnd,
    /// Whether a command of the client has run on the host, or may have.
    pub(crate) used: Arc<AtomicBool>,
    /// The hosts that its task declares, inside a task.
    pub(super) declared: Option<Selection<'static>>,
}

/// The destination of commands.
#[derive(Clone)]
pub(crate) enum Target {
    Host {
        host: Host,
        transport: Arc<dyn Transport>,
    },
    /// There is no host here, and why: each command fails with it.
    Unavailable(Error),
}

impl Connection {
    /// Connects now rather than with the first command.
    ///
    /// # Errors
    ///
    /// [`Connect`](crate::ErrorKind::Connect), [`HostKey`](crate::ErrorKind::HostKey) or
    /// [`Auth`](crate::ErrorKind::Auth).
    pub async fn connect(&self) -> Result<()> {
        match &self.target {
            Target::Host { transport, .. } => transport.open().await,
            Target::Unavailable(error) => Err(error.clone()),
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
            Target::Unavailable(_) => None,
        }
    }

    /// Returns the transport to the host. `None` for a connection without a host.
    pub(crate) fn transport(&self) -> Option<&Arc<dyn Transport>> {
        match &self.target {
            Target::Host { transport, .. } => Some(transport),
            Target::Unavailable(_) => None,
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
    /// The error of a connection without a host, with `at` as its location, or the error that ended the plan of the task.
    pub(crate) fn host_and_run(&self, at: &'static Location<'static>) -> Result<(&Host, &RunState)> {
        if let Some(ended) = self.plan.get() {
            return Err(ended.clone());
        }
        match (&self.target, &self.state) {
            (Target::Host { host, .. }, Some(run)) => Ok((host, run)),
            (Target::Unavailable(error), _) => Err(error.clone().at(error.location().unwrap_or(at))),
            (Target::Host { .. }, None) => Err(Error::new(ErrorKind::Internal, "a connection without a run")),
        }
    }

    pub(crate) fn state(&self) -> Option<&RunState> {
        self.state.as_ref()
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
        match (&self.state, &self.target) {
            (Some(state), _) => {
                state.inventory().vars_for(self.host()).read().map_err(|error| error.or_on(self.host()))
            }
            (None, Target::Unavailable(error)) => Err(error.clone()),
            (None, Target::Host { .. }) => Vars::default().read().map_err(|error| error.or_on(self.host())),
        }
    }

    /// Makes a connection for the body of one task on one host: what it plans is told apart from every other's.
    pub(crate) fn with_new_plan(&self) -> Self {
        Self { plan: PlanEnd::default(), ..self.clone() }
    }

    /// Makes a connection for one host's part of the work of this connection's task.
    pub(crate) fn with_plan_part(&self) -> Self {
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

    /// Makes a connection to `host` that is part of the run of `state`. `used` is the host's flag in the run.
    pub(crate) fn from_parts(
        state: RunState,
        host: Host,
        transport: Arc<dyn Transport>,
        used: Arc<AtomicBool>,
        plan: PlanEnd,
    ) -> Self {
        let context = CommandContext::configured(state.inventory(), &host);
        let target = Target::Host { host, transport };
        Self { state: Some(state), target, context, plan, used, declared: None }
    }

    /// Makes a connection whose commands fail with `error`.
    pub(crate) fn unavailable(state: Option<RunState>, error: Error) -> Self {
        Self {
            state,
            target: Target::Unavailable(error),
            context: CommandContext::default(),
            plan: PlanEnd::default(),
            used: Arc::default(),
            declared: None,
        }
    }

    /// Makes the connection of a task that orchestrates: it has no host, and its commands fail with that.
    pub(crate) fn for_local_task(state: RunState) -> Self {
        let error = Error::new(ErrorKind::Usage, "this task runs here and has no host of its own")
            .hint("say `local(..)` for this machine, or `on(role(..))` for hosts");
        Self::unavailable(Some(state), error)
    }

    /// Returns the connection of the same task without its host, as for a task that orchestrates.
    pub(crate) fn without_host(&self, state: RunState) -> Self {
        Self { plan: self.plan.clone(), ..Self::for_local_task(state) }
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

    /// Returns a connection for a script of fabrs: with the directory, the shell and the user under sudo, without the other
    /// settings for commands.
    pub(crate) fn for_internal_script(&self) -> Self {
        self.map_context(|context| *context = context.for_internal_script())
    }

    /// Returns a connection whose commands run in the login shell, without a shell of their own.
    pub(crate) fn without_shell(&self) -> Self {
        self.map_context(|context| *context = context.clone().without_shell())
    }

    pub(crate) fn defaults(&self) -> Option<&CommandDefaults> {
        self.state.as_ref().map(RunState::defaults)
    }

    pub(crate) fn sink(&self) -> Arc<dyn Sink> {
        self.state.as_ref().map_or_else(|| Arc::new(NoSink) as Arc<dyn Sink>, |client| Arc::clone(client.sink()))
    }

    /// Says whether changes are made, and not only planned.
    pub(crate) fn effect_mode(&self) -> EffectMode {
        match &self.target {
            Target::Host { transport, .. } => transport.effect_mode(Effect::Changes),
            Target::Unavailable(_) => EffectMode::Execute,
        }
    }

    /// Reports a planned change that is more than one command.
    pub(crate) fn plan_change(&self, what: &str) {
        if let Target::Host { host, .. } = &self.target {
            self.plan_for(host, what);
        }
    }

    /// Plans a change of this host that is shown as one of another: a download.
    pub(crate) fn plan_for(&self, shown: &Host, what: &str) {
        if let Target::Host { transport, .. } = &self.target {
            transport.plan_change(shown, what);
        }
    }

    /// Returns how many changes of the host were planned, and not made.
    pub(crate) fn planned(&self) -> usize {
        match &self.target {
            Target::Host { transport, .. } => transport.planned(),
            Target::Unavailable(_) => 0,
        }
    }

    pub(crate) fn redactor(&self) -> Redactor {
        self.state.as_ref().map(|client| client.redactor().clone()).unwrap_or_default()
    }

    pub(crate) fn diffs(&self) -> DiffMode {
        self.state.as_ref().map_or(DiffMode::Off, |client| client.settings().diff)
    }

    pub(crate) fn warns(&self) -> bool {
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
