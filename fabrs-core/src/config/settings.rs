//! Everything a run needs to know besides tasks and hosts, resolved from arguments, `fabrs.toml` and the environment.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::environment::Environment;
use crate::config::gateway::Gateway;
use crate::config::layered::Layered;
use crate::config::process_env::ProcessEnv;

/// How a run connects, in which order it works, and what it does when something fails.
///
/// Plain data: the command line, or the program that embeds this crate, fills in what was said, then
/// [`or_environment`](Self::or_environment) and [`or_process_env`](Self::or_process_env) fill in what was not. A setting
/// that `ssh_config` may name too is a [`Layered`]. What was typed as text, files that were not read yet and anything
/// with a connection in it have no place here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The user to log in as (`ssh -l`). A host that names its own user keeps it.
    pub user: Layered<String>,
    /// The port (`ssh -p`). A host that names its own port keeps it. Defaults to 22.
    pub port: Layered<u16>,
    /// The host to connect through (`ssh -J`), or [`Gateway::Direct`] for a direct connection.
    ///
    /// The argument beats `ssh_config`, and that beats a host from `fabrs.toml`. [`Gateway::Direct`] beats `ssh_config` from both.
    /// `ProxyJump none` in `ssh_config` leaves only the argument.
    pub gateway: Layered<Gateway>,
    /// Key files to offer, before those of `ssh_config` (`ssh -i`). Empty by default.
    pub identities: Vec<PathBuf>,
    /// Which `ssh_config` is read (`ssh -F`). Defaults to the user's and the system's.
    pub ssh_config: SshConfigSource,
    /// How long to wait for connection and login (`ssh -o ConnectTimeout`). Defaults to
    /// [`CONNECT_TIMEOUT`](Self::CONNECT_TIMEOUT).
    pub connect_timeout: Layered<Duration>,
    /// How long a command may run that names no time itself. Defaults to no limit.
    pub command_timeout: Option<Duration>,
    /// The maximum number of hosts at a time (`-P`). A limit in the code may only be smaller. Defaults to none given: 64 at a
    /// time, and the code may choose any other number.
    pub limit: Option<NonZeroUsize>,
    /// Whether hosts are worked on at once or one after the other. Defaults to at once.
    pub order: Order,
    /// Whether other hosts go on after one has failed. Defaults to stopping.
    pub on_failure: OnFailure,
    /// Whether a host that can't be reached is a failure. Defaults to yes.
    pub on_unreachable: OnUnreachable,
    /// Whether a command that fails is told of only, as if every one had `.warn()`. Defaults to no.
    pub warn_only: bool,
    /// Whether a person may be asked. Defaults to yes.
    pub prompts: PromptPolicy,
    /// Whether a run waits for a lock that another run holds. Defaults to no: it fails.
    pub wait_for_locks: bool,
    /// Where the password comes from that sudo wants on a host. Defaults to a person.
    pub sudo_password: PasswordSource,
    /// Whether anything is changed. Defaults to yes.
    pub mode: Mode,
    /// Which files are compared before they are written. Defaults to none.
    pub diff: DiffMode,
    /// Whether what fabrs itself would ask is answered with yes beforehand. Defaults to no.
    #[doc(alias = "assume_yes")]
    pub confirmation: Confirmation,
}

/// Which `ssh_config` is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum SshConfigSource {
    /// `~/.ssh/config`, then the system's, as `ssh` does.
    #[default]
    Default,
    /// This file and no other, as `ssh -F FILE` does.
    File(PathBuf),
    /// None, as `ssh -F none` does.
    None,
}

/// In which order hosts are worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// At once, up to the limit.
    #[default]
    Parallel,
    /// One after the other, in the plan's order.
    Serial,
}

/// What happens to the other hosts when one has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnFailure {
    /// Hosts and tasks that have not begun do not begin.
    #[default]
    Stop,
    /// They go on; the failed host does not.
    Continue,
}

/// What a host is that can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnUnreachable {
    /// A failure like any other.
    #[default]
    Fail,
    /// Warned of and left out; the run may still end well (`--skip-bad-hosts`).
    #[doc(alias = "skip_bad_hosts")]
    Skip,
}

/// Whether a person may be asked for a password, a passphrase or a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PromptPolicy {
    /// Yes, where there is a terminal.
    #[default]
    Allow,
    /// No: a question is an error (`ssh -o BatchMode=yes`).
    #[doc(alias = "abort_on_prompts")]
    Refuse,
}

/// Where a password comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum PasswordSource {
    /// A person is asked, where there is one.
    #[default]
    Prompt,
    /// The first line of this file.
    File(PathBuf),
    /// The first line that this line for the shell of this machine prints.
    Command(String),
    /// This variable of the process environment.
    Variable(String),
}

/// Whether what would be asked before a change is answered with yes beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Confirmation {
    /// No: somebody is asked.
    #[default]
    Prompt,
    /// Yes, whatever it is (`--yes`).
    AssumeYes,
    /// Yes to what has this fingerprint, and to nothing else (`--yes=FINGERPRINT`).
    Fingerprint(String),
}

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Commands run.
    #[default]
    Run,
    /// Only what reads is run; what would be changed is shown.
    DryRun,
}

