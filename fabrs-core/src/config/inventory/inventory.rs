//! [`Inventory`]: the hosts available to a run.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::did_you_mean::quoted_list;
use crate::config::environment::{Environment, deduplicated};
use crate::config::fabrs_toml::Config;
use crate::config::selection::Selection;
use crate::config::settings::Settings;
use crate::config::sudo_program::SudoProgram;
use crate::config::vagrant::vagrant::Vagrant;
use crate::config::vars::Vars;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, HostError};

/// The hosts available to a run: the hosts of `-H` and the hosts of the environment.
///
/// Hosts of `-H` have precedence over a task's own hosts. A task's own hosts have precedence over
/// the environment's hosts. A role is resolved only if a task needs the role, so `-H` also works
/// without any environment.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    pub(super) explicit: Option<Vec<Host>>,
    /// The names of `-H` hosts that belong to every role.
    every_role_names: Vec<String>,
    excluded: Vec<Host>,
    pub(super) environment: Option<Environment>,
    environment_names: Vec<String>,
    /// All protected environments of `fabrs.toml`, with their hosts.
    protected: Vec<(String, Vec<Host>)>,
    vars: Vars,
    pub(super) vagrant: Option<Arc<Vagrant>>,
    /// Cancelled when the run is stopped.
    pub(super) stop: CancellationToken,
    user: Option<String>,
    port: Option<u16>,
}

impl Inventory {
    /// Makes the inventory of a run with or without an environment.
    ///
    /// # Errors
    ///
    /// As [`Config::environment`].
    pub fn new(config: &Config, environment: Option<&str>) -> Result<Self> {
        let environment = environment.map(|name| config.environment(name).cloned()).transpose()?;
        let environment_names = config.environments().iter().map(|environment| environment.name().to_owned()).collect();
        let protected = config.environments().iter().filter(|environment| environment.is_protected());
        let protected = protected.map(|environment| (environment.name().to_owned(), environment.all_hosts())).collect();
        Ok(Self { environment, environment_names, protected, vars: config.vars().clone(), ..Self::default() })
    }

