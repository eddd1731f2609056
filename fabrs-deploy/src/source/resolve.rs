//! The resolution of a revision: the requested or the default revision, with the same commit on all
//! hosts.

use std::collections::HashSet;

use fabrs::{Connection, Error, ErrorKind, Group, Hide, cmd};

use super::git::{AcceptedRevisions, DefaultRevision, Delivery, Git, without_prompts};
use super::refs::Refs;
use super::revision::Revision;
use crate::outcomes::all_ok;

/// The purpose of `git ls-remote` in the output.
const LIST_REVISIONS: &str = "list the revisions of the repository";

/// The deployed commits of the hosts.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeployedCommits<'a> {
    /// The commits with a bad release on any host.
    pub(crate) bad: HashSet<&'a str>,
    /// The commits of the live releases.
    pub(crate) live: HashSet<&'a str>,
}

/// A revision to deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChosenRevision {
    pub(crate) revision: Revision,
    /// The later good builds, all marked as bad.
    pub(crate) skipped: Vec<String>,
}

impl ChosenRevision {
    fn new(commit: impl Into<String>, name: &str) -> Self {
        Self { revision: Revision::new(commit, name), skipped: Vec::new() }
    }
}

impl Git {
    /// Resolves the requested revision, or else the default: the head of a branch, or the last good
    /// build without a bad mark. Only reads.
    ///
    /// All hosts that fetch are queried, and must agree: a manipulated host must not choose the
    /// commit for the other hosts.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] if the repository has no such revision, or no good build.
    /// - [`ErrorKind::Usage`] if a later build than the default is live, and no host has the
    ///   default.
    /// - [`ErrorKind::Task`] if the hosts disagree.
    /// - The errors of a command.
    pub(crate) async fn resolve(
        &self,
        hosts: &Group,
        requested: Option<&str>,
        deployed: &DeployedCommits<'_>,
    ) -> Result<ChosenRevision, Error> {
        let url = &self.url;
        let answers: Vec<(Connection, String)> = match &self.delivery {
            Delivery::Fetch => {
                let list = cmd!("git -c versionsort.suffix=- ls-remote --sort=-version:refname -- {url}");
                let answers = hosts.each(|host| {
                    let list =
                        without_prompts(&host).probe(&list).named(LIST_REVISIONS).hide(Hide::Stdout).capture_all();
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
                vec![(
                    here.clone(),
                    here.probe(list)
                        .named(LIST_REVISIONS)
                        .hide(Hide::Stdout)
                        .capture_all()
                        .await?
                        .stdout()?
                        .into_owned(),
                )]
            }
        };
        let mut resolved: Option<(&Connection, ChosenRevision)> = None;
        for (host, answer) in &answers {
            let on = |error: Error| match host.host() {
                Some(host) => error.on(host),
                None => error,
            };
            let refs = Refs::parse(answer).map_err(on)?;
            let chosen = self.resolve_in(&refs, requested, deployed).map_err(on)?;
            self.check_accepted(&refs, &chosen.revision).map_err(on)?;
            match &resolved {
                None => resolved = Some((host, chosen)),
                Some((first, known)) if *known != chosen => {
                    return Err(disagreement((*first, &known.revision), (host, &chosen.revision)));
                }
                Some(_) => {}
            }
        }
        let no_host = || Error::new(ErrorKind::NoHost, "the deploy has no host");
        resolved.map(|(_, chosen)| chosen).ok_or_else(no_host)
    }

    fn resolve_in(
        &self,
        refs: &Refs,
        requested: Option<&str>,
        deployed: &DeployedCommits<'_>,
    ) -> Result<ChosenRevision, Error> {
        match (requested, &self.default) {
            (Some("HEAD"), _) => {
                let text = "`HEAD` is ambiguous: the remote repository and the local clone each have one";
                let hint = "name a tag, a branch or a commit: `git rev-parse HEAD` prints the local commit";
                Err(Error::new(ErrorKind::Usage, text).hint(hint))
            }
            (Some(name), _) => Ok(ChosenRevision::new(refs.resolve(name)?, name)),
            (None, DefaultRevision::Branch(branch)) => Ok(ChosenRevision::new(refs.branch(branch)?, branch)),
            (None, DefaultRevision::GoodBuild) => self.latest_good_build(refs, deployed),
        }
    }

    /// Returns the last good build without a bad mark.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if there is none, or if a later build is live and no host has the last
    /// good build.
    fn latest_good_build(&self, refs: &Refs, deployed: &DeployedCommits<'_>) -> Result<ChosenRevision, Error> {
        let usage = |text: String| Error::new(ErrorKind::Usage, text);
        let mut skipped = Vec::new();
        let mut later_live = None;
        for (tag, commit) in refs.tags(&self.good_tag_prefix) {
            if deployed.bad.contains(commit) {
                later_live = later_live.or_else(|| deployed.live.contains(commit).then_some(tag));
                skipped.push(tag.to_owned());
                continue;
            }
            return match later_live {
                // If a host already has the last good build, this deploy repairs a partly failed
                // deploy or revert.
                Some(live) if !deployed.live.contains(commit) => {
                    let text = format!("the live build `{live}` is marked as bad, and the last good build is `{tag}`");
                    Err(usage(text).hint(format!("name the build to deploy, `{live}` or `{tag}`")))
                }
                _ => Ok(ChosenRevision { skipped, ..ChosenRevision::new(commit, tag) }),
            };
        }
        let text = match skipped.first() {
            None => format!("the repository has no good build: no tag begins with `{}`", self.good_tag_prefix),
            Some(tag) => format!("all good builds are marked as bad; the latest is `{tag}`"),
        };
        Err(usage(text).hint("name a tag, a branch or a commit to deploy"))
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
