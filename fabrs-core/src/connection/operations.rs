//! Makes commands: `run`, `sudo`, `v_run`, `probe`, `local`.

use std::panic::Location;

use super::command::Command;
use super::handle::Connection;
use super::spec::Privilege;
use crate::config::SudoProgram;
use crate::shell::{IntoShellLine, ShellLine};
use crate::transport::Effect;

impl Connection {
    /// Makes a command that may change something on the host.
    #[track_caller]
    pub fn run(&self, line: impl IntoShellLine) -> Command {
        Command::new(self.clone(), line.into_shell_line(), Effect::Changes, Location::caller())
    }

    /// Makes an interactive shell of the login, with the connection's directory and environment: this program's terminal is
    /// handed over to it until it ends, as with `ssh host`.
    ///
    /// # Errors
    ///
    /// When awaited, as [`Command::interactive`]. Its status, which is that of the last command typed, is none.
    #[track_caller]
    pub fn shell(&self) -> Command {
        let line = ShellLine::raw("exec \"${SHELL:-/bin/sh}\" -l");
        self.command(line, Effect::Changes, Location::caller()).named("a shell").interactive().warn()
    }

    /// Makes a command that only looks: it is executed in a dry run too.
    #[track_caller]
    pub fn probe(&self, line: impl IntoShellLine) -> Command {
        Command::new(self.clone(), line.into_shell_line(), Effect::Reads, Location::caller())
    }

    /// Makes a command that runs under sudo, as root unless [`Command::user`] or [`sudo_user`](Self::sudo_user) says
    /// otherwise.
    ///
    /// The whole line runs as that user, with the connection's directory, environment and prefixes. A line of
    /// plain words with nothing around it, and no pty, is given to sudo as it is, so that a rule for just that command allows it.
    ///
    /// Where sudo wants a password it is asked for once for all hosts of the run, or comes from where the settings say; it
    /// is written only after sudo's own prompt, and nothing of it is in the output. That sudo does not run the command is
    /// an error of kind [`Sudo`](crate::ErrorKind::Sudo) with a [`SudoRefusal`](super::SudoRefusal) as its source.
    #[track_caller]
    pub fn sudo(&self, line: impl IntoShellLine) -> Command {
        self.run(line).sudo()
    }

    /// Makes a command that only asks sudo whether the login may use it, and gives it the password where it wants one
    /// (`sudo --validate`): before a deploy begins, rather than in the middle of it. `#[task(sudo)]` does this for all hosts
    /// of a run.
    ///
    /// That some command is allowed does not mean that each is. Doas can't be asked: it is tried with `true`, on a pty, which
    /// its rules have to allow.
    ///
    /// # Errors
    ///
    /// When awaited, as [`sudo`](Self::sudo).
    #[track_caller]
    pub fn validate_sudo(&self) -> Command {
        let location = Location::caller();
        let command = self.command(ShellLine::raw(""), Effect::Changes, location);
        let command = command.internal_check().map_spec(|spec| spec.privilege = Privilege::Validation);
        // Doas reads a password from a terminal alone.
        if self.context.sudo().program == SudoProgram::Doas { command.pty() } else { command }
    }

    /// Makes a command that runs inside the virtualenv of the connection: [`venv`](Self::venv), or else the `virtualenv`
    /// that `fabrs.toml` names for the host or its environment.
    ///
    /// For all of the line `VIRTUAL_ENV` is set, the virtualenv's programs come first, and `PYTHONHOME` is unset, as by its
    /// `activate`. Where none was named, or none is there, the command fails and says what to do.
    #[track_caller]
    pub fn v_run(&self, line: impl IntoShellLine) -> Command {
        self.run(line).in_venv()
    }

    /// Makes a command of fabrs' own.
    pub(crate) fn command(&self, line: ShellLine, effect: Effect, location: &'static Location<'static>) -> Command {
        Command::new(self.clone(), line, effect, location)
    }

    /// Makes a command for this machine, whichever host the connection leads to.
    ///
    /// Settings for the host's commands never apply here. A connection with a directory or a variable of its own
    /// (`c.cd("src").local(..)`) is therefore an error of kind [`Usage`](crate::ErrorKind::Usage). Change the command instead:
    /// `local("make").cd("src")`, which is Fabric's `lcd`.
    #[track_caller]
    #[doc(alias = "lcd")]
    pub fn local(&self, line: impl IntoShellLine) -> Command {
        let command = Command::new(self.to_this_machine(), line.into_shell_line(), Effect::Changes, Location::caller());
        let context = self.context.clone();
        command.map_spec(|spec| spec.host_context = Some(Box::new(context)))
    }
}
