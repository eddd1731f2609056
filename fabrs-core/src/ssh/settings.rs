//! Settings and caches shared by all SSH connections of a client.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use fabrs_openssh::config::{ConfigFiles, HostConfig, Query, SshConfig};
use fabrs_openssh::known_hosts::KnownHosts;
use tokio::process::Command;

use crate::blocking::wait;
use crate::config::{Gateway, Inventory, Layered, Mode, ProcessEnv, Settings, SshConfigSource};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Sink};
use crate::host::Host;
use crate::mutex::lock;
use crate::secret::Secret;
use crate::ssh::descriptor_budget::DescriptorBudget;
use crate::ssh::keys::Keyring;
use crate::ssh::known_hosts::KnownHostsFiles;
use crate::ssh::revoked_keys::RevokedKeysFiles;
use crate::ssh::route_settings::RouteSettings;
use crate::transport::Prompter;

/// The state shared by all SSH connections of a client: settings, prompter, sink, and files already
/// read.
#[derive(Debug)]
pub struct SshSettings {
    user: Option<String>,
    port: Option<u16>,
    pub(super) gateway: Layered<Gateway>,
    inventory: Inventory,
    pub(super) forward_agent: Layered<bool>,
    connect_timeout: Layered<Duration>,
    identities: Vec<PathBuf>,
    pub(super) password: Option<Secret>,
    /// True if programs named in the ssh config may run on this machine.
    pub(super) local_programs: bool,
    pub(super) variables: ProcessEnv,
    pub(super) prompter: Arc<dyn Prompter>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) keyring: Keyring,
    pub(super) known_hosts: KnownHostsFiles,
    pub(super) revoked: RevokedKeysFiles,
    /// The budget of file descriptors, from the open file limit at the creation of the settings.
    pub(super) descriptors: Arc<DescriptorBudget>,
    /// True if an accepted host key is written to `known_hosts`. A dry run writes nothing.
    pub(super) records_host_keys: bool,
    config_from: SshConfigSource,
    /// The ssh configs read so far.
    configs: Mutex<HashMap<SshConfigSource, Arc<OnceLock<Result<SshConfig>>>>>,
    /// Warnings already emitted.
    warned: Mutex<HashSet<String>>,
    /// Results of `Match exec`, by command.
    executed: Mutex<HashMap<String, bool>>,
}

impl SshSettings {
    /// Creates the state for a run. The ssh config is read when the first host is resolved.
    ///
    /// The hosts must already have the user and the port of the command line
    /// ([`Inventory::qualified`]).
    pub fn new(settings: &Settings, variables: ProcessEnv, prompter: Arc<dyn Prompter>, sink: Arc<dyn Sink>) -> Self {
        Self {
            user: settings.user.config.clone(),
            port: settings.port.config,
            gateway: settings.gateway.clone(),
            inventory: Inventory::default(),
            forward_agent: settings.forward_agent,
            connect_timeout: settings.connect_timeout,
            identities: settings.identities.clone(),
            password: None,
            local_programs: false,
            variables,
            prompter,
            sink,
            keyring: Keyring::default(),
            known_hosts: KnownHostsFiles::default(),
            revoked: RevokedKeysFiles::default(),
            descriptors: DescriptorBudget::of_process(),
            records_host_keys: settings.mode == Mode::Run,
            config_from: settings.ssh_config.clone(),
            configs: Mutex::default(),
            warned: Mutex::default(),
            executed: Mutex::default(),
        }
    }

    /// Sets the password for hosts with password authentication, in place of a prompt. The default
    /// is no password.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fabrs_core::config::{ProcessEnv, Settings};
    /// use fabrs_core::{event::NoSink, secret::Secret, ssh::SshSettings, transport::NoPrompter};
    ///
    /// let settings = SshSettings::new(&Settings::default(), ProcessEnv::from_env(), Arc::new(NoPrompter), Arc::new(NoSink))
    ///     .with_password(Some(Secret::new("swordfish")));
    /// assert!(!format!("{settings:?}").contains("swordfish"));
    /// ```
    #[must_use]
    pub fn with_password(mut self, password: Option<Secret>) -> Self {
        self.password = password;
        self
    }

