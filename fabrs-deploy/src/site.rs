//! What is deployed: where it stands on its hosts, where it comes from, and what is done in each phase.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use fabrs::lock::LockRequest;
use fabrs::{Connection, Error, ErrorKind, Group};

use crate::database::MigrationInspector;
use crate::deploy::{Deploy, Rollback, SiteHosts};
use crate::host_check::HostCheck;
use crate::notify::{Notifier, Notifiers};
use crate::outcomes::all_ok;
use crate::per_host::PerHost;
use crate::plugin::Plugin;
use crate::release::SiteKind;
use crate::scope::{HostSubset, Scope};
use crate::source::Git;
use crate::step::{DeployStep, Steps};

/// A site, as it is deployed: a value that says all there is to know of it, and does nothing by itself.
///
/// On each host it has a folder of Capistrano's layout: `releases/20261103140211` and so on, `current` (a symlink to the one
/// that is live), `shared` (what outlives a release), `repo` (a mirror of the repository) and `revisions.log`.
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
#[must_use = "a site does nothing until it is deployed"]
pub struct Site {
    pub(crate) root: String,
    pub(crate) roots: PerHost,
    pub(crate) kind: SiteKind,
    pub(crate) source: Option<Git>,
    pub(crate) linked_files: Vec<String>,
    pub(crate) linked_dirs: Vec<String>,
    pub(crate) keep_releases: NonZeroUsize,
    pub(crate) batch_size: Option<NonZeroUsize>,
    pub(crate) lock_lease: Duration,
    pub(crate) build: Steps,
    pub(crate) once: Steps,
    pub(crate) restart: Steps,
    pub(crate) health: Steps,
    pub(crate) post_deploy: Steps,
    pub(crate) cleanup: Steps,
    pub(crate) rollback_checks: Steps,
    /// The database, with the hosts that it can be asked from.
    pub(crate) database: Option<(Scope, Arc<dyn MigrationInspector>)>,
    pub(crate) notifiers: Notifiers,
    /// The hosts of the steps that are added now.
    pub(crate) scope: Scope,
    /// The hosts of each part of the site that is not for all.
    pub(crate) scopes: Vec<Scope>,
    /// The hosts of which the first runs what runs once.
    pub(crate) once_hosts: Scope,
    pub(crate) host_checks: Vec<(Scope, HostCheck)>,
}

impl Site {
    /// How many releases stay on a host where nothing is said, as with Capistrano.
    const KEEP_RELEASES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

    /// Names the folder of the site on its hosts, from their root or, with `~/`, from the home of the login; it is made where it
    /// is not there yet.
    pub fn new(root: impl Into<String>) -> Self {
        let root = root.into();
        Self {
            roots: PerHost::Fixed(root.clone()),
            root,
            kind: SiteKind::Releases,
            source: None,
            linked_files: Vec::new(),
            linked_dirs: Vec::new(),
            keep_releases: Self::KEEP_RELEASES,
            batch_size: None,
            lock_lease: LockRequest::LEASE,
            build: Steps::default(),
            once: Steps::default(),
            restart: Steps::default(),
            health: Steps::default(),
            post_deploy: Steps::default(),
            cleanup: Steps::default(),
            rollback_checks: Steps::default(),
            database: None,
            notifiers: Notifiers::default(),
            scope: Scope::default(),
            scopes: Vec::new(),
            once_hosts: Scope::default(),
            host_checks: Vec::new(),
        }
    }

    /// Sets a root directory that depends on the host. The root of [`new`](Self::new) then only names the site in messages.
    ///
    /// ```
    /// # use fabrs_deploy::Site;
    /// #[derive(serde::Deserialize)]
    /// struct Vars { root: String }
    ///
    /// // fabrs.toml: `[env.production.host.web2]` with `vars.root = "/data/shop"`
    /// let site = Site::new("shop").root_for_host(|host| Ok(host.vars::<Vars>()?.root));
    /// # drop(site);
    /// ```
    pub fn root_for_host(
        mut self,
        root: impl Fn(&Connection) -> Result<String, Error> + Send + Sync + 'static,
    ) -> Self {
        self.roots = PerHost::Computed(Arc::new(root));
        self
    }

