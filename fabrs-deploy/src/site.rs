//! The description of a site: root directory, source, steps of each phase, and notifiers.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use fabrs::{Connection, Error, LockRequest};

use crate::balancer::SharedBalancer;
use crate::database::MigrationInspector;
use crate::gates::Watch;
use crate::hooks::Hooks;
use crate::host_check::HostCheck;
use crate::notify::{Notifier, Notifiers};
use crate::per_host::PerHost;
use crate::pipeline::PipelineStage;
use crate::release::SiteKind;
use crate::requirement::Requirement;
use crate::revert_limit::RevertLimit;
use crate::rollout_order::RolloutOrder;
use crate::scope::{HostSubset, Scope};
use crate::service_log::ServiceLog;
use crate::source::Git;
use crate::step::Steps;
use crate::strategy::DeployStrategy;
use crate::waffle::project::Waffle;

/// The description of a site: a value without effects, until [`deploy`](Self::deploy) or
/// [`rollback`](Self::rollback) uses it.
///
/// The root directory on each host has Capistrano's layout:
///
/// | path | content |
/// |---|---|
/// | `releases/20261103140211` | one directory for each release |
/// | `current` | a symlink to the live release |
/// | `shared` | files shared by all releases |
/// | `repo` | a mirror of the repository |
/// | `revisions.log` | one line for each switch |
/// | `operations.log` | one JSON line for each operation, for [`stats`](Self::stats) |
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Git, Site};
///
/// let site = Site::new("/srv/shop")
///     .source(Git::at("https://git.example.com/shop.git"))
///     .linked_files([".env"])
///     .linked_dirs(["media"])
///     .build(|_| run("make"))
///     .restart(|_| sudo("systemctl reload shop"))
///     .health(|_| probe("curl -fsS http://127.0.0.1:8000/health").retry(10, secs(1)));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a site has no effect until it is deployed"]
pub struct Site {
    /// The name of the application, if [`name`](Self::name) set one.
    pub(crate) name: Option<String>,
    pub(crate) root: String,
    pub(crate) roots: PerHost,
    pub(crate) kind: SiteKind,
    pub(crate) source: Option<Git>,
    pub(crate) linked_files: Vec<String>,
    pub(crate) linked_dirs: Vec<String>,
    pub(crate) keep_releases: NonZeroUsize,
    pub(crate) order: RolloutOrder,
    pub(crate) lock_lease: Duration,
    pub(crate) build: Steps,
    pub(crate) once: Steps,
    pub(crate) restart: Steps,
    pub(crate) health: Steps,
    pub(crate) post_deploy: Steps,
    pub(crate) cleanup: Steps,
    pub(crate) rollback_checks: Steps,
    pub(crate) hooks: Hooks,
    /// The balancer in front of the hosts.
    pub(crate) balancer: Option<SharedBalancer>,
    /// The steps to take a host out of a balancer.
    pub(crate) drain: Steps,
    /// The steps to return a host to a balancer.
    pub(crate) undrain: Steps,
    /// The database, with the hosts for its queries.
    pub(crate) database: Option<(Scope, Arc<dyn MigrationInspector>)>,
    pub(crate) notifiers: Notifiers,
    /// The feature flags for reports, with the hosts for their queries.
    pub(crate) waffle: Option<(Scope, Waffle)>,
    /// The scope of steps added from now on.
    pub(crate) scope: Scope,
    /// The scope of each call of [`on`](Self::on).
    pub(crate) scopes: Vec<Scope>,
    /// The hosts for once-only steps. The first host runs the steps.
    pub(crate) once_hosts: Scope,
    pub(crate) host_checks: Vec<(Scope, HostCheck)>,
    /// Programs and units expected on the hosts.
    pub(crate) requirements: Vec<(Scope, Requirement)>,
    pub(crate) strategy: DeployStrategy,
    /// The gates of each batch.
    pub(crate) watch: Watch,
    pub(crate) logs: Vec<(Scope, ServiceLog)>,
    /// The highest number of commits in a deploy without a warning.
    pub(crate) max_commits_without_warning: usize,
    /// The pipeline stage of a deploy.
    pub(crate) stage: Option<PipelineStage>,
    /// The limit of [`revert_unless_confirmed`](Self::revert_unless_confirmed).
    pub(crate) revert_limit: Option<RevertLimit>,
}

impl Site {
    /// The default number of good releases kept on a host, as in Capistrano.
    const KEEP_RELEASES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