    /// Allows programs of the ssh config (`ProxyCommand`, `Match exec`) on this machine. Off by
    /// default.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fabrs_core::config::{ProcessEnv, Settings};
    /// use fabrs_core::{event::NoSink, ssh::SshSettings, transport::NoPrompter};
    ///
    /// let settings = SshSettings::new(&Settings::default(), ProcessEnv::from_env(), Arc::new(NoPrompter), Arc::new(NoSink))
    ///     .with_local_programs(true);
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_local_programs(mut self, allowed: bool) -> Self {
        self.local_programs = allowed;
        self
    }

    /// Sets the inventory, with the settings of `fabrs.toml` for single hosts.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fabrs_core::config::{Config, Inventory, ProcessEnv, Settings};
    /// use fabrs_core::{event::NoSink, ssh::SshSettings, transport::NoPrompter};
    ///
    /// let settings = SshSettings::new(&Settings::default(), ProcessEnv::from_env(), Arc::new(NoPrompter), Arc::new(NoSink))
    ///     .with_inventory(Inventory::new(&Config::default(), None)?);
    /// # let _ = settings;
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_inventory(mut self, inventory: Inventory) -> Self {
        self.inventory = inventory;
        self
    }

    /// Returns the user of a host in `fabrs.toml`.
    pub(super) fn user_for(&self, host: &Host) -> Option<String> {
        let configured = self.inventory.environment().and_then(|environment| environment.user_for(host));
        configured.map(str::to_owned).or_else(|| self.user.clone())
    }

    /// Returns the port of a host in `fabrs.toml`.
    pub(super) fn port_for(&self, host: &Host) -> Option<u16> {
        self.inventory.environment().and_then(|environment| environment.port_for(host)).or(self.port)
    }

    /// Returns the gateway of a host in `fabrs.toml`.
    pub(super) fn gateway_for(&self, host: &Host) -> Option<&Gateway> {
        let configured = self.inventory.environment().and_then(|environment| environment.gateway_for(host));
        configured.or(self.gateway.config.as_ref())
    }

    /// Returns the agent forwarding of a host in `fabrs.toml`.
    pub(super) fn forward_agent_for(&self, host: &Host) -> Option<bool> {
        let configured = self.inventory.environment().and_then(|environment| environment.forward_agent_for(host));
        configured.or(self.forward_agent.config)
    }

    /// Returns the settings of a host that also apply to its gateways.
    pub(super) fn route_settings(&self, host: &Host) -> RouteSettings {
        let environment = self.inventory.environment();
        let ssh_config = match (&self.config_from, environment.and_then(|environment| environment.ssh_config_for(host)))
        {
            (SshConfigSource::Default, Some(file)) => SshConfigSource::File(file.to_owned()),
            (source, _) => source.clone(),
        };
        let by_file = environment.map(|environment| environment.identities_for(host)).unwrap_or_default();
        let identities = self.identities.iter().chain(by_file).cloned().collect();
        let mut connect_timeout = self.connect_timeout;
        let timeout = environment.and_then(|environment| environment.connect_timeout_for(host));
        connect_timeout.config = timeout.or(connect_timeout.config);
        RouteSettings { ssh_config, identities, connect_timeout }
    }

    /// Returns the gateway to a host from the arguments, or from `fabrs.toml` if the ssh config
    /// sets no route.
    pub(super) fn gateway_outside_ssh_config(&self, host: &Host, route_settings: &RouteSettings) -> Option<Gateway> {
        let has_route = |config: HostConfig| config.proxy_jump.is_some() || config.proxy_command.is_some();
        let by_file = || match self.config_for(host, &route_settings.ssh_config).map(has_route) {
            Ok(true) | Err(_) => None,
            Ok(false) => self.gateway_for(host),
        };
        let gateway = self.gateway.argument.as_ref().or_else(by_file);
        let is_itself = |gateway: &Gateway| gateway.host().is_some_and(|gateway| gateway.name() == host.name());
        gateway.filter(|gateway| !is_itself(gateway)).cloned()
    }

    /// Returns the name of the local user.
    pub(super) fn local_user(&self) -> &str {
        self.variables.user.as_deref().unwrap_or("root")
    }