    /// Takes the folder of the site for a work tree that is live itself: a deploy moves it to another commit by
    /// `git reset --hard`, when all hosts have fetched it, and only then does what is in [`build`](Self::build).
    ///
    /// There is nothing to roll back to: the build of before is deployed by its tag. Files that git does not know stay, so there
    /// are no linked ones; files that it knows and that somebody has changed on a host are a reason to refuse, and so are those that
    /// it does not know and the new commit has.
    pub fn in_place(mut self) -> Self {
        self.kind = SiteKind::InPlace;
        self
    }

    /// Sets where releases come from.
    pub fn source(mut self, source: Git) -> Self {
        self.source = Some(source);
        self
    }

    /// Names files of `shared` that each release has as symlinks, by their paths in the release: settings and secrets of the
    /// host. A deploy refuses to begin where one of them is missing.
    pub fn linked_files<S: Into<String>>(mut self, files: impl IntoIterator<Item = S>) -> Self {
        self.linked_files.extend(files.into_iter().map(Into::into));
        self
    }

    /// Names folders of `shared` that each release has as symlinks, by their paths in the release: uploads, logs. They are made
    /// where they are not there yet.
    pub fn linked_dirs<S: Into<String>>(mut self, folders: impl IntoIterator<Item = S>) -> Self {
        self.linked_dirs.extend(folders.into_iter().map(Into::into));
        self
    }

