//! The fixture of these tests: three hosts and the repository of their site.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use fabrs::config::{PromptPolicy, Settings, SshConfigSource};
use fabrs::event::{CaptureSink, Sink};
use fabrs::{Client, ClientBuilder, Group};
use fabrs_deploy::{App, DeployReport, Git, Notifier, NotifyFuture, Site};
use fabrs_testing::{GitServer, SiteHosts};

/// Three hosts, a repository, and a site on the hosts.
pub(crate) struct Fixture {
    pub(crate) origin: GitServer,
    fleet: SiteHosts,
}

impl Deref for Fixture {
    type Target = SiteHosts;

    fn deref(&self) -> &SiteHosts {
        &self.fleet
    }
}

impl DerefMut for Fixture {
    fn deref_mut(&mut self) -> &mut SiteHosts {
        &mut self.fleet
    }
}

impl Fixture {
    /// Starts the hosts and the repository. Returns `None` without root.
    pub(crate) fn start() -> Option<Self> {
        let fleet = SiteHosts::start()?;
        Some(Self { origin: GitServer::start(fleet.dir()), fleet })
    }

    /// Returns a client for the hosts, with a capture of its events.
    pub(crate) fn client(&self) -> (Client, Arc<CaptureSink>) {
        self.client_with(|settings| settings)
    }

    pub(crate) fn client_with(&self, change: impl FnOnce(Settings) -> Settings) -> (Client, Arc<CaptureSink>) {
        self.client_of(change, |builder| builder)
    }

    pub(crate) fn client_of(
        &self,
        change: impl FnOnce(Settings) -> Settings,
        build: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> (Client, Arc<CaptureSink>) {
        let capture = Arc::new(CaptureSink::default());
        let ssh_config = SshConfigSource::File(self.ssh_config());
        let settings = change(Settings::default().ssh_config(ssh_config).prompts(PromptPolicy::Refuse));
        let builder = build(Client::builder().settings(settings));
        (builder.sink(Arc::clone(&capture) as Arc<dyn Sink>).build(), capture)
    }

    /// Returns the root of the site on its hosts.
    pub(crate) fn site_folder(&self) -> String {
        self.fleet.site()
    }

    /// Returns the site without any step. `allow_dirty` ignores the work tree of these tests.
    pub(crate) fn site(&self) -> Site {
        Site::new(self.fleet.site()).source(Git::at(self.origin.url()).allow_dirty(true))
    }
}

/// Returns the hosts as a group of a client.
pub(crate) fn all(client: &Client) -> Group {
    Group::of(client, SiteHosts::HOSTS).expect("the names are hosts")
}

/// Returns whether a step runs on the named host.
pub(crate) fn is_on(app: &App, host: &str) -> bool {
    app.connection().host().is_some_and(|on| on.to_string() == host)
}

/// Returns the output of a future. A future that never ends fails the test after two minutes.
pub(crate) async fn within_limit<F: Future>(future: F) -> F::Output {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(2);
    tokio::time::timeout(LIMIT, future).await.expect("the future ends within the limit")
}

/// A notifier with a record of its reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentReports(pub(crate) Arc<Mutex<Vec<Arc<DeployReport>>>>);

impl Notifier for SentReports {
    fn name(&self) -> String {
        "record".to_owned()
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        self.0.lock().expect("no panic while the record was locked").push(report);
        Box::pin(async { Ok(()) })
    }
}