    /// Returns the home directory of the local user.
    pub(super) fn home(&self) -> PathBuf {
        self.variables.home.clone().unwrap_or_else(|| PathBuf::from("/"))
    }

    /// Returns the ssh config of a host. For a Vagrant machine, the output of `vagrant ssh-config`
    /// alone.
    pub(super) fn config_for(&self, host: &Host, source: &SshConfigSource) -> Result<HostConfig> {
        let exec = |command: &str| self.exec(command);
        let resolve = |config: &SshConfig| config.resolve(&self.query(host).exec(&exec));
        let resolved = match self.inventory.machines_with(host).map_err(|error| error.on(host))? {
            Some(machines) => resolve(machines.ssh_config()),
            None => {
                let config = Arc::clone(lock(&self.configs).entry(source.clone()).or_default());
                resolve(config.get_or_init(|| self.read_config(source)).as_ref().map_err(Clone::clone)?)
            }
        };
        resolved
            .map_err(|source| Error::new(ErrorKind::Config, "the ssh config can't be used").on(host).caused_by(source))
    }

    /// Returns the query for the ssh config of a host.
    fn query(&self, host: &Host) -> Query<'_> {
        let mut query = Query::new(host.name(), self.local_user(), self.home())
            .env(&environment)
            .uid(rustix::process::getuid().as_raw())
            .local_hostname(rustix::system::uname().nodename().to_string_lossy());
        if let Some(user) = host.user() {
            query = query.user(user);
        }
        match host.port() {
            Some(port) => query.port(port),
            None => query,
        }
    }

    /// Runs a command of `Match exec`, and returns true if it succeeded. Each command runs once for
    /// all hosts. Unlike in `ssh`, its stderr is discarded.
    fn exec(&self, command: &str) -> io::Result<bool> {
        if !self.local_programs {
            let text = "local programs are disabled: enable them with `ClientBuilder::allow_local_programs`";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let executed = || lock(&self.executed);
        if let Some(&succeeded) = executed().get(command) {
            return Ok(succeeded);
        }
        let shell = self.variables.shell.as_deref().unwrap_or("/bin/sh");
        let mut process = Command::new(shell);
        process.arg("-c").arg(format!("exec {command}")).env_remove(ProcessEnv::SUDO_PASSWORD);
        process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        process.kill_on_drop(true);
        let stop = self.inventory.stop();
        let ended = wait(stop.run_until_cancelled(async { process.status().await }))?;
        let stopped = || io::Error::new(io::ErrorKind::Interrupted, "the run was stopped");
        let status = ended.unwrap_or_else(|| Err(stopped()))?;
        executed().insert(command.to_owned(), status.success());
        Ok(status.success())
    }

    /// Returns the entries of `known_hosts` files. Each file is read once. Invalid lines cause a
    /// warning.
    pub(super) fn known_hosts(&self, files: &[PathBuf]) -> Result<Arc<KnownHosts>> {
        let known = self.known_hosts.load(files)?;
        known.warnings().iter().for_each(|warning| self.warn_once(&warning.to_string()));
        Ok(known)
    }

    /// Emits a warning about the ssh config or a file, once for all hosts.
    pub(super) fn warn_once(&self, text: &str) {
        if lock(&self.warned).insert(text.to_owned()) {
            self.sink.event(&Event::Warning { host: None, text });
        }
    }

    /// Emits a warning about a host, once for all connections to the host.
    pub(super) fn warn_once_about(&self, host: &Host, text: &str) {
        if lock(&self.warned).insert(format!("{host}: {text}")) {
            self.sink.event(&Event::Warning { host: Some(host), text });
        }
    }

    fn read_config(&self, source: &SshConfigSource) -> Result<SshConfig> {
        let files = match source {
            SshConfigSource::Default => ConfigFiles::standard(self.home()),
            SshConfigSource::File(path) => ConfigFiles::only(path, self.home()),
            SshConfigSource::None => return Ok(SshConfig::default()),
        };
        SshConfig::load(&files)
            .map_err(|source| Error::new(ErrorKind::Config, "could not read the ssh config").caused_by(source))
    }
}

/// Returns an environment variable, for `${NAME}` in the ssh config.
fn environment(name: &str) -> Option<String> {
    ProcessEnv::get(name)
}
