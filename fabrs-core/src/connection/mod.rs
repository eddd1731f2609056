//! One host to run commands on, and the commands.
//!
//! A [`Connection`] is a value: it carries the directory, environment and prefixes of its commands, and every change
//! makes another. A [`Command`] is what it makes, a future that starts when first polled.

mod again;
mod ambient;
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
mod sudo;
mod tee;
mod transfer;
mod watch;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::client::{Client, CommandDefaults, IntoHost};
use crate::config::{SudoProgram, Vars};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{NoSink, Sink};
use crate::host::Host;
use crate::output::PlanEnd;
use crate::secret::Redactor;
use crate::shell::{IntoShellLine, ShellLine};
use crate::transport::{Effect, Permission, Transport};

pub(crate) use ambient::for_all;
pub use ambient::{cd, current, env, get, local, prefix, probe, put, run, sudo, v_run};
pub use builder::secs;
pub use command::Command;
pub use given::{EnvValue, StdinBytes};
pub use hide::{Hide, HideError};
pub use line_stream::LineStream;
pub use prompt::{Confirm, Prompt, confirm, prompt};
pub use spawned::Spawned;
pub use sudo::SudoRefusal;
pub use transfer::{Changes, Get, Put, Source};
pub use watch::{Responder, Watch};

use builder::Under;
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
    /// The plan of its task, in a dry run.
    plan: PlanEnd,
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

    /// Makes an interactive shell of the login, with the connection's directory and environment: this program's terminal is
    /// handed over to it until it ends, as with `ssh host`.
    ///
    /// # Errors
    ///
    /// When awaited, as [`Command::interactive`]. Its status, which is that of the last command typed, is none.
    #[track_caller]
    pub fn shell(&self) -> Command {
        let line = ShellLine::raw("exec \"${SHELL:-/bin/sh}\" -l");
        self.command(line, Effect::Changes, Location::caller()).called("a shell").interactive().warn()
    }

    /// Makes a command that only looks: it is executed in a dry run too.
    #[track_caller]
    pub fn probe(&self, line: impl IntoShellLine) -> Command {
        Command::new(self.clone(), line.into_shell_line(), Effect::Reads, Location::caller())
    }

    /// Makes a command that runs under sudo, as root unless [`Command::user`] or [`sudo_user`](Self::sudo_user) says
    /// otherwise.
    ///
    /// The whole line runs as that user, with the connection's directory, environment and prefixes. A line of
    /// plain words with nothing around it, and no pty, is given to sudo as it is, so that a rule for just that command allows it.
    ///
    /// Where sudo wants a password it is asked for once for all hosts of the run, or comes from where the settings say; it
    /// is written only after sudo's own prompt, and nothing of it is in the output. That sudo does not run the command is
    /// an error of kind [`Sudo`](crate::ErrorKind::Sudo) with a [`SudoRefusal`] as its source.
    #[track_caller]
    pub fn sudo(&self, line: impl IntoShellLine) -> Command {
        self.run(line).sudo()
    }

    /// Makes a command that only asks sudo whether the login may use it, and gives it the password where it wants one
    /// (`sudo --validate`): before a deploy begins, rather than in the middle of it. `#[task(sudo)]` does this for all hosts
    /// of a run.
    ///
    /// That some command is allowed does not mean that each is.
    ///
    /// # Errors
    ///
    /// When awaited, as [`sudo`](Self::sudo).
    #[track_caller]
    pub fn validate_sudo(&self) -> Command {
        let location = Location::caller();
        let command = self.command(ShellLine::raw(""), Effect::Changes, location);
        command.changed(|spec| spec.under = Under::Validation)
    }

    /// Makes a command that runs inside the virtualenv of the connection: [`venv`](Self::venv), or else the `virtualenv`
    /// that `fabrs.toml` names for the host or its environment.
    ///
    /// For all of the line `VIRTUAL_ENV` is set, the virtualenv's programs come first, and `PYTHONHOME` is unset, as by its
    /// `activate`. Where none was named, or none is there, the command fails and says what to do.
    #[track_caller]
    pub fn v_run(&self, line: impl IntoShellLine) -> Command {
        let location = Location::caller();
        if self.frame.has_venv() {
            return self.run(line).in_venv();
        }
        let inventory = self.client.as_ref().map(Client::inventory);
        let configured = self.host().zip(inventory).and_then(|(host, inventory)| inventory.virtualenv_for(host));
        if let Some(folder) = configured {
            return self.venv(folder).run(line).in_venv();
        }
        let error = Error::new(ErrorKind::Usage, "no virtualenv was named for `v_run`").at(location);
        let error = error.or_on(self.host()).hint("say `.venv(\"/srv/app/env\")`, or `virtualenv` in fabrs.toml");
        Self::nowhere(self.client.clone(), error).run(line)
    }

    /// Puts files on the host: a file, a folder with all in it, a pattern (`conf/*.conf`) of this machine, bytes, or a
    /// [`Secret`](crate::Secret).
    ///
    /// A relative `target` is taken from the connection's directory, and that from the login's home; a leading `~/` is the
    /// home too. Where it is a folder, or ends with `/`, a file keeps its own name in it. A folder's content goes below
    /// `target`, which is made where it is not there; for a single file its folder must be there.
    ///
    /// Each file lands whole or not at all: it is written beside its place under another name, its size is compared, and
    /// it is renamed. What is replaced keeps its mode, and its owner where that can be kept. A content that is there
    /// already is not sent; [`Changes`] says which were written.
    ///
    /// Where the host gives no shell they go by SFTP: then there is no sudo, an owner is a number, and what has the same
    /// size is read to be compared.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where the host can't take it, with its reason;
    /// [`Local`](crate::ErrorKind::Local) where it can't be read here; and as any command.
    #[track_caller]
    pub fn put(&self, source: impl Into<Source>, target: impl Into<String>) -> Put {
        Put::new(self.clone(), source.into(), target.into(), Location::caller())
    }

    /// Gets files of the host: a file, a folder with all in it, or a pattern (`/var/log/*.log`).
    ///
    /// In `to` `{host}`, `{path}`, `{dirname}` and `{basename}` stand for the host and for what a file is called below
    /// what was asked for; an empty one is `{host}/{path}`. Where it is a folder, or ends with `/`, each file keeps its
    /// name in it. Folders are made where they are not there.
    ///
    /// Each file lands whole or not at all, with the mode it has on the host; whatever fails, an old file is as it was. A
    /// content that is here already is not sent, unless the host gives no shell: by SFTP it comes to be compared, and what
    /// is here is not touched. In a dry run files are fetched, since nothing changes on the host.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where the host can't give it, with its reason;
    /// [`Local`](crate::ErrorKind::Local) where it can't be written here; and as any command.
    #[track_caller]
    pub fn get(&self, path: impl Into<String>, to: impl Into<String>) -> Get {
        Get::new(self.clone(), path.into(), to.into(), Location::caller())
    }

    /// Makes a command for this machine, whatever the connection leads to; a remote `cd` does not change where it runs.
    #[track_caller]
    pub fn local(&self, line: impl IntoShellLine) -> Command {
        let here = match &self.client {
            Some(client) => client.local().unwrap_or_else(|error| Self::nowhere(Some(client.clone()), error)),
            None => self.clone(),
        };
        // What is planned here and what is planned there is one task's plan.
        let here = Self { plan: self.plan.clone(), ..here };
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
    /// A text is part of the command line, which whoever can list processes on the host can read; a [`Secret`](crate::Secret) is not: each
    /// command reads it from its standard input, before what it was given to read, which a command on a pty can't.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn env(&self, name: impl Into<String>, value: impl Into<EnvValue>) -> Self {
        self.changed(|frame| frame.env(name.into(), value.into()))
    }

    /// Returns a connection whose commands look in `folder` for programs before everywhere else. A leading `~/` is the
    /// remote user's home.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn path(&self, folder: impl Into<String>) -> Self {
        self.changed(|frame| frame.path(folder.into()))
    }

    /// Returns a connection whose commands make files without the permissions in `mask`: `0o027`.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn umask(&self, mask: u32) -> Self {
        self.changed(|frame| frame.umask(mask))
    }

    /// Returns a connection whose commands, with all that stands around them, are run by `shell`: a program with its options,
    /// as in `bash -l -c`. `shell` in `fabrs.toml` says so for a host or an environment; by default it is the shell of the
    /// login, as `sshd` starts it.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn with_shell(&self, shell: impl Into<String>) -> Self {
        self.changed(|frame| frame.shell(Some(shell.into())))
    }

    /// Returns a connection that runs `line` before each command, in the same shell; the command runs where it succeeds.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn prefix(&self, line: impl IntoShellLine) -> Self {
        self.changed(|frame| frame.prefix(line.into_shell_line()))
    }

    /// Returns a connection with a virtualenv for its [`v_run`](Self::v_run). A relative folder is taken from the directory
    /// so far.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn venv(&self, folder: impl AsRef<str>) -> Self {
        self.changed(|frame| frame.venv(folder.as_ref()))
    }

    /// Returns a connection whose commands under [`sudo`](Self::sudo) run by this program. By default the one that
    /// `fabrs.toml` names for the host.
    #[must_use = "a connection is a value: the changed one is returned"]
    #[doc(alias = "doas")]
    pub fn with_sudo(&self, program: SudoProgram) -> Self {
        self.changed(|frame| frame.sudo_mut().program = program)
    }

    /// Returns a connection whose commands under sudo run as this user, by name or number.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn sudo_user(&self, user: impl Into<String>) -> Self {
        self.changed(|frame| frame.sudo_mut().user = Some(user.into()))
    }

    /// Returns a connection whose commands under sudo run as a login would: in the user's home, with the user's profile.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn sudo_login(&self) -> Self {
        self.changed(|frame| frame.sudo_mut().login = true)
    }

    /// Returns a connection whose commands under sudo run in this group, by name or number.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn sudo_group(&self, group: impl Into<String>) -> Self {
        self.changed(|frame| frame.sudo_mut().group = Some(group.into()))
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
        Self { plan: PlanEnd::default(), used: Arc::default(), ..self.clone() }
    }

    /// Makes a connection for one host's part of the work of this connection's task.
    pub(crate) fn part(&self) -> Self {
        Self { plan: self.plan.part(), ..self.clone() }
    }

    /// Tells whether a command of this connection, or of a copy of it, has run on the host, or may have.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns the plan of this connection's task, which ends in a dry run where it looks at what was not run.
    pub(crate) fn plan(&self) -> &PlanEnd {
        &self.plan
    }

    pub(crate) fn bound(client: Client, host: Host, transport: Arc<dyn Transport>) -> Self {
        let shell = client.inventory().shell_for(&host).map(str::to_owned);
        let sudo = client.inventory().sudo_program_for(&host).unwrap_or_default();
        let target = Target::Host { host, transport };
        // A task may make connections of its own; what it plans is one plan.
        let plan = ambient::plan().unwrap_or_default();
        let mut frame = Frame::default();
        frame.shell(shell);
        frame.sudo_mut().program = sudo;
        Self { client: Some(client), target, frame, plan, used: Arc::default() }
    }

    /// Makes a connection whose commands fail with `error`.
    pub(crate) fn nowhere(client: Option<Client>, error: Error) -> Self {
        Self {
            client,
            target: Target::Nowhere(error),
            frame: Frame::default(),
            plan: PlanEnd::default(),
            used: Arc::default(),
        }
    }

    /// Makes a command of fabrs' own.
    fn command(&self, line: ShellLine, effect: Effect, location: &'static Location<'static>) -> Command {
        Command::new(self.clone(), line, effect, location)
    }

    /// Returns a connection with the directory and the user under sudo, and nothing else that is said of commands.
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

    /// Says whether a change is made that is more than one command, after telling it where it is only planned.
    fn change(&self, what: &str) -> Permission {
        match &self.target {
            Target::Host { host, transport } => transport.change(host, what),
            Target::Nowhere(_) => Permission::Make,
        }
    }

    fn redactor(&self) -> Redactor {
        self.client.as_ref().map(|client| client.redactor().clone()).unwrap_or_default()
    }

    fn shows_differences(&self) -> bool {
        self.defaults().is_some_and(|defaults| defaults.diff)
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
