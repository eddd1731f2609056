//! Transfers in a dry run: compares and reports the changes without a write.

use std::collections::HashMap;
use std::sync::Mutex;

use super::changes::{ChangedPaths, State};
use crate::config::DiffMode;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;
use crate::mutex::lock;
use crate::transfer::context::TransferContext;
use crate::transport::EffectMode;

/// The unreachable hosts of a dry run, with the reason. A dry run tries each host once.
#[derive(Debug, Default)]
struct UnreachableHosts(Mutex<HashMap<Host, Error>>);

/// Returns true if transfers are planned, and not made.
pub(super) fn is_planned(context: &TransferContext) -> bool {
    context.connection.effect_mode() == EffectMode::Plan
}

/// The side that a transfer changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The host.
    Host,
    /// This machine.
    Local,
}

impl Side {
    /// Returns true if a plan continues after a failed comparison. An earlier step of the plan may
    /// remove the cause.
    fn tolerates(self, context: &TransferContext, error: &Error) -> bool {
        match (error.kind(), self) {
            (ErrorKind::Local, _) => has_local_plan(context),
            (ErrorKind::File | ErrorKind::Sudo, Self::Host) => true,
            // A missing file may be created by a planned command of the host.
            (ErrorKind::File | ErrorKind::Sudo, Self::Local) => context.connection.planned() > 0,
            _ => false,
        }
    }

    /// Reports a change of this side as planned.
    fn report(self, context: &TransferContext, host: &Host, operation: &str) {
        match self {
            Self::Host => context.connection.plan_change(operation),
            // A planned local file may be the source of a later transfer.
            Self::Local => match here(context) {
                Some(here) => here.plan_for(host, operation),
                None => {
                    context.connection.sink().event(&Event::Planned { host: Some(host), operation, command: None });
                }
            },
        }
    }
}

/// Plans a transfer. `compare` returns the changes, and `operation` is the description.
///
/// If the host can't be reached, or a file can't be compared, the whole transfer is planned, with a
/// warning, and the changes are unknown. The same applies to a missing file that an earlier step of
/// the plan may create.
///
/// # Errors
///
/// All other errors of `compare`.
pub(super) async fn plan(
    context: &TransferContext,
    side: Side,
    operation: &str,
    compare: impl Future<Output = Result<ChangedPaths>>,
) -> Result<State> {
    let host = context.connection.host().cloned().unwrap_or_else(Host::local);
    let compared = match unreached(context, &host) {
        Some(error) => Err(error),
        None => {
            if context.connection.diff_mode() != DiffMode::Off {
                mark_outdated(context, &host, operation);
            }
            compare.await
        }
    };
    let error = match compared {
        Ok(changes) => {
            report(context, side, &host, operation, &changes);
            return Ok(State::Known(changes));
        }
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::Connect | ErrorKind::HostKey | ErrorKind::Auth => note_unreached(context, &host, &error),
        _ if side.tolerates(context, &error) => {
            let why = std::error::Error::source(&error).map_or_else(|| error.message().to_owned(), ToString::to_string);
            context.warn(&format!("{operation} is planned, but could not be compared: {why}"));
        }
        _ => return Err(error),
    }
    side.report(context, &host, operation);
    Ok(State::Unknown(error))
}

/// Reports the changes of a transfer, or reports that nothing would change.
fn report(context: &TransferContext, side: Side, host: &Host, operation: &str, changes: &ChangedPaths) {
    let files = changes.files.len();
    let changed = changes.files.iter().filter(|(_, is_changed)| *is_changed).count();
    let removed = changes.removed.len();
    if changed == 0 && removed == 0 {
        if context.connection.diff_mode() == DiffMode::Off {
            mark_outdated(context, host, operation);
        }
        context.connection.sink().event(&Event::Transferred { host, operation, changed, files, removed });
        return;
    }
    let files = if files > 1 { format!(": {changed} of {files} files") } else { String::new() };
    let removed = match removed {
        0 => String::new(),
        1 if changes.files.is_empty() => String::new(),
        removed => format!(", {removed} removed"),
    };
    side.report(context, host, &format!("{operation}{files}{removed}"));
}

/// Reports that an earlier planned change may alter the result of a comparison.
fn mark_outdated(context: &TransferContext, host: &Host, operation: &str) {
    let planned = context.connection.planned();
    if planned > 0 {
        context.connection.sink().event(&Event::StaleRead { host, command: operation, planned_changes: planned });
    }
}

fn unreached(context: &TransferContext, host: &Host) -> Option<Error> {
    let unreached = context.connection.state()?.extension::<UnreachableHosts>();
    let known = lock(&unreached.0);
    known.get(host).cloned()
}

fn note_unreached(context: &TransferContext, host: &Host, error: &Error) {
    let Some(run) = context.connection.state() else { return };
    let unreached = run.extension::<UnreachableHosts>();
    let is_new = lock(&unreached.0).insert(host.clone(), error.clone()).is_none();
    if is_new {
        context.warn(&format!("transfers are planned without a comparison: {}", error.message()));
    }
}

/// Returns true if the plan has a change of this machine.
fn has_local_plan(context: &TransferContext) -> bool {
    here(context).is_some_and(|here| here.planned() > 0)
}

/// Returns the connection to this machine.
fn here(context: &TransferContext) -> Option<Connection> {
    Connection::in_run(context.connection.state()?, Host::local()).ok()
}
