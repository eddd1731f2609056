//! The [`Git`] source: its settings, and the delivery of its commits to the hosts.

use fabrs::{Connection, Error, ErrorKind, Hide, Secret, ShellLine, cmd};

use super::changes::CommitChanges;
use super::commit_files::{self, CommitFile};
use super::revision::Revision;
use super::upload;
use super::work_tree::{CHANGED_FILES, uncommitted_changes};
use crate::release::layout::Layout;

/// The git repository of a site.
///
/// Each host keeps a bare mirror in the directory `repo` of the site, so a deploy transfers only
/// new commits. Without a requested revision, a deploy uses the last good build: the highest tag
/// such as `deployable-314`.
///
/// ```
/// use fabrs_deploy::{Git, Site};
///
/// let git = Git::at("https://git.example.com/shop.git").good_tag_prefix("build-");
/// assert_eq!(git.good_tag("314"), "build-314");
/// let site = Site::new("/srv/shop").source(git);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a source does nothing until `Site::source` adds it to a site"]
pub struct Git {
    pub(super) url: String,
    pub(super) delivery: Delivery,
    pub(super) good_tag_prefix: String,
    deployed_tag_prefix: String,
    pub(super) default: DefaultRevision,
    pub(super) accepted: AcceptedRevisions,
    work_tree: WorkTreePolicy,
}

/// The delivery of commits to the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Each host fetches from the URL.
    Fetch,
    /// This machine uploads from the repository in this local directory.
    Upload(String),
}

/// The revision of a deploy without a requested revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DefaultRevision {
    /// The latest tag of a good build.
    GoodBuild,
    /// The head of a branch.
    Branch(String),
}

/// The revisions accepted for a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AcceptedRevisions {
    /// Every tag, branch and commit of the repository.
    All,
    /// Commits with the tag of a good build.
    GoodBuilds,
}

/// The policy for uncommitted and unpushed changes in the local work tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkTreePolicy {
    RequireClean,
    AllowDirty,
}