    /// Creates a site with a root directory: an absolute path, or a path in the home directory of
    /// the login (`~/shop`). The first deploy creates the directory.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop");
    /// assert!(format!("{site:?}").contains("/srv/shop"));
    /// ```
    #[doc(alias = "deploy_to")]
    pub fn new(root: impl Into<String>) -> Self {
        let root = root.into();
        Self {
            name: None,
            roots: PerHost::Fixed(root.clone()),
            root,
            kind: SiteKind::Releases,
            source: None,
            linked_files: Vec::new(),
            linked_dirs: Vec::new(),
            keep_releases: Self::KEEP_RELEASES,
            order: RolloutOrder::default(),
            lock_lease: LockRequest::LEASE,
            build: Steps::default(),
            once: Steps::default(),
            restart: Steps::default(),
            health: Steps::default(),
            post_deploy: Steps::default(),
            cleanup: Steps::default(),
            rollback_checks: Steps::default(),
            hooks: Hooks::default(),
            balancer: None,
            drain: Steps::default(),
            undrain: Steps::default(),
            database: None,
            notifiers: Notifiers::default(),
            waffle: None,
            scope: Scope::default(),
            scopes: Vec::new(),
            once_hosts: Scope::default(),
            host_checks: Vec::new(),
            requirements: Vec::new(),
            strategy: DeployStrategy::default(),
            watch: Watch::default(),
            logs: Vec::new(),
            max_commits_without_warning: usize::MAX,
            stage: None,
            revert_limit: None,
        }
    }

    /// Sets a different root directory for each host. The root of [`new`](Self::new) then only
    /// names the site in messages.
    ///
    /// ```
    /// # use fabrs_deploy::Site;
    /// #[derive(serde::Deserialize)]
    /// struct Vars { root: String }
    ///
    /// // fabrs.toml: `[env.production.host.web2]` with `vars.root = "/data/shop"`
    /// let site = Site::new("shop").root_for_host(|host| Ok(host.vars::<Vars>()?.root));
    /// assert!(format!("{site:?}").contains("computed for each host"));
    /// ```
    pub fn root_for_host(
        mut self,
        root: impl Fn(&Connection) -> Result<String, Error> + Send + Sync + 'static,
    ) -> Self {
        self.roots = PerHost::Computed(Arc::new(root));
        self
    }

    /// Deploys into a live git work tree instead of releases: `git reset --hard` updates the root
    /// directory itself to the new commit.
    ///
    /// All hosts fetch the commit first. The steps of [`build`](Self::build) run after the reset,
    /// in the live work tree. The steps of [`once`](Self::once) run after the first batch is reset
    /// and built, before any restart.
    ///
    /// - A rollback is not possible: deploy the earlier build by its tag.
    /// - Untracked files stay, so linked files are not needed.
    /// - A deploy is refused if a tracked file has local changes, or if the commit would overwrite
    ///   an untracked file.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").in_place();
    /// assert!(format!("{site:?}").contains("InPlace"));
    /// ```
    pub fn in_place(mut self) -> Self {
        self.kind = SiteKind::InPlace;
        self
    }

    /// Sets the source of the releases.
    ///
    /// ```
    /// use fabrs_deploy::{Git, Site};
    ///
    /// let site = Site::new("/srv/shop").source(Git::at("https://git.example.com/shop.git"));
    /// assert!(format!("{site:?}").contains("https://git.example.com/shop.git"));
    /// ```
    pub fn source(mut self, source: Git) -> Self {
        self.source = Some(source);
        self
    }

    /// Adds linked files, by their paths in the release: settings and secrets of the host. Each
    /// release has symlinks to the files in `shared`. A deploy is refused if a linked file is
    /// missing in `shared`.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").linked_files([".env"]);
    /// assert!(format!("{site:?}").contains(r#"linked_files: [".env"]"#));
    /// ```
    pub fn linked_files<S: Into<String>>(mut self, files: impl IntoIterator<Item = S>) -> Self {
        self.linked_files.extend(files.into_iter().map(Into::into));
        self
    }

    /// Adds linked directories, by their paths in the release: uploads, logs. Each release has
    /// symlinks to the directories in `shared`. A deploy creates missing directories.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").linked_dirs(["media", "var/log"]);
    /// assert!(format!("{site:?}").contains(r#"linked_dirs: ["media", "var/log"]"#));
    /// ```
    pub fn linked_dirs<S: Into<String>>(mut self, dirs: impl IntoIterator<Item = S>) -> Self {
        self.linked_dirs.extend(dirs.into_iter().map(Into::into));
        self
    }

