//! Files of a host, read and written by the one way or the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arrival::Arrival;
use super::entry::{Entry, Found};
use super::job::{Job, Manner, Tree};
use super::local_path::LocalPath;
use super::place::Place;
use super::script;
use super::sftp::{self, Session};
use super::sum::Sum;
use super::transfer_report::Written;
use super::tree_download::{Arrivals, PlaceOf};
use crate::error::{CauseText, Result};
use crate::files::backend_error::BackendError;
use crate::files::tree_result::TreeResult;

/// The way by which files come.
#[derive(Debug)]
pub(super) enum Backend {
    Script,
    Sftp(Arc<Session>),
}

impl Backend {
    /// Returns what a pattern means, each with whether it is a folder.
    pub(super) async fn matches(
        &self,
        place: &Place,
        pattern: &str,
        what: &str,
    ) -> Result<Vec<(PathBuf, bool)>, BackendError> {
        match self {
            Self::Script => script::matches(place, pattern, what).await,
            Self::Sftp(session) => Ok(sftp::matches(session, pattern, what).await?),
        }
    }

    /// Returns all that is in a folder, each with its place here, and gets its files as far as that can be done at once.
    pub(super) async fn get_folder(
        &self,
        place: &Place,
        folder: &Path,
        place_of: PlaceOf<'_>,
        arrivals: Arrivals,
        what: &str,
    ) -> Result<Vec<(Entry, LocalPath)>, BackendError> {
        match self {
            Self::Script => script::get_tree(place, folder, place_of, arrivals, what).await,
            Self::Sftp(session) => {
                let entries = sftp::entries(session, folder, what).await?;
                let placed = entries.into_iter().map(|entry| Ok(place_of(&entry)?.map(|to| (entry, to))));
                Ok(placed.filter_map(Result::transpose).collect::<Result<_>>()?)
            }
        }
    }

    /// Lets one file arrive, unless the one that is `known` here is the same; tells whether it has arrived.
    pub(super) async fn get(
        &self,
        place: &Place,
        path: &Path,
        known: Option<&Sum>,
        arrival: &Arrival,
        what: &str,
    ) -> Result<bool, BackendError> {
        match self {
            Self::Script => script::get(place, path, known, arrival, what).await,
            Self::Sftp(session) => Ok(sftp::get(session, path, known, arrival, what).await?),
        }
    }

    /// Tells whether a file of the host differs from the content that is `known` here; nothing is written.
    pub(super) async fn is_new(
        &self,
        place: &Place,
        path: &Path,
        known: Option<&Sum>,
        what: &str,
    ) -> Result<bool, BackendError> {
        match self {
            Self::Script => {
                let arrival = Arrival::in_memory(0);
                match script::get(place, path, known, &arrival, what).await {
                    // The host has compared, and begun to send it.
                    Err(BackendError::Failed(_)) if arrival.is_too_large() => Ok(true),
                    result => result,
                }
            }
            Self::Sftp(session) => Ok(sftp::is_new(session, path, known, what).await?),
        }
    }

    /// Looks what is at a path.
    pub(super) async fn look(&self, place: &Place, path: &str, what: &str) -> Result<Found, BackendError> {
        match self {
            Self::Script => script::look(place, path, what).await,
            Self::Sftp(session) => Ok(sftp::look(session, path, what).await?),
        }
    }

    /// Makes folders, with all above them.
    pub(super) async fn make_folders(&self, place: &Place, folders: &[String], what: &str) -> Result<(), BackendError> {
        match self {
            Self::Script => script::folders(place, folders, what).await,
            Self::Sftp(session) => Ok(sftp::folders(session, folders, what).await?),
        }
    }

    /// Removes what is at a path, and tells whether anything was.
    pub(super) async fn remove(
        &self,
        place: &Place,
        path: &str,
        is_recursive: bool,
        what: &str,
    ) -> Result<bool, BackendError> {
        match self {
            Self::Script => script::remove(place, path, is_recursive, what).await,
            Self::Sftp(session) => Ok(sftp::remove(session, path, is_recursive, what).await?),
        }
    }

    /// Puts one entry, and returns its path with whether it was written.
    pub(super) async fn put(&self, place: &Place, job: &Job) -> Result<Written, BackendError> {
        match self {
            Self::Script => script::put(place, job).await,
            Self::Sftp(session) => Ok(sftp::put(session, job).await?),
        }
    }

    /// Returns the path of an entry, with whether a put would write it.
    pub(super) async fn plan(&self, place: &Place, job: &Job) -> Result<Written, BackendError> {
        match self {
            Self::Script => script::plan(place, job).await,
            Self::Sftp(session) => Ok(sftp::plan(session, job).await?),
        }
    }

    /// Returns the entries of a tree that a put would write, as far as one comparison of all tells.
    pub(super) async fn plan_tree(&self, place: &Place, tree: &Arc<Tree>) -> Result<TreeResult, BackendError> {
        match self {
            Self::Script => script::plan_tree(place, tree).await,
            Self::Sftp(_) if matches!(tree.manner, Manner::Sync(_)) => Err(needs_a_shell(place, tree)),
            Self::Sftp(_) => Ok(TreeResult::nothing(tree)),
        }
    }

    /// Puts a tree as far as that can be done at once.
    pub(super) async fn put_tree(&self, place: &Place, tree: &Arc<Tree>) -> Result<TreeResult, BackendError> {
        match self {
            Self::Script => script::put_tree(place, tree).await,
            Self::Sftp(_) if matches!(tree.manner, Manner::Sync(_)) => Err(needs_a_shell(place, tree)),
            Self::Sftp(session) => {
                sftp::look_over(session, tree).await?;
                sftp::folders(session, std::slice::from_ref(&tree.root), &tree.what).await?;
                Ok(TreeResult::nothing(tree))
            }
        }
    }

    /// Says what putting a tree would do, a line for each entry.
    pub(super) async fn itemize(&self, place: &Place, tree: &Arc<Tree>) -> Result<Vec<String>, BackendError> {
        match self {
            Self::Script => script::itemize(place, tree).await,
            Self::Sftp(_) => Err(needs_a_shell(place, tree)),
        }
    }
}

/// Says that nothing is made equal by SFTP.
fn needs_a_shell(place: &Place, tree: &Tree) -> BackendError {
    let why = CauseText("the host gives no shell, and a sync needs one".to_owned());
    place.could_not(&tree.what).caused_by(why).into()
}