    /// Sets the hosts of `-H`, as returned by [`parse_host_args`](crate::config::parse_host_args).
    ///
    /// ```
    /// use fabrs_core::Host;
    /// use fabrs_core::config::{Config, Inventory, Selection};
    ///
    /// let config = Config::parse("[env.staging]\nhosts = ['web1', 'web2']", "fabrs.toml".as_ref())?;
    /// let web2: Host = "web2".parse()?;
    /// let inventory = Inventory::new(&config, Some("staging"))?.with_hosts(Some(vec![web2.clone()]));
    /// assert_eq!(inventory.hosts_for(Selection::Inherit)?, [web2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_hosts(mut self, explicit: Option<Vec<Host>>) -> Self {
        self.explicit = explicit;
        self
    }

    /// Adds the `-H` hosts with these names to every role, also inside tasks. This is for temporary
    /// hosts such as `@demo`.
    ///
    /// ```
    /// use fabrs_core::Host;
    /// use fabrs_core::config::{Config, Inventory, Selection};
    ///
    /// let vm: Host = "vm".parse()?;
    /// let inventory = Inventory::new(&Config::default(), None)?
    ///     .with_hosts(Some(vec![vm.clone()]))
    ///     .in_every_role(vec!["vm".to_owned()]);
    /// assert_eq!(inventory.hosts_for(Selection::Role("db"))?, [vm]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_every_role(mut self, names: Vec<String>) -> Self {
        self.every_role_names = names;
        self
    }

    /// Excludes hosts from every selection, as returned by
    /// [`parse_excluded_hosts`](crate::config::parse_excluded_hosts).
    ///
    /// A host without user and port excludes all hosts of its name.
    ///
    /// ```
    /// use fabrs_core::Host;
    /// use fabrs_core::config::{Config, Inventory, Selection};
    ///
    /// let config = Config::parse("[env.staging]\nhosts = ['web1', 'web2']", "fabrs.toml".as_ref())?;
    /// let [web1, web2]: [Host; 2] = ["web1".parse()?, "web2".parse()?];
    /// let inventory = Inventory::new(&config, Some("staging"))?.with_excluded(vec![web1]);
    /// assert_eq!(inventory.hosts_for(Selection::Inherit)?, [web2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_excluded(mut self, excluded: Vec<Host>) -> Self {
        self.excluded = excluded;
        self
    }

    /// Sets the user and port of the arguments for [`qualified`](Self::qualified). A client passes
    /// its own settings.
    ///
    /// ```
    /// use fabrs_core::config::{Config, Inventory, Layered, Settings};
    ///
    /// let settings = Settings::default().port(Layered::argument(2222));
    /// let inventory = Inventory::new(&Config::default(), None)?.with_settings(&settings);
    /// assert_eq!(inventory.qualified("web1".parse()?).port(), Some(2222));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_settings(mut self, settings: &Settings) -> Self {
        self.user.clone_from(&settings.user.argument);
        self.port = settings.port.argument;
        self
    }

    /// Returns the host. The user and port of the arguments replace a missing user or port.
    ///
    /// Arguments are applied to hosts only here, so `web1` and `root@web1` are one host under
    /// `-u root`. Settings of `fabrs.toml` are not applied, because `ssh_config` has precedence
    /// over them and is read later.
    pub fn qualified(&self, host: Host) -> Host {
        host.or_user(self.user.as_deref()).or_port(self.port)
    }

    /// Returns the variables for a host, in the precedence host, environment, top of the file.
    /// Without a host, returns the variables shared by all hosts.
    pub fn vars_for(&self, host: Option<&Host>) -> Vars {
        match (&self.environment, host) {
            (Some(environment), Some(host)) => environment.vars_for(host),
            (Some(environment), None) => environment.vars().clone(),
            (None, _) => self.vars.clone(),
        }
    }

    /// Returns the virtualenv on a host from `fabrs.toml`: an absolute path, or a path that starts
    /// with `~/`.
    pub fn virtualenv_for(&self, host: &Host) -> Option<&str> {
        self.environment.as_ref()?.virtualenv_for(host)
    }

    /// Returns the shell that runs all commands on a host, from `fabrs.toml`: a program with
    /// options.
    pub fn shell_for(&self, host: &Host) -> Option<&str> {
        self.environment.as_ref()?.shell_for(host)
    }

    /// Returns the program that runs commands as another user on a host, from `fabrs.toml`.
    pub fn sudo_program_for(&self, host: &Host) -> Option<SudoProgram> {
        self.environment.as_ref()?.sudo_program_for(host)
    }

    /// Returns the local command that prints the sudo password for a host, from `fabrs.toml`.
    pub fn sudo_password_command_for(&self, host: &Host) -> Option<&str> {
        self.environment.as_ref()?.sudo_password_command_for(host)
    }

    /// Returns the environment of the run.
    pub fn environment(&self) -> Option<&Environment> {
        self.environment.as_ref()
    }

    /// Returns the name of the protected environment that applies to a host.
    ///
    /// If the environment of the run is protected, this is its name for every host. Otherwise, this
    /// is the first protected environment that lists a host of the same name. Vagrant machines are
    /// not compared.
    ///
    /// ```
    /// use fabrs_core::config::{Config, Inventory};
    ///
    /// let text = "[env.production]\nprotected = true\nhosts = ['db1']\n[env.staging]\nhosts = ['db2']";
    /// let inventory = Inventory::new(&Config::parse(text, "fabrs.toml".as_ref())?, Some("staging"))?;
    /// assert_eq!(inventory.protected_environment_for(&"root@db1".parse()?), Some("production"));
    /// assert_eq!(inventory.protected_environment_for(&"db2".parse()?), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn protected_environment_for(&self, host: &Host) -> Option<&str> {
        let of_run = self.environment.as_ref().filter(|environment| environment.is_protected()).map(Environment::name);
        let is_listed = |hosts: &[Host]| hosts.iter().any(|listed| listed.name() == host.name());
        let others = || self.protected.iter().find(|(_, hosts)| is_listed(hosts)).map(|(name, _)| name.as_str());
        of_run.or_else(others)
    }

    /// Returns the hosts of `-H`, or `None` without `-H`.
    pub fn explicit_hosts(&self) -> Option<&[Host]> {
        self.explicit.as_deref()
    }

    /// Returns the hosts of `-x`. The list is empty without `-x`.
    ///
    /// ```
    /// use fabrs_core::Host;
    /// use fabrs_core::config::Inventory;
    ///
    /// let web1: Host = "web1".parse()?;
    /// assert_eq!(Inventory::default().with_excluded(vec![web1.clone()]).excluded_hosts(), [web1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn excluded_hosts(&self) -> &[Host] {
        &self.excluded
    }

    /// Returns the hosts of a selection, in order and without duplicates. Returns an empty list for
    /// [`Selection::Local`].
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] if the environment has no such role, or a host of the task is
    ///   invalid.
    /// - [`ErrorKind::NoHost`] if the selection contains no host, or all of them are excluded.
    /// - As [`prepare`](Self::prepare), if `prepare` was not called before.
    pub fn hosts_for(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        self.without_excluded(self.selected(selection)?)
    }

    /// Returns the hosts of a selection inside a task, in order and without duplicates. Inside a
    /// task, `-H` narrows the selection instead of replacing the hosts.
    ///
    /// User and port come from the selection or from `-H`: `-H deploy@web1` narrows a role with
    /// `web1` to `deploy@web1`.
    ///
    /// # Errors
    ///
    /// As [`hosts_for`](Self::hosts_for), and [`ErrorKind::NoHost`] if no host of `-H` is in the
    /// selection.
    pub fn narrowed_hosts(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        let (Some(typed), Some(environment)) = (&self.explicit, &self.environment) else {
            return self.hosts_for(selection);
        };
        let is_in_every_role = |host: &&Host| self.every_role_names.iter().any(|name| name == host.name());
        let (every_role_hosts, others): (Vec<&Host>, Vec<&Host>) = typed.iter().partition(is_in_every_role);
        if others.is_empty() || matches!(selection, Selection::Inherit | Selection::Local) {
            return self.hosts_for(selection);
        }
        let declared = self.declared(selection)?;
        if declared.is_empty() {
            return Err(self.no_declared_host(selection));
        }
        let others: Vec<Host> = others.into_iter().map(|host| self.qualified(host.clone())).collect();
        let both = declared.iter().flat_map(|host| others.iter().filter_map(|typed| host.intersection(typed)));
        let narrowed = deduplicated(both.chain(every_role_hosts.into_iter().map(|host| self.qualified(host.clone()))));
        if narrowed.is_empty() {
            let of = match selection.role() {
                Some(role) => format!("role `{role}` of environment `{}`", environment.name()),
                None => "the host list of the task".to_owned(),
            };
            let text = format!("no host of `-H` ({}) is in {of} ({})", names(typed), names(&declared));
            return Err(Error::new(ErrorKind::NoHost, text).hint("add one of its hosts to `-H`"));
        }
        self.without_excluded(narrowed)
    }

    /// Returns whether another task may call a task with this selection on `host`.
    ///
    /// # Errors
    ///
    /// As [`narrowed_hosts`](Self::narrowed_hosts), except for [`ErrorKind::NoHost`].
    pub fn may_run_on(&self, host: &Host, selection: Selection<'_>) -> Result<bool> {
        let hosts = match self.narrowed_hosts(selection) {
            Ok(hosts) => hosts,
            Err(error) if error.kind() == ErrorKind::NoHost => return Ok(false),
            Err(error) => return Err(error),
        };
        // A host of `-H` may lack the user or port of the entry in the role.
        let is_typed = self.explicit.is_some();
        Ok(hosts.iter().any(|declared| declared == host || (is_typed && declared.intersection(host).is_some())))
    }

    /// Returns whether a role of the environment contains a host, regardless of `-H` and `-x`.
    /// Hosts from [`in_every_role`](Self::in_every_role) are in every role, and so are the machines
    /// of the built-in environment `vagrant`.
    ///
    /// If the environment contains the host with exactly this user and port, only that entry
    /// counts. Otherwise the host matches every entry without a different user or port: `web1`
    /// matches `deploy@web1`, and `root@web1` does not.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] without an environment, or if the environment has no such role.
    /// - As [`prepare`](Self::prepare), in the built-in environment `vagrant`.
    pub fn is_in_role(&self, host: &Host, role: &str) -> Result<bool> {
        let Some(environment) = &self.environment else { return Err(self.no_environment(&[role])) };
        environment.check_roles(&[role])?;
        if self.every_role_names.iter().any(|name| name == host.name()) {
            return Ok(true);
        }
        let is_same = |declared: &Host| self.qualified(declared.clone()) == *host;
        let declared = self.role(role)?;
        if environment.all_hosts().iter().any(is_same) {
            return Ok(declared.iter().any(is_same));
        }
        Ok(declared.iter().any(|declared| declared.intersection(host).is_some()))
    }

    /// Returns hosts named in the code of a task, with the user and port of the arguments, without
    /// duplicates and without the hosts of `-x`. `-H` does not apply.
    ///
    /// # Errors
    ///
    /// As [`without_excluded`](Self::without_excluded).
    pub fn resolve_hosts(&self, hosts: impl IntoIterator<Item = Host>) -> Result<Vec<Host>> {
        self.without_excluded(deduplicated(hosts.into_iter().map(|host| self.qualified(host))))
    }

    /// Removes the hosts of `-x`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHost`] if this removes all hosts.
    pub fn without_excluded(&self, mut hosts: Vec<Host>) -> Result<Vec<Host>> {
        let selected = hosts.len();
        hosts.retain(|host| !self.excluded.iter().any(|excluded| excluded.covers(host)));
        match (selected, hosts.is_empty()) {
            (1.., true) => Err(Error::new(ErrorKind::NoHost, "`-x` excludes all selected hosts")
                .hint("exclude fewer hosts with `-x`, or select others with `-H HOST`")),
            _ => Ok(hosts),
        }
    }

    /// Returns the excluded hosts that belong to no selection.
    ///
    /// # Errors
    ///
    /// As [`hosts_for`](Self::hosts_for), but a selection may become empty.
    pub fn unused_exclusions<'s>(&self, selections: impl IntoIterator<Item = Selection<'s>>) -> Result<Vec<&Host>> {
        let selected = selections.into_iter().map(|selection| self.selected(selection));
        let selected =
            if self.excluded.is_empty() { Vec::new() } else { selected.collect::<Result<Vec<_>>>()?.concat() };
        Ok(self.excluded.iter().filter(|excluded| !selected.iter().any(|host| excluded.covers(host))).collect())
    }

    /// Returns the hosts of a selection before `-x` excludes any host.
    fn selected(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        let found = match (&self.explicit, selection) {
            (_, Selection::Local) => return Ok(Vec::new()),
            (Some(typed), _) => typed.clone(),
            (None, Selection::Inherit) => match (&self.environment, self.machines()?) {
                (Some(environment), Some(machines)) => environment.all_hosts_with(machines.hosts().iter().cloned()),
                (Some(environment), None) => environment.all_hosts(),
                (None, _) => Vec::new(),
            },
            (None, selection) => self.declared(selection)?,
        };
        if found.is_empty() {
            return Err(self.no_host(selection));
        }
        Ok(deduplicated(found.into_iter().map(|host| self.qualified(host))))
    }

    /// Returns the hosts of the selection itself or of its role, with the user and port of the
    /// arguments.
    fn declared(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        let named = read(selection.hosts())?;
        let of_role = selection.role().map_or(Ok(Vec::new()), |role| self.role(role))?;
        Ok(deduplicated(named.into_iter().chain(of_role).map(|host| self.qualified(host))))
    }

    /// Checks the roles of all tasks of a run together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] with all missing roles. Never with `-H`.
    pub fn check_roles(&self, roles: &[&str]) -> Result<()> {
        match (&self.explicit, &self.environment, roles) {
            (Some(_), ..) | (.., []) => Ok(()),
            (None, Some(environment), _) => environment.check_roles(roles),
            (None, None, _) => Err(self.no_environment(roles)),
        }
    }

    /// Returns the hosts of a role. Runs Vagrant if its machines are in every role.
    fn role(&self, role: &str) -> Result<Vec<Host>> {
        let Some(environment) = &self.environment else { return Err(self.no_environment(&[role])) };
        let listed = environment.role(role)?.to_vec();
        let machines = if environment.has_machines_in_every_role() { self.machines()? } else { None };
        Ok(machines.map_or(listed, |machines| machines.hosts().to_vec()))
    }

    fn no_environment(&self, roles: &[&str]) -> Error {
        let (word, needs) = if roles.len() == 1 { ("role", "needs") } else { ("roles", "need") };
        let text = format!("{word} {} {needs} an environment", quoted_list(roles.iter().copied()));
        Error::new(ErrorKind::Usage, text).hint(self.host_selection_hint())
    }

    fn no_host(&self, selection: Selection<'_>) -> Error {
        match &self.explicit {
            Some(_) => Error::new(ErrorKind::NoHost, "`-H` contains no host")
                .hint("write `-H HOST`, or `-H @FILE` with one host per line"),
            None => self.no_declared_host(selection),
        }
    }

    fn no_declared_host(&self, selection: Selection<'_>) -> Error {
        let of = self.environment.as_ref().map(|environment| format!("environment `{}`", environment.name()));
        let (text, hint) = match (selection, of) {
            (Selection::Role(role) | Selection::HostsAndRole(_, role), Some(of)) => (
                format!("role `{role}` of {of} has no host"),
                format!("add one to `roles.{role}`, or select hosts with `-H HOST`"),
            ),
            (Selection::Hosts(_), _) => {
                ("the host list of the task is empty".to_owned(), "select hosts with `-H HOST`".to_owned())
            }
            (_, Some(of)) => {
                (format!("{of} has no host"), "add one to its `hosts`, or select hosts with `-H HOST`".to_owned())
            }
            (_, None) => ("no host is selected".to_owned(), self.host_selection_hint()),
        };
        Error::new(ErrorKind::NoHost, text).hint(hint)
    }

    fn host_selection_hint(&self) -> String {
        if self.environment_names.is_empty() {
            return "select hosts with `-H HOST`".to_owned();
        }
        let environments = quoted_list(self.environment_names.iter().map(String::as_str));
        format!("select hosts with `-H HOST`, or write an environment before the task: {environments}")
    }
}

/// The maximum number of hosts in a message.
const MAX_NAMES: usize = 8;

/// Returns hosts as a list for a message.
fn names(hosts: &[Host]) -> String {
    let mut names: Vec<String> = hosts.iter().take(MAX_NAMES).map(ToString::to_string).collect();
    if let more @ 1.. = hosts.len().saturating_sub(MAX_NAMES) {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

fn read(hosts: &[&str]) -> Result<Vec<Host>> {
    let invalid =
        |cause: HostError| Error::new(ErrorKind::Usage, "invalid host in `#[task(hosts = ..)]`").caused_by(cause);
    let hosts = hosts.iter().map(|host| Host::expand(host).map_err(invalid));
    Ok(hosts.collect::<Result<Vec<_>>>()?.concat())
}
