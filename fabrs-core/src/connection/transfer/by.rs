//! Files of a host, read and written by the one way or the other.

use std::sync::Arc;

use super::Written;
use super::arrival::Arrival;
use super::job::{Job, Place, Tree};
use super::script::{self, Undone};
use super::sftp::{self, Session};
use super::sum::Sum;
use crate::error::Result;

/// The way by which files come.
#[derive(Debug)]
pub(super) enum By {
    Script,
    Sftp(Arc<Session>),
}

impl By {
    /// Lists the files that a path means: each with what it is listed below, where it is in a folder, and its path below
    /// that.
    pub(super) async fn list(&self, place: &Place, path: &str, what: &str) -> Result<Vec<(String, String)>, Undone> {
        match self {
            Self::Script => script::list(place, path, what).await,
            Self::Sftp(session) => Ok(sftp::list(session, path, what).await?),
        }
    }

    /// Lets one file arrive, unless the one that is `known` here is the same; tells whether it has arrived.
    pub(super) async fn get(
        &self,
        place: &Place,
        path: &str,
        known: Option<&Sum>,
        arrival: &Arrival,
        what: &str,
    ) -> Result<bool, Undone> {
        match self {
            Self::Script => script::get(place, path, known, arrival, what).await,
            Self::Sftp(session) => Ok(sftp::get(session, path, known, arrival, what).await?),
        }
    }

    /// Makes folders, with all above them.
    pub(super) async fn make_folders(&self, place: &Place, folders: &[String], what: &str) -> Result<(), Undone> {
        match self {
            Self::Script => script::folders(place, folders, what).await,
            Self::Sftp(session) => Ok(sftp::folders(session, folders, what).await?),
        }
    }

    /// Puts one entry, and returns its path with whether it was written.
    pub(super) async fn put(&self, place: &Place, job: &Job) -> Result<Written, Undone> {
        match self {
            Self::Script => script::put(place, job).await,
            Self::Sftp(session) => Ok(sftp::put(session, job).await?),
        }
    }

    /// Puts a tree as far as that can be done at once, and tells of each entry whether it was written; nothing of one that
    /// is left.
    pub(super) async fn put_tree(&self, place: &Place, tree: &Arc<Tree>) -> Result<Vec<Option<bool>>, Undone> {
        match self {
            Self::Script => script::put_tree(place, tree).await,
            Self::Sftp(session) => Ok(sftp::look(session, tree).await.map(|()| vec![None; tree.jobs.len()])?),
        }
    }
}
