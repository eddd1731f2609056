//! What a transfer changed.

use std::panic::Location;

use super::transfer_context::TransferContext;
use super::transfer_report::FileOutcome;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::output::PlanEnd;

/// The changes of a transfer: the files that were written, and those that were unchanged.
///
/// In a dry run these are the changes that the transfer would make. They are unknown if the host could not be reached, or a
/// file could not be compared: then each question is an error that ends the plan.
#[derive(Debug, Clone)]
pub struct Changes {
    host: Host,
    operation: String,
    made_at: &'static Location<'static>,
    state: State,
    plan: PlanEnd,
}

/// What is known of the changes.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// They were made, or in a dry run would be.
    Known(ChangedPaths),
    /// A dry run could not compare, for this reason.
    Unknown(Error),
}

impl<T: Into<ChangedPaths>> From<T> for State {
    fn from(made: T) -> Self {
        Self::Known(made.into())
    }
}

/// What was made of files.
#[derive(Debug, Clone, Default)]
pub(super) struct ChangedPaths {
    pub(super) files: Vec<FileOutcome>,
    pub(super) removed: Vec<String>,
}

impl From<Vec<FileOutcome>> for ChangedPaths {
    fn from(files: Vec<FileOutcome>) -> Self {
        Self { files, removed: Vec::new() }
    }
}

impl Changes {
    pub(super) fn new(context: &TransferContext, host: Host, operation: String, state: impl Into<State>) -> Self {
        let (made_at, plan) = (context.location, context.connection.plan().clone());
        Self { host, operation, made_at, state: state.into(), plan }
    }

    /// Tells whether anything was written or removed; in a dry run, whether it would be.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run that could not compare.
    #[track_caller]
    pub fn any(&self) -> Result<bool> {
        let made = self.known(Location::caller())?;
        Ok(made.files.iter().any(|(_, changed)| *changed) || !made.removed.is_empty())
    }

    /// Returns the files that were written, by the path they have on the side they were written to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run that could not compare.
    #[track_caller]
    pub fn changed(&self) -> Result<Vec<&str>> {
        let files = &self.known(Location::caller())?.files;
        Ok(files.iter().filter(|(_, changed)| *changed).map(|(path, _)| path.as_str()).collect())
    }

    /// Returns all files, by the path they have on the side they were to be written to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run that could not compare.
    #[track_caller]
    pub fn files(&self) -> Result<Vec<&str>> {
        Ok(self.known(Location::caller())?.files.iter().map(|(path, _)| path.as_str()).collect())
    }

    /// Returns what a [`sync`](super::Connection::sync) removed on the host: of a folder that went as a whole only itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run that could not compare.
    #[track_caller]
    pub fn removed(&self) -> Result<Vec<&str>> {
        Ok(self.known(Location::caller())?.removed.iter().map(String::as_str).collect())
    }

    fn known(&self, looked_at: &'static Location<'static>) -> Result<&ChangedPaths> {
        match &self.state {
            State::Known(made) => Ok(made),
            State::Unknown(why) => {
                let (operation, made) = (&self.operation, self.made_at);
                let unknown = || {
                    let text = format!(
                        "the changes made at {}:{} are unknown, and are needed here: {operation}",
                        made.file(),
                        made.line()
                    );
                    Error::new(ErrorKind::NotRun, text).on(&self.host).at(looked_at).caused_by(why.clone())
                };
                Err(self.plan.or_end(unknown))
            }
        }
    }
}
