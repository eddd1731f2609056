//! Blue-green: two sides on each host. A deploy prepares the idle side, and switches the balancer.

use fabrs::{Connection, Error, ErrorKind};

use crate::balancer::{Balancer, ConnectedBalancer, SharedBalancer};
use crate::release::BlueGreenSide;

/// Two sides on each host, blue and green, behind one balancer. One side is live, and the other is
/// idle.
///
/// A deploy starts and checks the release on the idle side, and measures the gates of the site
/// there. Then the balancer is switched to this side in one step. The old side stays running, so a
/// rollback only switches the balancer back.
///
/// - A failure before the switch leaves the live side untouched. A failure after the switch
///   switches the balancer back. In both cases, the side with the failed release is stopped.
/// - `current` links to the live release, and `blue` and `green` to the release of each side. The
///   unit `shop@.service` starts a side with `WorkingDirectory=/srv/shop/%i`.
/// - In a [`HealthCheck`](crate::HealthCheck), `{port}` and `{side}` stand for the side. Steps
///   read [`App::port`](crate::App::port) and [`App::side`](crate::App::side).
/// - After a failed deploy, services started by [`Site::restart`](crate::Site::restart) may still
///   run on the idle side. Only services of [`service`](Self::service) are stopped.
/// - All hosts are switched at once: batches and windows do not apply.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{BlueGreen, HaProxy, HealthCheck, Site};
///
/// let haproxy = HaProxy::socket("/run/haproxy/admin.sock").backend("shop").on(role("lb"));
/// let site = Site::new("/srv/shop")
///     .health(HealthCheck::get("http://127.0.0.1:{port}/health"))
///     .strategy(
///         BlueGreen::ports(8001, 8002)
///             .service("shop@{side}")
///             .worker("shop-worker@{side}")
///             .switch(haproxy),
///     );
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a strategy does nothing until `Site::strategy` adds it to a site"]
pub struct BlueGreen {
    blue: u16,
    green: u16,
    services: Vec<String>,
    workers: Vec<String>,
    balancer: Option<SharedBalancer>,
}

impl BlueGreen {
    /// Sets the ports of the blue and of the green side on each host.
    ///
    /// ```
    /// # use fabrs_deploy::BlueGreen;
    /// let strategy = BlueGreen::ports(8001, 8002);
    /// assert!(format!("{strategy:?}").contains("8002"));
    /// ```
    pub fn ports(blue: u16, green: u16) -> Self {
        Self { blue, green, services: Vec::new(), workers: Vec::new(), balancer: None }
    }

    /// Adds a systemd service of each side, restarted with sudo for a new release. `{side}` stands
    /// for the side, and `{port}` for its port. Other services are restarted by the steps of
    /// [`Site::restart`](crate::Site::restart).
    ///
    /// ```
    /// # use fabrs_deploy::BlueGreen;
    /// let strategy = BlueGreen::ports(8001, 8002).service("shop@{side}");
    /// assert!(format!("{strategy:?}").contains("shop@{side}"));
    /// ```
    pub fn service(mut self, unit: impl Into<String>) -> Self {
        self.services.push(unit.into());
        self
    }

    /// Adds a systemd service that runs on the live side only, such as a consumer of a queue. The
    /// worker of the old side is stopped directly after the switch.
    ///
    /// ```
    /// # use fabrs_deploy::BlueGreen;
    /// let strategy = BlueGreen::ports(8001, 8002).worker("shop-worker@{side}");
    /// assert!(format!("{strategy:?}").contains("shop-worker@{side}"));
    /// ```
    pub fn worker(mut self, unit: impl Into<String>) -> Self {
        self.workers.push(unit.into());
        self
    }

    /// Sets the balancer. A deploy without a balancer is refused.
    ///
    /// The default server names of [`HaProxy`](crate::HaProxy) are `web1-blue` and `web1-green`.
    /// Those of [`NginxUpstream`](crate::NginxUpstream) are `web1:8001` and `web1:8002`.
    ///
    /// ```
    /// # use fabrs_deploy::{BlueGreen, NginxUpstream};
    /// let nginx = NginxUpstream::file("/etc/nginx/conf.d/shop-upstream.conf").on(["lb1"]);
    /// let strategy = BlueGreen::ports(8001, 8002).switch(nginx);
    /// assert!(format!("{strategy:?}").contains("nginx upstream file"));
    /// ```
    pub fn switch(mut self, balancer: impl Balancer) -> Self {
        self.balancer = Some(SharedBalancer::new(balancer));
        self
    }

    /// Returns the balancer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] without a balancer.
    pub(crate) fn balancer(&self) -> Result<&SharedBalancer, Error> {
        self.balancer.as_ref().ok_or_else(|| {
            let error = Error::new(ErrorKind::Usage, "the blue-green strategy has no balancer");
            error.hint("set the balancer: `.switch(HaProxy::socket(..))`")
        })
    }

    /// Returns the error of an invalid setting.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.blue == self.green {
            let error = Error::new(ErrorKind::Usage, "both sides of the blue-green strategy have the same port");
            return Err(error.hint("set two different ports: `BlueGreen::ports(8001, 8002)`"));
        }
        self.balancer()?.check()
    }

    /// Returns the port of a side.
    pub(crate) fn port(&self, side: BlueGreenSide) -> u16 {
        match side {
            BlueGreenSide::Blue => self.blue,
            BlueGreenSide::Green => self.green,
        }
    }

    /// Returns the services of a side.
    pub(crate) fn services(&self, side: BlueGreenSide) -> Vec<String> {
        self.units(&self.services, side)
    }

    /// Returns the workers of a side.
    pub(crate) fn workers(&self, side: BlueGreenSide) -> Vec<String> {
        self.units(&self.workers, side)
    }

    fn units(&self, units: &[String], side: BlueGreenSide) -> Vec<String> {
        let port = self.port(side).to_string();
        units.iter().map(|unit| unit.replace("{side}", side.as_str()).replace("{port}", &port)).collect()
    }

    /// Returns the name of the server of a side.
    ///
    /// # Errors
    ///
    /// As [`Balancer::server_name`].
    pub(crate) fn server_name(
        &self,
        balancer: &ConnectedBalancer,
        host: &Connection,
        side: BlueGreenSide,
    ) -> Result<String, Error> {
        balancer.settings().side_server_name(host, side, self.port(side))
    }
}
