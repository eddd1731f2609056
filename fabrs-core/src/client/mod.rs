//! What one run shares: connections, settings, who is told, what stops it.

mod approval;
mod builder;
mod current_run;
mod remember;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio_util::task::TaskTracker;

use crate::config::{Inventory, Settings};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Sink, Stream};
use crate::host::Host;
use crate::secret::{Added, Redactor, SHORTEST, Secret};
use crate::transport::{Ask, Dial, Fences, RunStop, Transport};

pub use builder::ClientBuilder;

use approval::Approval;
use current_run::ChangePolicy;

/// State shared by one run, or by one program that embeds this crate: the connection pool (one connection a host), the
/// settings, the event [`Sink`] and the stop signal.
///
/// Cheap to clone. Two clients share nothing, except for a client that a task makes: it keeps to the dry run, the approval
/// and the stop signal of its run.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    dial: Arc<dyn Dial>,
    sink: Arc<dyn Sink>,
    ask: Arc<dyn Ask>,
    sudo_password: Option<Secret>,
    local_programs: bool,
    redactor: Redactor,
    inventory: Inventory,
    settings: Settings,
    defaults: CommandDefaults,
    stop: RunStop,
    /// How many commands have begun.
    commands: Arc<AtomicU64>,
    /// What goes on beside the commands of a task, and is waited for when the client closes.
    tasks: TaskTracker,
    pool: Mutex<HashMap<Host, Arc<dyn Transport>>>,
    shared: Shared,
    approval: Arc<Approval>,
    policy: ChangePolicy,
    /// The locks of the run, as far as its changes need them.
    fences: Fences,
    aside: Aside,
}

/// What higher layers keep for a run, each under a type of its own.
type Shared = Arc<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>;

/// The client for what is done also when a run is stopped.
enum Aside {
    /// It is made when it is first wanted.
    Other(OnceLock<Client>),
    /// This is it.
    This,
}

/// What every command has unless it says otherwise.
#[derive(Debug, Clone, Default)]
pub struct CommandDefaults {
    /// How long it may run. Without end by default.
    pub timeout: Option<Duration>,
    /// Whether a status other than 0 is no error.
    pub warn: bool,
    /// Whether the command line is shown before it runs.
    pub echo: bool,
    /// Whether a channel is opened ahead for the next command: right for tasks, wrong for a single line.
    pub ahead: bool,
}

impl Client {
    /// Returns a builder with the settings that `ssh` would have: its config file, its agent, its known hosts.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Returns a connection to `host`, which opens on first use; the same link for the same host, however often asked.
    ///
    /// The user and the port that the settings have as arguments become part of a host that names none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where the text is no host, [`ErrorKind::Config`] where the ssh config is wrong.
    pub fn connect(&self, host: impl IntoHost) -> Result<Connection> {
        let host = self.inner.inventory.addressed(host.into_host()?);
        let transport = self.transport(&host)?;
        Ok(Connection::bound(self.clone(), host, transport))
    }

