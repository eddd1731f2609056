//! Reading files of a host, by the one way or the other.

use std::sync::Arc;

use super::arrival::Arrival;
use super::job::Place;
use super::script::{self, Undone};
use super::sftp::{self, Session};
use super::source::Sum;
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
}
