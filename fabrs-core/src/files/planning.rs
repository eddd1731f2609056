//! Transfers in a dry run: the change is compared and reported, and not made.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::changes::{Made, State};
use super::place::Place;
use crate::config::DiffMode;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;
use crate::transport::EffectMode;

/// The hosts of a dry run that could not be reached, with the reason: each is tried once.
#[derive(Debug, Default)]
struct Unreached(Mutex<HashMap<Host, Error>>);

/// Tells whether the changes of a place are planned, and not made.
pub(super) fn is_planned(place: &Place) -> bool {
    place.connection.effect_mode() == EffectMode::Plan
}

/// The side that a transfer changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The host.
    Host,
    /// This machine.
    Here,
}

impl Side {
    /// Tells whether a plan goes on after a failed comparison, since an earlier step of it may mend the cause.
    fn tolerates(self, place: &Place, error: &Error) -> bool {
        match (error.kind(), self) {
            (ErrorKind::Local, _) => has_local_plan(place),
            (ErrorKind::File | ErrorKind::Sudo, Self::Host) => true,
            // A file to get is there, or a planned command of the host makes it.
            (ErrorKind::File | ErrorKind::Sudo, Self::Here) => place.connection.planned() > 0,
            _ => false,
        }
    }

    /// Reports a change of this side as planned.
    fn report(self, place: &Place, host: &Host, what: &str) {
        match self {
            Self::Host => place.connection.plan_change(what),
            // A planned file of this machine may be the source of a later transfer.
            Self::Here => match here(place) {
                Some(here) => here.plan_for(host, what),
                None => place.connection.sink().event(&Event::Planned {
                    host: Some(host),
                    operation: what,
                    is_command: false,
                }),
            },
        }
    }
}

/// Plans a transfer: `compare` returns the changes that it would make, and `what` describes it.
///
/// If the host can't be reached, or a file can't be compared, the transfer is planned whole, with a warning, and its changes
/// are unknown. So it is if a file is missing that an earlier step of the plan may make.
///
/// # Errors
///
/// All other errors of `compare`.
pub(super) async fn plan(
    place: &Place,
    side: Side,
    what: &str,
    compare: impl Future<Output = Result<Made>>,
) -> Result<State> {
    let host = place.connection.host().cloned().unwrap_or_else(Host::local);
    let compared = match unreached(place, &host) {
        Some(error) => Err(error),
        None => {
            if place.connection.diff_mode() != DiffMode::Off {
                mark_outdated(place, &host, what);
            }
            compare.await
        }
    };
    let error = match compared {
        Ok(made) => {
            report(place, side, &host, what, &made);
            return Ok(State::Known(made));
        }
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::Connect | ErrorKind::HostKey | ErrorKind::Auth => note_unreached(place, &host, &error),
        _ if side.tolerates(place, &error) => {
            let why = std::error::Error::source(&error).map_or_else(|| error.message().to_owned(), ToString::to_string);
            place.warn(&format!("{what} is planned, but could not be compared: {why}"));
        }
        _ => return Err(error),
    }
    side.report(place, &host, what);
    Ok(State::Unknown(error))
}

/// Reports the changes that a transfer would make, or that it would make none.
fn report(place: &Place, side: Side, host: &Host, what: &str, made: &Made) {
    let files = made.files.len();
    let changed = made.files.iter().filter(|(_, is_changed)| *is_changed).count();
    let removed = made.removed.len();
    if changed == 0 && removed == 0 {
        if place.connection.diff_mode() == DiffMode::Off {
            mark_outdated(place, host, what);
        }
        place.connection.sink().event(&Event::Transferred { host, operation: what, changed, files, removed });
        return;
    }
    let files = if files > 1 { format!(": {changed} of {files} files") } else { String::new() };
    let removed = match removed {
        0 => String::new(),
        1 if made.files.is_empty() => String::new(),
        removed => format!(", {removed} removed"),
    };
    side.report(place, host, &format!("{what}{files}{removed}"));
}

/// Marks a comparison that a change may alter that was planned before it.
fn mark_outdated(place: &Place, host: &Host, what: &str) {
    let planned = place.connection.planned();
    if planned > 0 {
        place.connection.sink().event(&Event::StaleRead { host, command: what, planned_changes: planned });
    }
}

fn unreached(place: &Place, host: &Host) -> Option<Error> {
    let unreached = place.connection.state()?.extension::<Unreached>();
    let known = unreached.0.lock().unwrap_or_else(PoisonError::into_inner);
    known.get(host).cloned()
}

fn note_unreached(place: &Place, host: &Host, error: &Error) {
    let Some(run) = place.connection.state() else { return };
    let unreached = run.extension::<Unreached>();
    let is_new =
        unreached.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), error.clone()).is_none();
    if is_new {
        place.warn(&format!("transfers are planned whole, without a comparison: {}", error.message()));
    }
}

/// Tells whether a change of this machine was planned.
fn has_local_plan(place: &Place) -> bool {
    here(place).is_some_and(|here| here.planned() > 0)
}

/// Returns the connection to this machine.
fn here(place: &Place) -> Option<Connection> {
    Connection::in_run(place.connection.state()?, Host::local()).ok()
}
