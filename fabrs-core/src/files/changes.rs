//! [`Changes`]: the files written and removed by a transfer.

use std::panic::Location;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::output::PlanEnd;
use crate::transfer::context::TransferContext;
use crate::transfer::report::FileOutcome;

/// The changes of a transfer: the files that were written, and the files that were equal.
///
/// In a dry run, these are the changes that the transfer would make. The changes are unknown if the
/// host could not be reached, if a file could not be compared, or for
/// [`rsync`](crate::Connection::rsync), which a dry run does not start. Each query of unknown
/// changes is an error that ends the plan.
#[derive(Debug, Clone)]
pub struct Changes {
    host: Host,
    operation: String,
    requested_at: &'static Location<'static>,
    state: State,
    plan: PlanEnd,
}

/// The changes, known or unknown.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// The changes. A dry run has not made them.
    Known(ChangedPaths),
    /// Unknown changes of a dry run, with the reason.
    Unknown(Error),
}

impl<T: Into<ChangedPaths>> From<T> for State {
    fn from(paths: T) -> Self {
        Self::Known(paths.into())
    }
}

/// The paths of a transfer: files with a flag for a write, and removed paths.
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
        let (requested_at, plan) = (context.location, context.connection.plan_end().clone());
        Self { host, operation, requested_at, state: state.into(), plan }
    }

    /// Returns true if a file was written or removed. In a dry run, returns true if the transfer
    /// would write or remove a file.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// if host.write("app.env", "PORT=80\n").await?.any()? {
    ///     host.run("echo restart").await?;
    /// }
    /// assert!(!host.write("app.env", "PORT=80\n").await?.any()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] if the changes are unknown in a dry run.
    #[track_caller]
    pub fn any(&self) -> Result<bool> {
        let paths = self.paths(Location::caller())?;
        Ok(paths.files.iter().any(|(_, changed)| *changed) || !paths.removed.is_empty())
    }

    /// Returns the written files, by their paths on the receiving side.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// assert_eq!(host.write("app.env", "PORT=80\n").await?.changed()?.len(), 1);
    /// assert!(host.write("app.env", "PORT=80\n").await?.changed()?.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`any`](Self::any).
    #[track_caller]
    pub fn changed(&self) -> Result<Vec<&str>> {
        let files = &self.paths(Location::caller())?.files;
        Ok(files.iter().filter(|(_, changed)| *changed).map(|(path, _)| path.as_str()).collect())
    }

    /// Returns all files, written or equal, by their paths on the receiving side.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("app.env", "PORT=80\n").await?;
    /// assert_eq!(host.write("app.env", "PORT=80\n").await?.files()?.len(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`any`](Self::any).
    #[track_caller]
    pub fn files(&self) -> Result<Vec<&str>> {
        Ok(self.paths(Location::caller())?.files.iter().map(|(path, _)| path.as_str()).collect())
    }

    /// Returns the removed paths of the host. A removed directory has one path, without its
    /// entries.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("old.conf", "").await?;
    /// assert_eq!(host.remove("old.conf").await?.removed()?, ["old.conf"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`any`](Self::any).
    #[track_caller]
    pub fn removed(&self) -> Result<Vec<&str>> {
        Ok(self.paths(Location::caller())?.removed.iter().map(String::as_str).collect())
    }

    fn paths(&self, location: &'static Location<'static>) -> Result<&ChangedPaths> {
        match &self.state {
            State::Known(paths) => Ok(paths),
            State::Unknown(why) => {
                let (operation, requested_at) = (&self.operation, self.requested_at);
                let unknown = || {
                    let text = format!(
                        "the changes of the transfer at {}:{} are unknown in this dry run: {operation}",
                        requested_at.file(),
                        requested_at.line()
                    );
                    Error::new(ErrorKind::NotRun, text).on(&self.host).at(location).caused_by(why.clone())
                };
                Err(self.plan.or_end(unknown))
            }
        }
    }
}
