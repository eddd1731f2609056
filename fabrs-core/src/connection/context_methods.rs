//! What stands around commands: those of a connection, of which each change makes another one, and a single one.

use super::command::Command;
use super::handle::Connection;
use super::input_values::EnvValue;
use super::spec::Privilege;
use crate::config::SudoProgram;
use crate::shell::IntoShellLine;

impl Connection {
    /// Returns a connection whose commands run in `directory`; a relative one is taken from the directory so far.
    ///
    /// A leading `~/` is the remote user's home.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn cd(&self, directory: impl AsRef<str>) -> Self {
        self.map_context(|context| context.cd(directory.as_ref()))
    }

    /// Returns a connection whose commands have the variable `name`, with exactly `value` in it.
    ///
    /// A text is part of the command line, which whoever can list processes on the host can read; a [`Secret`](crate::Secret) is not: each
    /// command reads it from its standard input, before what it was given to read, which a command on a pty can't.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn env(&self, name: impl Into<String>, value: impl Into<EnvValue>) -> Self {
        self.map_context(|context| context.env(name.into(), value.into()))
    }

    /// Returns a connection whose commands look in `folder` for programs before everywhere else. A leading `~/` is the
    /// remote user's home.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn path(&self, folder: impl Into<String>) -> Self {
        self.map_context(|context| context.path(folder.into()))
    }

    /// Returns a connection whose commands make files without the permissions in `mask`: `0o027`.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn umask(&self, mask: u32) -> Self {
        self.map_context(|context| context.umask(mask))
    }

    /// Returns a connection whose commands, with all that stands around them, are run by `shell`: a program with its options,
    /// as in `bash -l -c`. `shell` in `fabrs.toml` says so for a host or an environment; by default it is the shell of the
    /// login, as `sshd` starts it.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn with_shell(&self, shell: impl Into<String>) -> Self {
        self.map_context(|context| context.shell(shell.into()))
    }

    /// Returns a connection that runs `line` before each command, in the same shell; the command runs where it succeeds.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn prefix(&self, line: impl IntoShellLine) -> Self {
        self.map_context(|context| context.prefix(line.into_shell_line()))
    }

    /// Returns a connection with a virtualenv for its [`v_run`](Self::v_run). A relative folder is taken from the directory
    /// so far.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn venv(&self, folder: impl AsRef<str>) -> Self {
        self.map_context(|context| context.venv(folder.as_ref()))
    }

    /// Returns a connection whose commands under [`sudo`](Self::sudo) run by this program. By default the one that
    /// `fabrs.toml` names for the host.
    ///
    /// Doas has no [`sudo_group`](Self::sudo_group) and no [`Command::keep_env`]: a command with one of them is an error of
    /// kind [`Usage`](crate::ErrorKind::Usage). A password it reads from a terminal alone, so that a command which needs one
    /// has to say [`Command::pty`].
    #[must_use = "a connection is a value: the changed one is returned"]
    #[doc(alias = "doas")]
    pub fn with_sudo(&self, program: SudoProgram) -> Self {
        self.map_context(|context| context.sudo_mut().program = program)
    }

    /// Returns a connection whose commands under sudo run as this user, by name or number.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn sudo_user(&self, user: impl Into<String>) -> Self {
        self.map_context(|context| context.sudo_mut().user = Some(user.into()))
    }

    /// Returns a connection whose commands under sudo run as a login would: in the user's home, with the user's profile.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn sudo_login(&self) -> Self {
        self.map_context(|context| context.sudo_mut().login = true)
    }

    /// Returns a connection whose commands under sudo run in this group, by name or number.
    #[must_use = "a connection is a value: the changed one is returned"]
    pub fn sudo_group(&self, group: impl Into<String>) -> Self {
        self.map_context(|context| context.sudo_mut().group = Some(group.into()))
    }
}

impl Command {
    /// Runs the command under sudo as this user, by name or number; as root by default.
    ///
    /// Of a command that is not under [`sudo`](Self::sudo) it is an error: that would run as somebody else.
    pub fn user(self, user: impl Into<String>) -> Self {
        self.map_sudo("user", |connection| connection.sudo_user(user))
    }

    /// Runs the command under sudo in this group, by name or number.
    ///
    /// Of a command that is not under [`sudo`](Self::sudo) it is an error: that would run as somebody else.
    pub fn group(self, group: impl Into<String>) -> Self {
        self.map_sudo("group", |connection| connection.sudo_group(group))
    }

    /// Runs the command under sudo as a login would: in the user's home, with the user's profile (`sudo -i`).
    ///
    /// Of a command that is not under [`sudo`](Self::sudo) it is an error: that would run as somebody else.
    pub fn login(self) -> Self {
        self.map_sudo("login", Connection::sudo_login)
    }

    /// Lets the command under sudo keep the environment of the login (`sudo -E`), where the rules allow that. What
    /// [`env`](Self::env) says is there in any case.
    ///
    /// Of a command that is not under [`sudo`](Self::sudo) it is an error: it has that environment anyway.
    pub fn keep_env(self) -> Self {
        self.map_sudo("keep_env", |connection| connection.map_context(|context| context.sudo_mut().keeps_env = true))
    }

    /// Runs the command under sudo, as [`Connection::sudo`] does: `v_run("..").sudo()` is inside the virtualenv too.
    pub fn sudo(self) -> Self {
        self.map_spec(|spec| spec.privilege = Privilege::Sudo)
    }

    /// Runs the command in this directory: [`Connection::cd`].
    pub fn cd(self, directory: impl AsRef<str>) -> Self {
        self.map_connection(|connection| connection.cd(directory))
    }

    /// Looks in this folder for programs first: [`Connection::path`].
    pub fn path(self, folder: impl Into<String>) -> Self {
        self.map_connection(|connection| connection.path(folder))
    }

    /// Has the command make files without these permissions: [`Connection::umask`].
    pub fn umask(self, mask: u32) -> Self {
        self.map_connection(|connection| connection.umask(mask))
    }

    /// Runs this line before the command, in the same shell: [`Connection::prefix`].
    pub fn prefix(self, line: impl IntoShellLine) -> Self {
        self.map_connection(|connection| connection.prefix(line))
    }

    /// Names the virtualenv of a `v_run`: [`Connection::venv`].
    pub fn venv(self, folder: impl AsRef<str>) -> Self {
        self.map_connection(|connection| connection.venv(folder))
    }

    /// Runs the command by this shell: [`Connection::with_shell`].
    pub fn with_shell(self, shell: impl Into<String>) -> Self {
        self.map_connection(|connection| connection.with_shell(shell))
    }

    /// Sets a variable for this command: [`Connection::env`].
    pub fn env(self, name: impl Into<String>, value: impl Into<EnvValue>) -> Self {
        self.map_connection(|connection| connection.env(name, value))
    }

    fn map_sudo(self, method: &'static str, change: impl FnOnce(&Connection) -> Connection) -> Self {
        self.map_spec(|spec| {
            spec.sudo_only_method = Some(method);
            spec.connection = change(&spec.connection);
        })
    }

    fn map_connection(self, change: impl FnOnce(&Connection) -> Connection) -> Self {
        self.map_spec(|spec| spec.connection = change(&spec.connection))
    }
}
