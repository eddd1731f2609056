//! [`Settings`]: the settings of a run, from arguments, `fabrs.toml` and environment variables.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::environment::Environment;
use crate::config::gateway::Gateway;
use crate::config::layered::Layered;
use crate::config::process_env::ProcessEnv;

/// The settings of a run: connections, order of work, and reaction to failures.
///
/// The command line or the embedding program sets explicit values.
/// [`or_environment`](Self::or_environment) and [`or_process_env`](Self::or_process_env) then fill
/// in missing values. A setting that `ssh_config` can also contain is a [`Layered`]. Settings
/// contain only plain values: no unparsed text, unread files or connections.
///
/// ```
/// use fabrs_core::config::{Layered, Mode, Settings};
///
/// let user = Layered::argument("deploy".to_owned());
/// let settings = Settings::default().user(user).mode(Mode::DryRun);
/// assert_eq!(settings.user.choose(None).as_deref(), Some("deploy"));
/// assert_eq!(settings.port.resolve(None, Settings::PORT), 22);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Settings {
    /// The login user (`ssh -l`). Does not apply to a host with a user of its own.
    pub user: Layered<String>,
    /// The port (`ssh -p`). Does not apply to a host with a port of its own. Defaults to 22.
    pub port: Layered<u16>,
    /// The host to connect through (`ssh -J`), or [`Gateway::Direct`] for a direct connection.
    ///
    /// An argument has precedence over `ssh_config`, and `ssh_config` over a host from
    /// `fabrs.toml`. [`Gateway::Direct`] has precedence over `ssh_config` in both cases. With
    /// `ProxyJump none` in `ssh_config`, only an argument applies.
    pub gateway: Layered<Gateway>,
    /// Key files to offer before those of `fabrs.toml` and `ssh_config` (`ssh -i`). Empty by
    /// default.
    pub identities: Vec<PathBuf>,
    /// The `ssh_config` to read (`ssh -F`). Defaults to the file in `fabrs.toml`, then to the
    /// user's and the system's file.
    pub ssh_config: SshConfigSource,
    /// True to let the hosts use the keys of the local agent (`ssh -A`). Defaults to false.
    ///
    /// The administrator of a host can use the keys while the connection is open. Gateways never
    /// use the agent.
    pub forward_agent: Layered<bool>,
    /// The timeout for connection and login (`ssh -o ConnectTimeout`). Defaults to
    /// [`CONNECT_TIMEOUT`](Self::CONNECT_TIMEOUT).
    pub connect_timeout: Layered<Duration>,
    /// The timeout of commands without a timeout of their own. Defaults to no timeout.
    pub command_timeout: Option<Duration>,
    /// The maximum number of hosts in parallel (`-P`). The code may set a smaller limit. Defaults
    /// to the limit set in the code, or to 64.
    pub limit: Option<NonZeroUsize>,
    /// The order of the hosts: in parallel or one after the other. Defaults to parallel.
    pub order: Order,
    /// The effect of a failure on other hosts. Defaults to [`OnFailure::Stop`].
    pub on_failure: OnFailure,
    /// The effect of an unreachable host. Defaults to a failure.
    pub on_unreachable: OnUnreachable,
    /// If true, a failed command only causes a warning, as if every command had `.warn()`. Defaults
    /// to false.
    pub warn_only: bool,
    /// The permission to show prompts. Defaults to allowed.
    pub prompts: PromptPolicy,
    /// If true, a run waits for a lock held by another run. Defaults to false: the run fails.
    pub wait_for_locks: bool,
    /// The source of the sudo password. Defaults to a prompt.
    pub sudo_password: PasswordSource,
    /// The mode of the run: make changes, or only plan them. Defaults to making changes.
    pub mode: Mode,
    /// The files shown as diffs before an upload. Defaults to none.
    pub diff: DiffMode,
    /// The answer to confirmation prompts of fabrs. Defaults to a prompt.
    #[doc(alias = "assume_yes")]
    pub confirmation: Confirmation,
    /// The reason to deploy during a freeze window. Defaults to none: a freeze refuses a deploy.
    pub override_freeze: Option<String>,
    /// The reason to continue without the earlier stages of a pipeline. Defaults to none: a stage
    /// refuses a commit that has not passed the earlier stages.
    pub override_stages: Option<String>,
}

/// The `ssh_config` to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SshConfigSource {
    /// `~/.ssh/config`, then the system's file, as `ssh` does.
    #[default]
    Default,
    /// Only this file, as `ssh -F FILE` does.
    File(PathBuf),
    /// No file, as `ssh -F none` does.
    None,
}

/// The order in which hosts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Order {
    /// In parallel, up to the limit.
    #[default]
    Parallel,
    /// One after the other, in plan order.
    Serial,
}

/// The effect of a failed host on other hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnFailure {
    /// Hosts and tasks that have not started do not start.
    #[default]
    Stop,
    /// Other hosts continue. The failed host does not.
    Continue,
}

