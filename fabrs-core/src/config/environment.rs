//! [`Environment`]: an `[env.NAME]` table of `fabrs.toml`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

use crate::config::did_you_mean::{quoted_list, unknown_name_hint};
use crate::config::document::TomlEntry;
use crate::config::freeze::FreezeWindow;
use crate::config::gateway::Gateway;
use crate::config::host_overrides::{HostOverride, HostOverrides};
use crate::config::sudo_program::SudoProgram;
use crate::config::vars::Vars;

/// The keys of an environment, in the order of the hint.
pub(super) const KEYS: [&str; 18] = [
    "hosts",
    "roles",
    "vagrant",
    "user",
    "port",
    "gateway",
    "ssh_config",
    "identity",
    "connect_timeout",
    "forward_agent",
    "virtualenv",
    "shell",
    "sudo",
    "sudo_password_command",
    "protected",
    "freeze",
    "vars",
    "host",
];

/// Named settings and hosts, such as `production` in `fab production deploy`.
///
/// The hosts have the order of the file, without duplicates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Environment {
    name: String,
    hosts: Vec<Host>,
    roles: Roles,
    vagrant: Option<Vec<String>>,
    user: Option<String>,
    port: Option<u16>,
    gateway: Option<Gateway>,
    ssh_config: Option<PathBuf>,
    identities: Option<Vec<PathBuf>>,
    connect_timeout: Option<Duration>,
    forward_agent: Option<bool>,
    virtualenv: Option<String>,
    shell: Option<String>,
    sudo: Option<SudoProgram>,
    sudo_password_command: Option<String>,
    protected: bool,
    freeze: Vec<FreezeWindow>,
    vars: Vars,
    overrides: HostOverrides,
}

/// The roles of an environment.
#[derive(Debug, Clone, PartialEq)]
enum Roles {
    /// The names of the roles and their hosts.
    Listed(Vec<(String, Vec<Host>)>),
    /// Every Vagrant machine is in every role.
    EveryMachine,
}

impl Default for Roles {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl Roles {
    fn listed(&self) -> &[(String, Vec<Host>)] {
        match self {
            Self::Listed(roles) => roles,
            Self::EveryMachine => &[],
        }
    }
}

impl Environment {
    /// The name of the built-in environment of
    /// [`Config::with_vagrant_environment`](crate::config::Config::with_vagrant_environment).
    pub const VAGRANT_NAME: &'static str = "vagrant";

    /// Makes the built-in environment `vagrant`.
    pub(super) fn built_in_vagrant(vars: Vars) -> Self {
        let (name, vagrant) = (Self::VAGRANT_NAME.to_owned(), Some(Vec::new()));
        Self { name, vagrant, roles: Roles::EveryMachine, vars, ..Self::default() }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the hosts of the `hosts` key, without the hosts of roles.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Returns the names of the roles, in the order of the file.
    pub fn roles(&self) -> impl Iterator<Item = &str> + Clone {
        self.roles.listed().iter().map(|(name, _)| name.as_str())
    }

    /// Returns the hosts of a role, without Vagrant machines. In the built-in environment
    /// `vagrant`, the list is empty for every role.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the environment has no such role.
    pub fn role(&self, name: &str) -> Result<&[Host]> {
        self.find(name).ok_or_else(|| self.without_roles(&[name]))
    }

    /// Checks that the environment has all these roles.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] with all missing roles.
    pub fn check_roles(&self, names: &[&str]) -> Result<()> {
        let missing: Vec<_> = names.iter().copied().filter(|name| self.find(name).is_none()).collect();
        if missing.is_empty() { Ok(()) } else { Err(self.without_roles(&missing)) }
    }

    /// Returns all hosts of the environment without duplicates: first `hosts`, then the named
    /// Vagrant machines, then the roles. Machines from `vagrant = true` are not included.
    pub fn all_hosts(&self) -> Vec<Host> {
        let machines = self.vagrant.iter().flatten().filter_map(|name| name.parse().ok());
        self.all_hosts_with(machines)
    }

    /// Returns all hosts of the environment, with `machines` as its Vagrant machines.
    pub(super) fn all_hosts_with(&self, machines: impl IntoIterator<Item = Host>) -> Vec<Host> {
        let roles = self.roles.listed().iter().flat_map(|(_, hosts)| hosts).cloned();
        deduplicated(self.hosts.iter().cloned().chain(machines).chain(roles))
    }

    /// Checks the hosts of `[env.NAME.host.HOST]` tables against the Vagrant machines. Called once
    /// the machines are known.
    pub(super) fn check_machines(&self, machines: &[Host]) -> Result<()> {
        self.overrides.check(machines)
    }

    /// Returns the names of the Vagrant machines, if the environment uses Vagrant. An empty list
    /// means all machines.
    pub fn vagrant(&self) -> Option<&[String]> {
        self.vagrant.as_deref()
    }

    /// Returns whether every Vagrant machine is in every role.
    pub(super) fn has_machines_in_every_role(&self) -> bool {
        self.roles == Roles::EveryMachine
    }

    /// Returns the login user of the environment. `ssh_config` and arguments have precedence.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Returns the port of the environment. `ssh_config` and arguments have precedence.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the gateway of the environment, or [`Gateway::Direct`] for `gateway = false`.
    /// Arguments have precedence over both. `ssh_config` has precedence over a gateway host.
    #[doc(alias = "jump host")]
    #[doc(alias = "proxy_jump")]
    pub fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_ref()
    }

