//! [`Service`]: a unit of systemd.

use fabrs::{Command, Connection, Error, ErrorKind, cmd};

use super::account_name::check_name;
use super::request::EnsureRequest;
use super::resource::ProbedResource;
use crate::remote_script::with_arguments;

/// Prints the differences of a unit.
const PROBE: &str = include_str!("service_probe.sh");

/// The characters of unit names, besides letters and digits (`systemd.unit(5)`).
const UNIT_CHARACTERS: &str = ":-_.\\@";

/// A unit of systemd: see [`Provision::ensure_service`](super::Provision::ensure_service).
#[derive(Debug, Clone)]
pub struct Service {
    unit: String,
    state: ServiceState,
    on_change: OnChange,
    files: Vec<String>,
}

/// The desired state of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServiceState {
    /// Enabled and active.
    Running,
    /// Enabled, active or inactive.
    Enabled,
    /// Disabled and inactive.
    Stopped,
}

/// The action after a change of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnChange {
    Restart,
    Reload,
}

impl Service {
    pub(super) fn new(name: &str) -> Self {
        let has_suffix = name.rsplit_once('.').is_some_and(|(_, suffix)| UNIT_SUFFIXES.contains(&suffix));
        let unit = if has_suffix { name.to_owned() } else { format!("{name}.service") };
        Self { unit, state: ServiceState::Running, on_change: OnChange::Restart, files: Vec::new() }
    }
}

/// The types of units that can be enabled and started.
const UNIT_SUFFIXES: [&str; 6] = ["service", "timer", "socket", "path", "mount", "target"];

impl EnsureRequest<Service> {
    /// Enables the unit, and neither starts nor restarts it: for a service that needs the first
    /// release. [`Systemd`](crate::Systemd) starts the service in the first deploy.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_service("shop").enabled();
    /// assert!(format!("{request:?}").contains("Enabled"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn enabled(self) -> Self {
        self.map(|service| service.state = ServiceState::Enabled)
    }

    /// Stops and disables the unit.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_service("apache2").stopped();
    /// assert!(format!("{request:?}").contains("Stopped"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn stopped(self) -> Self {
        self.map(|service| service.state = ServiceState::Stopped)
    }

    /// Restarts the unit if one of these files or directories has changed since the unit started.
    /// A changed unit file has the same effect.
    ///
    /// The comparison uses the time of the last status change (ctime). If a run is killed before
    /// the restart, the next run restarts the unit. The last call of `restart_after` or
    /// [`reload_after`](Self::reload_after) sets the action for all paths.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_service("postgresql").restart_after(["/etc/postgresql"]);
    /// assert!(format!("{request:?}").contains("/etc/postgresql"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn restart_after<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        self.map(|service| {
            service.on_change = OnChange::Restart;
            service.files.extend(paths.into_iter().map(Into::into));
        })
    }

    /// Reloads the unit, with `systemctl reload-or-restart`, if one of these files or directories
    /// has changed since the unit started or reloaded.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_service("nginx").reload_after(["/etc/nginx"]);
    /// assert!(format!("{request:?}").contains("Reload"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn reload_after<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        self.map(|service| {
            service.on_change = OnChange::Reload;
            service.files.extend(paths.into_iter().map(Into::into));
        })
    }
}

impl ProbedResource for Service {
    fn label(&self) -> String {
        self.unit.clone()
    }

    fn check(&self) -> Result<(), Error> {
        check_name("unit", &self.unit, UNIT_CHARACTERS)?;
        match self.files.iter().find(|path| !path.starts_with('/')) {
            None => Ok(()),
            Some(path) => {
                let error = Error::new(ErrorKind::Usage, format!("`{path}` is not an absolute path"));
                Err(error.hint("`restart_after` and `reload_after` accept absolute paths"))
            }
        }
    }

    fn probe(&self, connection: &Connection) -> Command {
        let state = match self.state {
            ServiceState::Running => "running",
            ServiceState::Enabled => "enabled",
            ServiceState::Stopped => "stopped",
        };
        let action = match self.on_change {
            OnChange::Restart => "restart",
            OnChange::Reload => "reload",
        };
        let arguments = [&self.unit, state, action].into_iter().chain(self.files.iter().map(String::as_str));
        let script = with_arguments(arguments, PROBE);
        // Only root can read the times of all files.
        if self.files.is_empty() { connection.probe(script) } else { connection.sudo(script).probe() }
    }

    fn change(&self, connection: &Connection, differences: &[String]) -> Command {
        let unit = &self.unit;
        if self.state == ServiceState::Stopped {
            return connection.sudo(cmd!("systemctl disable --now --quiet {unit}"));
        }
        if self.state == ServiceState::Enabled {
            return connection.sudo(cmd!("systemctl daemon-reload && systemctl enable --quiet {unit}"));
        }
        let is_enablement = |difference: &&String| difference.starts_with("enablement: ");
        let mut change = cmd!("systemctl daemon-reload");
        // systemctl refuses to enable an alias or a generated unit, which the probe accepts.
        if differences.iter().any(|difference| is_enablement(&difference)) {
            change = change.and(cmd!("systemctl enable --quiet {unit}"));
        }
        if differences.iter().all(|difference| is_enablement(&difference)) {
            return connection.sudo(change);
        }
        let has_new_unit = differences.iter().any(|difference| difference.starts_with("unit file: "));
        let verb = match self.on_change {
            OnChange::Reload if !has_new_unit => "reload-or-restart",
            OnChange::Reload | OnChange::Restart => "restart",
        };
        // The status has the last lines of the journal. journald may still have to write them.
        let start = cmd!(
            "{{ systemctl {verb} {unit} && systemctl is-active {unit}; }} \
             || {{ code=$?; journalctl --sync; systemctl status --no-pager --lines=10 {unit} >&2; exit $code; }}"
        );
        connection.sudo(change.and(start))
    }
}
