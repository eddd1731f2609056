//! Which hosts a task runs on: those that were typed, else the task's own, else the environment's.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::did_you_mean::listed;
use crate::config::environment::{Environment, each_once};
use crate::config::fabrs_toml::Config;
use crate::config::selection::Selection;
use crate::config::settings::Settings;
use crate::config::sudo_program::SudoProgram;
use crate::config::vagrant::vagrant::Vagrant;
use crate::config::vars::Vars;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, HostError};

/// The hosts a run can choose from: those that were typed, and the environment.
///
/// Typed hosts beat a task's own, and a task's own beat the environment's. A role is looked at only when a task needs
/// it, so that typed hosts work without it.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    pub(super) typed: Option<Vec<Host>>,
    /// The names of typed hosts that belong to every role.
    stand_ins: Vec<String>,
    excluded: Vec<Host>,
    pub(super) environment: Option<Environment>,
    known: Vec<String>,
    vars: Vars,
    pub(super) vagrant: Option<Arc<Vagrant>>,
    /// Cancelled when the run is stopped.
    pub(super) stop: CancellationToken,
    user: Option<String>,
    port: Option<u16>,
}

impl Inventory {
    /// Makes the inventory of a run within an environment, or within none.
    ///
    /// # Errors
    ///
    /// As [`Config::environment`].
    pub fn new(config: &Config, environment: Option<&str>) -> Result<Self> {
        let environment = environment.map(|name| config.environment(name).cloned()).transpose()?;
        let known = config.environments().iter().map(|environment| environment.name().to_owned()).collect();
        Ok(Self { environment, known, vars: config.vars().clone(), ..Self::default() })
    }

    /// Adds the hosts that were typed, as [`parse_host_args`](super::parse_host_args) returns them.
    pub fn with_hosts(mut self, typed: Option<Vec<Host>>) -> Self {
        self.typed = typed;
        self
    }

    /// Adds typed hosts of these names to every role, also inside tasks: throw-away hosts such as `@demo`.
    pub fn in_every_role(mut self, names: Vec<String>) -> Self {
        self.stand_ins = names;
        self
    }

    /// Leaves hosts out of whatever is selected, as [`parse_excluded_hosts`](super::parse_excluded_hosts) returns them.
    ///
    /// One without user and port stands for all of its name.
    pub fn with_excluded(mut self, excluded: Vec<Host>) -> Self {
        self.excluded = excluded;
        self
    }

    /// Takes over the user and port that were given as arguments, for [`qualified`](Self::qualified). A client does so
    /// with its own settings.
    pub fn with_settings(mut self, settings: &Settings) -> Self {
        self.user.clone_from(&settings.user.argument);
        self.port = settings.port.argument;
        self
    }

    /// Returns the host with the user and the port that were given as arguments, where it names none itself.
    ///
    /// This is the one place where arguments meet a host, so that `web1` and `root@web1` are one host under `-u root`.
    /// What `fabrs.toml` says stays out of it: `ssh_config`, which is asked later, is stronger.
    pub fn qualified(&self, host: Host) -> Host {
        host.or_user(self.user.as_deref()).or_port(self.port)
    }

    /// Returns the user's own values for a host: its own over the environment's over those of the file's top; without a
    /// host, those that hold for all.
    pub fn vars_for(&self, host: Option<&Host>) -> Vars {
        match (&self.environment, host) {
            (Some(environment), Some(host)) => environment.vars_for(host),
            (Some(environment), None) => environment.vars().clone(),
            (None, _) => self.vars.clone(),
        }
    }

    /// Returns the virtualenv on a host, where `fabrs.toml` names one: an absolute path, or one that begins with `~/`.
    pub fn virtualenv_for(&self, host: &Host) -> Option<&str> {
        self.environment.as_ref()?.virtualenv_for(host)
    }

    /// Returns what runs the lines on a host, where `fabrs.toml` names a shell: a program with its options.
    pub fn shell_for(&self, host: &Host) -> Option<&str> {
        self.environment.as_ref()?.shell_for(host)
    }

    /// Returns what runs commands as another user on a host, where `fabrs.toml` says it.
    pub fn sudo_program_for(&self, host: &Host) -> Option<SudoProgram> {
        self.environment.as_ref()?.sudo_program_for(host)
    }

    /// Returns the command of this machine that prints the sudo password for a host, where `fabrs.toml` names one.
    pub fn sudo_password_command_for(&self, host: &Host) -> Option<&str> {
        self.environment.as_ref()?.sudo_password_command_for(host)
    }

