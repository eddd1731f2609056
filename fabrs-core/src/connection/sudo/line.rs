//! The line that runs a command under sudo.

use std::fmt::Write as _;

use super::prompt::PasswordPrompt;
use crate::config::SudoProgram;
use crate::secret::Redactor;
use crate::shell::{ShellLineError, is_plain, quote};

/// As whom a command runs under sudo; root unless something is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sudo {
    pub(crate) program: SudoProgram,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) login: bool,
    /// Whether the environment of the login is kept.
    pub(crate) keeps_env: bool,
}

impl Sudo {
    /// Returns the methods of a connection that change how sudo runs commands, each with whether it was called.
    pub(crate) fn settings(&self) -> [(&'static str, bool); 3] {
        [("sudo_user", self.user.is_some()), ("sudo_group", self.group.is_some()), ("sudo_login", self.login)]
    }
}

/// A line under sudo, in both ways to run it.
#[derive(Debug, Clone)]
pub(super) struct SudoLine {
    program: SudoProgram,
    /// What is shown: as it could be typed.
    pub(super) shown: String,
    /// What sudo is given arguments its own options.
    arguments: String,
    /// What sudo child.
    pub(super) child: SudoChild,
}

/// What sudo child, once it lets somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SudoChild {
    /// A shell of ours, which tells when the command begins.
    Shell,
    /// The command itself, for which there may be a rule of its own.
    Command,
    /// Nothing: it only says whether it would.
    None,
}

/// How sudo is to come by a password.
#[derive(Debug, Clone, Copy)]
pub(super) enum Authentication<'a> {
    /// Not at all: where it needs one it says so and ends.
    NonInteractive,
    /// On its standard input, after this prompt.
    Password(&'a PasswordPrompt),
}

/// Says why a command can't be run under sudo.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::connection) enum SudoError {
    #[error("doas runs nothing in a group of its own")]
    Group,
    #[error("doas keeps the environment only by its own rules (`keepenv`)")]
    Env,
    #[error(transparent)]
    Line(#[from] ShellLineError),
}

impl Sudo {
    /// Composes the line that runs `line`, which `is_bare` says has nothing around it.
    ///
    /// A is_bare line of plain words is given to sudo as they are, so that a rule for just this command matches. Any other
    /// runs inside one shell, all of it as the same user; that shell writes `ready` to stderr before anything else.
    pub(super) fn elevate(&self, line: &str, is_bare: bool, ready: &str) -> Result<SudoLine, SudoError> {
        let program = self.program;
        let user = self.user_options()?;
        if is_bare && !self.login && is_plain(line) {
            let shown = format!("{} {user}{line}", program.name());
            return Ok(SudoLine { program, shown, arguments: format!("{user}-- {line}"), child: SudoChild::Command });
        }
        let shell = if self.login { "sh -lc" } else { "sh -c" };
        let shown = format!("{} {user}{shell} {}", program.name(), quote(line)?);
        // A login begins at home.
        let home = if self.login { "cd && " } else { "" };
        let (script, line) = (quote(&supervisor_script(ready, program))?.into_owned(), format!("{home}{line}"));
        let arguments = format!("{user}-- {shell} {script} sh \"$LC_ALL\" {}", quote(&line)?);
        Ok(SudoLine { program, shown, arguments, child: SudoChild::Shell })
    }

    /// Composes the line that asks sudo whether the user may do anything under it (`--validate`). Doas can't be asked: it
    /// has to do something.
    pub(super) fn validate(&self) -> Result<SudoLine, SudoError> {
        let arguments = match self.program {
            SudoProgram::Doas => format!("{}-- true", self.user_options()?),
            SudoProgram::Sudo => format!("{}-v", self.user_options()?.replace("-H ", "").replace("-E ", "")),
        };
        let shown = format!("{} {arguments}", self.program.name());
        Ok(SudoLine { program: self.program, shown, arguments, child: SudoChild::None })
    }

    /// Returns the options that say as whom; a number is an id, which sudo wants marked.
    fn user_options(&self) -> Result<String, SudoError> {
        let mut options = String::new();
        if self.program == SudoProgram::Doas {
            // It takes numbers as they are, and always has the home of the other user.
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
        // The home of another user's, for all that keeps something there.
        if self.login || self.user.is_some() {
            options.push_str("-H ");
        }
        Ok(options)
    }
}

impl SudoLine {
    /// Returns it under another name.
    pub(super) fn named(self, shown: &str) -> Self {
        Self { shown: shown.to_owned(), ..self }
    }

