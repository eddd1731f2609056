//! [`ClientBuilder`]: the settings of a new [`Client`].

use std::fmt;
use std::sync::Arc;

use super::handle::Client;
use crate::config::{Inventory, Mode, ProcessEnv, PromptPolicy, Settings};
use crate::event::{NoSink, RedactingSink, Sink};
use crate::secret::{Redactor, Secret};
use crate::ssh::{SshDialer, SshSettings};
use crate::state::{Approval, ChangePolicy, CommandDefaults, PromptGate, RunParts, RunState, add_secret};
use crate::transport::{Dialer, Fences, GuardedDialer, NoPrompter, Prompter, TerminalPrompter};

/// Wraps the dialer of a client.
type DialWrapper = Box<dyn FnOnce(Arc<dyn Dialer>) -> Arc<dyn Dialer> + Send>;

/// Builds a [`Client`] from settings, an inventory, a sink and a dialer.
///
/// ```
/// use fabrs_core::{Client, transport::{Fake, FakeAnswer}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// let fake = Fake::new().on("hostname", FakeAnswer::stdout("web1\n"));
/// let client = Client::builder().dial(fake).build();
/// assert_eq!(client.connect("web1")?.probe("hostname").line().await?, "web1");
/// # Ok(()) }
/// ```
#[derive(Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    settings: Settings,
    inventory: Inventory,
    sink: Option<Arc<dyn Sink>>,
    dial: Option<Arc<dyn Dialer>>,
    wrap_dial: Option<DialWrapper>,
    prompter: Option<Arc<dyn Prompter>>,
    password: Option<Secret>,
    sudo_password: Option<Secret>,
    allow_local_programs: bool,
    redactor: Redactor,
    fingerprint_parts: Vec<String>,
    approver: Approver,
    defaults: CommandDefaults,
}

/// The part of a program responsible for the approval of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Approver {
    /// The creator of the client, before the run.
    #[default]
    Caller,
    /// A task, during the run.
    Task,
}

impl Client {
    /// Returns a builder with the settings of `ssh`: config file, agent and known hosts.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }
}

impl ClientBuilder {
    fn new() -> Self {
        let defaults = CommandDefaults { prefetch_channel: true, ..CommandDefaults::default() };
        // An embedding program has to allow prompts at its terminal explicitly.
        let settings = Settings { prompts: PromptPolicy::Refuse, ..Settings::default() };
        Self { settings, defaults, ..Self::default() }
    }

    /// Sets the settings of the run.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fabrs_core::{Client, config::Settings};
    ///
    /// let limit = Some(Duration::from_secs(60));
    /// let mut settings = Settings::default();
    /// settings.command_timeout = limit;
    /// let client = Client::builder().settings(settings).build();
    /// assert_eq!(client.settings().command_timeout, limit);
    /// ```
    pub fn settings(mut self, settings: Settings) -> Self {
        self.defaults.timeout = settings.command_timeout;
        self.defaults.warn = settings.warn_only;
        self.settings = settings;
        self
    }

    /// Sets whether a spare channel is opened for the next command. A spare channel saves a round
    /// trip if several commands follow each other. On by default.
    ///
    /// ```
    /// use fabrs_core::Client;
    ///
    /// // This program runs a single command.
    /// let client = Client::builder().prefetch_channel(false).build();
    /// assert!(client.local().is_ok());
    /// ```
    pub fn prefetch_channel(mut self, is_on: bool) -> Self {
        self.defaults.prefetch_channel = is_on;
        self
    }

    /// Shows every command line before the command runs. [`Command::echo`](crate::Command::echo)
    /// does so for a single command.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fabrs_core::{Client, event::{CaptureSink, Sink}, transport::{Fake, FakeAnswer}};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// let sink = Arc::new(CaptureSink::default());
    /// let fake = Fake::new().on("uptime", FakeAnswer::stdout("up 3 days\n"));
    /// let builder = Client::builder().dial(fake).sink(sink.clone() as Arc<dyn Sink>);
    /// let client = builder.echo().build();
    /// client.connect("web1")?.run("uptime").await?;
    /// assert_eq!(sink.of_kind("command_started")[0]["is_echoed"], true);
    /// # Ok(()) }
    /// ```
    pub fn echo(mut self) -> Self {
        self.defaults.echo = true;
        self
    }