    /// Returns the environment of the run.
    pub fn environment(&self) -> Option<&Environment> {
        self.environment.as_ref()
    }

    /// Returns the hosts that were typed; `None` where `-H` was not given.
    pub fn explicit_hosts(&self) -> Option<&[Host]> {
        self.typed.as_deref()
    }

    /// Returns the hosts of a selection, in order, each once; none for [`Selection::Local`], which has none of its own.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] if the role is not one of the environment, or a host of the task's is none.
    /// - [`ErrorKind::NoHost`] if there is no host, or none is left of them.
    /// - As [`prepare`](Self::prepare), where that was not done.
    pub fn hosts_for(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        self.without_excluded(self.selected(selection)?)
    }

    /// Returns the hosts of a selection inside a task, in order, each once. `-H` narrows the selection there, and does not
    /// replace it.
    ///
    /// User and port are those of the selection or of `-H`: `-H deploy@web1` narrows a role with `web1` to `deploy@web1`.
    ///
    /// # Errors
    ///
    /// As [`hosts_for`](Self::hosts_for), and [`ErrorKind::NoHost`] if no host of `-H` is in the selection.
    pub fn narrowed_hosts(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        let (Some(typed), Some(environment)) = (&self.typed, &self.environment) else {
            return self.hosts_for(selection);
        };
        let is_stand_in = |host: &&Host| self.stand_ins.iter().any(|name| name == host.name());
        let (stand_ins, others): (Vec<&Host>, Vec<&Host>) = typed.iter().partition(is_stand_in);
        if others.is_empty() || matches!(selection, Selection::Inherit | Selection::Local) {
            return self.hosts_for(selection);
        }
        let declared = self.declared(selection)?;
        if declared.is_empty() {
            return Err(self.no_declared_host(selection));
        }
        let others: Vec<Host> = others.into_iter().map(|host| self.qualified(host.clone())).collect();
        let both = declared.iter().flat_map(|host| others.iter().filter_map(|typed| host.intersection(typed)));
        let narrowed = each_once(both.chain(stand_ins.into_iter().map(|host| self.qualified(host.clone()))));
        if narrowed.is_empty() {
            let of = match selection.role() {
                Some(role) => format!("role `{role}` of environment `{}`", environment.name()),
                None => "the hosts that the task declares".to_owned(),
            };
            let text = format!("no host of `-H` ({}) is in {of} ({})", names(typed), names(&declared));
            return Err(Error::new(ErrorKind::NoHost, text).hint("add one of its hosts to `-H`"));
        }
        self.without_excluded(narrowed)
    }

