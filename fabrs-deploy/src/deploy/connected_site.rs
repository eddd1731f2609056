//! A site on its hosts: the connected group, the paths on each host, and the hosts of once-only
//! steps.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use fabrs::{Client, Connection, Error, ErrorKind, Group, Host, LockRequest, Outcomes, TaskError};

use crate::database::{MigrationInspector, MigrationPlan, Snapshot};
use crate::deploy::phases::Phases;
use crate::deploy::space_to_free::SpaceToFree;
use crate::outcomes::{all_ok, label};
use crate::per_host::PerHost;
use crate::release::{BlueGreenSide, LOCK_NAME, Layouts, ReleaseId, SiteKind, Survey};
use crate::scope::Scope;
use crate::site::Site;
use crate::step::{App, ApprovedMigrations, LiveApp, Steps};

/// A site with the hosts of one operation.
#[derive(Debug)]
pub(crate) struct ConnectedSite {
    pub(crate) site: Site,
    pub(crate) group: Group,
    pub(crate) layouts: Layouts,
    /// The migrations approved before the build, if they were known then.
    approved: Option<Arc<ApprovedMigrations>>,
    /// The space to free on each host before the build.
    space_to_free: HashMap<Host, SpaceToFree>,
    /// The free space of the host with the least space, if it was probed.
    least_free_space: Option<String>,
    /// The new side of each host of a blue-green site, once chosen.
    sides: OnceLock<HashMap<Host, (BlueGreenSide, u16)>>,
    client: Client,
    pub(super) phases: Phases,
}

/// The survey of each host.
pub(crate) type Surveys = HashMap<Host, Survey>;

impl ConnectedSite {
    /// Connects to all hosts and surveys the site on each host. A setting of the run decides if an
    /// unreachable host is an error or is skipped.
    ///
    /// # Errors
    ///
    /// As [`Outcomes::all_ok`](fabrs::Outcomes::all_ok). [`ErrorKind::NoHost`] if no host is left.
    /// [`ErrorKind::Usage`] if the root of the site or a linked path is invalid, or if two hosts
    /// are the same machine.
    pub(crate) async fn connect(site: Site, group: Group) -> Result<(Self, Surveys), Error> {
        if let PerHost::Fixed(root) = &site.roots {
            check_root(root)?;
        }
        check_links(&site)?;
        site.order.check()?;
        site.strategy.check()?;
        check_blue_green(&site)?;
        site.watch.check()?;
        site.logs.iter().try_for_each(|(_, log)| log.check())?;
        let no_host = || Error::new(ErrorKind::NoHost, "no host selected");
        let client = group.connections().first().and_then(Connection::client).ok_or_else(no_host)?.clone();
        // The group warns about each skipped host.
        let surveys: Surveys = all_ok(survey_hosts(&site, &group).await)?.into_iter().collect();
        check_machines(&surveys)?;
        // After this point an unreachable host is a failure: the deploy may have changed it in
        // part.
        let group = group.filter(|host| host.host().is_some_and(|host| surveys.contains_key(host))).require_all();
        if group.connections().is_empty() {
            return Err(no_host());
        }
        let layouts = surveys.iter().map(|(host, survey)| (host.clone(), survey.layout.clone())).collect();
        Ok((Self { layouts, ..Self::without_survey(site, group, client) }, surveys))
    }

    /// Creates a connected site without a survey of its hosts.
    pub(crate) fn without_survey(site: Site, group: Group, client: Client) -> Self {
        Self {
            site,
            group,
            layouts: Layouts::default(),
            approved: None,
            space_to_free: HashMap::new(),
            least_free_space: None,
            sides: OnceLock::new(),
            client,
            phases: Phases::default(),
        }
    }

    /// Sets the new side of each host of a blue-green site. Only the first call has an effect.
    pub(super) fn set_sides(&self, sides: HashMap<Host, (BlueGreenSide, u16)>) {
        let _ = self.sides.set(sides);
    }

