//! The free functions of the prelude: the same methods, on the connection of the task that calls them.

use std::panic::Location;
use std::path::PathBuf;

use super::{Command, Connection, EnvValue, Get, Put, Source, Sync};
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::output::PlanEnd;
use crate::shell::IntoShellLine;
use crate::transport::Effect;

tokio::task_local! {
    static CURRENT: Connection;
    /// Set while something is settled for all hosts of a run, by whichever came first.
    static FOR_ALL: ();
}

pub(super) async fn scope<F: Future>(connection: Connection, future: F) -> F::Output {
    CURRENT.scope(connection, future).await
}

pub(super) fn scope_sync<T>(connection: Connection, function: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(connection, function)
}

/// Runs a future of which all hosts of a run get the outcome.
pub(crate) async fn for_all<F: Future>(future: F) -> F::Output {
    FOR_ALL.scope((), future).await
}

/// Tells whether what runs is for all hosts of the run.
pub(super) fn is_for_all() -> bool {
    FOR_ALL.try_with(|()| ()).is_ok()
}

/// Returns the plan of the task that calls it, where one does.
pub(super) fn plan() -> Option<PlanEnd> {
    CURRENT.try_with(|connection| connection.plan.clone()).ok()
}

/// Returns the client of the task that calls it.
pub(crate) fn ambient_client() -> Option<Client> {
    CURRENT.try_with(|connection| connection.client.clone()).ok().flatten()
}

/// Returns the connection of the task that calls it.
///
/// Outside a task it is one whose commands fail with an error that names the calling line: nothing panics.
#[track_caller]
pub fn current() -> Connection {
    let location = Location::caller();
    CURRENT.try_with(Connection::clone).unwrap_or_else(|_| {
        let error = Error::new(ErrorKind::Usage, "there is no host here: this was called outside a task")
            .at(location)
            .hint("use a connection, as in `c.run(..)`, or carry one along with `c.enter(future)`");
        Connection::nowhere(None, error)
    })
}

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

/// Puts files on the task's host: [`Connection::put`].
#[track_caller]
pub fn put(source: impl Into<Source>, target: impl Into<String>) -> Put {
    current().put(source, target)
}

/// Gets files of the task's host: [`Connection::get`].
#[track_caller]
pub fn get(path: impl Into<String>, to: impl Into<String>) -> Get {
    current().get(path, to)
}

/// Makes a folder of the task's host the equal of one here: [`Connection::sync`].
#[track_caller]
pub fn sync(from: impl Into<PathBuf>, to: impl Into<String>) -> Sync {
    current().sync(from, to)
}

/// Makes a command that only looks, on the task's host: [`Connection::probe`].
#[track_caller]
pub fn probe(line: impl IntoShellLine) -> Command {
    current().probe(line)
}

/// Makes a command on this machine: [`Connection::local`]. For a directory of this machine: `local("make").cd("src")`.
///
/// Inside [`Connection::enter`], too, it runs without the directory and the variables of the entered connection.
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
