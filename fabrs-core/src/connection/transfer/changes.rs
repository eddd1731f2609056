//! What a transfer changed.

use std::panic::Location;

use super::Written;
use super::place::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::output::PlanEnd;

/// What a transfer changed: which files were written, and which were as they should be already.
///
/// In a dry run nothing was written, and looking at it is an error, as for an [`Output`](crate::Output).
#[derive(Debug, Clone)]
pub struct Changes {
    host: Host,
    what: String,
    made_at: &'static Location<'static>,
    /// Nothing where the transfer was only planned.
    made: Option<Made>,
    plan: PlanEnd,
}

/// What was made of files.
#[derive(Debug, Clone, Default)]
pub(super) struct Made {
    pub(super) files: Vec<Written>,
    pub(super) removed: Vec<String>,
}

impl From<Vec<Written>> for Made {
    fn from(files: Vec<Written>) -> Self {
        Self { files, removed: Vec::new() }
    }
}

impl Changes {
    /// Notes what came of what was asked for; nothing where it was only planned.
    pub(super) fn new(place: &Place, host: Host, what: String, made: Option<Made>) -> Self {
        Self { host, what, made_at: place.location, made, plan: place.connection.plan().clone() }
    }

    /// Tells whether anything was written or removed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run.
    #[track_caller]
    pub fn any(&self) -> Result<bool> {
        let made = self.known(Location::caller())?;
        Ok(made.files.iter().any(|(_, changed)| *changed) || !made.removed.is_empty())
    }

    /// Returns the files that were written, by the path they have on the side they were written to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run.
    #[track_caller]
    pub fn changed(&self) -> Result<Vec<&str>> {
        let files = &self.known(Location::caller())?.files;
        Ok(files.iter().filter(|(_, changed)| *changed).map(|(path, _)| path.as_str()).collect())
    }

    /// Returns all files, by the path they have on the side they were to be written to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run.
    #[track_caller]
    pub fn files(&self) -> Result<Vec<&str>> {
        Ok(self.known(Location::caller())?.files.iter().map(|(path, _)| path.as_str()).collect())
    }

    /// Returns what a [`sync`](super::Connection::sync) removed on the host: of a folder that went as a whole only itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run.
    #[track_caller]
    pub fn removed(&self) -> Result<Vec<&str>> {
        Ok(self.known(Location::caller())?.removed.iter().map(String::as_str).collect())
    }

    fn known(&self, looked_at: &'static Location<'static>) -> Result<&Made> {
        self.made.as_ref().ok_or_else(|| {
            let not_made = || {
                let (what, made) = (&self.what, self.made_at);
                let text = format!(
                    "`{what}` ({}:{}) was not done, and the plan ends where its answer is needed",
                    made.file(),
                    made.line()
                );
                Error::new(ErrorKind::NotRun, text).on(&self.host).at(looked_at)
            };
            self.plan.or_end(not_made).clone()
        })
    }
}
