//! Making a [`Client`].

use std::fmt;
use std::sync::Arc;

use super::handle::Client;
use crate::config::{Inventory, Mode, ProcessEnv, PromptPolicy, Settings};
use crate::event::{NoSink, Redacting, Sink};
use crate::secret::{Redactor, Secret};
use crate::state::{Approval, ChangePolicy, CommandDefaults, PromptGate, RunParts, RunState, add_secret};
use crate::transport::ssh::{SshDialer, SshSettings};
use crate::transport::{Dialer, Fences, GuardedDialer, NoPrompter, Prompter, TerminalPrompter};

/// Puts something around what makes transports.
type DialWrapper = Box<dyn FnOnce(Arc<dyn Dialer>) -> Arc<dyn Dialer> + Send>;

/// Makes a [`Client`]: settings, sink, hosts, and what makes its transports.
#[derive(Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    settings: Settings,
    inventory: Inventory,
    sink: Option<Arc<dyn Sink>>,
    dial: Option<Arc<dyn Dialer>>,
    wrap_dial: Option<DialWrapper>,
    ask: Option<Arc<dyn Prompter>>,
    password: Option<Secret>,
    sudo_password: Option<Secret>,
    allow_local_programs: bool,
    redactor: Redactor,
    fingerprint_parts: Vec<String>,
    approver: Approver,
    defaults: CommandDefaults,
}

/// Who has a run approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Approver {
    /// Whoever makes the client.
    #[default]
    Caller,
    /// A task of the run.
    Task,
}

impl Client {
    /// Returns a builder with the settings that `ssh` would have: its config file, its agent, its known hosts.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }
}

impl ClientBuilder {
    fn new() -> Self {
        let defaults = CommandDefaults { prefetch_channel: true, ..CommandDefaults::default() };
        // A program that embeds this crate is not asked at its terminal unless it says so.
        let settings = Settings { prompts: PromptPolicy::Refuse, ..Settings::default() };
        Self { settings, defaults, ..Self::default() }
    }

    /// Takes the settings of a run.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.defaults.timeout = settings.command_timeout;
        self.defaults.warn = settings.warn_only;
        self.settings = settings;
        self
    }

    /// Says whether a channel is opened ahead for the next command, as is right where several follow each other. Done by
    /// default.
    pub fn prefetch_channel(mut self, is_on: bool) -> Self {
        self.defaults.prefetch_channel = ahead;
        self
    }

    /// Shows every command line before it runs.
    pub fn echo(mut self) -> Self {
        self.defaults.echo = true;
        self
    }

    /// Names the hosts, roles and environment.
    pub fn inventory(mut self, inventory: Inventory) -> Self {
        self.inventory = inventory;
        self
    }

    /// Tells `sink` what happens. Nobody is told by default.
    pub fn sink(mut self, sink: impl Into<Arc<dyn Sink>>) -> Self {
        self.sink = Some(sink.into());
        self
    }

    /// Makes transports by `dial` rather than as `ssh` would.
    pub fn dial(mut self, dial: impl Dialer + 'static) -> Self {
        self.dial = Some(Arc::new(dial));
        self
    }

    /// Puts `around` what makes the transports, for hosts that are reached in another way than all others. A dry run is
    /// put around it in turn.
    pub fn wrap_dial(mut self, wrap: impl FnOnce(Arc<dyn Dialer>) -> Arc<dyn Dialer> + Send + 'static) -> Self {
        self.wrap_dial = Some(Box::new(wrap));
        self
    }

    /// Asks by `ask` where something has to be asked. By default the terminal where the settings allow it, else nobody.
    pub fn ask(mut self, ask: impl Prompter + 'static) -> Self {
        self.ask = Some(Arc::new(ask));
        self
    }

    /// Uses `password` where a host wants one to log in.
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Uses `password` where sudo wants one, on whatever host.
    pub fn sudo_password(mut self, password: Secret) -> Self {
        self.sudo_password = Some(password);
        self
    }

    /// Adds the secrets of the run to `redactor`, so that the program can redact text of its own. Inside a task, the redactor of
    /// the run is used instead.
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Allows the programs of the ssh config to run on this machine: `ProxyCommand`, and the commands of `Match exec`. Without
    /// this, a host that needs one is an error.
    ///
    /// A command of `Match exec` runs once for all hosts of a client.
    #[doc(alias = "ProxyCommand")]
    #[doc(alias = "Match exec")]
    pub fn allow_local_programs(mut self) -> Self {
        self.allow_local_programs = true;
        self
    }

    /// Says what is known of the run before it begins: its program, its tasks, their arguments, their hosts. The fingerprint of
    /// [`Client::approve`] is of this, too.
    pub fn fingerprint_parts(mut self, parts: impl IntoIterator<Item = String>) -> Self {
        self.fingerprint_parts.extend(parts);
        self
    }

    /// Refuses every change until a task has had it approved: [`Client::approve`].
    pub fn defer_approval(mut self) -> Self {
        self.approver = Approver::Task;
        self
    }

    /// Makes the client. Nothing is connected.
    ///
    /// Inside a task the client belongs to the task's run: in a dry run it plans its changes, it ends with the run, and its
    /// events go to the run's sink unless it has one of its own.
    pub fn build(mut self) -> Client {
        let run = Client::current_run();
        let run = run.as_ref().map(Client::state);
        if run.is_some_and(|run| matches!(run.policy(), ChangePolicy::Plan)) {
            self.settings.mode = Mode::DryRun;
        }
        // Clones share their secrets: those of the run are kept out of the client's output, and the reverse.
        let redactor = run.map_or(self.redactor, |run| run.redactor().clone());
        let sink: Arc<dyn Sink> = match self.sink {
            Some(sink) => Arc::new(Redacting::new(sink, redactor.clone())),
            None => run.map_or_else(|| Arc::new(NoSink) as Arc<dyn Sink>, |run| Arc::clone(run.sink())),
        };
        for password in self.password.iter().chain(&self.sudo_password) {
            add_secret(&redactor, sink.as_ref(), password);
        }
        let ask = self.ask.unwrap_or_else(|| match self.settings.prompts {
            PromptPolicy::Allow => Arc::new(TerminalPrompter),
            PromptPolicy::Refuse => Arc::new(NoPrompter),
        });
        let stop = run.map(|run| run.stop().clone()).unwrap_or_default();
        let ask: Arc<dyn Prompter> = Arc::new(PromptGate::new(ask, redactor.clone(), Arc::clone(&sink), stop.clone()));
        let inventory = self.inventory.with_settings(&self.settings).with_stop(stop.token());
        let dial = self.dial.unwrap_or_else(|| {
            let ssh = SshSettings::new(&self.settings, ProcessEnv::from_env(), Arc::clone(&ask), Arc::clone(&sink));
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
        // An approval of the client's own tasks does not replace that of the run.
        let dial = match run.map(RunState::policy) {
            Some(outer @ ChangePolicy::AwaitApproval(_)) if self.approver == Approver::Task => outer.wrap(dial, &sink),
            _ => dial,
        };
        // Numbers tell the commands of one sink apart.
        let commands = run.map(RunState::command_counter).unwrap_or_default();
        Client::from_state(RunState::new(RunParts {
            dial,
            sink,
            ask,
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