impl Git {
    /// Lets each host fetch from this URL, with an SSH key of the host or a forwarded agent.
    ///
    /// fabrs masks a password in the URL in its output. Other users of the host can still see the
    /// password in the process list while git runs. Prefer a key, or `~/.git-credentials` on the
    /// host.
    ///
    /// ```
    /// # use fabrs_deploy::Git;
    /// let git = Git::at("https://git.example.com/shop.git");
    /// assert_eq!(git.location(), "https://git.example.com/shop.git");
    /// ```
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            delivery: Delivery::Fetch,
            good_tag_prefix: "deployable-".to_owned(),
            deployed_tag_prefix: "deployed-".to_owned(),
            default: DefaultRevision::GoodBuild,
            accepted: AcceptedRevisions::All,
            work_tree: WorkTreePolicy::RequireClean,
        }
    }

    /// Uploads commits from the repository in a local directory, over the SSH connections of fabrs.
    ///
    /// Use this source for hosts without access to the repository. Revisions are resolved in the
    /// remote `origin` of the local repository, or in the local repository itself without an
    /// `origin`.
    ///
    /// ```
    /// # use fabrs_deploy::Git;
    /// assert_eq!(Git::from_local(".").location(), ".");
    /// ```
    pub fn from_local(folder: impl Into<String>) -> Self {
        let folder = folder.into();
        Self { delivery: Delivery::Upload(folder), ..Self::at("origin") }
    }

    /// Sets the prefix of the tags of good builds. Defaults to `deployable-`.
    ///
    /// Tags are sorted as versions: `deployable-10` is later than `deployable-9`.
    ///
    /// ```
    /// # use fabrs_deploy::Git;
    /// let git = Git::at("https://git.example.com/shop.git").good_tag_prefix("build-");
    /// assert_eq!(git.good_tag("314"), "build-314");
    /// ```
    pub fn good_tag_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.good_tag_prefix = prefix.into();
        self
    }

    /// Accepts only commits with the tag of a good build, so that CI must have passed. A tag, a
    /// branch or a commit without such a tag is refused before any change. A rollback is not
    /// refused.
    ///
    /// ```
    /// # use fabrs_deploy::Git;
    /// let git = Git::at("https://git.example.com/shop.git").require_good_build();
    /// assert!(format!("{git:?}").contains("accepted: GoodBuilds"));
    /// ```
    pub fn require_good_build(mut self) -> Self {
        self.accepted = AcceptedRevisions::GoodBuilds;
        self
    }

    /// Sets the prefix of the tag of a deploy. Defaults to `deployed-`.
    ///
    /// The environment and the release id follow the prefix: `deployed-production-20261103140211`.
    /// The host for once-only steps pushes the tag, or this machine with
    /// [`from_local`](Self::from_local). The push needs write access to the repository. A failed
    /// push causes a warning.
    ///
    /// ```
    /// # use fabrs_deploy::Git;
    /// let git = Git::at("https://git.example.com/shop.git").deployed_tag_prefix("live-");
    /// let tag = git.deployed_tag(Some("production"), "20261103140211");
    /// assert_eq!(tag.as_deref(), Some("live-production-20261103140211"));
    /// ```
    pub fn deployed_tag_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.deployed_tag_prefix = prefix.into();
        self
    }

    /// Disables the tags of deploys: for repositories without write access.
    ///
    /// ```
    /// # use fabrs_deploy::Git;
    /// let git = Git::at("https://git.example.com/shop.git").without_deployed_tags();
    /// assert_eq!(git.deployed_tag(Some("production"), "20261103140211"), None);
    /// ```
    pub fn without_deployed_tags(mut self) -> Self {
        self.deployed_tag_prefix.clear();
        self
    }

    /// Deploys the head of this branch by default, instead of the last good build. A tag with the
    /// same name is ignored.
    ///
    /// ```
    /// # use fabrs_deploy::Git;
    /// let git = Git::at("https://git.example.com/shop.git").branch("main");
    /// assert!(format!("{git:?}").contains("Branch(\"main\")"));
    /// ```
    pub fn branch(mut self, name: impl Into<String>) -> Self {
        self.default = DefaultRevision::Branch(name.into());
        self
    }

    /// Allows uncommitted and unpushed changes in the local work tree. Defaults to `false`: a
    /// deploy is refused, since tasks upload configuration files from this work tree.
    ///
    /// The work tree is the directory of [`from_local`](Self::from_local), or else the current
    /// directory of `fab`.
    ///
    /// ```
    /// # use fabrs_deploy::Git;
    /// let git = Git::from_local(".").allow_dirty(true);
    /// assert!(format!("{git:?}").contains("AllowDirty"));
    /// ```
    pub fn allow_dirty(mut self, allow: bool) -> Self {
        self.work_tree = if allow { WorkTreePolicy::AllowDirty } else { WorkTreePolicy::RequireClean };
        self
    }

    /// Returns the URL or the local directory of the repository.
    pub fn location(&self) -> &str {
        match &self.delivery {
            Delivery::Fetch => &self.url,
            Delivery::Upload(folder) => folder,
        }
    }

    /// Returns the name of the tag of a good build: `deployable-314` for `314`.
    pub fn good_tag(&self, name: &str) -> String {
        format!("{}{name}", self.good_tag_prefix)
    }

    /// Returns the name of the tag of a deploy, or `None` if such tags are disabled.
    pub fn deployed_tag(&self, environment: Option<&str>, release: &str) -> Option<String> {
        let prefix = Some(&self.deployed_tag_prefix).filter(|prefix| !prefix.is_empty())?;
        let environment = environment.map(|environment| format!("{environment}-")).unwrap_or_default();
        Some(format!("{prefix}{environment}{release}"))
    }

    /// Returns the password in the URL.
    pub(crate) fn secret(&self) -> Option<Secret> {
        let (user, _) = self.url.split_once("://")?.1.split('/').next()?.rsplit_once('@')?;
        Some(Secret::new(user.split_once(':')?.1))
    }

    /// Returns the connection for git commands that read or push to the shared repository: the
    /// local directory, or a host.
    pub(super) fn repository_connection(&self, host: &Connection) -> Result<Connection, Error> {
        match (&self.delivery, host.client()) {
            (Delivery::Upload(folder), Some(client)) => Ok(client.local()?.cd(folder)),
            _ => Ok(host.clone()),
        }
    }

    /// Refuses a local work tree with uncommitted or unpushed changes. A directory outside of a
    /// repository is accepted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] with the first changed file.
    pub(crate) async fn check_work_tree(&self, host: &Connection) -> Result<(), Error> {
        let (WorkTreePolicy::RequireClean, Some(client)) = (self.work_tree, host.client()) else { return Ok(()) };
        let here = match &self.delivery {
            Delivery::Fetch => without_prompts(&client.local()?),
            Delivery::Upload(folder) => without_prompts(&client.local()?.cd(folder)),
        };
        let status = format!(
            "git rev-parse --is-inside-work-tree > /dev/null 2>&1 || exit 0; {CHANGED_FILES}; \
             test -z \"$(git remote)\" || git rev-list --max-count=1 HEAD --not --remotes 2> /dev/null | sed 's/^/unpushed /'"
        );
        let lines = here.probe(ShellLine::raw(status)).hide(Hide::Both).lines().await;
        let lines = lines.map_err(|error| self.unreadable(error))?;
        let (unpushed, changed): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.starts_with("unpushed "));
        let reason = match uncommitted_changes(&changed) {
            Some(reason) => reason,
            None if unpushed.is_empty() => return Ok(()),
            None => "the work tree has unpushed commits".to_owned(),
        };
        let text = format!("the deployed build may differ from the local work tree: {reason}");
        Err(Error::new(ErrorKind::Usage, text).hint("commit and push the changes, or set `Git::allow_dirty(true)`"))
    }

    /// Returns the error of a missing local repository. Other errors stay unchanged.
    fn unreadable(&self, error: Error) -> Error {
        let Delivery::Upload(folder) = &self.delivery else { return error };
        // The shell reports the directory of the connection: `sh: 1: cd: can't cd to ..`.
        let is_missing =
            error.output().and_then(|output| output.stderr().ok()).is_some_and(|text| text.contains("cd: "));
        if error.kind() != ErrorKind::Exit || !is_missing {
            return error;
        }
        let text = format!("the directory `{folder}` of the site's repository does not exist");
        Error::new(ErrorKind::Usage, text).hint("set the directory of a git clone: `Git::from_local(\".\")`")
    }

    /// Returns the commits between two commits, from the local repository or else from the mirror
    /// of the host. Returns `None` if neither repository has both commits. Only reads.
    ///
    /// # Errors
    ///
    /// The errors of a command.
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

    /// Returns the local repository: the directory of [`from_local`](Self::from_local), or the
    /// current directory of the run.
    fn local_clone(&self, host: &Connection) -> Result<Connection, Error> {
        match (&self.delivery, host.client()) {
            (Delivery::Fetch, Some(client)) => client.local(),
            _ => self.repository_connection(host),
        }
    }

    /// Reads the migrations of a commit: from the local repository, else from the mirror of the
    /// host, else from the URL. Returns `None` if all of them lack the commit. Only reads.
    ///
    /// # Errors
    ///
    /// The errors of a command.
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

    /// Fetches or uploads a revision into an existing repository of a host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the source no longer has the commit, and the errors of a command.
    pub(crate) async fn deliver(&self, host: &Connection, repo: &str, revision: &Revision) -> Result<(), Error> {
        let (url, commit) = (&self.url, &revision.commit);
        let host = without_prompts(host);
        match &self.delivery {
            Delivery::Fetch => {
                // `refs/remotes` and not `refs/heads`: git refuses to fetch into the branch that a
                // work tree has checked out.
                let all = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
                host.run(cmd!(
                    "cd {repo} && {{ git cat-file -e {commit}^{{commit}} 2> /dev/null || git fetch --quiet --prune --force -- {url} {all...}; }}"
                ))
                .named(format!("git fetch {revision}"))
                .hide(Hide::Both)
                .await?;
            }
            Delivery::Upload(_) => {
                upload::upload_commit(&self.repository_connection(&host)?, &host, repo, commit).await?;
            }
        }
        let has_commit = host.run(cmd!("git --git-dir {repo} cat-file -e {commit}^{{commit}}"));
        let has_commit = has_commit.named(format!("find {revision}")).warn().hide(Hide::Both).await?;
        if has_commit.was_run() && !has_commit.ok()? {
            let text = format!("the repository has no commit `{}`", revision.commit);
            return Err(Error::new(ErrorKind::Usage, text).on(has_commit.host()));
        }
        Ok(())
    }

    /// Creates a tag at a commit in the shared repository. An existing tag is not moved.
    ///
    /// # Errors
    ///
    /// The errors of a command: if the tag exists, or the host (or this machine) has no write
    /// access.
    pub(crate) async fn push_tag(
        &self,
        host: &Connection,
        layout: &Layout,
        commit: &str,
        tag: &str,
    ) -> Result<(), Error> {
        let refspec = format!("{commit}:refs/tags/{tag}");
        let (url, repo) = (&self.url, layout.repo());
        let repository = without_prompts(&self.repository_connection(host)?);
        let (line, name) = match &self.delivery {
            Delivery::Fetch => {
                (cmd!("git --git-dir {repo} push --quiet -- {url} {refspec}"), format!("git push {tag}"))
            }
            Delivery::Upload(_) => {
                let remote = repository.probe(cmd!("git remote get-url -- {url}")).warn().hide(Hide::Both).await?;
                if remote.ok()? {
                    let line = cmd!("git tag -- {tag} {commit} && git push --quiet -- {url} {refspec}");
                    (line, format!("git push {tag}"))
                } else {
                    (cmd!("git tag -- {tag} {commit}"), format!("git tag {tag}"))
                }
            }
        };
        repository.run(line).named(name).hide(Hide::Stdout).await?;
        Ok(())
    }
}

/// Makes git fail instead of prompting for a password or for an unknown host key. A configured SSH
/// program of git (`GIT_SSH_COMMAND`, `GIT_SSH`, `core.sshCommand`) is kept.
pub(crate) fn without_prompts(connection: &Connection) -> Connection {
    let connection = connection.env("GIT_TERMINAL_PROMPT", "0");
    connection.prefix(
        "[ -n \"${GIT_SSH_COMMAND-}${GIT_SSH-}\" ] || git config --get core.sshCommand > /dev/null || \
         export GIT_SSH_COMMAND='ssh -o BatchMode=yes'",
    )
}
