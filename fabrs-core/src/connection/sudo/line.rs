//! The command line that runs a command under sudo or doas.

use std::fmt::Write as _;

use super::password_prompt::PasswordPrompt;
use crate::config::SudoProgram;
use crate::secret::Redactor;
use crate::shell::{ShellLineError, is_plain, quote};

/// The options of a command under sudo. The default user is root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct SudoOptions {
    pub(crate) program: SudoProgram,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) login: bool,
    /// True if the environment of the login is kept.
    pub(crate) keeps_env: bool,
}

impl SudoOptions {
    /// Returns the connection methods for sudo options, each with `true` if the method was called.
    pub(crate) fn settings(&self) -> [(&'static str, bool); 3] {
        [("sudo_user", self.user.is_some()), ("sudo_group", self.group.is_some()), ("sudo_login", self.login)]
    }
}

/// A command line under sudo, for both kinds of authentication.
#[derive(Debug, Clone)]
pub(super) struct SudoLine {
    program: SudoProgram,
    /// The line for messages, as a person would type it.
    pub(super) shown: String,
    /// The arguments after the authentication options.
    arguments: String,
    /// The process started by sudo.
    pub(super) child: SudoChild,
}

/// The process started by sudo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SudoChild {
    /// A shell of fabrs, which reports the start of the command.
    Shell,
    /// The command itself, to match a sudo rule for exactly this command.
    Command,
    /// No process: sudo only checks the rights.
    None,
}

/// The authentication of sudo.
#[derive(Debug, Clone, Copy)]
pub(super) enum Authentication<'a> {
    /// Without a password (`sudo -n`). If sudo needs a password, sudo prints a message and exits.
    NonInteractive,
    /// With a password on stdin, after this prompt.
    Password(&'a PasswordPrompt),
}

/// The error of composing a line under sudo.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::connection) enum SudoError {
    #[error("doas cannot set a group")]
    Group,
    #[error("doas keeps the environment only if its rules contain `keepenv`")]
    Env,
    #[error(transparent)]
    Line(#[from] ShellLineError),
}

impl SudoOptions {
    /// Composes the command line for `line`. `is_bare` means that `line` has no context.
    ///
    /// A bare line of plain words is passed to sudo unchanged, to match a sudo rule for exactly
    /// this command. All other lines run inside one shell as the same user. This shell first writes
    /// `ready` to stderr.
    pub(super) fn elevate(&self, line: &str, is_bare: bool, ready: &str) -> Result<SudoLine, SudoError> {
        let program = self.program;
        let user = self.user_options()?;
        if is_bare && !self.login && is_plain(line) {
            let shown = format!("{} {user}{line}", program.name());
            return Ok(SudoLine { program, shown, arguments: format!("{user}-- {line}"), child: SudoChild::Command });
        }
        let shell = if self.login { "sh -lc" } else { "sh -c" };
        let shown = format!("{} {user}{shell} {}", program.name(), quote(line)?);
        // A login starts in the home of the user.
        let home = if self.login { "cd && " } else { "" };
        let (script, line) = (quote(&supervisor_script(ready, program))?.into_owned(), format!("{home}{line}"));
        let arguments = format!("{user}-- {shell} {script} sh \"$LC_ALL\" {}", quote(&line)?);
        Ok(SudoLine { program, shown, arguments, child: SudoChild::Shell })
    }

    /// Composes a line that checks the sudo rights of the user (`--validate`). Doas has no such
    /// check, so doas runs `true`.
    pub(super) fn validate(&self) -> Result<SudoLine, SudoError> {
        let arguments = match self.program {
            SudoProgram::Doas => format!("{}-- true", self.user_options()?),
            SudoProgram::Sudo => format!("{}-v", self.user_options()?.replace("-H ", "").replace("-E ", "")),
        };
        let shown = format!("{} {arguments}", self.program.name());
        Ok(SudoLine { program: self.program, shown, arguments, child: SudoChild::None })
    }