    /// Tells whether a task with this selection may run on `host` when another task calls it there.
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
        // A host of `-H` may leave out the user that the role names.
        let is_typed = self.typed.is_some();
        Ok(hosts.iter().any(|declared| declared == host || (is_typed && declared.intersection(host).is_some())))
    }

    /// Tells whether the environment declares a host for a role, whatever `-H` and `-x` select. A stand-in is in every role.
    ///
    /// A host that the environment declares with just this user and port counts as that one. Any other counts as each host
    /// that it does not differ from: `web1` and `deploy@web1` are the same, `root@web1` and `deploy@web1` are not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] without an environment, or if it has no such role.
    pub fn is_in_role(&self, host: &Host, role: &str) -> Result<bool> {
        let Some(environment) = &self.environment else { return Err(self.no_environment(&[role])) };
        let declared = environment.role(role)?;
        if self.stand_ins.iter().any(|name| name == host.name()) {
            return Ok(true);
        }
        let is_it = |declared: &Host| self.qualified(declared.clone()) == *host;
        if environment.all_hosts().iter().any(is_it) {
            return Ok(declared.iter().any(is_it));
        }
        Ok(declared.iter().any(|declared| declared.intersection(host).is_some()))
    }

    /// Returns hosts that a task names in its code, with the user and port of the arguments, each once and without those
    /// of `-x`. `-H` does not apply to them.
    ///
    /// # Errors
    ///
    /// As [`without_excluded`](Self::without_excluded).
    pub fn resolve_hosts(&self, hosts: impl IntoIterator<Item = Host>) -> Result<Vec<Host>> {
        self.without_excluded(each_once(hosts.into_iter().map(|host| self.qualified(host))))
    }

    /// Returns the hosts without those of `-x`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHost`] if there were some, and none is left.
    pub fn without_excluded(&self, mut hosts: Vec<Host>) -> Result<Vec<Host>> {
        let selected = hosts.len();
        hosts.retain(|host| !self.excluded.iter().any(|excluded| excluded.covers(host)));
        match (selected, hosts.is_empty()) {
            (1.., true) => Err(Error::new(ErrorKind::NoHost, "`-x` leaves no host of those that were selected")
                .hint("name fewer hosts with `-x`, or others with `-H HOST`")),
            _ => Ok(hosts),
        }
    }

    /// Returns the excluded hosts that none of the selections has, so that leaving them out did nothing.
    ///
    /// # Errors
    ///
    /// As [`hosts_for`](Self::hosts_for), but an empty rest is none.
    pub fn unused_exclusions<'s>(&self, selections: impl IntoIterator<Item = Selection<'s>>) -> Result<Vec<&Host>> {
        let selected = selections.into_iter().map(|selection| self.selected(selection));
        let selected =
            if self.excluded.is_empty() { Vec::new() } else { selected.collect::<Result<Vec<_>>>()?.concat() };
        Ok(self.excluded.iter().filter(|excluded| !selected.iter().any(|host| excluded.covers(host))).collect())
    }

    /// Returns the hosts of a selection before any is left out.
    fn selected(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        let found = match (&self.typed, selection) {
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
        Ok(each_once(found.into_iter().map(|host| self.qualified(host))))
    }

    /// Returns the hosts that a selection names itself, or by its role, with the user and port of the arguments.
    fn declared(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        let named = read(selection.hosts())?;
        let of_role = selection.role().map_or(Ok(&[][..]), |role| self.role(role))?;
        Ok(each_once(named.into_iter().chain(of_role.iter().cloned()).map(|host| self.qualified(host))))
    }

    /// Checks the roles of all tasks of a run at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] naming every role that is missing; never where hosts were typed.
    pub fn check_roles(&self, roles: &[&str]) -> Result<()> {
        match (&self.typed, &self.environment, roles) {
            (Some(_), ..) | (.., []) => Ok(()),
            (None, Some(environment), _) => environment.check_roles(roles),
            (None, None, _) => Err(self.no_environment(roles)),
        }
    }

    fn role(&self, role: &str) -> Result<&[Host]> {
        match &self.environment {
            Some(environment) => environment.role(role),
            None => Err(self.no_environment(&[role])),
        }
    }

    fn no_environment(&self, roles: &[&str]) -> Error {
        let word = if roles.len() == 1 { "role" } else { "roles" };
        let doing = format!("{word} {} without an environment", listed(roles.iter().copied()));
        Error::new(ErrorKind::Usage, doing).hint(self.ways_to_name_hosts())
    }

    fn no_host(&self, selection: Selection<'_>) -> Error {
        match &self.typed {
            Some(_) => Error::new(ErrorKind::NoHost, "`-H` names no host")
                .hint("write `-H HOST`, or `-H @FILE` with one host a line"),
            None => self.no_declared_host(selection),
        }
    }

    fn no_declared_host(&self, selection: Selection<'_>) -> Error {
        let of = self.environment.as_ref().map(|environment| format!("environment `{}`", environment.name()));
        let (doing, hint) = match (selection, of) {
            (Selection::Role(role) | Selection::HostsAndRole(_, role), Some(of)) => (
                format!("role `{role}` of {of} has no host"),
                format!("add one to `roles.{role}`, or name one with `-H HOST`"),
            ),
            (Selection::Hosts(_), _) => {
                ("the task's own list of hosts is empty".to_owned(), "name one with `-H HOST`".to_owned())
            }
            (_, Some(of)) => {
                (format!("{of} has no host"), "add one to its `hosts`, or name one with `-H HOST`".to_owned())
            }
            (_, None) => ("there is no host to run on".to_owned(), self.ways_to_name_hosts()),
        };
        Error::new(ErrorKind::NoHost, doing).hint(hint)
    }

    fn ways_to_name_hosts(&self) -> String {
        if self.known.is_empty() {
            return "name one with `-H HOST`".to_owned();
        }
        let environments = listed(self.known.iter().map(String::as_str));
        format!("name one with `-H HOST`, or an environment before the task: {environments}")
    }
}

/// How many hosts a message names.
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
    let none = |cause: HostError| Error::new(ErrorKind::Usage, "a host that the task names is none").caused_by(cause);
    let hosts = hosts.iter().map(|host| Host::expand(host).map_err(none));
    Ok(hosts.collect::<Result<Vec<_>>>()?.concat())
}
