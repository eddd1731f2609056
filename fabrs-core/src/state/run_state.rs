//! [`RunState`]: the state shared by all connections of one run.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::future::join_all;
use tokio_util::task::TaskTracker;

use super::approval::Approval;
use super::change_policy::ChangePolicy;
use crate::config::{Inventory, Settings};
use crate::error::Result;
use crate::event::{Event, Sink, Stream};
use crate::host::Host;
use crate::mutex::lock;
use crate::secret::{AddOutcome, MIN_SECRET_LEN, Redactor, Secret};
use crate::transport::{Dialer, Fences, Prompter, StopSignal, Transport};

/// The state shared by all connections of one run: the connection pool (one transport per host),
/// the settings, the event sink and the stop signal. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RunState {
    pub(super) inner: Arc<Inner>,
}

/// The shared allocation of a [`RunState`].
pub(super) struct Inner {
    parts: RunParts,
    /// Background work, awaited when the client closes.
    tasks: TaskTracker,
    pool: Mutex<HashMap<Host, Arc<dyn Transport>>>,
    extensions: Extensions,
    uncancellable: Uncancellable,
}

/// The configurable parts of a [`RunState`].
#[derive(Clone)]
pub(crate) struct RunParts {
    pub(crate) dial: Arc<dyn Dialer>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) prompter: Arc<dyn Prompter>,
    pub(crate) sudo_password: Option<Secret>,
    /// True if programs named in the ssh config or `fabrs.toml` may run on this machine.
    pub(crate) allow_local_programs: bool,
    pub(crate) redactor: Redactor,
    pub(crate) inventory: Inventory,
    pub(crate) settings: Settings,
    pub(crate) defaults: CommandDefaults,
    pub(crate) stop: StopSignal,
    /// The number of commands started so far.
    pub(crate) commands: Arc<AtomicU64>,
    pub(crate) approval: Arc<Approval>,
    pub(crate) policy: ChangePolicy,
    /// The locks of locked hosts, checked before changes.
    pub(crate) fences: Fences,
}

/// Values of higher layers, by type.
type Extensions = Arc<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>;

/// The uncancellable state of the same run.
enum Uncancellable {
    /// Created on first use.
    Sibling(OnceLock<RunState>),
    /// This state itself.
    Itself,
}

/// The default settings of commands.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandDefaults {
    /// The longest duration of a command. Unlimited by default.
    pub(crate) timeout: Option<Duration>,
    /// True if a status other than 0 counts as success.
    pub(crate) warn: bool,
    /// True if the command line is shown before the command runs.
    pub(crate) echo: bool,
    /// True if a spare channel is opened for the next command. Useful in tasks, wasteful for a
    /// single line.
    pub(crate) prefetch_channel: bool,
}

