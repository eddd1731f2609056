//! A git repository as the source of releases: what is chosen of it, and how it gets to the hosts.

use std::collections::HashSet;

use fabrs::{Connection, Error, ErrorKind, Group, Hide, Secret, cmd};

use super::changes::CommitChanges;
use super::commit_files::{self, CommitFile};
use super::refs::Refs;
use super::revision::Revision;
use super::upload;
use crate::outcomes::all_ok;
use crate::release::layout::Layout;

/// A git repository that releases are made from.
///
/// Each host keeps a bare mirror of it, `repo`, so that only what is new goes over the network.
#[derive(Debug, Clone)]
#[must_use = "a source does nothing until a site has it"]
pub struct Git {
    url: String,
    delivery: Delivery,
    good_tag_prefix: String,
    deployed_tag_prefix: String,
    default: DefaultRevision,
    work_tree: WorkTreePolicy,
}

/// How commits get to the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Delivery {
    /// Each host fetches them from the address.
    Fetch,
    /// They are taken from the repository in this folder here, and uploaded over our own connection.
    Upload(String),
}

/// What is put live where nothing is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum DefaultRevision {
    /// The latest tag of a good build.
    GoodBuild,
    /// The end of a branch.
    Branch(String),
}

/// Whether the folder that `fab` runs in must hold nothing that is not committed and pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkTreePolicy {
    RequireClean,
    AllowDirty,
}

