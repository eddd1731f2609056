//! The hosts of a deploy, as they were met, and a way to each that a stop of the run leaves open.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fabrs::config::Mode;
use fabrs::lock::{LockHandle, LockRequest};
use fabrs::{Client, Connection, Error, ErrorKind, Group, Host, Outcomes, ShellLine, TaskError};

use super::begin::Coming;
use super::standing::Standing;
use crate::database::{MigrationInspector, MigrationPlan};
use crate::outcomes::{all_ok, label};
use crate::per_host::PerHost;
use crate::release::{LOCK_NAME, Layouts, ReleaseId, SiteKind, Survey};
use crate::scope::Scope;
use crate::site::Site;
use crate::step::{App, ApprovedMigrations, LiveApp, Steps};

/// The hosts of a deploy.
#[derive(Debug)]
pub(crate) struct SiteHosts {
    pub(crate) site: Site,
    pub(crate) hosts: Group,
    /// The same hosts, for what is done also when the run is stopped.
    aside: Group,
    /// Those on which the lock is lost.
    lost: Mutex<HashSet<Host>>,
    pub(crate) standing: Standing,
    pub(crate) layouts: Layouts,
    /// The migrations that were approved before the build, where they were known.
    approved: OnceLock<Arc<ApprovedMigrations>>,
    /// The lock of the site, while it is held.
    lock: OnceLock<LockHandle>,
    client: Client,
}

/// What there was of the site on each host.
pub(crate) type Surveys = HashMap<Host, Survey>;

impl SiteHosts {
    /// Looks at all hosts. One that can't be reached is an error, or is left out where the settings say so.
    ///
    /// # Errors
    ///
    /// As [`Outcomes::all_ok`](fabrs::Outcomes::all_ok); [`ErrorKind::NoHost`] where no host is left; [`ErrorKind::Usage`] where
    /// the site has no folder.
    pub(crate) async fn connect(site: Site, hosts: Group) -> Result<(Self, Surveys), Error> {
        if let PerHost::Fixed(root) = &site.roots {
            check_root(root)?;
        }
        let links: Vec<&String> = site.linked_files.iter().chain(&site.linked_dirs).collect();
        let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        if let Some(inner) = links.iter().find(|inner| links.iter().any(|outer| within(inner, outer))) {
            let error = Error::new(ErrorKind::Usage, format!("`{inner}` is within another link to `shared`"));
            return Err(error.hint("link the outer one alone: what is in it comes along"));
        }
        let no_host = || Error::new(ErrorKind::NoHost, "there is no host");
        let client = hosts.connections().first().and_then(Connection::client).ok_or_else(no_host)?.clone();
        // A skipped host is a warning of the group.
        let surveys: Surveys = all_ok(look(&site, &hosts).await)?.into_iter().collect();
        let is_met = |host: &Connection| host.host().is_some_and(|host| surveys.contains_key(host));
        refuse_one_folder_twice(&surveys)?;
        // From here on, a host that can't be reached any more is a failure: it may be half deployed.
        let hosts = hosts.filter(is_met).require_all();
        if hosts.connections().is_empty() {
            return Err(no_host());
        }
        let layouts = surveys.iter().map(|(host, survey)| (host.clone(), survey.layout.clone())).collect();
        // A host that fails to revert must not keep the others on the new release.
        let aside = hosts.aside()?.keep_going();
        let (standing, lost) = (Standing::default(), Mutex::default());
        let (lock, approved) = (OnceLock::new(), OnceLock::new());
        Ok((Self { site, hosts, aside, lost, standing, layouts, approved, lock, client }, surveys))
    }

    /// Makes a fleet of hosts that nobody has looked at.
    #[cfg(test)]
    pub(crate) fn of(site: Site, hosts: Group, client: Client) -> Self {
        let (standing, layouts, lost) = (Standing::default(), Layouts::default(), Mutex::default());
        let (lock, approved) = (OnceLock::new(), OnceLock::new());
        Self { site, aside: hosts.clone(), hosts, lost, standing, layouts, approved, lock, client }
    }

