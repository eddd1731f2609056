//! [`Requirement`]: a program or a unit that a deploy expects on its hosts.

use crate::site::Site;

/// A program or a unit that a deploy expects on its hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// A program in the `PATH`.
    Program(String),
    /// A unit of systemd.
    Unit(String),
    /// A unit of the service manager of the login user.
    UserUnit(String),
}

impl Requirement {
    /// Returns the argument for `readiness.sh`.
    pub(crate) fn argument(&self) -> String {
        match self {
            Self::Program(name) => format!("program:{name}"),
            Self::Unit(name) => format!("unit:{name}"),
            Self::UserUnit(name) => format!("user-unit:{name}"),
        }
    }
}

impl Site {
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

    /// Adds a requirement for the hosts of the current scope.
    pub(crate) fn require(mut self, requirement: Requirement) -> Self {
        self.requirements.push((self.scope.clone(), requirement));
        self
    }
}