    /// Returns a connection to this machine.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn local(&self) -> Result<Connection> {
        self.connect(Host::local())
    }

    /// Waits for what still runs and closes all connections. A connection that is used later opens again.
    pub async fn close(&self) {
        // First what may still start commands. A lock that is still alive ends with the run.
        self.inner.fences.close();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.tasks.reopen();
        self.inner.fences.reopen();
        if let Aside::Other(aside) = &self.inner.aside
            && let Some(aside) = aside.get()
        {
            aside.close_transports().await;
        }
        self.close_transports().await;
        self.inner.dial.close().await;
    }

    async fn close_transports(&self) {
        let all: Vec<_> = lock(&self.inner.pool).values().cloned().collect();
        join_all(all.iter().map(|transport| transport.close())).await;
    }

    /// Returns the client for what must be done also when the run is stopped: what takes back half a change, what holds a
    /// lock. Its hosts, settings and sinks are this client's; its connections are its own, and its commands end only when
    /// everything is to be killed.
    ///
    /// A run that is stopped waits for a task only for a moment, unless it holds it: [`RunStop::hold`].
    pub fn aside(&self) -> Self {
        let Aside::Other(aside) = &self.inner.aside else { return self.clone() };
        let make = || Self {
            inner: Arc::new(Inner {
                dial: Arc::clone(&self.inner.dial),
                sink: Arc::clone(&self.inner.sink),
                ask: Arc::clone(&self.inner.ask),
                sudo_password: self.inner.sudo_password.clone(),
                local_programs: self.inner.local_programs,
                redactor: self.inner.redactor.clone(),
                inventory: self.inner.inventory.clone(),
                settings: self.inner.settings.clone(),
                defaults: self.inner.defaults.clone(),
                stop: self.inner.stop.until_killed(),
                commands: Arc::clone(&self.inner.commands),
                tasks: self.inner.tasks.clone(),
                pool: Mutex::default(),
                shared: Arc::clone(&self.inner.shared),
                approval: Arc::clone(&self.inner.approval),
                policy: self.inner.policy.clone(),
                fences: self.inner.fences.clone(),
                aside: Aside::This,
            }),
        };
        aside.get_or_init(make).clone()
    }

    /// Returns who is told what happens.
    pub fn sink(&self) -> &Arc<dyn Sink> {
        &self.inner.sink
    }

    /// Returns whom to ask where something has to be asked.
    pub fn ask(&self) -> &Arc<dyn Ask> {
        &self.inner.ask
    }

    /// Shows lines as what a task has to say: on stdout, behind the name of `host` where there is one.
    pub fn say(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.sink().event(&Event::Said { host, stream: Stream::Stdout, text: text.as_ref() });
    }

    /// Shows lines for people beside the work: on stderr, behind the name of `host` where there is one.
    pub fn note(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.sink().event(&Event::Said { host, stream: Stream::Stderr, text: text.as_ref() });
    }

    /// Warns of something that is no failure.
    pub fn warn(&self, host: Option<&Host>, text: impl AsRef<str>) {
        self.sink().event(&Event::Warning { host, text: text.as_ref() });
    }

    /// Keeps a secret out of all that this client shows, also where no command was given it: one that a host prints, say.
    ///
    /// Secrets that a command receives, and answers to secret prompts, are redacted already. A secret of fewer than six
    /// bytes is not redacted. The first short secret of a run causes a warning.
    pub fn redact(&self, secret: &Secret) {
        add_secret(&self.inner.redactor, self.inner.sink.as_ref(), secret);
    }

    /// Returns a text without the secrets that this client knows: for what is told, or written down, elsewhere.
    pub fn redacted(&self, text: &str) -> String {
        self.inner.redactor.text(text).into_owned()
    }

    /// Returns what keeps secrets out of what is shown.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.inner.redactor
    }

    /// Returns the password for sudo that the program has given.
    pub(crate) fn sudo_password(&self) -> Option<&Secret> {
        self.inner.sudo_password.as_ref()
    }

    /// Counts one more command, and returns its number.
    pub(crate) fn next_number(&self) -> u64 {
        self.inner.commands.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Tells whether programs of this machine may be run that only a file names.
    pub(crate) fn may_run_local_programs(&self) -> bool {
        self.inner.local_programs
    }

    /// Returns what stops the run: every command of this client ends when it is raised.
    pub fn stop(&self) -> &RunStop {
        &self.inner.stop
    }

    /// Returns the hosts and roles this client knows.
    pub fn inventory(&self) -> &Inventory {
        &self.inner.inventory
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Returns the tasks that are waited for when it closes.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    /// Returns the fences around its locked hosts.
    pub(crate) fn fences(&self) -> &Fences {
        &self.inner.fences
    }

    /// Returns what makes its transports.
    pub(crate) fn dial(&self) -> &Arc<dyn Dial> {
        &self.inner.dial
    }

    pub(crate) fn defaults(&self) -> &CommandDefaults {
        &self.inner.defaults
    }

    /// Returns the one value of type `T` that belongs to this client, making it where it is not there yet.
    ///
    /// It is how a higher layer keeps what a run shares without this one knowing of it.
    pub(crate) fn shared<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut shared = lock(&self.inner.shared);
        let value = shared.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        Arc::downcast(Arc::clone(value)).unwrap_or_default()
    }

    fn transport(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        if let Some(transport) = lock(&self.inner.pool).get(host) {
            return Ok(Arc::clone(transport));
        }
        // Not under the lock: the ssh config may run a program. Of two at once, the first one stays.
        let transport = self.inner.dial.dial(host)?;
        Ok(Arc::clone(lock(&self.inner.pool).entry(host.clone()).or_insert(transport)))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("hosts", &lock(&self.inner.pool).keys()).finish_non_exhaustive()
    }
}

/// Adds a secret to those of a run. Warns of the first that is too short to be redacted.
fn add_secret(redactor: &Redactor, sink: &dyn Sink, secret: &Secret) {
    if redactor.add(secret) == Added::FirstTooShort {
        let text =
            format!("a secret or password has fewer than {SHORTEST} bytes: such values are not redacted in output");
        sink.event(&Event::Warning { host: None, text: &text });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What can be taken for a host: its text, or a [`Host`].
pub trait IntoHost {
    /// Reads the host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where the text is no host.
    fn into_host(self) -> Result<Host>;
}

impl IntoHost for Host {
    fn into_host(self) -> Result<Host> {
        Ok(self)
    }
}

impl IntoHost for &Host {
    fn into_host(self) -> Result<Host> {
        Ok(self.clone())
    }
}

impl IntoHost for &str {
    fn into_host(self) -> Result<Host> {
        self.parse().map_err(|source| Error::new(ErrorKind::Usage, "this is no host").caused_by(source))
    }
}

impl IntoHost for String {
    fn into_host(self) -> Result<Host> {
        self.as_str().into_host()
    }
}

impl IntoHost for &String {
    fn into_host(self) -> Result<Host> {
        self.as_str().into_host()
    }
}
