//! [`RestartCommand`]: a restart step that a host can also run without the run.

use fabrs::{IntoShellLine, ShellLine, cmd};

/// A shell command that restarts the services of a host: a restart step for
/// [`Site::restart`](crate::Site::restart).
///
/// A closure exists only in the process of the run. A `RestartCommand` is text, so a host can run
/// it by itself: see [`Site::revert_unless_confirmed`](crate::Site::revert_unless_confirmed). The
/// host runs the text with `sh`, without the environment, prefixes and `PATH` of the connection.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{RestartCommand, Site};
///
/// let site = Site::new("/srv/shop")
///     .restart(RestartCommand::sudo("service shop reload"))
///     .revert_unless_confirmed(mins(5));
/// # drop(site);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a restart command does nothing until `Site::restart` adds it to a site"]
pub struct RestartCommand {
    pub(crate) line: ShellLine,
    pub(crate) user: RestartUser,
    /// The name of the command in the output of a run.
    pub(crate) name: Option<String>,
}

/// The user of a restart command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestartUser {
    /// The login user.
    Login,
    /// Root, with sudo.
    Root,
}

impl RestartCommand {
    /// Creates a command of the login user, in the directory of the release.
    ///
    /// ```
    /// use fabrs_deploy::RestartCommand;
    ///
    /// let restart = RestartCommand::run("touch ../../shared/reload");
    /// assert!(format!("{restart:?}").contains("touch"));
    /// ```
    pub fn run(line: impl IntoShellLine) -> Self {
        Self { line: line.into_shell_line(), user: RestartUser::Login, name: None }
    }

    /// Creates a command under sudo, outside the directory of the release. A line of plain words is
    /// passed to sudo unchanged, to match a sudo rule for exactly this command.
    ///
    /// ```
    /// use fabrs_deploy::RestartCommand;
    ///
    /// let restart = RestartCommand::sudo("service shop reload");
    /// assert!(format!("{restart:?}").contains("Root"));
    /// ```
    pub fn sudo(line: impl IntoShellLine) -> Self {
        Self { user: RestartUser::Root, ..Self::run(line) }
    }

    /// Sets the name of the command in the output of a run.
    pub(crate) fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Returns the command as text for `sh`, without a prompt for a password.
    pub(crate) fn host_line(&self) -> String {
        match self.user {
            RestartUser::Login => format!("(\n{}\n)", self.line.as_str()),
            RestartUser::Root => format!("sudo -n {}", self.sudo_arguments()),
        }
    }

    /// Returns the program and the arguments of sudo. A line with shell syntax runs in a shell.
    pub(crate) fn sudo_arguments(&self) -> String {
        let line = self.line.as_str();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " _./:=@%+,-".contains(c);
        // Single quotes, as written by `cmd!`, disable all shell syntax.
        if line.split('\'').step_by(2).all(|outside| outside.chars().all(is_plain)) {
            return line.to_owned();
        }
        cmd!("sh -c {line}").as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_passed_to_sudo_unchanged_and_other_lines_run_in_a_shell() {
        let name = "a shop";
        for (line, expected) in [
            (RestartCommand::sudo("systemctl restart shop"), "sudo -n systemctl restart shop"),
            (RestartCommand::sudo(cmd!("systemctl restart {name}")), "sudo -n systemctl restart 'a shop'"),
            (RestartCommand::sudo("a && b"), "sudo -n sh -c 'a && b'"),
            (RestartCommand::run("a && b # c"), "(\na && b # c\n)"),
        ] {
            assert_eq!(line.host_line(), expected);
        }
    }
}
