//! The free functions of the prelude for commands: the same methods, on the connection of the calling task.

use std::panic::Location;

use super::command::Command;
use super::handle::Connection;
use super::input_values::EnvValue;
use super::task_scope::current;
use crate::shell::IntoShellLine;
use crate::transport::Effect;

/// Makes a command on the task's host: [`Connection::run`].
#[track_caller]
pub fn run(line: impl IntoShellLine) -> Command {
    current().run(line)
}

/// Makes a command under sudo, on the task's host: [`Connection::sudo`].
#[track_caller]
pub fn sudo(line: impl IntoShellLine) -> Command {
    current().sudo(line)
}

/// Makes a command inside the virtualenv of the task's connection: [`Connection::v_run`].
#[track_caller]
pub fn v_run(line: impl IntoShellLine) -> Command {
    current().v_run(line)
}

/// Makes a command that only looks, on the task's host: [`Connection::probe`].
#[track_caller]
pub fn probe(line: impl IntoShellLine) -> Command {
    current().probe(line)
}

/// Makes a command on this machine: [`Connection::local`]. For a directory of this machine: `local("make").cd("src")`.
///
/// Activation [`Connection::enter`], too, it runs without the directory and the variables of the entered connection.
#[track_caller]
pub fn local(line: impl IntoShellLine) -> Command {
    let here = current().to_this_machine();
    Command::new(here, line.into_shell_line(), Effect::Changes, Location::caller())
}

/// Returns the task's connection in another directory: [`Connection::cd`].
#[track_caller]
pub fn cd(directory: impl AsRef<str>) -> Connection {
    current().cd(directory)
}

/// Returns the task's connection with another variable: [`Connection::env`].
#[track_caller]
pub fn env(name: impl Into<String>, value: impl Into<EnvValue>) -> Connection {
    current().env(name, value)
}

/// Returns the task's connection with a line before each command: [`Connection::prefix`].
#[track_caller]
pub fn prefix(line: impl IntoShellLine) -> Connection {
    current().prefix(line)
}
