//! The free functions of the prelude for commands: methods of [`Connection`], on the connection of
//! the calling task.

use std::panic::Location;

use super::command::Command;
use super::handle::Connection;
use super::input_values::EnvValue;
use super::task_scope::current;
use crate::shell::IntoShellLine;
use crate::transport::Effect;

/// Creates a command on the host of the task, like [`Connection::run`].
#[track_caller]
pub fn run(line: impl IntoShellLine) -> Command {
    current().run(line)
}

/// Creates a command under sudo on the host of the task, like [`Connection::sudo`].
#[track_caller]
pub fn sudo(line: impl IntoShellLine) -> Command {
    current().sudo(line)
}

/// Creates a command inside the virtualenv of the task's connection, like [`Connection::v_run`].
#[track_caller]
pub fn v_run(line: impl IntoShellLine) -> Command {
    current().v_run(line)
}

/// Creates a read-only command on the host of the task, like [`Connection::probe`].
#[track_caller]
pub fn probe(line: impl IntoShellLine) -> Command {
    current().probe(line)
}

/// Creates a command on this machine, like [`Connection::local`]. Set a directory on the command:
/// `local("make").cd("src")`.
///
/// Inside [`Connection::enter`], the command also ignores the directory and the variables of the
/// entered connection.
#[track_caller]
pub fn local(line: impl IntoShellLine) -> Command {
    let local = current().to_this_machine();
    Command::new(local, line.into_shell_line(), Effect::Changes, Location::caller())
}

/// Returns the connection of the task in another directory, like [`Connection::cd`].
#[track_caller]
pub fn cd(directory: impl AsRef<str>) -> Connection {
    current().cd(directory)
}

/// Returns the connection of the task with another variable, like [`Connection::env`].
#[track_caller]
pub fn env(name: impl Into<String>, value: impl Into<EnvValue>) -> Connection {
    current().env(name, value)
}

/// Returns the connection of the task with a line before each command, like [`Connection::prefix`].
#[track_caller]
pub fn prefix(line: impl IntoShellLine) -> Connection {
    current().prefix(line)
}