    /// Returns the connect timeout of the environment. `ssh_config` and arguments have precedence.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// Returns whether the hosts of the environment may use the local agent. `ssh_config` and
    /// arguments have precedence.
    pub fn forward_agent(&self) -> Option<bool> {
        self.forward_agent
    }

    /// Returns the virtualenv of the environment: an absolute path, or a path that starts with
    /// `~/`.
    pub fn virtualenv(&self) -> Option<&str> {
        self.virtualenv.as_deref()
    }

    /// Returns the user for a host. The host's setting has precedence over the environment's.
    pub fn user_for(&self, host: &Host) -> Option<&str> {
        self.of(host, |settings| settings.user.as_deref()).or(self.user())
    }

    /// Returns the port for a host. The host's setting has precedence over the environment's.
    pub fn port_for(&self, host: &Host) -> Option<u16> {
        self.of(host, |settings| settings.port).or(self.port())
    }

    /// Returns the gateway for a host. The host's setting has precedence over the environment's.
    pub fn gateway_for(&self, host: &Host) -> Option<&Gateway> {
        self.of(host, |settings| settings.gateway.as_ref()).or(self.gateway())
    }

    /// Returns the `ssh_config` to read for a host, in place of the user's and the system's. The
    /// host's setting has precedence over the environment's. Arguments and `FABRS_SSH_CONFIG` have
    /// precedence over both.
    pub fn ssh_config_for(&self, host: &Host) -> Option<&Path> {
        self.of(host, |settings| settings.ssh_config.as_deref()).or(self.ssh_config.as_deref())
    }

    /// Returns all files named by `ssh_config` keys, of the environment and of its hosts.
    pub fn ssh_config_files(&self) -> impl Iterator<Item = &Path> {
        let of_hosts = self.overrides.all().filter_map(|settings| settings.ssh_config.as_deref());
        self.ssh_config.as_deref().into_iter().chain(of_hosts)
    }

    /// Returns the private keys to offer to a host, after those of the arguments and before those
    /// of `ssh_config`. The host's setting has precedence over the environment's.
    pub fn identities_for(&self, host: &Host) -> &[PathBuf] {
        let own = self.of(host, |settings| settings.identities.as_deref());
        own.or(self.identities.as_deref()).unwrap_or_default()
    }

    /// Returns the connect timeout for a host. The host's setting has precedence over the
    /// environment's.
    pub fn connect_timeout_for(&self, host: &Host) -> Option<Duration> {
        self.of(host, |settings| settings.connect_timeout).or(self.connect_timeout)
    }

    /// Returns whether a host may use the local agent. The host's setting has precedence over the
    /// environment's.
    pub fn forward_agent_for(&self, host: &Host) -> Option<bool> {
        self.of(host, |settings| settings.forward_agent).or(self.forward_agent)
    }

    /// Returns the virtualenv for a host. The host's setting has precedence over the environment's.
    pub fn virtualenv_for(&self, host: &Host) -> Option<&str> {
        self.of(host, |settings| settings.virtualenv.as_deref()).or(self.virtualenv())
    }

    /// Returns the shell that runs all commands on a host. The host's setting has precedence over
    /// the environment's. The environment's shell does not apply to `@local`.
    pub fn shell_for(&self, host: &Host) -> Option<&str> {
        let of_all = self.shell.as_deref().filter(|_| !host.is_local());
        self.of(host, |settings| settings.shell.as_deref()).or(of_all)
    }

    /// Returns the program that runs commands as another user on a host. The host's setting has
    /// precedence over the environment's. The environment's program does not apply to `@local`.
    pub fn sudo_program_for(&self, host: &Host) -> Option<SudoProgram> {
        let of_all = self.sudo.filter(|_| !host.is_local());
        self.of(host, |settings| settings.sudo).or(of_all)
    }

    /// Returns the local command that prints the sudo password for a host. The host's setting has
    /// precedence over the environment's. `{host}` in the command stands for the host.
    pub fn sudo_password_command_for(&self, host: &Host) -> Option<&str> {
        self.of(host, |settings| settings.sudo_password_command.as_deref()).or(self.sudo_password_command.as_deref())
    }

    /// Returns the variables for a host. The host's own variables have precedence over the
    /// environment's.
    pub fn vars_for(&self, host: &Host) -> Vars {
        let mut vars = Vars::default();
        for settings in self.overrides.of(host) {
            vars.merge_defaults(&settings.vars);
        }
        vars.merge_defaults(&self.vars);
        vars
    }

