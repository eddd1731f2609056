//! Services of systemd.

use fabrs::{Command, Connection, Error, Hide, cmd};

use crate::plugin::Plugin;
use crate::site::Site;
use crate::step::App;

/// A service of systemd: told to take up each release, and looked at afterwards.
///
/// A service that does not run is started. A service of the system needs sudo for just these commands, with the name of the
/// service: `systemctl reload-or-restart`, or `systemctl restart`, and `systemctl is-active`. The last one is tried before a
/// deploy changes anything, so that a missing right or password is an error then.
///
/// ```
/// use fabrs_deploy::{Site, Systemd};
///
/// let site = Site::new("/srv/shop").with(Systemd::reload("shop")).with(Systemd::restart("shop-worker"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until a site has it"]
pub struct Systemd {
    verb: &'static str,
    service: String,
    manager: ServiceManager,
}

/// Whose service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServiceManager {
    System,
    User,
}

impl Systemd {
    /// Reloads a service (`systemctl reload-or-restart`): its own way to take up another release, without a request lost.
    pub fn reload(service: impl Into<String>) -> Self {
        Self { verb: "reload-or-restart", service: service.into(), manager: ServiceManager::System }
    }

    /// Restarts a service: a worker, which has its `TimeoutStopSec` to end what it is at.
    pub fn restart(service: impl Into<String>) -> Self {
        Self { verb: "restart", service: service.into(), manager: ServiceManager::System }
    }

    /// Takes it for a service of the login's own (`systemctl --user`).
    pub fn user_service(mut self) -> Self {
        self.manager = ServiceManager::User;
        self
    }

    /// Checks that sudo lets a host be asked for the service.
    async fn check(self, host: Connection) -> Result<(), Error> {
        match self.manager {
            // What it says of a service that is not there yet is no failure; that sudo refuses is one.
            ServiceManager::System => self.command(&host, "is-active").warn().hide(Hide::Both).await.map(drop),
            ServiceManager::User => Ok(()),
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
        let (check, reload, verify) = (self.clone(), self.clone(), self);
        site.host_check(move |host| check.clone().check(host))
            .restart(move |app: App| reload.command(app.host(), reload.verb))
            .health(move |app: App| verify.command(app.host(), "is-active"))
    }
}

#[cfg(test)]
mod tests {
    use fabrs::Client;
    use fabrs::transport::{Fake, FakeAnswer};

    use super::*;

    /// There is no systemd where tests run: that these are its own words is all that can be seen here.
    #[tokio::test]
    async fn a_service_is_reloaded_or_started_and_must_be_active_then() {
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