/// The effect of an unreachable host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnUnreachable {
    /// The host counts as failed.
    #[default]
    Fail,
    /// A warning is printed and the host is skipped. The run can still succeed
    /// (`--skip-bad-hosts`).
    #[doc(alias = "skip_bad_hosts")]
    Skip,
}

/// The permission to show prompts for passwords, passphrases and confirmations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PromptPolicy {
    /// Prompts are shown if there is a terminal.
    #[default]
    Allow,
    /// A prompt is an error (`ssh -o BatchMode=yes`).
    #[doc(alias = "abort_on_prompts")]
    Refuse,
}

/// The source of a password.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PasswordSource {
    /// A prompt at the terminal.
    #[default]
    Prompt,
    /// The first line of this file.
    File(PathBuf),
    /// The first line printed by this local shell line.
    Command(String),
    /// This environment variable.
    Variable(String),
}

/// The answer to the confirmation prompts before a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Confirmation {
    /// A prompt asks for the answer.
    #[default]
    Prompt,
    /// Yes to every prompt (`--yes`).
    AssumeYes,
    /// Yes to the change with this fingerprint only (`--yes=FINGERPRINT`).
    Fingerprint(String),
}

/// The mode of a run: make changes, or only plan them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Commands run.
    #[default]
    Run,
    /// Only reading commands run. Changes are printed.
    DryRun,
}

/// The files shown as diffs before an upload, also in a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DiffMode {
    /// No files.
    #[default]
    Off,
    /// Files that all users of the host may read. Other files may contain unknown secrets.
    Readable,
    /// All files.
    All,
}

/// Defines a setter for each listed field. The literal is an example value for the docs.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $example:literal,)*) => {
        impl Settings {
            $($(#[$doc])*
            ///
            /// ```
            /// use std::time::Duration;
            /// use fabrs_core::config::*;
            ///
            #[doc = concat!("let settings = Settings::default().", stringify!($field), "(", $example, ");")]
            #[doc = concat!("assert_eq!(settings.", stringify!($field), ", ", $example, ");")]
            /// ```
            pub fn $field(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            })*
        }
    };
}

setters! {
    /// Sets the login user (`ssh -l`).
    user: Layered<String> = r#"Layered::argument("deploy".to_owned())"#,
    /// Sets the port (`ssh -p`).
    port: Layered<u16> = "Layered::argument(2222)",
    /// Sets the host to connect through (`ssh -J`).
    gateway: Layered<Gateway> = "Layered::argument(Gateway::Direct)",
    /// Sets the key files to offer first (`ssh -i`).
    identities: Vec<PathBuf> = r#"vec![std::path::PathBuf::from("/home/ann/.ssh/id_ci")]"#,
    /// Sets the `ssh_config` to read (`ssh -F`).
    ssh_config: SshConfigSource = "SshConfigSource::None",
    /// Sets whether the hosts may use the keys of the local agent (`ssh -A`).
    forward_agent: Layered<bool> = "Layered::argument(true)",
    /// Sets the timeout for connection and login (`ssh -o ConnectTimeout`).
    connect_timeout: Layered<Duration> = "Layered::argument(Duration::from_secs(3))",
    /// Sets the timeout of commands without a timeout of their own. `None` removes the timeout.
    command_timeout: Option<Duration> = "Some(Duration::from_secs(600))",
    /// Sets the maximum number of hosts in parallel (`-P`). `None` sets the default limit.
    limit: Option<NonZeroUsize> = "std::num::NonZeroUsize::new(8)",
    /// Sets the order of the hosts: in parallel or one after the other.
    order: Order = "Order::Serial",
    /// Sets the effect of a failed host on other hosts.
    on_failure: OnFailure = "OnFailure::Continue",
    /// Sets the effect of an unreachable host.
    on_unreachable: OnUnreachable = "OnUnreachable::Skip",
    /// Sets whether a failed command only causes a warning.
    warn_only: bool = "true",
    /// Sets the permission to show prompts.
    prompts: PromptPolicy = "PromptPolicy::Refuse",
    /// Sets whether a run waits for a lock of another run.
    wait_for_locks: bool = "true",
    /// Sets the source of the sudo password.
    sudo_password: PasswordSource = "PasswordSource::Prompt",
    /// Sets the mode of the run: make changes, or only plan them.
    mode: Mode = "Mode::DryRun",
    /// Sets the files shown as diffs before an upload.
    diff: DiffMode = "DiffMode::Readable",
    /// Sets the answer to the confirmation prompts of fabrs.
    confirmation: Confirmation = "Confirmation::AssumeYes",
    /// Sets the reason to deploy during a freeze window.
    override_freeze: Option<String> = r#"Some("fixes the checkout".to_owned())"#,
    /// Sets the reason to continue without the earlier stages of a pipeline.
    override_stages: Option<String> = r#"Some("fixes the checkout".to_owned())"#,
}

