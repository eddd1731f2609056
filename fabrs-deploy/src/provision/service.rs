//! [`Service`]: a unit of systemd.

use fabrs::{Command, Connection, Error, cmd};
use futures::future::{BoxFuture, FutureExt};

use super::account_name::check_name;
use super::request::EnsureRequest;
use super::resource::{ProbedResource, ensure, sealed};
use super::resource_changes::ResourceChanges;
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
    ///
    /// The comparison uses the time of the last status change (ctime). So a run that ended between
    /// the change of a file and the restart is completed by the next run.
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

impl sealed::Resource for Service {
    fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>> {
        async move { Ok(ensure(&connection, &self).await?.into()) }.boxed()
    }
}

impl ProbedResource for Service {
    fn label(&self) -> String {
        self.unit.clone()
    }

    fn check(&self) -> Result<(), Error> {
        check_name("unit", &self.unit, UNIT_CHARACTERS)
    }

    fn probe(&self, connection: &Connection) -> Command {
        let state = match self.state {
            ServiceState::Running => "running",
            ServiceState::Stopped => "stopped",
        };
        let since = match self.on_change {
            OnChange::Restart => "ActiveEnterTimestamp",
            OnChange::Reload => "StateChangeTimestamp",
        };
        let arguments = [&self.unit, state, since].into_iter().chain(self.files.iter().map(String::as_str));
        connection.probe(with_arguments(arguments, PROBE))
    }

    fn change(&self, connection: &Connection, differences: &[String]) -> Command {
        let unit = &self.unit;
        if self.state == ServiceState::Stopped {
            return connection.sudo(cmd!("systemctl disable --now --quiet {unit}"));
        }
        let enable = cmd!("systemctl daemon-reload && systemctl enable --quiet {unit}");
        if differences.iter().all(|difference| difference.starts_with("enablement: ")) {
            return connection.sudo(enable);
        }
        let verb = match self.on_change {
            OnChange::Restart => "restart",
            OnChange::Reload => "reload-or-restart",
        };
        connection.sudo(enable.and(cmd!("systemctl {verb} {unit} && systemctl is-active {unit}")))
    }
}