impl Git {
    /// Has each host fetch from this address: with a key of its own, or the agent that is forwarded to it. A password in it is
    /// kept out of what is shown, but other users of the host may see it while git runs: let the host have it in
    /// `~/.git-credentials`, or a key.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            delivery: Delivery::Fetch,
            good_tag_prefix: "deployable-".to_owned(),
            deployed_tag_prefix: "deployed-".to_owned(),
            default: DefaultRevision::GoodBuild,
            work_tree: WorkTreePolicy::RequireClean,
        }
    }

    /// Takes commits from the repository in this folder here, and carries them over our own connection: for hosts that
    /// can't reach the repository. What it calls `origin` is asked for the tags where it has one.
    pub fn from_local(folder: impl Into<String>) -> Self {
        let folder = folder.into();
        Self { delivery: Delivery::Upload(folder), ..Self::at("origin") }
    }

    /// Sets what the tags of good builds begin with: the last of them is put live where nothing else is asked for. Defaults
    /// to `deployable-`; `deployable-10` comes after `deployable-9`.
    pub fn good_tag_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.good_tag_prefix = prefix.into();
        self
    }

    /// Sets what the tag begins with that a deploy leaves behind; the rest of it are the environment and the release. The first
    /// host pushes it, and needs to be allowed to; that it could not is a warning. Defaults to `deployed-`.
    pub fn deployed_tag_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.deployed_tag_prefix = prefix.into();
        self
    }

    /// Leaves no tags behind: where the hosts, or this machine, may only read the repository.
    pub fn without_deployed_tags(mut self) -> Self {
        self.deployed_tag_prefix.clear();
        self
    }

    /// Deploys the head of this branch by default, instead of the last good build. A tag with the same name is ignored.
    pub fn branch(mut self, name: impl Into<String>) -> Self {
        self.default = DefaultRevision::Branch(name.into());
        self
    }

    /// Says whether the folder that `fab` runs in may hold what is not committed or not pushed. Refused by default, since
    /// the configuration that tasks put on hosts comes from there.
    pub fn allow_dirty(mut self, allow: bool) -> Self {
        self.work_tree = if allow { WorkTreePolicy::AllowDirty } else { WorkTreePolicy::RequireClean };
        self
    }

    /// Returns where it comes from, for people.
    pub(crate) fn location(&self) -> &str {
        match &self.delivery {
            Delivery::Fetch => &self.url,
            Delivery::Upload(folder) => folder,
        }
    }

    /// Returns the password in the address, which must not be shown.
    pub(crate) fn secret(&self) -> Option<Secret> {
        let (user, _) = self.url.split_once("://")?.1.split('/').next()?.rsplit_once('@')?;
        Some(Secret::new(user.split_once(':')?.1))
    }

    /// Returns the connection on which the repository is asked.
    fn repository_connection(&self, host: &Connection) -> Result<Connection, Error> {
        match (&self.delivery, host.client()) {
            (Delivery::Upload(folder), Some(client)) => Ok(client.local()?.cd(folder)),
            _ => Ok(host.clone()),
        }
    }

    /// Chooses what is put live: what was asked for, or the last good build that is not in `bad`. It only reads.
    ///
    /// Hosts that fetch are all asked, and must agree: one host alone must not decide for the others.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where the repository has no such thing; [`ErrorKind::Task`] where hosts disagree; as any command.
    pub(crate) async fn resolve(
        &self,
        hosts: &Group,
        asked: Option<&str>,
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
            // Work that is not pushed exists for nobody else; a repository without an origin is its own.
            Delivery::Upload(_) => {
                let no_host = || Error::new(ErrorKind::NoHost, "there is no host");
                let here =
                    without_prompts(&self.repository_connection(hosts.connections().first().ok_or_else(no_host)?)?);
                let list = cmd!(
                    "git remote get-url -- {url} > /dev/null 2>&1 && from={url} || from=.; git -c versionsort.suffix=- ls-remote --sort=-version:refname -- $from"
                );
                vec![(here.clone(), here.probe(list).hide(Hide::Stdout).capture_all().await?.stdout()?.into_owned())]
            }
        };
        let mut chosen: Option<(&Connection, Revision)> = None;
        for (host, answer) in &answers {
            let on = |error: Error| match host.host() {
                Some(host) => error.on(host),
                None => error,
            };
            let revision = self.resolve_in(&Refs::parse(answer).map_err(on)?, asked, bad).map_err(on)?;
            match &chosen {
                None => chosen = Some((host, revision)),
                Some((first, known)) if *known != revision => {
                    return Err(disagreement((*first, known), (host, &revision)));
                }
                Some(_) => {}
            }
        }
        let none = || Error::new(ErrorKind::NoHost, "there is no host");
        chosen.map(|(_, revision)| revision).ok_or_else(none)
    }

    fn resolve_in(&self, refs: &Refs, asked: Option<&str>, bad: &HashSet<&str>) -> Result<Revision, Error> {
        match (asked, &self.default) {
            (Some(name), _) => Ok(Revision::new(refs.resolve(name)?, name)),
            (None, DefaultRevision::Branch(branch)) => Ok(Revision::new(refs.branch(branch)?, branch)),
            (None, DefaultRevision::GoodBuild) => {
                let mut tags = refs.tags(&self.good_tag_prefix).peekable();
                let first = tags.peek().copied();
                if let Some((tag, commit)) = tags.find(|(_, commit)| !bad.contains(commit)) {
                    return Ok(Revision::new(commit, tag));
                }
                let text = match first {
                    None => format!("there is no good build: no tag begins with `{}`", self.good_tag_prefix),
                    Some((tag, _)) => format!("all good builds were marked as bad, the latest is `{tag}`"),
                };
                Err(Error::new(ErrorKind::Usage, text).hint("name a tag, a branch or a commit"))
            }
        }
    }

    /// Refuses a folder here, the one that commits come from or else the one that `fab` runs in, that holds what is not committed, or not pushed; one that is no repository holds nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] with what there is.
    pub(crate) async fn check_work_tree(&self, host: &Connection) -> Result<(), Error> {
        let (WorkTreePolicy::RequireClean, Some(client)) = (self.work_tree, host.client()) else { return Ok(()) };
        let here = match &self.delivery {
            Delivery::Fetch => without_prompts(&client.local()?),
            Delivery::Upload(folder) => without_prompts(&client.local()?.cd(folder)),
        };
        let look = "git rev-parse --is-inside-work-tree > /dev/null 2>&1 || exit 0; \
                    git --no-optional-locks status --porcelain --untracked-files=normal . | head -n 5; \
                    test -z \"$(git remote)\" || git rev-list --max-count=1 HEAD --not --remotes 2> /dev/null | sed 's/^/unpushed /'";
        let said = here.probe(look).hide(Hide::Both).lines().await?;
        let is_unpushed = |line: &String| line.starts_with("unpushed ");
        let Some(first) = said.first() else { return Ok(()) };
        let what = match said.iter().filter(|line| !is_unpushed(line)).count() {
            0 => "commits here are not pushed".to_owned(),
            1 => format!("`{}` here is not committed", first.get(3..).unwrap_or(first)),
            _ => format!("`{}` and more here is not committed", first.get(3..).unwrap_or(first)),
        };
        let hint = "commit and push, or allow it: `Git::allow_dirty`";
        Err(Error::new(ErrorKind::Usage, format!("what is deployed may not be what is here: {what}")).hint(hint))
    }

    /// Returns what lies between two commits, as the repository here knows it, or else the mirror of a host; nothing where
    /// neither does. It only reads.
    ///
    /// # Errors
    ///
    /// As any command.
    pub(crate) async fn changes(
        &self,
        host: &Connection,
        layout: &Layout,
        old: &str,
        new: &str,
    ) -> Result<Option<CommitChanges>, Error> {
        let here = self.local_clone(host)?;
        if let Some(changes) = CommitChanges::between(&here, old, new).await? {
            return Ok(Some(changes));
        }
        CommitChanges::between(&host.env("GIT_DIR", layout.repo()), old, new).await
    }

    /// Returns the clone on this machine: the uploaded folder, or the directory of the run.
    fn local_clone(&self, host: &Connection) -> Result<Connection, Error> {
        match (&self.delivery, host.client()) {
            (Delivery::Fetch, Some(client)) => client.local(),
            _ => self.repository_connection(host),
        }
    }

    /// Returns the migrations of a build, as the repository here knows it, else the mirror of the host, else the address; nothing
    /// where none of them has it. It only reads.
    ///
    /// # Errors
    ///
    /// As any command.
    pub(crate) async fn migration_files(
        &self,
        host: &Connection,
        layout: &Layout,
        commit: &str,
    ) -> Result<Option<Vec<CommitFile>>, Error> {
        let here = self.local_clone(host)?;
        if let Some(files) = commit_files::migration_files(&here, commit).await? {
            return Ok(Some(files));
        }
        if let Some(files) = commit_files::migration_files(&host.env("GIT_DIR", layout.repo()), commit).await? {
            return Ok(Some(files));
        }
        match &self.delivery {
            Delivery::Fetch => commit_files::fetch_migration_files(&without_prompts(host), &self.url, commit).await,
            Delivery::Upload(_) => Ok(None),
        }
    }

    /// Brings a revision into a repository of a host, which is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where the repository does not have it any more; as any command.
    pub(crate) async fn deliver(&self, host: &Connection, repo: &str, revision: &Revision) -> Result<(), Error> {
        let (url, commit) = (&self.url, &revision.commit);
        let host = without_prompts(host);
        match &self.delivery {
            Delivery::Fetch => {
                // Not as heads: of a work tree one of them is checked out.
                let all = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
                host.run(cmd!(
                    "cd {repo} && {{ git cat-file -e {commit}^{{commit}} 2> /dev/null || git fetch --quiet --prune --force -- {url} {all...}; }}"
                ))
                .named(format!("git fetch {revision}"))
                .hide(Hide::Both)
                .await?;
            }
            Delivery::Upload(_) => {
                upload::upload_commit(&self.repository_connection(&host)?, &host, repo, commit).await?
            }
        }
        let has = host.run(cmd!("git --git-dir {repo} cat-file -e {commit}^{{commit}}"));
        let has = has.named(format!("look for {revision}")).warn().hide(Hide::Both).await?;
        if has.was_run() && !has.ok()? {
            let text = format!("the repository has no commit `{}`", revision.commit);
            return Err(Error::new(ErrorKind::Usage, text).on(has.host()));
        }
        Ok(())
    }

    /// Leaves a tag at a commit, in the repository that all share. One that is there stays, and is an error.
    ///
    /// # Errors
    ///
    /// As any command: where the host, or this machine, may not push.
    pub(crate) async fn push_tag(
        &self,
        host: &Connection,
        layout: &Layout,
        commit: &str,
        tag: &str,
    ) -> Result<(), Error> {
        let to = format!("{commit}:refs/tags/{tag}");
        let (url, repo) = (&self.url, layout.repo());
        let line = match &self.delivery {
            Delivery::Fetch => cmd!("git --git-dir {repo} push --quiet -- {url} {to}"),
            Delivery::Upload(_) => cmd!(
                "git tag -- {tag} {commit} && \
                 if git remote get-url -- {url} > /dev/null 2>&1; then git push --quiet -- {url} {to}; fi"
            ),
        };
        let push = without_prompts(&self.repository_connection(host)?).run(line).named(format!("git push {tag}"));
        push.hide(Hide::Stdout).await?;
        Ok(())
    }

    /// Returns the name of the tag of a good build.
    pub(crate) fn good_tag(&self, name: &str) -> String {
        format!("{}{name}", self.good_tag_prefix)
    }

    /// Returns the name of the tag that a deploy leaves.
    pub(crate) fn deployed_tag(&self, environment: Option<&str>, release: &str) -> Option<String> {
        let prefix = Some(&self.deployed_tag_prefix).filter(|prefix| !prefix.is_empty())?;
        let environment = environment.map(|environment| format!("{environment}-")).unwrap_or_default();
        Some(format!("{prefix}{environment}{release}"))
    }
}

/// Makes the error of two hosts that know another commit by the same name.
fn disagreement(one: (&Connection, &Revision), other: (&Connection, &Revision)) -> Error {
    let of = |(host, revision): (&Connection, &Revision)| {
        format!("{} has {revision}", host.host().map_or_else(String::new, |host| host.label().to_string()))
    };
    let text = format!("hosts disagree on the build: {}, {}", of(one), of(other));
    Error::new(ErrorKind::Task, text).hint("run again if a tag was moved just now, or name a full commit id")
}

/// Has git fail where it would prompt: for a password of the repository, or for an unknown host. A program for SSH that git is
/// configured with stays.
pub(super) fn without_prompts(connection: &Connection) -> Connection {
    let connection = connection.env("GIT_TERMINAL_PROMPT", "0");
    connection.prefix(
        "[ -n \"${GIT_SSH_COMMAND-}${GIT_SSH-}\" ] || git config --get core.sshCommand > /dev/null || \
         export GIT_SSH_COMMAND='ssh -o BatchMode=yes'",
    )
}