impl Settings {
    /// The default timeout for connection and login: 10 seconds.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default port: 22.
    pub const PORT: u16 = 22;
    const LIMIT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

    /// Sets the values from an environment of `fabrs.toml`. Explicit values keep their precedence.
    ///
    /// `ssh_config`, `identity` and the settings of single hosts apply through the [`Inventory`] of
    /// the client.
    ///
    /// [`Inventory`]: crate::config::Inventory
    ///
    /// ```
    /// use fabrs_core::config::{Config, Settings};
    ///
    /// let config = Config::parse("[env.staging]\nport = 2222", "fabrs.toml".as_ref())?;
    /// let settings = Settings::default().or_environment(config.environment("staging")?);
    /// assert_eq!(settings.port.config, Some(2222));
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn or_environment(mut self, environment: &Environment) -> Self {
        self.user.config = environment.user().map(str::to_owned);
        self.port.config = environment.port();
        self.gateway.config = environment.gateway().cloned();
        self.connect_timeout.config = environment.connect_timeout();
        self.forward_agent.config = environment.forward_agent();
        self
    }

    /// Fills in missing values from environment variables.
    ///
    /// The local user name is not included: `ssh_config` has precedence over this last default.
    ///
    /// ```
    /// use fabrs_core::config::{ProcessEnv, Settings};
    ///
    /// let settings = Settings::default().or_process_env(&ProcessEnv::from_env());
    /// assert!(settings.port.argument.is_none(), "no variable sets the port");
    /// ```
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

    /// Returns the maximum number of hosts in parallel.
    pub fn parallel_limit(&self) -> NonZeroUsize {
        match self.order {
            Order::Parallel => self.limit.unwrap_or(Self::LIMIT),
            Order::Serial => NonZeroUsize::MIN,
        }
    }

    /// Returns the maximum number of hosts in parallel if the code sets `wanted`. A smaller limit
    /// of the command line has precedence. The default limit of 64 does not apply.
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
    fn arguments_precede_ssh_config_and_ssh_config_precedes_the_environment() {
        let live = environment("user = 'deploy'\nport = 2222\ngateway = 'bastion'");
        let typed = Settings { user: Layered::argument("root".to_owned()), ..Settings::default() };
        let settings = typed.or_environment(&live);
        assert_eq!(settings.user.choose(Some("ann".to_owned())).as_deref(), Some("root"));
        assert_eq!(settings.port.resolve(Some(222), Settings::PORT), 222);
        assert_eq!(settings.port.resolve(None, Settings::PORT), 2222);
        assert_eq!(settings.gateway.choose(None), live.gateway().cloned());
    }

    #[test]
    fn the_defaults_are_ten_seconds_port_22_and_64_parallel_hosts() {
        let settings = Settings::default();
        assert_eq!(settings.connect_timeout.resolve(None, Settings::CONNECT_TIMEOUT), Duration::from_secs(10));
        assert_eq!(settings.port.resolve(None, Settings::PORT), 22);
        assert_eq!(settings.parallel_limit().get(), 64);
    }

    #[test]
    fn serial_order_ignores_the_limit() {
        assert_eq!(Settings { order: Order::Serial, ..Settings::default() }.parallel_limit().get(), 1);
    }

    #[test]
    fn an_explicit_limit_bounds_the_code_and_the_default_does_not() {
        let limit = |n| NonZeroUsize::new(n).unwrap();
        let at_most = |order, typed: Option<usize>, wanted| {
            Settings { order, limit: typed.map(limit), ..Settings::default() }.parallel_limit_for(limit(wanted)).get()
        };
        for (order, typed, wanted, expected) in [
            (Order::Parallel, None, 5, 5),
            (Order::Parallel, None, 100, 100),
            (Order::Parallel, Some(2), 5, 2),
            (Order::Parallel, Some(2), 1, 1),
            // An explicit 64 is a limit, unlike the default of 64.
            (Order::Parallel, Some(64), 100, 64),
            (Order::Serial, None, 5, 1),
            (Order::Serial, Some(2), 5, 1),
        ] {
            assert_eq!(at_most(order, typed, wanted), expected, "{order:?} {typed:?} {wanted}");
        }
    }

    #[test]
    fn an_explicit_file_precedes_the_variable() {
        let variables = ProcessEnv { ssh_config: Some("/env".into()), no_input: true, ..ProcessEnv::default() };
        let none = Settings { ssh_config: SshConfigSource::None, ..Settings::default() }.or_process_env(&variables);
        assert_eq!(none.ssh_config, SshConfigSource::None);
        let unset = Settings::default().or_process_env(&variables);
        assert_eq!((unset.ssh_config, unset.prompts), (SshConfigSource::File("/env".into()), PromptPolicy::Refuse));
    }
}
