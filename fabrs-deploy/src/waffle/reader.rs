//! The reader of the flags, switches and samples of a release.

use std::borrow::Cow;

use fabrs::{Connection, Error, ErrorKind, Hide, Output};

use crate::waffle::list::WaffleList;

/// Prints all flags, switches and samples as JSON.
const STATE_SCRIPT: &str = include_str!("waffle_state.py");

/// The result of a read: the list, or the planned command of a dry run without access to the host.
pub(super) enum WaffleRead {
    List(WaffleList),
    Planned(Output),
}

/// Reads the flags of a release, also in a dry run.
///
/// # Errors
///
/// [`ErrorKind::Exit`] if the project cannot be loaded or lacks django-waffle, and
/// [`ErrorKind::Task`] if its output has no list.
pub(super) async fn read(release: &Connection) -> Result<WaffleRead, Error> {
    let command = release.v_run("python manage.py shell --verbosity 0").stdin(STATE_SCRIPT).probe();
    let output = command.named("read the flags").hide(Hide::Both).capture_all().await?;
    if !output.was_run() {
        return Ok(WaffleRead::Planned(output));
    }
    // A project may print other lines while Django loads.
    let text = output.stdout()?;
    let line = text.lines().find_map(|line| line.strip_prefix("fabrs:"));
    let list = line.and_then(|line| serde_json::from_str(line).ok());
    list.map(WaffleRead::List)
        .ok_or_else(|| Error::new(ErrorKind::Task, "Django printed no list of flags").on(output.host()))
}

/// Returns an error with the host of a connection.
pub(super) fn error_of(connection: &Connection, kind: ErrorKind, text: impl Into<Cow<'static, str>>) -> Error {
    let error = Error::new(kind, text);
    match connection.host() {
        Some(host) => error.on(host),
        None => error,
    }
}
