//! [`SudoRefusal`]: the reason why sudo did not run a command, parsed from its messages.

use crate::config::SudoProgram;
use crate::controls::escape_all_controls;
use crate::error::{Error, ErrorKind};
use crate::host::Host;

/// The reason why sudo did not run a command: the source of an error of kind [`ErrorKind::Sudo`].
/// The command has not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SudoRefusal {
    /// sudo requires a password, and no password is available.
    #[error("a password is required")]
    PasswordNeeded,
    /// The password was wrong.
    #[error("the password is wrong")]
    PasswordWrong,
    /// The user is not allowed to run the command.
    #[error("{0}")]
    NotAllowed(String),
    /// The account or the password of the user has expired.
    #[error("{0}")]
    Expired(String),
    /// sudo requires a terminal (`requiretty`).
    #[error("a terminal is required (`requiretty`)")]
    NoTerminal,
    /// The host has no sudo or doas.
    #[error("sudo or doas is not installed on the host")]
    Missing,
    /// Any other message, for example for an unknown target user or group.
    #[error("{0}")]
    Other(String),
}

/// The messages of `sudo -n` for a missing password: of C sudo since 1.8, of older versions, and of
/// sudo-rs.
const PASSWORD_NEEDED: [&str; 3] = [
    "sudo: a password is required\n",
    "sudo: sorry, a password is required to run sudo\n",
    "sudo: interactive authentication is required\n",
];

impl SudoRefusal {
    /// Parses the output of a program in the C locale, printed before an exit without running the
    /// command.
    pub(super) fn parse(program: SudoProgram, text: &[u8]) -> Self {
        // A pty ends lines with CR LF.
        let text = &String::from_utf8_lossy(text).replace("\r\n", "\n");
        match program {
            SudoProgram::Sudo => Self::from_sudo(text),
            SudoProgram::Doas => Self::from_doas(text),
        }
    }

    fn from_doas(text: &str) -> Self {
        let text = text.trim();
        let last = text.lines().next_back().unwrap_or_default().trim();
        match last.strip_prefix("doas: ") {
            Some("Authentication required" | "Authorization required" | "a tty is required") => Self::PasswordNeeded,
            Some("Authentication failed" | "Authorization failed") => Self::PasswordWrong,
            Some("Operation not permitted") => Self::NotAllowed("Operation not permitted".to_owned()),
            Some("not found" | "command not found") => Self::Missing,
            _ if last.ends_with("doas: not found") || last.ends_with("doas: command not found") => Self::Missing,
            _ => Self::Other(first_line("doas: ", text)),
        }
    }

    fn from_sudo(text: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|words| text.contains(words));
        if has(&["password is expired", "account expired"]) {
            // Checked first: sudo then prompts for a new password, and fails with a second message.
            Self::Expired(first_line("sudo: ", text))
        } else if PASSWORD_NEEDED.iter().any(|needed| text.ends_with(needed)) {
            Self::PasswordNeeded
        } else if has(&["incorrect password attempt", "incorrect authentication attempt"]) {
            Self::PasswordWrong
        } else if let Some(line) = text.lines().find(|line| is_not_allowed(line)) {
            Self::NotAllowed(first_line("sudo: ", line))
        } else if has(&["you must have a tty", "no tty present"]) {
            Self::NoTerminal
        } else if has(&["sudo: not found", "sudo: command not found"]) {
            Self::Missing
        } else {
            Self::Other(first_line("sudo: ", text))
        }
    }

    /// Returns `true` if another password could help.
    pub(super) fn is_password_problem(&self) -> bool {
        matches!(self, Self::PasswordNeeded | Self::PasswordWrong)
    }

    /// Returns the error of a refused command.
    pub(super) fn into_error(self, program: SudoProgram, host: &Host, shown: &str) -> Error {
        let hint = match &self {
            Self::PasswordNeeded if program == SudoProgram::Doas => {
                "add `.pty()` to the command, since doas prompts only on a terminal, or allow the command with `permit nopass`"
            }
            Self::NotAllowed(_) if program == SudoProgram::Doas => {
                "add a rule for this command to `/etc/doas.conf` on the host"
            }
            Self::PasswordNeeded => {
                "set `--password-file FILE` or `FABRS_SUDO_PASSWORD`, or allow the command with `NOPASSWD`"
            }
            Self::PasswordWrong => "check that the password belongs to the login user",
            Self::NotAllowed(_) => {
                "list the allowed commands with `sudo -l` on the host, and add a rule for this command"
            }
            Self::Expired(_) => "log in interactively and set a new password",
            Self::NoTerminal => "add `.pty()` to the command, or `Defaults !requiretty` to sudoers",
            Self::Missing => "install sudo or doas on the host, or log in as root and use `run`",
            Self::Other(_) => "",
        };
        let error = Error::new(ErrorKind::Sudo, format!("{} did not run `{shown}`", program.name())).on(host);
        let error = if hint.is_empty() { error } else { error.hint(hint) };
        error.caused_by(self)
    }
}

