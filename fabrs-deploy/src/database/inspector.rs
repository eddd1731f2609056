//! The [`MigrationInspector`] trait: compares the migrations of the database and the code.

use std::fmt;

use fabrs::{Connection, Error, TaskError};
use futures::future::BoxFuture;

use crate::release::layout::Layout;
use crate::source::git::Git;
use crate::step::App;

/// Compares the migrations of the database with those of a release or of a build.
pub(crate) trait MigrationInspector: fmt::Debug + Send + Sync {
    /// Returns the migrations in the database that are unknown to a release, or `None` if the code
    /// of the release cannot be loaded.
    fn unknown_to(&self, app: App, age: ReleaseAge) -> BoxFuture<'static, Result<Option<Vec<String>>, Error>>;

    /// Checks that the host of `app` can connect to the database. The release of `app` does not
    /// exist yet.
    fn preflight(&self, app: App) -> BoxFuture<'_, Result<(), TaskError>>;

    /// Returns the pending migrations of a build before the build is on a host.
    fn plan<'a>(&'a self, live: Option<App>, build: BuildSource<'a>) -> BoxFuture<'a, Result<MigrationPlan, Error>>;
}

/// The age of a release. A dry run can only read a release of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReleaseAge {
    /// Built by this run. In a dry run, the release does not exist.
    New,
    /// Built by an earlier run. A dry run can read the release.
    Existing,
}

/// A build before its release exists on a host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildSource<'a> {
    pub(crate) source: &'a Git,
    pub(crate) host: &'a Connection,
    pub(crate) layout: &'a Layout,
    pub(crate) commit: &'a str,
}

/// The pending migrations of a build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MigrationPlan {
    /// The plan for people, with warnings.
    pub(crate) text: String,
    /// The full names, such as `orders.0007_seat`. `None` if they are unknown before the build.
    pub(crate) names: Option<Vec<String>>,
    /// The migrations in the database that are unknown to the build.
    pub(crate) unknown: Vec<String>,
}
