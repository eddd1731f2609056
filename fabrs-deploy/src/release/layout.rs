//! What stands where in the folder of a site, by Capistrano's names.

use std::collections::HashMap;

use fabrs::{Connection, Error, ErrorKind, Host};

use super::id::ReleaseId;

/// The name of the manifest in a release.
pub(crate) const MANIFEST_FILE: &str = ".fabrs-release.json";

/// The name of the file in a release that is being built: what becomes its manifest.
pub(crate) const UNFINISHED_FILE: &str = ".fabrs-unfinished";

/// The name of the mark in a release that a host was seen to work with.
pub(crate) const VERIFIED_FILE: &str = ".fabrs-works";

/// The name of the mark in a release that turned out bad, as Deployer has it.
pub(crate) const BAD_FILE: &str = "BAD_RELEASE";

/// The name of the lock of a site, and of the file of a manual one: see [`fabrs::lock`].
pub(crate) const LOCK_NAME: &str = "deploy";
pub(crate) const MANUAL_LOCK_FILE: &str = "deploy.locked";

/// The name of the file in a release with the migrations that it did not know when it went live.
pub(crate) const ACCEPTED_FILE: &str = ".fabrs-accepted";

/// The name of the log of migrations, one JSON object a line.
pub(crate) const MIGRATION_LOG_FILE: &str = "migrations.log";

/// What the folder of a site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SiteKind {
    /// It holds releases, of which one is live.
    #[default]
    Releases,
    /// It is a work tree, which is live itself.
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

    /// Returns the folder of the site.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// Returns the folder of a release.
    pub(crate) fn release(&self, id: &ReleaseId) -> String {
        match self.kind {
            SiteKind::Releases => format!("{}/releases/{id}", self.root),
            SiteKind::InPlace => self.root.clone(),
        }
    }

    /// Returns the symlink to the release that is live.
    pub(crate) fn current(&self) -> String {
        format!("{}/current", self.root)
    }

    /// Returns the folder of what all releases have in common.
    pub(crate) fn shared(&self) -> String {
        format!("{}/shared", self.root)
    }

    /// Returns the folder for what is the kit's own: in a work tree one that git does not take for part of it.
    pub(crate) fn private_dir(&self) -> String {
        match self.kind {
            SiteKind::Releases => self.root.clone(),
            SiteKind::InPlace => format!("{}/.git", self.root),
        }
    }

    /// Returns the file with a line for each time that something else went live.
    pub(crate) fn revision_log(&self) -> String {
        format!("{}/revisions.log", self.private_dir())
    }

    /// Returns the repository.
    pub(crate) fn repo(&self) -> String {
        match self.kind {
            SiteKind::Releases => format!("{}/repo", self.root),
            SiteKind::InPlace => self.private_dir(),
        }
    }
}

/// What stands where on each host of a group: where a root begins with the home, not the same on all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layouts(HashMap<Host, Layout>);

impl Layouts {
    /// Returns what stands where on a host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] where nobody has looked there.
    pub(crate) fn of(&self, host: &Connection) -> Result<&Layout, Error> {
        let known = host.host().and_then(|host| self.get(host));
        known.ok_or_else(|| Error::new(ErrorKind::Internal, "nobody has looked at this host"))
    }

    /// Returns what stands where on a host that somebody has looked at.
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
    fn the_names_are_those_of_capistrano() {
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
    fn a_work_tree_holds_nothing_of_ours_that_git_would_see() {
        let layout = Layout::new("/srv/shop", SiteKind::InPlace);
        assert_eq!(layout.release(&ReleaseId::default()), "/srv/shop");
        for path in [layout.repo(), layout.revision_log(), layout.private_dir()] {
            assert!(path.starts_with("/srv/shop/.git"), "{path}");
        }
    }
}