    /// Sets how many good releases stay on a host; at least one. Defaults to 5. The one that is live, and the one before it,
    /// always stay, and of those that are marked as bad the last; folders of other names are nobody's business.
    pub fn keep_releases(mut self, releases: usize) -> Self {
        self.keep_releases = NonZeroUsize::new(releases).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets on how many hosts at a time the new release is taken up (`reload` and `verify`). Defaults to all.
    pub fn rolling(mut self, hosts: usize) -> Self {
        self.batch_size = NonZeroUsize::new(hosts);
        self
    }

    /// Sets how long a host keeps the lock without a heartbeat from the run. Fractions of a second are cut off; the minimum is
    /// 1 s. Defaults to 30 s. A host without the `timeout` command keeps the lock until the connection ends.
    pub fn lock_lease(mut self, limit: Duration) -> Self {
        self.lock_lease = limit;
        self
    }

    /// Adds steps for a subset of the hosts, for example one role. Other settings apply to the whole site.
    ///
    /// Every host of the deploy still receives the release, so the group of the deploy must contain all of these roles. If no
    /// host of the subset is deployed, its steps are skipped with a warning; steps of [`once`](Self::once) and
    /// [`post_deploy`](Self::post_deploy) cause an error. A role that the environment does not have is an error.
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
    /// # drop(site);
    /// ```
    pub fn on(mut self, hosts: impl Into<HostSubset>, steps: impl FnOnce(Self) -> Self) -> Self {
        let scope = self.scope.and(hosts);
        self.scopes.push(scope.clone());
        let outer = std::mem::replace(&mut self.scope, scope);
        let mut site = steps(self);
        site.scope = outer;
        site
    }

    /// Selects the host for work that runs once: steps of [`once`](Self::once), [`post_deploy`](Self::post_deploy) and
    /// [`rollback_check`](Self::rollback_check), migrations, and the tag of the deploy. The first deployed host of the subset is used; without
    /// one, a deploy is refused. Steps added within [`on`](Self::on) use the first host of their own subset instead.
    pub fn once_on(mut self, hosts: impl Into<HostSubset>) -> Self {
        self.once_hosts = Scope::default().and(hosts);
        self
    }

    /// Validates sudo on each host before a deploy or a rollback changes anything (`sudo --validate`), and prompts for the
    /// password if sudo needs one. A valid password does not prove that sudo allows each command.
    ///
    /// Within [`on`](Self::on), sudo is validated on the subset only. [`Systemd`](crate::Systemd) does not need this: it tries
    /// its own `sudo systemctl is-active`.
    pub fn validate_sudo(self) -> Self {
        self.host_check(|host| async move {
            host.validate_sudo().await?;
            Ok(())
        })
    }

    /// Adds a check that runs on a host after the approval, and before any change.
    pub(crate) fn host_check<F>(mut self, check: impl Fn(Connection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.host_checks.push((self.scope.clone(), HostCheck::new(check)));
        self
    }

    /// Adds what makes a release whole, on each host, while the old one is live: nothing of it may be seen from outside.
    pub fn build(mut self, step: impl DeployStep) -> Self {
        self.build.push(self.scope.clone(), step);
        self
    }

    /// Adds a step that runs once, when the release is built on all hosts and not live yet: on the first host, or on the first of
    /// [`once_on`](Self::once_on).
    pub fn once(mut self, step: impl DeployStep) -> Self {
        self.once.push(self.scope.clone(), step);
        self
    }

    /// Adds what makes the services of a host take up the release that `current` leads to.
    ///
    /// A service that is started by the step itself, and not by a service manager, must let go of the step's output, or the step
    /// waits for it: `setsid env/bin/python app.py < /dev/null > ../../shared/app.log 2>&1 &`.
    pub fn restart(mut self, step: impl DeployStep) -> Self {
        self.restart.push(self.scope.clone(), step);
        self
    }

    /// Adds what tells whether a host works with the release that is live: where it fails, all hosts go back.
    pub fn health(mut self, step: impl DeployStep) -> Self {
        self.health.push(self.scope.clone(), step);
        self
    }

    /// Adds a step that runs once, when the release is live and works on all hosts: what the old release could not bear. It runs
    /// on the same host as [`once`](Self::once). If it fails, nothing is reverted.
    pub fn post_deploy(mut self, step: impl DeployStep) -> Self {
        self.post_deploy.push(self.scope.clone(), step);
        self
    }

    /// Adds what removes, on each host, what only releases needed that are gone. Where it fails, that is a warning.
    pub fn cleanup(mut self, step: impl DeployStep) -> Self {
        self.cleanup.push(self.scope.clone(), step);
        self
    }

    /// Adds a step that can refuse a rollback. It runs once, in the release to go back to, on the same host as
    /// [`once`](Self::once).
    pub fn rollback_check(mut self, step: impl DeployStep) -> Self {
        self.rollback_checks.push(self.scope.clone(), step);
        self
    }

    /// Adds somebody who is told what came of each deploy and rollback: [`Mail`](crate::Mail), [`Sentry`](crate::Sentry),
    /// [`Statsd`](crate::Statsd).
    pub fn notify(mut self, notifier: impl Notifier) -> Self {
        self.notifiers.push(notifier);
        self
    }

    /// Adds a part that the kit knows: [`Python`](crate::Python), [`Django`](crate::Django), [`Systemd`](crate::Systemd).
    pub fn with(self, part: impl Plugin) -> Self {
        part.add_to(self)
    }

    /// Puts a release live on the hosts of a group: a future that does so when it is awaited.
    pub fn deploy(&self, hosts: Group) -> Deploy {
        Deploy::new(self.clone(), hosts)
    }

    /// Goes back to a release that the hosts of a group still have: a future that does so when it is awaited.
    pub fn rollback(&self, hosts: Group) -> Rollback {
        Rollback::new(self.clone(), hosts)
    }

    /// Locks the site on all hosts of a group by hand, so that no deploy begins until somebody unlocks it. A deploy that is under
    /// way goes on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] without a reason; [`ErrorKind::Task`] where it is locked already, with by whom; as any command.
    pub async fn lock(&self, hosts: Group, reason: &str) -> Result<(), Error> {
        if reason.trim().is_empty() {
            let error = Error::new(ErrorKind::Usage, "a lock wants a reason");
            return Err(error.hint("whoever meets it will want to know: `--reason 'the database moves'`"));
        }
        let (fleet, _) = SiteHosts::connect(self.clone(), hosts).await?;
        all_ok(fleet.locking()?.lock_manually(reason).await)?;
        fleet.client().note(None, format!("locked: {} on {}", fleet.site.root, fleet.label()));
        Ok(())
    }

    /// Opens what was locked by hand, and says what that was.
    ///
    /// # Errors
    ///
    /// As any command.
    pub async fn unlock(&self, hosts: Group) -> Result<(), Error> {
        let (fleet, _) = SiteHosts::connect(self.clone(), hosts).await?;
        let unlocked = fleet.locking()?.remove_manual_lock().await?;
        for (host, manual) in unlocked.iter().filter_map(|(host, manual)| Some((host, manual.as_ref()?))) {
            fleet.client().note(Some(host), format!("was {manual}"));
        }
        if unlocked.iter().all(|(_, manual)| manual.is_none()) {
            fleet.client().note(None, "no host has a manual lock");
        }
        Ok(())
    }
}