/// Of which files it is told what a `put` changes in them, before it does; also in a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DiffMode {
    /// Of none.
    #[default]
    Off,
    /// Of those that everybody on the host may read: what others keep to themselves may be a secret that nobody here knows.
    Readable,
    /// Of all.
    All,
}

impl Settings {
    /// How long to wait for connection and login where nobody says: 10 seconds.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// The port where nobody says: 22.
    pub const PORT: u16 = 22;
    const LIMIT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

    /// Returns the settings with what the environment says below what was given.
    pub fn or_environment(mut self, environment: &Environment) -> Self {
        self.user.config = environment.user().map(str::to_owned);
        self.port.config = environment.port();
        self.gateway.config = environment.gateway().cloned();
        self
    }

    /// Returns the settings with what the process environment says, where nothing else was given.
    ///
    /// The user of this machine is not a setting: it is the last default, after `ssh_config` was asked.
    pub fn or_process_env(mut self, variables: &ProcessEnv) -> Self {
        if let (SshConfigSource::Default, Some(file)) = (&self.ssh_config, &variables.ssh_config) {
            self.ssh_config = SshConfigSource::File(file.clone());
        }
        if let (PasswordSource::Prompt, true) = (&self.sudo_password, variables.has_sudo_password) {
            self.sudo_password = PasswordSource::Variable(ProcessEnv::SUDO_PASSWORD.to_owned());
        }
        if variables.no_input {
            self.prompts = PromptPolicy::Refuse;
        }
        self
    }

    /// Returns how many hosts are worked on at once.
    pub fn parallel_limit(&self) -> NonZeroUsize {
        match self.order {
            Order::Parallel => self.limit.unwrap_or(Self::LIMIT),
            Order::Serial => NonZeroUsize::MIN,
        }
    }

    /// Returns how many hosts are worked on at once where the code asks for `wanted`. A smaller limit of the command line
    /// wins; the default limit does not apply.
    pub fn parallel_limit_for(&self, wanted: NonZeroUsize) -> NonZeroUsize {
        match (self.order, self.limit) {
            (Order::Serial, _) => NonZeroUsize::MIN,
            (Order::Parallel, Some(limit)) => wanted.min(limit),
            (Order::Parallel, None) => wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fabrs_toml::Config;

    fn environment(text: &str) -> Environment {
        let config = Config::parse(&format!("[env.live]\n{text}"), "fabrs.toml".as_ref()).unwrap();
        config.environment("live").unwrap().clone()
    }

    #[test]
    fn the_environment_is_below_ssh_config_and_arguments_are_above() {
        let live = environment("user = 'deploy'\nport = 2222\ngateway = 'bastion'");
        let typed = Settings { user: Layered::argument("root".to_owned()), ..Settings::default() };
        let settings = typed.or_environment(&live);
        assert_eq!(settings.user.choose(Some("ann".to_owned())).as_deref(), Some("root"));
        assert_eq!(settings.port.resolve(Some(222), Settings::PORT), 222);
        assert_eq!(settings.port.resolve(None, Settings::PORT), 2222);
        assert_eq!(settings.gateway.choose(None), live.gateway().cloned());
    }

    #[test]
    fn nothing_said_means_ten_seconds_port_22_and_64_at_once() {
        let settings = Settings::default();
        assert_eq!(settings.connect_timeout.resolve(None, Settings::CONNECT_TIMEOUT), Duration::from_secs(10));
        assert_eq!(settings.port.resolve(None, Settings::PORT), 22);
        assert_eq!(settings.parallel_limit().get(), 64);
    }

    #[test]
    fn serial_is_one_at_a_time_whatever_the_limit() {
        assert_eq!(Settings { order: Order::Serial, ..Settings::default() }.parallel_limit().get(), 1);
    }

    #[test]
    fn a_limit_of_the_command_line_bounds_the_code_and_the_default_does_not() {
        let limit = |n| NonZeroUsize::new(n).unwrap();
        let at_most = |order, typed: Option<usize>, wanted| {
            Settings { order, limit: typed.map(limit), ..Settings::default() }.parallel_limit_for(limit(wanted)).get()
        };
        for (order, typed, wanted, expected) in [
            (Order::Parallel, None, 5, 5),
            (Order::Parallel, None, 100, 100),
            (Order::Parallel, Some(2), 5, 2),
            (Order::Parallel, Some(2), 1, 1),
            // The default, typed, is a limit as any other.
            (Order::Parallel, Some(64), 100, 64),
            (Order::Serial, None, 5, 1),
            (Order::Serial, Some(2), 5, 1),
        ] {
            assert_eq!(at_most(order, typed, wanted), expected, "{order:?} {typed:?} {wanted}");
        }
    }

    #[test]
    fn a_file_that_was_given_beats_the_variable() {
        let variables = ProcessEnv { ssh_config: Some("/env".into()), no_input: true, ..ProcessEnv::default() };
        let none = Settings { ssh_config: SshConfigSource::None, ..Settings::default() }.or_process_env(&variables);
        assert_eq!(none.ssh_config, SshConfigSource::None);
        let unset = Settings::default().or_process_env(&variables);
        assert_eq!((unset.ssh_config, unset.prompts), (SshConfigSource::File("/env".into()), PromptPolicy::Refuse));
    }
}
