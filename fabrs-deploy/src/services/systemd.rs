//! Services of systemd: reloaded or restarted with `systemctl`.

use fabrs::{Command, Connection, Error, Hide, cmd};

use crate::plugin::Plugin;
use crate::requirement::Requirement;
use crate::restart_command::RestartCommand;
use crate::service_log::ServiceLog;
use crate::site::Site;
use crate::step::App;

/// A service of systemd, reloaded or restarted with each release.
///
/// A stopped service is started. After the reload, the service must be active.
///
/// A system service needs sudo for two commands with the name of the service: `systemctl
/// is-active`, and `systemctl reload-or-restart` or `systemctl restart`. A deploy runs `is-active`
/// before any change, so a missing permission or password leaves all hosts unchanged.
///
/// ```
/// use fabrs_deploy::{Site, Systemd};
///
/// let site = Site::new("/srv/shop")
///     .with(Systemd::reload("shop"))
///     .with(Systemd::restart("shop-worker"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a service plugin does nothing until `Site::with` adds it to a site"]
pub struct Systemd {
    verb: &'static str,
    service: String,
    manager: ServiceManager,
}

/// The service manager: of the system, or of the login user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServiceManager {
    System,
    User,
}

impl Systemd {
    /// Reloads a service with `systemctl reload-or-restart`. Servers with a graceful reload lose no
    /// request. A service without `ExecReload` is restarted.
    ///
    /// ```
    /// # use fabrs_deploy::Systemd;
    /// assert!(format!("{:?}", Systemd::reload("shop")).contains("reload-or-restart"));
    /// ```
    pub fn reload(service: impl Into<String>) -> Self {
        Self { verb: "reload-or-restart", service: service.into(), manager: ServiceManager::System }
    }

    /// Restarts a service with `systemctl restart`. systemd kills the old process after
    /// `TimeoutStopSec`.
    ///
    /// ```
    /// # use fabrs_deploy::Systemd;
    /// assert!(format!("{:?}", Systemd::restart("shop-worker")).contains("restart"));
    /// ```
    pub fn restart(service: impl Into<String>) -> Self {
        Self { verb: "restart", service: service.into(), manager: ServiceManager::System }
    }

    /// Selects the service manager of the login user (`systemctl --user`), without sudo.
    ///
    /// ```
    /// # use fabrs_deploy::Systemd;
    /// let shop = Systemd::reload("shop").user_service();
    /// assert!(format!("{shop:?}").contains("manager: User"));
    /// ```
    pub fn user_service(mut self) -> Self {
        self.manager = ServiceManager::User;
        self
    }

    /// Checks that sudo allows `systemctl` for the service.
    async fn check(self, host: Connection) -> Result<(), Error> {
        match self.manager {
            // Before a first deploy, the service may be missing or inactive. Only a sudo error
            // fails the check.
            ServiceManager::System => self.command(&host, "is-active").warn().hide(Hide::Both).await.map(drop),
            ServiceManager::User => Ok(()),
        }
    }

    fn restart_command(&self) -> RestartCommand {
        let Self { verb, service, .. } = self;
        match self.manager {
            ServiceManager::System => RestartCommand::sudo(cmd!("systemctl {verb} {service}")),
            ServiceManager::User => RestartCommand::run(cmd!("systemctl --user {verb} {service}")),
        }
    }

    fn command(&self, host: &Connection, verb: &str) -> Command {
        let service = &self.service;
        match self.manager {
            ServiceManager::System => host.sudo(cmd!("systemctl {verb} {service}")),
            ServiceManager::User => host.run(cmd!("systemctl --user {verb} {service}")),
        }
    }
}

impl Plugin for Systemd {
    fn add_to(self, site: Site) -> Site {
        let name = self.service.clone();
        let (unit, log) = match self.manager {
            ServiceManager::System => (Requirement::Unit(name.clone()), ServiceLog::journal(name)),
            ServiceManager::User => (Requirement::UserUnit(name.clone()), ServiceLog::user_journal(name)),
        };
        let (check, restart, verify) = (self.clone(), self.restart_command(), self);
        site.require(unit)
            .log(log)
            .host_check(move |host| check.clone().check(host))
            .restart(restart)
            .health(move |app: App| verify.command(app.host(), "is-active"))
    }
}

#[cfg(test)]
mod tests {
    use fabrs::Client;
    use fabrs::transport::{Fake, FakeAnswer};

    use super::*;

    /// The test environment has no systemd, so a fake host checks the command lines.
    #[tokio::test]
    async fn a_service_is_reloaded_or_restarted_and_must_be_active() {
        let quiet = || FakeAnswer::stdout("");
        let fake = Fake::new()
            .on("systemctl --user reload-or-restart shop", quiet())
            .on("systemctl --user restart worker", quiet())
            .on("systemctl --user is-active shop", quiet())
            .on("systemctl --user is-active worker", FakeAnswer::code(3));
        let host = Client::builder().dial(fake).build().connect("web1").unwrap();
        let (shop, worker) = (Systemd::reload("shop").user_service(), Systemd::restart("worker").user_service());
        shop.command(&host, shop.verb).await.unwrap();
        worker.command(&host, worker.verb).await.unwrap();
        shop.command(&host, "is-active").await.unwrap();
        worker.command(&host, "is-active").await.unwrap_err();
    }
}