    /// Sets the hosts, roles and environment.
    ///
    /// ```
    /// use fabrs_core::{Client, config::{Config, Inventory}};
    ///
    /// let config = Config::parse("[env.live]\nhosts = ['web1', 'web2']", "fabrs.toml".as_ref())?;
    /// let client = Client::builder().inventory(Inventory::new(&config, Some("live"))?).build();
    /// assert_eq!(client.inventory().environment().unwrap().name(), "live");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn inventory(mut self, inventory: Inventory) -> Self {
        self.inventory = inventory;
        self
    }

    /// Sets the sink that receives the events of the run. Events are discarded by default.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fabrs_core::{Client, event::{CaptureSink, Sink}};
    ///
    /// let sink = Arc::new(CaptureSink::default());
    /// let client = Client::builder().sink(sink.clone() as Arc<dyn Sink>).build();
    /// client.warn(None, "the disk is almost full");
    /// assert_eq!(sink.of_kind("warning")[0]["text"], "the disk is almost full");
    /// ```
    pub fn sink(mut self, sink: impl Into<Arc<dyn Sink>>) -> Self {
        self.sink = Some(sink.into());
        self
    }

    /// Sets the dialer. By default, hosts are reached by SSH, as `ssh` would reach them.
    ///
    /// ```
    /// use fabrs_core::{Client, transport::Fake};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// let client = Client::builder().dial(Fake::new().unreachable("web2")).build();
    /// assert!(client.connect("web1")?.connect().await.is_ok());
    /// assert!(client.connect("web2")?.connect().await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn dial(mut self, dial: impl Dialer + 'static) -> Self {
        self.dial = Some(Arc::new(dial));
        self
    }

    /// Wraps the dialer, for example to reach a few hosts by another transport. In a dry run, the
    /// wrapped dialer only plans changes.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fabrs_core::{Client, transport::Fake};
    ///
    /// let client = Client::builder().wrap_dial(|_ssh| Arc::new(Fake::new())).build();
    /// assert!(client.connect("web1").is_ok());
    /// ```
    pub fn wrap_dial(mut self, wrap: impl FnOnce(Arc<dyn Dialer>) -> Arc<dyn Dialer> + Send + 'static) -> Self {
        self.wrap_dial = Some(Box::new(wrap));
        self
    }

    /// Sets the prompter for questions of the run. The default is the terminal if the settings
    /// allow prompts. Otherwise every question is an error.
    ///
    /// ```
    /// use fabrs_core::{Client, transport::NoPrompter};
    ///
    /// let client = Client::builder().prompter(NoPrompter).build();
    /// assert!(!client.prompter().is_available());
    /// ```
    pub fn prompter(mut self, prompter: impl Prompter + 'static) -> Self {
        self.prompter = Some(Arc::new(prompter));
        self
    }

    /// Sets the login password for hosts with password authentication.
    ///
    /// ```
    /// use fabrs_core::{Client, Secret};
    ///
    /// let client = Client::builder().password(Secret::new("hunter2")).build();
    /// assert!(!client.redact("hunter2").contains("hunter2"));
    /// ```
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Sets the sudo password for all hosts.
    ///
    /// ```
    /// use fabrs_core::{Client, Secret};
    ///
    /// let client = Client::builder().sudo_password(Secret::new("hunter2")).build();
    /// assert!(!client.redact("hunter2").contains("hunter2"));
    /// ```
    pub fn sudo_password(mut self, password: Secret) -> Self {
        self.sudo_password = Some(password);
        self
    }

    /// Sets the redactor that receives the secrets of the run, for redaction of the program's own
    /// output. Inside a task, the redactor of the run is used instead.
    ///
    /// ```
    /// use fabrs_core::{Client, Secret, secret::Redactor};
    ///
    /// let redactor = Redactor::default();
    /// let client = Client::builder().redactor(redactor.clone()).build();
    /// client.add_secret(&Secret::new("hunter2"));
    /// assert!(!redactor.text("the password is hunter2").contains("hunter2"));
    /// ```
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Allows the programs named by the configuration to run on this machine: `ProxyCommand` and
    /// the commands of `Match exec` in the ssh config, and `sudo_password_command` in `fabrs.toml`.
    /// By default, a host that needs such a program is an error.
    ///
    /// A command of `Match exec` runs once for all hosts of a client.
    ///
    /// ```
    /// use fabrs_core::Client;
    ///
    /// let client = Client::builder().allow_local_programs().build();
    /// assert!(client.local().is_ok());
    /// ```
    #[doc(alias = "ProxyCommand")]
    #[doc(alias = "Match exec")]
    pub fn allow_local_programs(mut self) -> Self {
        self.allow_local_programs = true;
        self
    }

    /// Adds facts known before the run to the fingerprint inputs: the program, the tasks, their
    /// arguments and their hosts. [`Client::approve`] compares the fingerprint.
    ///
    /// ```
    /// use fabrs_core::Client;
    ///
    /// let parts = ["deploy".to_owned(), "web1".to_owned()];
    /// let client = Client::builder().fingerprint_parts(parts).build();
    /// assert!(client.local().is_ok());
    /// ```
    pub fn fingerprint_parts(mut self, parts: impl IntoIterator<Item = String>) -> Self {
        self.fingerprint_parts.extend(parts);
        self
    }

    /// Refuses every change until a task calls [`Client::approve`]. Read-only commands are allowed.
    /// [`Client::approve`] has an example with an approval.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # use fabrs_core::{Client, ErrorKind, transport::Fake};
    /// let client = Client::builder().dial(Fake::new()).defer_approval().build();
    /// let refused = client.connect("web1")?.run("reboot").await;
    /// assert!(refused.is_err());
    /// # Ok(()) }
    /// ```
    pub fn defer_approval(mut self) -> Self {
        self.approver = Approver::Task;
        self
    }

    /// Builds the client. Opens no connection.
    ///
    /// Inside a task, the client belongs to the run of the task. In a dry run, changes are only
    /// planned. A stop of the run ends the client's commands. Events go to the sink of the run,
    /// unless the builder has a sink.
    pub fn build(mut self) -> Client {
        let run = Client::current_run();
        let run = run.as_ref().map(Client::state);
        if run.is_some_and(|run| matches!(run.policy(), ChangePolicy::Plan)) {
            self.settings.mode = Mode::DryRun;
        }
        // Clones of a redactor share secrets: the client and the run redact each other's secrets.
        let redactor = run.map_or(self.redactor, |run| run.redactor().clone());
        let sink: Arc<dyn Sink> = match self.sink {
            Some(sink) => Arc::new(RedactingSink::new(sink, redactor.clone())),
            None => run.map_or_else(|| Arc::new(NoSink) as Arc<dyn Sink>, |run| Arc::clone(run.sink())),
        };
        for password in self.password.iter().chain(&self.sudo_password) {
            add_secret(&redactor, sink.as_ref(), password);
        }
        let prompter = self.prompter.unwrap_or_else(|| match self.settings.prompts {
            PromptPolicy::Allow => Arc::new(TerminalPrompter),
            PromptPolicy::Refuse => Arc::new(NoPrompter),
        });
        let stop = run.map(|run| run.stop().clone()).unwrap_or_default();
        let prompter: Arc<dyn Prompter> =
            Arc::new(PromptGate::new(prompter, redactor.clone(), Arc::clone(&sink), stop.clone()));
        let inventory = self.inventory.with_settings(&self.settings).with_stop(stop.token());
        let dial = self.dial.unwrap_or_else(|| {
            let ssh =
                SshSettings::new(&self.settings, ProcessEnv::from_env(), Arc::clone(&prompter), Arc::clone(&sink));
            let ssh = ssh.with_password(self.password).with_local_programs(self.allow_local_programs);
            Arc::new(SshDialer::new(ssh.with_inventory(inventory.clone())))
        });
        let dial = match self.wrap_dial {
            Some(wrap) => wrap(dial),
            None => dial,
        };
        let fences = Fences::default();
        let dial: Arc<dyn Dialer> = Arc::new(GuardedDialer::new(dial, fences.clone()));
        let approval =
            Approval::new(self.fingerprint_parts, (self.settings.mode, self.approver) == (Mode::Run, Approver::Task));
        let policy = match (self.settings.mode, self.approver, run) {
            (Mode::DryRun, ..) => ChangePolicy::Plan,
            (Mode::Run, Approver::Task, _) => ChangePolicy::AwaitApproval(approval.flag()),
            (Mode::Run, Approver::Caller, Some(run)) => run.policy().clone(),
            (Mode::Run, Approver::Caller, None) => ChangePolicy::Apply,
        };
        let dial = policy.wrap(dial, &sink);
        // An approval for the client's tasks does not replace the approval of the outer run.
        let dial = match run.map(RunState::policy) {
            Some(outer @ ChangePolicy::AwaitApproval(_)) if self.approver == Approver::Task => outer.wrap(dial, &sink),
            _ => dial,
        };
        // One counter for the run: sinks identify commands by number.
        let commands = run.map(RunState::command_counter).unwrap_or_default();
        Client::from_state(RunState::new(RunParts {
            dial,
            sink,
            prompter,
            sudo_password: self.sudo_password,
            allow_local_programs: self.allow_local_programs,
            redactor,
            inventory,
            settings: self.settings,
            defaults: self.defaults,
            stop,
            commands,
            approval: Arc::new(approval),
            policy,
            fences,
        }))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
