//! The database as a part of the state of a site: which migrations it has.

use std::fmt;

use fabrs::{Connection, Error};
use futures::future::BoxFuture;

use crate::release::layout::Layout;
use crate::source::git::Git;
use crate::step::App;

/// Asks the code of releases about the database.
pub(crate) trait MigrationInspector: fmt::Debug + Send + Sync {
    /// Returns the migrations in the database that a release does not know; nothing, if the release can't tell.
    fn unknown_to(&self, app: App, age: ReleaseAge) -> BoxFuture<'static, Result<Option<Vec<String>>, Error>>;

    /// Returns the migrations that a build would bring to the database, before it is there.
    fn plan<'a>(&'a self, live: Option<App>, build: BuildSource<'a>) -> BoxFuture<'a, Result<MigrationPlan, Error>>;
}

/// Where a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReleaseAge {
    /// It is made by this run: in a dry run it is not there.
    New,
    /// It is on the host.
    Existing,
}

/// A build that is not on the hosts yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildSource<'a> {
    pub(crate) source: &'a Git,
    pub(crate) host: &'a Connection,
    pub(crate) layout: &'a Layout,
    pub(crate) commit: &'a str,
}

/// The migrations that a build would bring, as far as that is known before it is built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MigrationPlan {
    /// The plan for people, with warnings.
    pub(crate) text: String,
    /// The full names; nothing, if they are not known.
    pub(crate) names: Option<Vec<String>>,
    /// The migrations in the database that the build does not know.
    pub(crate) unknown: Vec<String>,
}