impl RunState {
    pub(crate) fn new(parts: RunParts) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                tasks: TaskTracker::new(),
                pool: Mutex::default(),
                extensions: Arc::default(),
                uncancellable: Uncancellable::Sibling(OnceLock::new()),
            }),
        }
    }

    /// Returns the transport to `host`, shared by all connections of the run to this host.
    pub(crate) fn transport(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        if let Some(transport) = lock(&self.inner.pool).get(host) {
            return Ok(Arc::clone(transport));
        }
        // The pool is not locked during the dial, since ssh_config may run a program. Of two
        // concurrent calls, the first transport is kept.
        let transport = self.inner.parts.dial.dial(host)?;
        Ok(Arc::clone(lock(&self.inner.pool).entry(host.clone()).or_insert(transport)))
    }

    /// Waits for background work and closes all connections. A connection opens again on the next
    /// use.
    pub(crate) async fn close(&self) {
        // Locks end with the run. They close first, since their heartbeats could start commands.
        self.fences().close();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.tasks.reopen();
        self.fences().reopen();
        if let Uncancellable::Sibling(sibling) = &self.inner.uncancellable
            && let Some(sibling) = sibling.get()
        {
            sibling.close_transports().await;
        }
        self.close_transports().await;
        self.dial().close().await;
    }

    async fn close_transports(&self) {
        let all: Vec<_> = lock(&self.inner.pool).values().cloned().collect();
        join_all(all.iter().map(|transport| transport.close())).await;
    }

    /// Returns the uncancellable state of the same run, with separate connections. Only a kill ends
    /// the commands.
    pub(crate) fn uncancellable(&self) -> Self {
        let Uncancellable::Sibling(sibling) = &self.inner.uncancellable else { return self.clone() };
        let make = || Self {
            inner: Arc::new(Inner {
                parts: RunParts { stop: self.stop().kill_only(), ..self.inner.parts.clone() },
                tasks: self.inner.tasks.clone(),
                pool: Mutex::default(),
                extensions: Arc::clone(&self.inner.extensions),
                uncancellable: Uncancellable::Itself,
            }),
        };
        sibling.get_or_init(make).clone()
    }

    /// Returns the run's value of type `T`, created on first use.
    ///
    /// Higher layers keep the shared values of a run here. This layer does not import the types.
    pub(crate) fn extension<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut extensions = lock(&self.inner.extensions);
        let value = extensions.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        Arc::downcast(Arc::clone(value)).unwrap_or_default()
    }

    /// Prints a line on stderr, with the name of `host` in front.
    pub(crate) fn note(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.sink().event(&Event::Message { host, stream: Stream::Stderr, text: text.as_ref() });
    }

    /// Adds a secret to the redacted values of the run.
    pub(crate) fn add_secret(&self, secret: &Secret) {
        add_secret(self.redactor(), self.sink().as_ref(), secret);
    }

    /// Returns the number of the next command, starting at 1.
    pub(crate) fn next_number(&self) -> u64 {
        self.inner.parts.commands.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns `true` if changes are allowed: the run is approved, or needs no approval.
    pub(crate) fn may_change(&self) -> bool {
        self.approval().allows_changes()
    }

    pub(crate) fn sink(&self) -> &Arc<dyn Sink> {
        &self.inner.parts.sink
    }

    pub(crate) fn prompter(&self) -> &Arc<dyn Prompter> {
        &self.inner.parts.prompter
    }

    pub(crate) fn redactor(&self) -> &Redactor {
        &self.inner.parts.redactor
    }

    pub(crate) fn sudo_password(&self) -> Option<&Secret> {
        self.inner.parts.sudo_password.as_ref()
    }

    pub(crate) fn allows_local_programs(&self) -> bool {
        self.inner.parts.allow_local_programs
    }

    pub(crate) fn stop(&self) -> &StopSignal {
        &self.inner.parts.stop
    }

    pub(crate) fn inventory(&self) -> &Inventory {
        &self.inner.parts.inventory
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.parts.settings
    }

    pub(crate) fn defaults(&self) -> &CommandDefaults {
        &self.inner.parts.defaults
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    pub(crate) fn fences(&self) -> &Fences {
        &self.inner.parts.fences
    }

    pub(crate) fn dial(&self) -> &Arc<dyn Dialer> {
        &self.inner.parts.dial
    }

    pub(crate) fn approval(&self) -> &Approval {
        &self.inner.parts.approval
    }

    pub(crate) fn policy(&self) -> &ChangePolicy {
        &self.inner.parts.policy
    }

    /// Returns the counter of commands, for a client made by a task of this run.
    pub(crate) fn command_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.inner.parts.commands)
    }
}

impl fmt::Debug for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunState").field("hosts", &lock(&self.inner.pool).keys()).finish_non_exhaustive()
    }
}

/// Adds a secret to `redactor`. The first secret too short for redaction causes a warning.
pub(crate) fn add_secret(redactor: &Redactor, sink: &dyn Sink, secret: &Secret) {
    if redactor.add(secret) == AddOutcome::FirstTooShort {
        let text = format!(
            "a secret or password has fewer than {MIN_SECRET_LEN} bytes: such values are not redacted in output"
        );
        sink.event(&Event::Warning { host: None, text: &text });
    }
}