/// Returns `true` if a line is sudo's message for a user without the right. The whole form is
/// compared, since the output of a command may also contain "not allowed".
fn is_not_allowed(line: &str) -> bool {
    (line.starts_with("Sorry, user ")
        && (line.contains(" is not allowed to execute '") || line.contains(" may not run sudo on ")))
        || line.contains(" is not in the sudoers file")
        || line.starts_with("sudo: I'm sorry ")
}

/// Returns the first non-empty line, without the name of the program. Control characters sent by a
/// server are escaped.
fn first_line(name: &str, text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.map_or("no message", |line| line.strip_prefix(name).unwrap_or(line));
    escape_all_controls(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case_of(program: SudoProgram, text: &str, expected: &SudoRefusal) {
        assert_eq!(SudoRefusal::parse(program, text.as_bytes()), *expected);
        assert_eq!(SudoRefusal::parse(program, text.replace('\n', "\r\n").as_bytes()), *expected, "on a pty");
    }

    #[track_caller]
    fn case(text: &str, expected: &SudoRefusal) {
        case_of(SudoProgram::Sudo, text, expected);
    }

    #[test]
    fn doas_messages_are_classified() {
        #[track_caller]
        fn case(text: &str, expected: &SudoRefusal) {
            case_of(SudoProgram::Doas, text, expected);
        }
        case("doas: Authentication required\n", &SudoRefusal::PasswordNeeded);
        case("doas: a tty is required\n", &SudoRefusal::PasswordNeeded);
        case("\ndoas: Authentication failed\n", &SudoRefusal::PasswordWrong);
        case("doas: Operation not permitted\n", &SudoRefusal::NotAllowed("Operation not permitted".to_owned()));
        case("bash: line 1: doas: command not found\n", &SudoRefusal::Missing);
        let off = "doas is not enabled, /etc/doas.conf: No such file or directory";
        case(&format!("doas: {off}\n"), &SudoRefusal::Other(off.to_owned()));
    }

    #[test]
    fn sudo_messages_are_classified() {
        case("sudo: a password is required\n", &SudoRefusal::PasswordNeeded);
        case(
            "sudo: unable to resolve host a: Name or service not known\nsudo: a password is required\n",
            &SudoRefusal::PasswordNeeded,
        );
        case("sudo: interactive authentication is required\n", &SudoRefusal::PasswordNeeded);
        case("Sorry, try again.\nsudo: 1 incorrect password attempt\n", &SudoRefusal::PasswordWrong);
        case("sudo: sorry, you must have a tty to run sudo\n", &SudoRefusal::NoTerminal);
        case("sh: 1: sudo: not found\n", &SudoRefusal::Missing);
        case("/bin/sh: 1: exec: sudo: not found\n", &SudoRefusal::Missing);
        case("/bin/sh: line 1: exec: sudo: not found\n", &SudoRefusal::Missing);
        case("bash: line 1: sudo: command not found\n", &SudoRefusal::Missing);
        let not_allowed = "Sorry, user ann is not allowed to execute '/bin/sh -c x' as root on web1.";
        case(&format!("{not_allowed}\n"), &SudoRefusal::NotAllowed(not_allowed.to_owned()));
        let expired = "Account or password is expired, reset your password and try again";
        case(&format!("sudo: {expired}\n"), &SudoRefusal::Expired(expired.to_owned()));
        let unknown = "ann is not in the sudoers file.";
        case(&format!("\n{unknown}\nThis incident has been reported.\n"), &SudoRefusal::NotAllowed(unknown.to_owned()));
        case("sudo: unknown user nobdy\n", &SudoRefusal::Other("unknown user nobdy".to_owned()));
        case("", &SudoRefusal::Other("no message".to_owned()));
    }

    #[test]
    fn control_characters_in_a_message_are_escaped() {
        case("sudo: \x1b[2Jgone\n", &SudoRefusal::Other("\\u{1b}[2Jgone".to_owned()));
    }
}
