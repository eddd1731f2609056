//! The paths of a site on a host, with the names of Capistrano.

use std::collections::HashMap;

use fabrs::{Connection, Error, ErrorKind, Host};

use super::id::ReleaseId;

/// The file with the manifest of a release.
pub(crate) const MANIFEST_FILE: &str = ".fabrs-release.json";

/// The file with the future manifest of a release during its build.
pub(crate) const UNFINISHED_FILE: &str = ".fabrs-unfinished";

/// The file that marks a release after the host has passed its checks with this release.
pub(crate) const VERIFIED_FILE: &str = ".fabrs-works";

/// The file that marks a bad release, with the name used by Deployer.
pub(crate) const BAD_FILE: &str = "BAD_RELEASE";

/// The file that marks a held release: built, and live only after its promotion.
pub(crate) const HELD_FILE: &str = ".fabrs-held";

/// The directory with the settings of the revert watchdog, in the directory of the site.
pub(crate) const HOST_REVERT_DIR: &str = ".fabrs-host-revert";

/// The file that marks a host outside its balancer, in [`Layout::private_dir`]: the list of its
/// drained servers.
pub(crate) const DRAINED_FILE: &str = "deploy.drained";

/// The file with the live side of a blue-green site.
pub(crate) const SIDE_FILE: &str = "deploy.side";

/// The name of the lock of a site: see [`fabrs::LockRequest`].
pub(crate) const LOCK_NAME: &str = "deploy";

/// The file of a manual lock: see [`fabrs::ManualLock`].
pub(crate) const MANUAL_LOCK_FILE: &str = "deploy.locked";

/// The file with the migrations unknown to a release at the time of its switch.
pub(crate) const ACCEPTED_FILE: &str = ".fabrs-accepted";

/// The migration log: one JSON object per line.
pub(crate) const MIGRATION_LOG_FILE: &str = "migrations.log";

/// The kind of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SiteKind {
    /// A directory with releases. The symlink `current` selects the live release.
    #[default]
    Releases,
    /// A git work tree that is live itself.
    InPlace,
}

/// The paths of a site on a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    root: String,
    kind: SiteKind,
}

impl Layout {
    pub(crate) fn new(root: &str, kind: SiteKind) -> Self {
        let trimmed = root.trim_end_matches('/');
        Self { root: if trimmed.is_empty() { root } else { trimmed }.to_owned(), kind }
    }

    /// Returns the directory of the site.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// Returns the directory of a release. For a work tree, this is the directory of the site.
    pub(crate) fn release(&self, id: &ReleaseId) -> String {
        match self.kind {
            SiteKind::Releases => format!("{}/releases/{id}", self.root),
            SiteKind::InPlace => self.root.clone(),
        }
    }

    /// Returns the path of the symlink to the live release.
    pub(crate) fn current(&self) -> String {
        format!("{}/current", self.root)
    }

    /// Returns the directory with the files shared by all releases.
    pub(crate) fn shared(&self) -> String {
        format!("{}/shared", self.root)
    }

    /// Returns the directory for locks and logs. For a work tree, this is `.git`, since git ignores
    /// the files there.
    pub(crate) fn private_dir(&self) -> String {
        match self.kind {
            SiteKind::Releases => self.root.clone(),
            SiteKind::InPlace => format!("{}/.git", self.root),
        }
    }

    /// Returns the path of the revision log: one line for each switch to another release.
    pub(crate) fn revision_log(&self) -> String {
        format!("{}/revisions.log", self.private_dir())
    }

    /// Returns the path of the repository.
    pub(crate) fn repo(&self) -> String {
        match self.kind {
            SiteKind::Releases => format!("{}/repo", self.root),
            SiteKind::InPlace => self.private_dir(),
        }
    }
}

/// The paths of a site on each host of a group. A root with `~/` differs between hosts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layouts(HashMap<Host, Layout>);

impl Layouts {
    /// Returns the paths on a host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if the host was not surveyed.
    pub(crate) fn of(&self, host: &Connection) -> Result<&Layout, Error> {
        let known = host.host().and_then(|host| self.get(host));
        known.ok_or_else(|| Error::new(ErrorKind::Internal, "internal error: the host was not surveyed"))
    }

    /// Returns the paths on a host, or `None` if the host was not surveyed.
    pub(crate) fn get(&self, host: &Host) -> Option<&Layout> {
        self.0.get(host)
    }
}

impl FromIterator<(Host, Layout)> for Layouts {
    fn from_iter<I: IntoIterator<Item = (Host, Layout)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_are_those_of_capistrano() {
        let layout = Layout::new("/srv/shop/", SiteKind::Releases);
        let id = "20261103140211".parse().unwrap();
        assert_eq!(layout.root(), "/srv/shop");
        assert_eq!(layout.release(&id), "/srv/shop/releases/20261103140211");
        assert_eq!(layout.current(), "/srv/shop/current");
        assert_eq!(layout.shared(), "/srv/shop/shared");
        assert_eq!(layout.repo(), "/srv/shop/repo");
        assert_eq!(layout.revision_log(), "/srv/shop/revisions.log");
    }

    #[test]
    fn the_files_of_the_kit_are_outside_the_tracked_files_of_a_work_tree() {
        let layout = Layout::new("/srv/shop", SiteKind::InPlace);
        assert_eq!(layout.release(&ReleaseId::default()), "/srv/shop");
        for path in [layout.repo(), layout.revision_log(), layout.private_dir()] {
            assert!(path.starts_with("/srv/shop/.git"), "{path}");
        }
    }
}
