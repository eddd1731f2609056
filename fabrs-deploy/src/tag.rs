//! Tagging what is live as a good build: what `fab production deploy` will take.

use std::collections::BTreeMap;

use fabrs::{Connection, Error, ErrorKind, Group};

use crate::deploy::SiteHosts;
use crate::site::Site;
use crate::source::Revision;

impl Site {
    /// Tags the commit that is live on all hosts of a group as a good build, in the repository that all share, and returns the
    /// tag: `name` behind what the tags of good builds begin with. It is what staging does when its tests have passed.
    ///
    /// ```
    /// # use fabrs::prelude::*;
    /// # use fabrs_deploy::{Git, Site};
    /// # fn shop() -> Site { Site::new("/srv/shop").source(Git::at("https://git.example.com/shop.git")) }
    /// /// Says that what is live on staging may go to production.
    /// #[task(local)]
    /// async fn good(build: String) -> Result {
    ///     shop().mark_good(on(role("web"))?, &build).await?; // deployable-314
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where the site has no source; [`ErrorKind::Task`] where nothing is live, or not the same everywhere;
    /// as any command: where the host, or this machine, may not push.
    pub async fn mark_good(&self, hosts: Group, name: &str) -> Result<String, Error> {
        let Some(source) = &self.source else { return Err(Error::new(ErrorKind::Usage, "the site has no source")) };
        let (fleet, surveys) = SiteHosts::connect(self.clone(), hosts).await?;
        let mut live: BTreeMap<&str, &Revision> = BTreeMap::new();
        for host in fleet.hosts.connections().iter().filter_map(Connection::host) {
            let manifest = surveys.get(host).and_then(|survey| survey.live_manifest());
            let none = || Error::new(ErrorKind::Task, "nothing that is known is live here").on(host);
            let revision = &manifest.ok_or_else(none)?.revision;
            live.insert(&revision.commit, revision);
        }
        if live.len() > 1 {
            let all: Vec<String> = live.into_values().map(ToString::to_string).collect();
            let error = Error::new(ErrorKind::Task, format!("not the same is live on all hosts: {}", all.join(", ")));
            return Err(error.hint("the status shows which host is out of step"));
        }
        let (host, tag) = (fleet.first()?, source.good_tag(name));
        for commit in live.into_keys() {
            source.push_tag(host, fleet.layouts.of(host)?, commit, &tag).await?;
        }
        Ok(tag)
    }
}
