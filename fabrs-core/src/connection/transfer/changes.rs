//! What a transfer changed.

use std::panic::Location;

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
    /// Every file with whether it was written; nothing where the transfer was only planned.
    files: Option<Vec<(String, bool)>>,
    plan: PlanEnd,
}

impl Changes {
    pub(super) fn new(
        host: Host,
        what: String,
        made_at: &'static Location<'static>,
        files: Option<Vec<(String, bool)>>,
        plan: PlanEnd,
    ) -> Self {
        Self { host, what, made_at, files, plan }
    }

    /// Tells whether anything was written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run.
    #[track_caller]
    pub fn any(&self) -> Result<bool> {
        Ok(self.known(Location::caller())?.iter().any(|(_, changed)| *changed))
    }

    /// Returns the files that were written, by the path they have on the side they were written to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run.
    #[track_caller]
    pub fn changed(&self) -> Result<Vec<&str>> {
        let files = self.known(Location::caller())?;
        Ok(files.iter().filter(|(_, changed)| *changed).map(|(path, _)| path.as_str()).collect())
    }

    /// Returns all files, by the path they have on the side they were to be written to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run.
    #[track_caller]
    pub fn files(&self) -> Result<Vec<&str>> {
        Ok(self.known(Location::caller())?.iter().map(|(path, _)| path.as_str()).collect())
    }

    fn known(&self, looked_at: &'static Location<'static>) -> Result<&[(String, bool)]> {
        self.files.as_deref().ok_or_else(|| {
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