    /// Looks at all hosts again.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub(crate) async fn look(&self) -> Result<Surveys, Error> {
        Ok(all_ok(look(&self.site, &self.hosts).await)?.into_iter().collect())
    }

    /// Returns the request for the lock of the site.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] for a host that nobody has looked at.
    pub(crate) fn locking(&self) -> Result<LockRequest, Error> {
        let mut locking = self.hosts.lock(LOCK_NAME).lease(self.site.lock_lease);
        for host in self.hosts.connections() {
            if let Some(name) = host.host() {
                locking = locking.dir(name, self.layouts.of(host)?.private_dir());
            }
        }
        Ok(locking)
    }

    /// Works under a lock from now on.
    pub(super) fn set_lock(&self, lock: LockHandle) {
        // A fleet is locked once.
        let _ = self.lock.set(lock);
    }

    /// Reports the phase of the work.
    pub(super) fn phase(&self, phase: &str) {
        if let Some(lock) = self.lock.get() {
            lock.set_phase(phase);
        }
    }

    /// Reports the folder on a host whose processes end with the run; an empty one stands for none.
    pub(super) fn works_in(&self, host: &Connection, folder: &str) {
        if let (Some(lock), Some(host)) = (self.lock.get(), host.host()) {
            lock.set_work_dir(host, folder);
        }
    }

    /// Returns a line that changes what is live, such that no other run can lock the site while it runs.
    ///
    /// # Errors
    ///
    /// As [`LockHandle::atomic`].
    pub(super) fn atomic(&self, host: &Connection, line: ShellLine) -> Result<ShellLine, Error> {
        match (self.lock.get(), host.host()) {
            (Some(lock), Some(host)) => lock.atomic(host, &line),
            _ => Ok(line),
        }
    }

    /// Sets the migrations that are approved with the build, where they are known.
    pub(super) fn set_approved(&self, plan: MigrationPlan) {
        if let Some(names) = plan.names {
            // A fleet is approved once.
            let _ = self.approved.set(Arc::new(ApprovedMigrations { names, text: plan.text }));
        }
    }

    /// Returns the live release of the first host that has one, if possible of the host on which migrations run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] for a host that nobody has looked at.
    pub(super) fn live(&self, surveys: &Surveys) -> Result<LiveApp, Error> {
        let migrates = self.database()?.map(|(host, _)| host);
        for host in migrates.into_iter().chain(self.hosts.connections()) {
            let Some(survey) = host.host().and_then(|name| surveys.get(name)) else { continue };
            if let Some(live) = survey.live() {
                return Ok(LiveApp::Release(Box::new(self.app(host, live)?)));
            }
        }
        Ok(LiveApp::None)
    }

    /// Looks at some hosts again; one that can't be reached is left out.
    pub(super) async fn look_at(&self, hosts: &Group) -> Surveys {
        let looked = look(&self.site, hosts).await;
        looked.succeeded().map(|(host, survey)| (host.clone(), survey.clone())).collect()
    }

    /// Leaves a host alone from now on: the one of an error.
    pub(super) fn lose(&self, error: &Error) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).extend(error.host().cloned());
    }

    /// Returns the hosts that may still be changed and are as `which` says, over sessions that a stop of the run leaves open.
    pub(super) fn aside(&self, which: impl Fn(&Connection) -> bool) -> Group {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let is_lost = |host: &Connection| host.host().is_some_and(|host| lost.contains(host));
        self.aside.filter(|host| !is_lost(host) && which(host))
    }

    /// Says what is live now; of a dry run nothing is.
    pub(super) fn say_live(&self, coming: &Coming) {
        if self.client.settings().mode == Mode::Run {
            let name = match self.site.kind {
                SiteKind::Releases => format!(" as {}", coming.release),
                SiteKind::InPlace => String::new(),
            };
            self.client.note(None, format!("live: {}{name} on {}", coming.revision, self.label()));
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the host for once-only work: that of [`Site::once_on`], or else the first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHost`] if there is no host; [`ErrorKind::Usage`] if the environment has no such role.
    pub(crate) fn first(&self) -> Result<&Connection, Error> {
        match self.first_of(&self.site.once_hosts) {
            Err(error) if error.kind() == ErrorKind::NoHost => self.first_of(&Scope::default()),
            found => found,
        }
    }

    /// Returns the database of the site, with the host from which it is asked.
    ///
    /// # Errors
    ///
    /// As [`first_of`](Self::first_of).
    pub(super) fn database(&self) -> Result<Option<(&Connection, &dyn MigrationInspector)>, Error> {
        let Some((scope, database)) = &self.site.database else { return Ok(None) };
        Ok(Some((self.first_of(scope.or(&self.site.once_hosts))?, &**database)))
    }

    /// Returns the first host of a scope.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHost`] if the scope has none of the hosts; [`ErrorKind::Usage`] if the environment has no such role.
    pub(crate) fn first_of(&self, scope: &Scope) -> Result<&Connection, Error> {
        for host in self.hosts.connections() {
            if scope.has(host)? {
                return Ok(host);
            }
        }
        match self.hosts.connections() {
            [] => Err(Error::new(ErrorKind::NoHost, "there is no host")),
            _ => {
                let text = format!("no host of this deploy can run the once-only steps, which need {}", scope.label());
                Err(Error::new(ErrorKind::NoHost, text).hint("add one of its hosts to the hosts of the deploy"))
            }
        }
    }

    /// Runs steps once for all hosts: each on the first host that it is for.
    pub(super) async fn run_once(&self, steps: &Steps, release: &ReleaseId, live: LiveApp) -> Result<(), TaskError> {
        let app = self.app(self.first()?, release)?.with_live(live);
        for (scope, step) in steps.iter() {
            let host = self.first_of(scope.or(&self.site.once_hosts))?;
            let there = self.app(host, release)?.with_live(app.live().clone()).sharing_snapshot(&app);
            step.run(there).await?;
        }
        Ok(())
    }

    /// Returns the label of a host, with the root of the site if that depends on the host.
    pub(super) fn label_with_root(&self, host: &Host) -> String {
        match (&self.site.roots, self.layouts.get(host)) {
            (PerHost::Computed(_), Some(layout)) => format!("{}:{}", host.label(), layout.root()),
            _ => host.label().to_string(),
        }
    }

    /// Returns the hosts in a word.
    pub(crate) fn label(&self) -> String {
        label(self.hosts.connections())
    }

    /// Returns a release of the application on a host.
    pub(crate) fn app(&self, host: &Connection, release: &ReleaseId) -> Result<App, Error> {
        let layout = self.layouts.of(host)?;
        let app = App::new(host, layout.root(), layout.release(release), release.clone());
        Ok(app.with_approved(self.approved.get().cloned()))
    }
}

