//! [`ProcessEnv`]: the environment variables of this process, read once.

use std::ffi::OsString;
use std::path::PathBuf;

/// The environment variables of this process as plain values.
///
/// An empty variable counts as unset. [`Default`] is an empty environment, for tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessEnv {
    /// `FABRS_NO_INPUT`: prompts are not allowed (`--no-input`). Unset and `0` have no effect.
    pub no_input: bool,
    /// `FABRS_SSH_CONFIG`: the file to read in place of `~/.ssh/config` (`ssh -F`).
    pub ssh_config: Option<PathBuf>,
    /// `FABRS_SUDO_PASSWORD`: true if the variable is set. The password is read only when needed.
    pub has_sudo_password: bool,
    /// `NO_COLOR`: disables colours.
    pub no_color: bool,
    /// `CLICOLOR_FORCE`: enables colours, also without a terminal. Unset and `0` have no effect.
    pub force_color: bool,
    /// `TERM`: the type of the terminal. Unset and `dumb` disable progress bars and other control
    /// sequences.
    pub term: Option<String>,
    /// `HOME`: the directory of `.ssh`. Defaults to the home directory of the account.
    pub home: Option<PathBuf>,
    /// `USER`, with `LOGNAME` as a fallback: the default login user.
    pub user: Option<String>,
    /// `SSH_AUTH_SOCK`: the socket of the SSH agent.
    pub agent: Option<PathBuf>,
    /// `SHELL`: the user's shell. It runs the commands in `ssh_config`.
    pub shell: Option<String>,
}

impl ProcessEnv {
    /// The variable with a password for sudo.
    pub const SUDO_PASSWORD: &'static str = "FABRS_SUDO_PASSWORD";

    /// Reads the environment of this process.
    pub fn from_env() -> Self {
        let read = Self::read(|name| std::env::var_os(name));
        Self { home: read.home.or_else(dirs::home_dir), ..read }
    }

    /// Returns the current value of any variable, for example for `${NAME}` in `ssh_config`.
    pub fn get(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// Returns whether the terminal supports control sequences.
    pub fn has_capable_term(&self) -> bool {
        self.term.as_deref().is_some_and(|term| term != "dumb")
    }

    fn read(look_up: impl Fn(&str) -> Option<OsString>) -> Self {
        let value = |name: &str| look_up(name).filter(|value| !value.is_empty());
        // A name or a terminal type that is not UTF-8 can't be shown or sent, so it counts as
        // unset.
        let text = |name: &str| value(name).and_then(|value| value.into_string().ok());
        let path = |name: &str| value(name).map(PathBuf::from);
        let switch = |name: &str| value(name).is_some_and(|value| value != "0");
        Self {
            no_input: switch("FABRS_NO_INPUT"),
            ssh_config: path("FABRS_SSH_CONFIG"),
            has_sudo_password: value(Self::SUDO_PASSWORD).is_some(),
            no_color: value("NO_COLOR").is_some(),
            force_color: switch("CLICOLOR_FORCE"),
            term: text("TERM"),
            home: path("HOME"),
            user: text("USER").or_else(|| text("LOGNAME")),
            agent: path("SSH_AUTH_SOCK"),
            shell: text("SHELL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> ProcessEnv {
        ProcessEnv::read(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn every_variable_has_its_field() {
        let all = read(&[
            ("FABRS_NO_INPUT", "1"),
            ("FABRS_SSH_CONFIG", "/etc/fab/ssh"),
            ("FABRS_SUDO_PASSWORD", "secret"),
            ("NO_COLOR", "0"),
            ("CLICOLOR_FORCE", "1"),
            ("TERM", "xterm"),
            ("HOME", "/home/ann"),
            ("USER", "ann"),
            ("LOGNAME", "bob"),
            ("SSH_AUTH_SOCK", "/run/agent"),
            ("SHELL", "/bin/zsh"),
        ]);
        let expected = ProcessEnv {
            no_input: true,
            ssh_config: Some("/etc/fab/ssh".into()),
            has_sudo_password: true,
            // Every value except an empty value counts, see <https://no-color.org>.
            no_color: true,
            force_color: true,
            term: Some("xterm".to_owned()),
            home: Some("/home/ann".into()),
            user: Some("ann".to_owned()),
            agent: Some("/run/agent".into()),
            shell: Some("/bin/zsh".to_owned()),
        };
        assert_eq!(all, expected);
    }

    #[test]
    fn unset_empty_and_zero_variables_have_no_effect() {
        assert_eq!(read(&[]), ProcessEnv::default());
        let names = ["FABRS_NO_INPUT", "FABRS_SSH_CONFIG", "NO_COLOR", "CLICOLOR_FORCE", "TERM", "HOME", "USER"];
        assert_eq!(read(&names.map(|name| (name, ""))), ProcessEnv::default());
        assert_eq!(read(&[("FABRS_NO_INPUT", "0"), ("CLICOLOR_FORCE", "0")]), ProcessEnv::default());
    }

    #[test]
    fn logname_replaces_an_unset_user() {
        assert_eq!(read(&[("USER", ""), ("LOGNAME", "bob")]).user.as_deref(), Some("bob"));
    }

    #[test]
    fn a_dumb_or_missing_terminal_is_not_capable() {
        assert!(read(&[("TERM", "xterm-256color")]).has_capable_term());
        assert!(!read(&[("TERM", "dumb")]).has_capable_term());
        assert!(!read(&[]).has_capable_term());
    }
}
