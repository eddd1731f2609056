//! [`Site::mark_good`]: tags the live revision as a good build.

use std::collections::BTreeMap;

use fabrs::{Connection, Error, ErrorKind, Group};

use crate::deploy::ConnectedSite;
use crate::site::Site;
use crate::source::Revision;

impl Site {
    /// Tags the live commit of a group as a good build in the shared repository, and returns the
    /// tag.
    ///
    /// Use this on staging after its tests have passed. A production deploy then uses the tagged
    /// build by default. The tag is `name` with the prefix of
    /// [`Git::good_tag_prefix`](crate::Git::good_tag_prefix).
    ///
    /// ```
    /// # use fabrs::prelude::*;
    /// # use fabrs_deploy::{Git, Site};
    /// # fn shop() -> Site {
    /// #     Site::new("/srv/shop").source(Git::at("https://git.example.com/shop.git"))
    /// # }
    /// /// Tags the live build as good.
    /// #[task(local)]
    /// async fn mark_good(build: String) -> Result {
    ///     shop().mark_good(on(role("web"))?, &build).await?; // deployable-314
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] if the site has no source.
    /// - [`ErrorKind::Task`] if a host has no live release, or if the hosts have different live
    ///   revisions.
    /// - The errors of a command, for example if the host has no write access to the repository.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. The tag may exist already.
    pub async fn mark_good(&self, hosts: Group, name: &str) -> Result<String, Error> {
        let Some(source) = &self.source else { return Err(Error::new(ErrorKind::Usage, "the site has no source")) };
        let (hosts, surveys) = ConnectedSite::connect(self.clone(), hosts).await?;
        let mut live: BTreeMap<&str, &Revision> = BTreeMap::new();
        for host in hosts.group.connections().iter().filter_map(Connection::host) {
            let manifest = surveys.get(host).and_then(|survey| survey.live_manifest());
            let not_live = || Error::new(ErrorKind::Task, "no release is live").on(host);
            let revision = &manifest.ok_or_else(not_live)?.revision;
            live.insert(&revision.commit, revision);
        }
        if live.len() > 1 {
            let all: Vec<String> = live.into_values().map(ToString::to_string).collect();
            let error =
                Error::new(ErrorKind::Task, format!("the hosts have different live revisions: {}", all.join(", ")));
            return Err(error.hint("deploy one revision to all hosts, then tag it"));
        }
        let (host, tag) = (hosts.first()?, source.good_tag(name));
        for commit in live.into_keys() {
            source.push_tag(host, hosts.layouts.of(host)?, commit, &tag).await?;
        }
        Ok(tag)
    }
}