    /// Surveys all hosts again.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub(crate) async fn survey(&self) -> Result<Surveys, Error> {
        Ok(all_ok(survey_hosts(&self.site, &self.group).await)?.into_iter().collect())
    }

    /// Surveys some hosts again and skips unreachable hosts.
    pub(crate) async fn survey_reachable(&self, group: &Group) -> Surveys {
        let surveyed = survey_hosts(&self.site, group).await;
        surveyed.succeeded().map(|(host, survey)| (host.clone(), survey.clone())).collect()
    }

    /// Returns the request for the lock of the site.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] for a host without a survey.
    pub(crate) fn lock_request(&self) -> Result<LockRequest, Error> {
        let mut request = self.group.lock(LOCK_NAME).lease(self.site.lock_lease);
        for host in self.group.connections() {
            if let Some(name) = host.host() {
                request = request.dir(name, self.layouts.of(host)?.private_dir());
            }
        }
        Ok(request)
    }

    /// Records the approved migrations, if the plan lists them.
    pub(crate) fn set_approved_migrations(&mut self, plan: MigrationPlan) {
        let text = plan.text;
        self.approved = plan.names.map(|names| Arc::new(ApprovedMigrations { names, text }));
    }

    /// Sets the space to free on each host before the build.
    pub(super) fn set_space_to_free(&mut self, space: HashMap<Host, SpaceToFree>) {
        self.space_to_free = space;
    }

    /// Sets the free space of the host with the least space.
    pub(super) fn set_least_free_space(&mut self, space: Option<String>) {
        self.least_free_space = space;
    }

    /// Returns the free space of the host with the least space, if it was probed.
    pub(super) fn least_free_space(&self) -> Option<&str> {
        self.least_free_space.as_deref()
    }

    /// Returns the space to free on a host before the build.
    pub(super) fn space_to_free(&self, host: &Connection) -> Option<&SpaceToFree> {
        self.space_to_free.get(host.host()?)
    }

    /// Returns the client of the run.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the live release of the migration host, or else of the first host with a live
    /// release.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] for a host without a survey.
    pub(crate) fn live_app(&self, surveys: &Surveys) -> Result<LiveApp, Error> {
        let migrating = self.database()?.map(|(host, _)| host);
        for host in migrating.into_iter().chain(self.group.connections()) {
            let Some(survey) = host.host().and_then(|name| surveys.get(name)) else { continue };
            if let Some(live) = survey.live() {
                return Ok(LiveApp::Release(Box::new(self.app(host, live)?)));
            }
        }
        Ok(LiveApp::None)
    }

    /// Returns the host for once-only work: the first host in [`Site::once_on`], or else the first
    /// host of the deploy.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHost`] without hosts. [`ErrorKind::Usage`] if the environment has no such
    /// role.
    pub(crate) fn first(&self) -> Result<&Connection, Error> {
        match self.first_of(&self.site.once_hosts) {
            Err(error) if error.kind() == ErrorKind::NoHost => self.first_of(&Scope::default()),
            found => found,
        }
    }

    /// Returns the first host in a scope.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHost`] if the scope contains none of the hosts. [`ErrorKind::Usage`] if the
    /// environment has no such role.
    pub(crate) fn first_of(&self, scope: &Scope) -> Result<&Connection, Error> {
        for host in self.group.connections() {
            if scope.has(host)? {
                return Ok(host);
            }
        }
        match self.group.connections() {
            [] => Err(Error::new(ErrorKind::NoHost, "no host selected")),
            _ => {
                let text = format!("no selected host can run the once-only steps, which need {}", scope.label());
                Err(Error::new(ErrorKind::NoHost, text).hint("include at least one of these hosts in the deploy"))
            }
        }
    }

    /// Returns the database of the site, with the host for its queries.
    ///
    /// # Errors
    ///
    /// As [`first_of`](Self::first_of).
    pub(crate) fn database(&self) -> Result<Option<(&Connection, &dyn MigrationInspector)>, Error> {
        let Some((scope, database)) = &self.site.database else { return Ok(None) };
        Ok(Some((self.first_of(scope.or(&self.site.once_hosts))?, &**database)))
    }

    /// Runs steps once for all hosts, each on the first host of its scope.
    ///
    /// # Errors
    ///
    /// The first error of a step. Later steps then do not run.
    pub(crate) async fn run_once(
        &self,
        steps: &[&Steps],
        release: &ReleaseId,
        live: LiveApp,
    ) -> Result<Option<Snapshot>, TaskError> {
        let app = self.app(self.first()?, release)?.with_live(live);
        for (scope, step) in steps.iter().flat_map(|steps| steps.iter()) {
            let host = self.first_of(scope.or(&self.site.once_hosts))?;
            let on_host = self.app(host, release)?.with_live(app.live().clone()).sharing_snapshot(&app);
            step.run(on_host).await?;
        }
        Ok(app.snapshot())
    }

    /// Returns the hosts of once-only steps and migrations, in the order of the deploy.
    ///
    /// # Errors
    ///
    /// As [`first_of`](Self::first_of).
    pub(crate) fn once_connections(&self) -> Result<Vec<Connection>, Error> {
        let mut once: HashSet<&Host> = HashSet::new();
        for (scope, _) in self.site.once_steps().into_iter().flat_map(Steps::iter) {
            once.extend(self.first_of(scope.or(&self.site.once_hosts))?.host());
        }
        once.extend(self.database()?.and_then(|(host, _)| host.host()));
        let all = self.group.connections().iter();
        Ok(all.filter(|host| host.host().is_some_and(|host| once.contains(host))).cloned().collect())
    }

    /// Returns the label of a host, with the root of the site if the root depends on the host.
    pub(crate) fn label_with_root(&self, host: &Host) -> String {
        match (&self.site.roots, self.layouts.get(host)) {
            (PerHost::Computed(_), Some(layout)) => format!("{}:{}", host.label(), layout.root()),
            _ => host.label().to_string(),
        }
    }

    /// Returns the name of a single host, or the number of hosts.
    pub(crate) fn label(&self) -> String {
        label(self.group.connections())
    }

    /// Returns a release of the application on a host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] for a host without a survey.
    pub(crate) fn app(&self, host: &Connection, release: &ReleaseId) -> Result<App, Error> {
        let layout = self.layouts.of(host)?;
        let app = App::new(host, layout.root(), layout.release(release), release.clone());
        let side = self.sides.get().and_then(|sides| sides.get(host.host()?).copied());
        Ok(app.with_approved(self.approved.clone()).with_side(side))
    }
}

