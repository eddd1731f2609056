//! [`Requirement`]: a program or a unit that a deploy expects on its hosts.

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