    /// Returns the options for the user and the group. sudo requires a `#` before a numeric id.
    fn user_options(&self) -> Result<String, SudoError> {
        let mut options = String::new();
        if self.program == SudoProgram::Doas {
            // Doas accepts plain numbers, and always sets the home of the target user.
            return match self {
                Self { group: Some(_), .. } => Err(SudoError::Group),
                Self { keeps_env: true, .. } => Err(SudoError::Env),
                Self { user: Some(user), .. } => Ok(format!("-u {} ", quote(user)?)),
                Self { user: None, .. } => Ok(options),
            };
        }
        for (option, name) in [("-u", &self.user), ("-g", &self.group)] {
            if let Some(name) = name {
                let is_id = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
                let name = if is_id { format!("#{name}") } else { name.clone() };
                let _infallible = write!(options, "{option} {} ", quote(&name)?);
            }
        }
        if self.keeps_env {
            options.push_str("-E ");
        }
        // Programs with files in the home should use the home of the target user.
        if self.login || self.user.is_some() {
            options.push_str("-H ");
        }
        Ok(options)
    }
}

impl SudoLine {
    /// Returns the line with another text for messages.
    pub(super) fn named(self, shown: &str) -> Self {
        Self { shown: shown.to_owned(), ..self }
    }

    /// Returns the line with secrets redacted in the text for messages.
    pub(super) fn redact(self, redactor: &Redactor) -> Self {
        Self { shown: redactor.text(&self.shown).into_owned(), ..self }
    }

    /// Returns the whole script. `exec` replaces the shell by sudo, since sshd forwards no signals
    /// after the end of the login shell.
    ///
    /// The language of sudo is set to `C`, so that fabrs can parse the messages. The shell under
    /// sudo restores the language for the command. Plain words run without this shell, so only the
    /// language of messages is changed (`LC_MESSAGES`).
    pub(super) fn command_line(&self, authentication: Authentication<'_>) -> String {
        let language = if self.child == SudoChild::Command { "LC_MESSAGES=C" } else { "LC_ALL=C" };
        let name = self.program.name();
        match authentication {
            Authentication::NonInteractive => format!("{language} exec {name} -n {}", self.arguments),
            // `-k`: with a valid ticket sudo would not prompt, and the command would read the
            // password.
            Authentication::Password(PasswordPrompt::Marker(marker)) => {
                format!("{language} exec {name} -k -S -p {marker} {}", self.arguments)
            }
            Authentication::Password(PasswordPrompt::Doas) => format!("exec {name} {}", self.arguments),
        }
    }
}

