//! What stands where in the folder of a site, by Capistrano's names.

use std::collections::HashMap;

use fabrs::{Connection, Error, ErrorKind, Host};

use super::ReleaseId;

/// The name of the manifest in a release.
pub(crate) const MANIFEST: &str = ".fabrs-release.json";

/// The name of the file in a release that is being built: what becomes its manifest.
pub(crate) const UNFINISHED: &str = ".fabrs-unfinished";

/// The name of the mark in a release that turned out bad, as Deployer has it.
pub(crate) const BAD: &str = "BAD_RELEASE";

/// The paths of a site on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    root: String,
}

impl Layout {
    pub(crate) fn new(root: impl Into<String>) -> Self {
        let root: String = root.into();
        let trimmed = root.trim_end_matches('/');
        Self { root: if trimmed.is_empty() { root } else { trimmed.to_owned() } }
    }

    /// Returns the folder of the site.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// Returns the folder of a release.
    pub(crate) fn release(&self, id: &ReleaseId) -> String {
        format!("{}/releases/{id}", self.root)
    }

    /// Returns the symlink to the release that is live.
    pub(crate) fn current(&self) -> String {
        format!("{}/current", self.root)
    }

    /// Returns the folder of what all releases have in common.
    pub(crate) fn shared(&self) -> String {
        format!("{}/shared", self.root)
    }

    /// Returns the file with a line for each time that another release went live.
    pub(crate) fn log(&self) -> String {
        format!("{}/revisions.log", self.root)
    }

    /// Returns the bare repository.
    pub(crate) fn repo(&self) -> String {
        format!("{}/repo", self.root)
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
        let known = host.host().and_then(|host| self.0.get(host));
        known.ok_or_else(|| Error::new(ErrorKind::Internal, "nobody has looked at this host"))
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
        let layout = Layout::new("/srv/shop/");
        let id = "20261103140211".parse().unwrap();
        assert_eq!(layout.root(), "/srv/shop");
        assert_eq!(layout.release(&id), "/srv/shop/releases/20261103140211");
        assert_eq!(layout.current(), "/srv/shop/current");
        assert_eq!(layout.shared(), "/srv/shop/shared");
        assert_eq!(layout.repo(), "/srv/shop/repo");
    }
}