/// Surveys the site on each host of a group, and returns the outcome of each host.
pub(crate) async fn survey_hosts(site: &Site, group: &Group) -> Outcomes<Survey> {
    group.each(|host| async move { survey_host(site, &host).await }).await
}

/// Surveys the site on one host.
///
/// # Errors
///
/// As [`Survey::probe`]. [`ErrorKind::Usage`] for an invalid root.
pub(crate) async fn survey_host(site: &Site, host: &Connection) -> Result<Survey, Error> {
    let root = site.roots.on(host)?;
    check_root(&root)?;
    match site.kind {
        SiteKind::Releases => Survey::probe(host, &root, &site.linked_files).await,
        SiteKind::InPlace => Survey::probe_in_place(host, &root).await,
    }
}

/// Returns the connection to this machine, for local commands of a deploy or a rollback.
///
/// # Errors
///
/// [`ErrorKind::NoHost`] for an empty group.
pub(super) fn local_connection(hosts: &Group) -> Result<Connection, Error> {
    match hosts.connections().first().and_then(Connection::client) {
        Some(client) => client.local(),
        None => Err(Error::new(ErrorKind::NoHost, "no host selected")),
    }
}

/// Refuses a root that is neither absolute nor in the home directory.
fn check_root(root: &str) -> Result<(), Error> {
    if root.starts_with('/') || root.starts_with("~/") {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Usage, format!("site root `{root}` must be absolute or start with `~/`"));
    Err(error.hint("use an absolute path (`/srv/shop`) or a path in the home directory (`~/shop`)"))
}

/// Refuses settings that a blue-green site does not use.
fn check_blue_green(site: &Site) -> Result<(), Error> {
    if site.strategy.blue_green().is_none() {
        return Ok(());
    }
    let is_drained = site.balancer.is_some() || site.drain.iter().next().is_some();
    let conflict = match (site.kind, is_drained) {
        (SiteKind::InPlace, _) => "`.in_place()`",
        (SiteKind::Releases, true) => "`.balancer(..)` and `.drain(..)`",
        (SiteKind::Releases, false) => return Ok(()),
    };
    let error = Error::new(ErrorKind::Usage, format!("a blue-green site cannot have {conflict}"));
    Err(error.hint("set the balancer of the strategy: `BlueGreen::ports(..).switch(..)`"))
}

/// Refuses a linked path inside another linked path: the link to the inner path would be created
/// inside `shared`.
fn check_links(site: &Site) -> Result<(), Error> {
    let links: Vec<&String> = site.linked_files.iter().chain(&site.linked_dirs).collect();
    let is_within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    match links.iter().find(|inner| links.iter().any(|outer| is_within(inner, outer))) {
        None => Ok(()),
        Some(inner) => {
            let error = Error::new(ErrorKind::Usage, format!("`{inner}` is inside another linked directory"));
            Err(error.hint("link the outer directory only: it includes the inner path"))
        }
    }
}

/// Refuses two host names for one machine: the run would wait for its own lock, and overwrite its
/// own files.
fn check_machines(surveys: &Surveys) -> Result<(), Error> {
    let mut known: HashMap<&str, &Host> = HashMap::new();
    for (host, survey) in surveys {
        let Some(identity) = &survey.folder_identity else { continue };
        if let Some(other) = known.insert(identity, host) {
            let mut names = [host.label().to_string(), other.label().to_string()];
            names.sort();
            let root = survey.layout.root();
            let text = format!("{} and {} are the same machine, with the same site root `{root}`", names[0], names[1]);
            return Err(Error::new(ErrorKind::Usage, text).hint(format!("exclude one of them: `-x {}`", names[1])));
        }
    }
    Ok(())
}