    fn of<'a, T>(&'a self, host: &Host, value: impl FnMut(&'a HostOverride) -> Option<T>) -> Option<T> {
        self.overrides.of(host).find_map(value)
    }

    /// Returns whether the environment has `protected = true`: changes need an approval.
    pub fn is_protected(&self) -> bool {
        self.protected
    }

    /// Returns the freeze windows of the `freeze` key: times without deploys.
    ///
    /// ```
    /// use fabrs_core::config::Config;
    ///
    /// let text = "[env.production]\nfreeze = ['Fri 15:00 - Mon 08:00 Australia/Sydney']";
    /// let config = Config::parse(text, "fabrs.toml".as_ref())?;
    /// assert_eq!(config.environment("production")?.freeze_windows().len(), 1);
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn freeze_windows(&self) -> &[FreezeWindow] {
        &self.freeze
    }

    /// Returns the variables of the environment and of the top of the file. The environment's
    /// variables have precedence.
    pub fn vars(&self) -> &Vars {
        &self.vars
    }

    pub(super) fn from_entry(entry: &TomlEntry<'_>, top: &Vars) -> Result<Self> {
        if entry.key().is_empty() || entry.key().starts_with('-') || entry.key().contains(char::is_whitespace) {
            let what = format!("`{}` is not a valid environment name", entry.key());
            return Err(entry.error(None, &what));
        }
        let mut made = Self { name: entry.key().to_owned(), ..Self::default() };
        let mut overrides = None;
        for entry in entry.entries()? {
            match entry.key() {
                "hosts" => made.hosts = deduplicated(entry.hosts()?),
                "roles" => made.roles = Roles::Listed(entry.entries()?.iter().map(role).collect::<Result<_>>()?),
                "vagrant" => made.vagrant = entry.machines()?,
                "user" => made.user = Some(entry.text()?),
                "port" => made.port = Some(entry.port()?),
                "gateway" => made.gateway = Some(entry.gateway()?),
                "ssh_config" => made.ssh_config = Some(entry.local_path()?),
                "identity" => made.identities = Some(entry.local_paths()?),
                "connect_timeout" => made.connect_timeout = Some(entry.seconds()?),
                "forward_agent" => made.forward_agent = Some(entry.bool()?),
                "virtualenv" => made.virtualenv = Some(entry.remote_path()?),
                "shell" => made.shell = Some(entry.text()?),
                "sudo" => made.sudo = Some(entry.sudo_program()?),
                "sudo_password_command" => made.sudo_password_command = Some(entry.text()?),
                "protected" => made.protected = entry.bool()?,
                "freeze" => made.freeze = entry.freeze_windows()?,
                "vars" => made.vars = Vars::from_entry(&entry)?,
                "host" => overrides = Some(entry),
                _ => return Err(entry.unknown(&KEYS)),
            }
        }
        // After the loop, because `hosts` may follow in the file.
        if let Some(entry) = overrides {
            entry.table().map_err(|error| {
                let hint = format!("`hosts` lists hosts; `[env.{}.host.NAME]` has the settings of one host", made.name);
                error.hint(hint)
            })?;
            let all_machines = made.vagrant.as_ref().is_some_and(Vec::is_empty);
            made.overrides = HostOverrides::from_entry(&entry, &made.all_hosts(), all_machines)?;
        }
        made.vars.merge_defaults(top);
        Ok(made)
    }

    fn find(&self, role: &str) -> Option<&[Host]> {
        match &self.roles {
            Roles::Listed(roles) => roles.iter().find(|(name, _)| name == role).map(|(_, hosts)| hosts.as_slice()),
            Roles::EveryMachine => Some(&[]),
        }
    }

    fn without_roles(&self, missing: &[&str]) -> Error {
        let word = if missing.len() == 1 { "role" } else { "roles" };
        let text = format!("environment `{}` has no {word} {}", self.name, quoted_list(missing.iter().copied()));
        let hint = match missing {
            _ if self.roles.listed().is_empty() => {
                let role = missing.first().copied().unwrap_or_default();
                format!("add `roles.{role} = [\"HOST\"]` to `[env.{}]` in `fabrs.toml`", self.name)
            }
            [one] => unknown_name_hint(one, self.roles(), "roles"),
            _ => format!("roles: {}", quoted_list(self.roles())),
        };
        Error::new(ErrorKind::Usage, text).hint(hint)
    }
}

fn role(entry: &TomlEntry<'_>) -> Result<(String, Vec<Host>)> {
    Ok((entry.key().to_owned(), deduplicated(entry.hosts()?)))
}

/// Returns the hosts in order, without duplicates.
pub(super) fn deduplicated(hosts: impl IntoIterator<Item = Host>) -> Vec<Host> {
    let mut seen = HashSet::new();
    hosts.into_iter().filter(|host| seen.insert(host.clone())).collect()
}
