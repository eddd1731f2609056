//! The steps of a site for each phase of a deploy: build, once, restart, health check and others.

use crate::hooks::DeployPhase;
use crate::requirement::Requirement;
use crate::site::Site;
use crate::step::{DeployStep, Steps};

impl Site {
    /// Adds a step to build the release on each host, in the directory of the release. The old
    /// release is live meanwhile, so the step must change nothing outside the directory.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").build(|_| run("make"));
    /// assert!(format!("{site:?}").contains("build: 1 steps"));
    /// ```
    pub fn build(mut self, step: impl DeployStep) -> Self {
        self.build.push(self.scope.clone(), step);
        self
    }

    /// Adds a once-only step between the build on all hosts and the first switch: database
    /// migrations. The step runs on the first host, or on the first host of
    /// [`once_on`](Self::once_on).
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").once(|_| run("./migrate"));
    /// assert!(format!("{site:?}").contains("once: 1 steps"));
    /// ```
    pub fn once(mut self, step: impl DeployStep) -> Self {
        self.once.push(self.scope.clone(), step);
        self
    }

    /// Adds a step to restart or reload the services of a host. The services must load the release
    /// behind `current`.
    ///
    /// A service started by the step itself, without a service manager, must detach from the output
    /// of the step. Otherwise the step waits for the end of the service: `setsid env/bin/python
    /// app.py < /dev/null > ../../shared/app.log 2>&1 &`.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").restart(|_| sudo("systemctl reload shop"));
    /// assert!(format!("{site:?}").contains("restart: 1 steps"));
    /// ```
    #[doc(alias = "reload")]
    pub fn restart(mut self, step: impl DeployStep) -> Self {
        self.restart.push(self.scope.clone(), step);
        self
    }

    /// Adds a health check of each host, to run after the restart. A failed check reverts all
    /// switched hosts.
    ///
    /// ```
    /// use fabrs_deploy::{HealthCheck, Site};
    ///
    /// let site = Site::new("/srv/shop").health(HealthCheck::get("http://127.0.0.1:8000/health"));
    /// assert!(format!("{site:?}").contains("health: 1 steps"));
    /// ```
    #[doc(alias = "verify")]
    pub fn health(mut self, step: impl DeployStep) -> Self {
        self.health.push(self.scope.clone(), step);
        self
    }

    /// Adds a once-only step after the last health check, for changes incompatible with the old
    /// release. The step runs on the same host as [`once`](Self::once). A failure reverts nothing.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").post_deploy(|_| run("./drop-old-columns"));
    /// assert!(format!("{site:?}").contains("post_deploy: 1 steps"));
    /// ```
    #[doc(alias = "after")]
    pub fn post_deploy(mut self, step: impl DeployStep) -> Self {
        self.post_deploy.push(self.scope.clone(), step);
        self
    }

    /// Adds a step on each host after the removal of old releases, to remove files used only by
    /// those releases. A failure causes a warning only.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").cleanup(|_| run("docker image prune --force"));
    /// assert!(format!("{site:?}").contains("cleanup: 1 steps"));
    /// ```
    pub fn cleanup(mut self, step: impl DeployStep) -> Self {
        self.cleanup.push(self.scope.clone(), step);
        self
    }

    /// Adds a once-only step before a rollback. If the step fails, the rollback is refused. The
    /// step runs in the directory of the older release, on the same host as [`once`](Self::once).
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").rollback_check(|_| run("./supports-current-schema"));
    /// assert!(format!("{site:?}").contains("rollback_checks: 1 steps"));
    /// ```
    pub fn rollback_check(mut self, step: impl DeployStep) -> Self {
        self.rollback_checks.push(self.scope.clone(), step);
        self
    }

    /// Adds programs that the steps need on the hosts. A deploy is refused, before any change, if a
    /// host lacks a program. `git`, `tar` and `flock` are always checked.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").require_programs(["node", "npm"]);
    /// assert!(format!("{site:?}").contains("node"));
    /// ```
    pub fn require_programs<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        names.into_iter().fold(self, |site, name| site.require(Requirement::Program(name.into())))
    }

    /// Returns the steps between the build and the first switch, with their hooks.
    pub(crate) fn once_steps(&self) -> [&Steps; 3] {
        let hooks = self.hooks.of(DeployPhase::Once);
        [&hooks.before, &self.once, &hooks.after]
    }

    /// Returns all once-only steps of a deploy.
    pub(crate) fn all_once_steps(&self) -> [&Steps; 4] {
        let [before, once, after] = self.once_steps();
        [before, once, after, &self.post_deploy]
    }

    /// Adds a requirement for the hosts of the current scope.
    pub(crate) fn require(mut self, requirement: Requirement) -> Self {
        self.requirements.push((self.scope.clone(), requirement));
        self
    }
}
