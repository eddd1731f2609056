//! The balancer in front of the hosts of a site.

use crate::balancer::{Balancer, SharedBalancer};
use crate::site::Site;
use crate::step::DeployStep;

/// # Balancers
///
/// A host leaves its balancer before the switch, and returns after its health check. A revert and a
/// rollback do the same. A host without a live release does not need to leave.
///
/// | call | balancer |
/// |---|---|
/// | `.balancer(HaProxy::socket(..))` | HAProxy, by its admin socket |
/// | `.balancer(NginxUpstream::file(..))` | nginx, by a configuration file |
/// | `.drain(..).undrain(..)` | others, by steps on each host |
impl Site {
    /// Sets the balancer in front of the hosts: [`HaProxy`](crate::HaProxy),
    /// [`NginxUpstream`](crate::NginxUpstream), or your own [`Balancer`].
    ///
    /// - A server drained by an operator before the deploy stays drained.
    /// - A deploy that would drain the last active server is refused. Set
    ///   [`rolling`](Self::rolling) or [`window`](Self::window), so that other hosts stay active.
    /// - A revert first returns the drained hosts, and then drains the other switched hosts. The
    ///   last active server is reverted without a drain, with a warning.
    /// - A host whose revert fails stays drained. The table of states lists the host.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{HaProxy, Site};
    ///
    /// let haproxy = HaProxy::socket("/run/haproxy/admin.sock").backend("shop").on(role("lb"));
    /// let site = Site::new("/srv/shop").rolling(1).balancer(haproxy);
    /// assert!(format!("{site:?}").contains("HAProxy backend shop"));
    /// ```
    pub fn balancer(mut self, balancer: impl Balancer) -> Self {
        self.balancer = Some(SharedBalancer::new(balancer));
        self
    }

    /// Adds a step to take a host out of its balancer, before the switch of the host. The step
    /// starts in the directory of the live release, and must end after the last request. Add
    /// [`undrain`](Self::undrain) as well.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// // The balancer requests `/health`. The application responds with 503 if the file exists.
    /// let site = Site::new("/srv/shop")
    ///     .rolling(1)
    ///     .drain(|_| run("touch ../../shared/drained && sleep 10"))
    ///     .undrain(|_| run("rm -f ../../shared/drained"));
    /// assert!(format!("{site:?}").contains("undrain: 1 steps"));
    /// ```
    pub fn drain(mut self, step: impl DeployStep) -> Self {
        self.drain.push(self.scope.clone(), step);
        self
    }

    /// Adds a step to return a host to its balancer, after the health check of the host. The step
    /// also runs after a failed or stopped [`drain`](Self::drain).
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop")
    ///     .rolling(1)
    ///     .drain(|_| run("balancerctl disable $(hostname)"))
    ///     .undrain(|_| run("balancerctl enable $(hostname)"));
    /// assert!(format!("{site:?}").contains("drain: 1 steps"));
    /// ```
    pub fn undrain(mut self, step: impl DeployStep) -> Self {
        self.undrain.push(self.scope.clone(), step);
        self
    }
}