/// Returns a script to run a line under sudo with support for signals. The arguments are the
/// language of the login, and the line.
///
/// sudo forwards TERM only to the child process, and no process can forward KILL. The script
/// therefore ends the whole process group. If the script receives TERM, the group receives TERM. If
/// the script receives HUP, the group receives KILL. Then the script waits for the end of the
/// command. Other signals are forwarded, except on a terminal: a terminal sends signals to the
/// whole group.
///
/// Doas forwards only TERM, and stays for two seconds after the end of the child process. Under
/// doas, the script therefore sends KILL itself after TERM, and then ends doas.
///
/// The script is POSIX, tested with dash, bash and busybox. Background commands read `/dev/null`,
/// so the script passes stdin as descriptor 3. Background commands also ignore INT and QUIT. In
/// bash, `trap` restores these signals. Other shells need an `env` with `--default-signal`
/// (coreutils 8.31).
fn supervisor_script(ready: &str, program: SudoProgram) -> String {
    const RESET: &str = "env --default-signal=INT --default-signal=QUIT";
    // The marker is printed in two halves: sudo may print the whole script in a refusal, and this
    // text must not count as a start.
    let (first_half, second_half) = ready.split_at(ready.len() / 2);
    let (after_term, before_exit) = match program {
        SudoProgram::Sudo => ("", ""),
        // Some versions of doas `exec` the command: the parent then belongs to the login and must
        // not be killed.
        SudoProgram::Doas => (
            "; { sleep 1; kill -KILL 0; } >/dev/null 2>&1 & fabrs_ends=1",
            "if [ -n \"$fabrs_ends\" ] && read -r c </proc/$PPID/comm && [ \"$c\" = doas ]; \
             then kill -KILL $PPID; fi 2>/dev/null; ",
        ),
    };
    format!(
        "if [ -n \"$1\" ]; then LC_ALL=$1; export LC_ALL; else unset LC_ALL; fi; printf %s%s {first_half} {second_half} >&2; \
         exec 3<&0; \
         trap 'trap \"\" TERM; kill -TERM 0{after_term}' TERM; trap 'kill -KILL 0' HUP; \
         {{ trap - INT QUIT TERM HUP; \
         if [ -z \"$BASH_VERSION\" ] && {RESET} true 2>/dev/null; then exec {RESET} sh -c \"$2\"; fi; \
         exec sh -c \"$2\"; }} <&3 3<&- & p=$!; pass() {{ trap '' $1; kill -$1 0; trap \"pass $1\" $1; }}; \
         for s in INT QUIT ALRM USR1 USR2; do \
         if [ -t 0 ]; then trap '' $s; else trap \"pass $s\" $s; fi; done; \
         exec 3<&-; wait $p; s=$?; \
         while kill -0 $p 2>/dev/null; do wait $p; s=$?; done; {before_exit}exit $s"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_user(user: &str) -> SudoOptions {
        SudoOptions { user: Some(user.to_owned()), ..SudoOptions::default() }
    }

    #[track_caller]
    fn words(sudo: &SudoOptions, line: &str, is_bare: bool) -> Vec<String> {
        let line = sudo.elevate(line, is_bare, "READY").unwrap();
        shlex::split(&line.command_line(Authentication::NonInteractive)).unwrap()
    }

    #[test]
    fn plain_words_are_passed_to_sudo_unchanged() {
        assert_eq!(
            words(&SudoOptions::default(), "systemctl reload shop", true),
            ["LC_MESSAGES=C", "exec", "sudo", "-n", "--", "systemctl", "reload", "shop"]
        );
        let line = SudoOptions::default()
            .elevate("id -un", true, "READY")
            .unwrap()
            .command_line(Authentication::Password(&PasswordPrompt::Marker("marker".to_owned())));
        assert_eq!(line, "LC_MESSAGES=C exec sudo -k -S -p marker -- id -un");
    }

    #[test]
    fn all_other_lines_run_in_one_shell() {
        for (line, is_bare) in [("id -un && id -un", true), ("cd /srv", true), ("id -un", false)] {
            let words = words(&as_user("www"), line, is_bare);
            assert_eq!(words[..9], ["LC_ALL=C", "exec", "sudo", "-n", "-u", "www", "-H", "--", "sh"], "{line}");
            assert_eq!(words[11..], ["sh", "$LC_ALL", line], "{line}");
        }
    }

    #[test]
    fn user_and_group_may_be_numbers_or_contain_spaces() {
        let sudo = SudoOptions { user: Some("1001".into()), group: Some("a b".into()), ..SudoOptions::default() };
        let line = sudo.elevate("id", true, "READY").unwrap();
        assert_eq!(line.shown, "sudo -u '#1001' -g 'a b' -H id");
        let keeps = SudoOptions { keeps_env: true, ..SudoOptions::default() };
        assert_eq!(keeps.elevate("id", true, "READY").unwrap().shown, "sudo -E id");
        let doas = SudoOptions { program: SudoProgram::Doas, user: Some("1001".into()), ..SudoOptions::default() };
        assert_eq!(doas.elevate("id", true, "READY").unwrap().shown, "doas -u 1001 id");
        let login = SudoOptions { login: true, ..as_user("www") };
        assert_eq!(login.elevate("id", true, "READY").unwrap().shown, "sudo -u www -H sh -lc id");
    }
}