    /// Sets the number of good releases kept on a host. Defaults to 5. The minimum is 1.
    ///
    /// The live release, the previous release and the last bad release always stay. Directories in
    /// `releases` stay as well if their names are not release ids.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").keep_releases(3);
    /// assert!(format!("{site:?}").contains("keep_releases: 3"));
    /// ```
    pub fn keep_releases(mut self, releases: usize) -> Self {
        self.keep_releases = NonZeroUsize::new(releases).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets the lease of the lock: the time for which a host keeps the lock without a heartbeat
    /// from the run. Defaults to 30 s. The minimum is 1 s. Fractions of a second are cut off. A
    /// host without the `timeout` command keeps the lock until the connection ends.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").lock_lease(secs(60));
    /// assert!(format!("{site:?}").contains("lock_lease: 60s"));
    /// ```
    pub fn lock_lease(mut self, limit: Duration) -> Self {
        self.lock_lease = limit;
        self
    }

    /// Adds steps for a subset of the hosts, for example one role. Other settings apply to the
    /// whole site.
    ///
    /// Every host of the deploy still receives the release, so the group of the deploy must contain
    /// the hosts of all subsets. If the deploy has no host of a subset, the steps of the subset are
    /// skipped with a warning. Steps of [`once`](Self::once) and [`post_deploy`](Self::post_deploy)
    /// cause an error instead. A role unknown to the environment is an error.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{HealthCheck, Site, Systemd};
    ///
    /// let site = Site::new("/srv/shop")
    ///     .on(role("web"), |site| {
    ///         site.build(|_| run("make assets"))
    ///             .with(Systemd::reload("shop"))
    ///             .health(HealthCheck::get("http://127.0.0.1:8000/health"))
    ///     })
    ///     .on(role("worker"), |site| site.with(Systemd::restart("shop-worker")))
    ///     .once_on(role("worker"));
    /// assert!(format!("{site:?}").contains("restart: 2 steps"));
    /// ```
    pub fn on(mut self, hosts: impl Into<HostSubset>, steps: impl FnOnce(Self) -> Self) -> Self {
        let scope = self.scope.and(hosts);
        self.scopes.push(scope.clone());
        let outer = std::mem::replace(&mut self.scope, scope);
        let mut site = steps(self);
        site.scope = outer;
        site
    }

    /// Selects the host for once-only work: steps of [`once`](Self::once),
    /// [`post_deploy`](Self::post_deploy) and [`rollback_check`](Self::rollback_check), migrations,
    /// and the tag of the deploy.
    ///
    /// The first deployed host of the subset is used. A deploy without a host of the subset is
    /// refused. Steps added within [`on`](Self::on) use the first host of their own subset.
    /// Defaults to the first host of the deploy.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").once_on(role("worker")).once(|_| run("./migrate"));
    /// assert!(format!("{site:?}").contains("once: 1 steps"));
    /// ```
    pub fn once_on(mut self, hosts: impl Into<HostSubset>) -> Self {
        self.once_hosts = Scope::default().and(hosts);
        self
    }

    /// Validates sudo on each host before a deploy or a rollback changes anything (`sudo
    /// --validate`), and prompts for the password if sudo needs one. A valid password does not
    /// prove permission for each command.
    ///
    /// Within [`on`](Self::on), sudo is validated on the subset only. [`Systemd`](crate::Systemd)
    /// runs its own check, `sudo systemctl is-active`.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").validate_sudo().restart(|_| sudo("service shop reload"));
    /// assert!(format!("{site:?}").contains("HostCheck"));
    /// ```
    pub fn validate_sudo(self) -> Self {
        self.host_check(|host| async move {
            host.validate_sudo().await?;
            Ok(())
        })
    }

    /// Adds a check of each host in the scope, to run between the approval and the first change.
    pub(crate) fn host_check<F>(mut self, check: impl Fn(Connection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.host_checks.push((self.scope.clone(), HostCheck::new(check)));
        self
    }

    /// Adds a notifier. A notifier receives a report of each deploy and rollback, successful,
    /// failed or cancelled: [`Mail`](crate::Mail), [`Sentry`](crate::Sentry),
    /// [`Statsd`](crate::Statsd). A failure in the checks, the approval or the lock is not
    /// reported.
    ///
    /// ```
    /// use fabrs_deploy::{Graphite, Site};
    ///
    /// let site = Site::new("/srv/shop").notify(Graphite::carbon("127.0.0.1:2003", "shop"));
    /// assert!(format!("{site:?}").contains("127.0.0.1:2003"));
    /// ```
    pub fn notify(mut self, notifier: impl Notifier) -> Self {
        self.notifiers.push(notifier);
        self
    }
}
