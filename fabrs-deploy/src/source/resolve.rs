//! The resolution of a revision: the requested or the default revision, with the same commit on all
//! hosts.

use std::collections::HashSet;

use fabrs::{Connection, Error, ErrorKind, Group, Hide, cmd};

use super::git::{AcceptedRevisions, DefaultRevision, Delivery, Git, without_prompts};
use super::refs::Refs;
use super::revision::Revision;
use crate::outcomes::all_ok;

impl Git {
    /// Resolves the requested revision, or else the default: the head of a branch, or the last good
    /// build. Builds of the commits in `bad` are not good. Only reads.
    ///
    /// All hosts that fetch are queried, and must agree: a manipulated host must not choose the
    /// commit for the other hosts.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] if the repository has no such revision, or no good build.
    /// - [`ErrorKind::Task`] if the hosts disagree.
    /// - The errors of a command.
    pub(crate) async fn resolve(
        &self,
        hosts: &Group,
        requested: Option<&str>,
        bad: &HashSet<&str>,
    ) -> Result<Revision, Error> {
        let url = &self.url;
        let answers: Vec<(Connection, String)> = match &self.delivery {
            Delivery::Fetch => {
                let list = cmd!("git -c versionsort.suffix=- ls-remote --sort=-version:refname -- {url}");
                let answers = hosts.each(|host| {
                    let list = without_prompts(&host).probe(&list).hide(Hide::Stdout).capture_all();
                    async move { Ok::<_, Error>((host, list.await?.stdout()?.into_owned())) }
                });
                all_ok(answers.await)?.into_iter().map(|(_, answer)| answer).collect()
            }
            // The remote `origin` has the tags that all users share. Unpushed tags are ignored.
            Delivery::Upload(_) => {
                let no_host = || Error::new(ErrorKind::NoHost, "the deploy has no host");
                let here =
                    without_prompts(&self.repository_connection(hosts.connections().first().ok_or_else(no_host)?)?);
                let list =
                    self.remote_line("git -c versionsort.suffix=- ls-remote --sort=-version:refname -- \"$from\"");
                vec![(here.clone(), here.probe(list).hide(Hide::Stdout).capture_all().await?.stdout()?.into_owned())]
            }
        };
        let mut resolved: Option<(&Connection, Revision)> = None;
        for (host, answer) in &answers {
            let on = |error: Error| match host.host() {
                Some(host) => error.on(host),
                None => error,
            };
            let refs = Refs::parse(answer).map_err(on)?;
            let revision = self.resolve_in(&refs, requested, bad).map_err(on)?;
            self.check_accepted(&refs, &revision).map_err(on)?;
            match &resolved {
                None => resolved = Some((host, revision)),
                Some((first, known)) if *known != revision => {
                    return Err(disagreement((*first, known), (host, &revision)));
                }
                Some(_) => {}
            }
        }
        let no_host = || Error::new(ErrorKind::NoHost, "the deploy has no host");
        resolved.map(|(_, revision)| revision).ok_or_else(no_host)
    }

    fn resolve_in(&self, refs: &Refs, requested: Option<&str>, bad: &HashSet<&str>) -> Result<Revision, Error> {
        match (requested, &self.default) {
            (Some(name), _) => Ok(Revision::new(refs.resolve(name)?, name)),
            (None, DefaultRevision::Branch(branch)) => Ok(Revision::new(refs.branch(branch)?, branch)),
            (None, DefaultRevision::GoodBuild) => {
                let mut tags = refs.tags(&self.good_tag_prefix).peekable();
                let first = tags.peek().copied();
                if let Some((tag, commit)) = tags.find(|(_, commit)| !bad.contains(commit)) {
                    return Ok(Revision::new(commit, tag));
                }
                let text = match first {
                    None => format!("the repository has no good build: no tag begins with `{}`", self.good_tag_prefix),
                    Some((tag, _)) => format!("all good builds are marked as bad; the latest is `{tag}`"),
                };
                Err(Error::new(ErrorKind::Usage, text).hint("name a tag, a branch or a commit to deploy"))
            }
        }
    }

    /// Refuses a revision without the tag of a good build, if the site requires good builds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] with the missing tag.
    fn check_accepted(&self, refs: &Refs, revision: &Revision) -> Result<(), Error> {
        let prefix = &self.good_tag_prefix;
        let is_good = || refs.tags(prefix).any(|(_, commit)| commit == revision.commit);
        if self.accepted == AcceptedRevisions::All || is_good() {
            return Ok(());
        }
        let text = format!("{revision} is not a good build: no tag `{prefix}*` marks its commit");
        Err(Error::new(ErrorKind::Usage, text).hint("wait for CI to tag the commit, or deploy the last good build"))
    }
}

/// Creates the error of two hosts that resolve one name to different commits.
fn disagreement(one: (&Connection, &Revision), other: (&Connection, &Revision)) -> Error {
    let of = |(host, revision): (&Connection, &Revision)| {
        format!("{} has {revision}", host.host().map_or_else(String::new, |host| host.label().to_string()))
    };
    let text = format!("hosts disagree on the build: {}, {}", of(one), of(other));
    Error::new(ErrorKind::Task, text).hint("run the deploy again if a tag was just moved, or name a full commit id")
}