    /// Returns it without what must not be shown.
    pub(super) fn redact(self, redactor: &Redactor) -> Self {
        Self { shown: redactor.text(&self.shown).into_owned(), ..self }
    }

    /// Returns the whole script. `exec` replaces the shell by sudo: sshd sends no signals once the shell that it started has
    /// ended.
    ///
    /// sudo's own messages are read, so they must be in the language that is known; the command gets its own back, from
    /// the script's argument. For plain words there is nobody to give it back, so only the messages' language is changed.
    pub(super) fn command_line(&self, authentication: Authentication<'_>) -> String {
        let language = if self.child == SudoChild::Command { "LC_MESSAGES=C" } else { "LC_ALL=C" };
        let name = self.program.name();
        match authentication {
            Authentication::NonInteractive => format!("{language} exec {name} -n {}", self.arguments),
            // `-k`: with a ticket that is still good it would not ask, and what is written would go to the command.
            Authentication::Password(PasswordPrompt::Marker(marker)) => {
                format!("{language} exec {name} -k -S -p {marker} {}", self.arguments)
            }
            Authentication::Password(PasswordPrompt::Doas) => format!("exec {name} {}", self.arguments),
        }
    }
}

/// Returns the script that runs a line under sudo and can be ended: its arguments are the language of the login, and the line.
///
/// sudo passes TERM on to its child alone, and nobody can pass KILL on: so the script ends its whole group at TERM, with
/// KILL at HUP, and waits until the command is gone. What else it is sent it passes on, unless there is a keyboard, which
/// sends it to all of the group. Doas passes nothing else on than TERM, and then stays for two seconds whatever becomes of
/// its child: so there KILL follows by itself, and the end of doas the command's.
///
/// It is POSIX, tried with dash, bash and busybox. Asynchronous lists get `/dev/null` for input, hence descriptor 3; and they
/// ignore INT and QUIT, which bash takes back by `trap`, and others by an `env` that can (coreutils 8.31).
fn supervisor_script(ready: &str, program: SudoProgram) -> String {
    const RESET: &str = "env --default-signal=INT --default-signal=QUIT";
    // In two parts: sudo may show the whole script when it refuses it, and that is no beginning.
    let (first_half, second_half) = ready.split_at(ready.len() / 2);
    let (after_term, before_exit) = match program {
        SudoProgram::Sudo => ("", ""),
        // Not every doas stays: then the parent is the login's, and nobody's to end.
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

    fn as_user(user: &str) -> Sudo {
        Sudo { user: Some(user.to_owned()), ..Sudo::default() }
    }

    #[track_caller]
    fn words(sudo: &Sudo, line: &str, is_bare: bool) -> Vec<String> {
        let line = sudo.elevate(line, is_bare, "READY").unwrap();
        shlex::split(&line.command_line(Authentication::NonInteractive)).unwrap()
    }

    #[test]
    fn plain_words_are_passed_to_sudo_unchanged() {
        assert_eq!(
            words(&Sudo::default(), "systemctl reload shop", true),
            ["LC_MESSAGES=C", "exec", "sudo", "-n", "--", "systemctl", "reload", "shop"]
        );
        let line = Sudo::default()
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
        let sudo = Sudo { user: Some("1001".into()), group: Some("a b".into()), ..Sudo::default() };
        let line = sudo.elevate("id", true, "READY").unwrap();
        assert_eq!(line.shown, "sudo -u '#1001' -g 'a b' -H id");
        let keeps = Sudo { keeps_env: true, ..Sudo::default() };
        assert_eq!(keeps.elevate("id", true, "READY").unwrap().shown, "sudo -E id");
        let doas = Sudo { program: SudoProgram::Doas, user: Some("1001".into()), ..Sudo::default() };
        assert_eq!(doas.elevate("id", true, "READY").unwrap().shown, "doas -u 1001 id");
        let login = Sudo { login: true, ..as_user("www") };
        assert_eq!(login.elevate("id", true, "READY").unwrap().shown, "sudo -u www -H sh -lc id");
    }
}