/// Looks at all hosts of a group, whatever comes of each.
pub(crate) async fn look(site: &Site, hosts: &Group) -> Outcomes<Survey> {
    let look = |host: Connection| async move {
        let root = site.roots.on(&host)?;
        check_root(&root)?;
        match site.kind {
            SiteKind::Releases => Survey::probe(&host, &root, &site.linked_files).await,
            SiteKind::InPlace => Survey::probe_in_place(&host, &root).await,
        }
    };
    hosts.each(look).await
}

/// Refuses a root that is not an absolute path, nor one from the home.
fn check_root(root: &str) -> Result<(), Error> {
    if root.starts_with('/') || root.starts_with("~/") {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Usage, format!("the root of the site, `{root}`, is not an absolute path"));
    Err(error.hint("write an absolute path (`/srv/shop`), or one in the home directory (`~/shop`)"))
}

/// Refuses two names of one folder: the run would meet its own lock, and its own files.
fn refuse_one_folder_twice(surveys: &Surveys) -> Result<(), Error> {
    let mut known: HashMap<&str, &Host> = HashMap::new();
    for (host, survey) in surveys {
        let Some(place) = &survey.folder_identity else { continue };
        if let Some(other) = known.insert(place, host) {
            let mut names = [host.label().to_string(), other.label().to_string()];
            names.sort();
            let root = survey.layout.root();
            let text = format!("{} and {} are the same machine, with one folder `{root}`", names[0], names[1]);
            return Err(Error::new(ErrorKind::Usage, text).hint(format!("leave one out: `-x {}`", names[1])));
        }
    }
    Ok(())
}
