//! The methods of a site that print or return its status and its releases.

use fabrs::{Client, Connection, Error, ErrorKind, Group, Host, Outcomes};

use crate::deploy::{LiveMigrations, Surveys, check_live_releases, survey_hosts};
use crate::json_document::json_document;
use crate::outcomes::all_ok;
use crate::overview::release_list::ReleaseList;
use crate::overview::site_status::{SiteStatus, reason};
use crate::overview::tables::{releases_table, status_table};
use crate::release::Survey;
use crate::site::Site;

/// # Status and releases
///
/// | result | status | all releases |
/// |---|---|---|
/// | a table | [`status`](Self::status) | [`releases`](Self::releases) |
/// | JSON | [`status_json`](Self::status_json) | [`releases_json`](Self::releases_json) |
/// | a value | [`read_status`](Self::read_status) | [`read_releases`](Self::read_releases) |
///
/// Tables and JSON documents are printed on stdout. With `--json`, the table or document is the
/// `text` of a `message` event.
impl Site {
    /// Prints the live release of each host of a group. Remarks mark locked hosts, unreachable
    /// hosts, and hosts that differ from most hosts.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Prints the live releases.
    /// #[task(local)]
    /// async fn status() -> Result {
    ///     Site::new("/srv/shop").status(on(role("web"))?).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of unreachable hosts. The table is printed first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn status(&self, hosts: Group) -> Result<(), Error> {
        self.print(hosts, SiteStatus::new, status_table).await
    }

    /// Prints all releases with their hosts, revisions and marks.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Prints all releases.
    /// #[task(local)]
    /// async fn releases() -> Result {
    ///     Site::new("/srv/shop").releases(on(role("web"))?).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn releases(&self, hosts: Group) -> Result<(), Error> {
        self.print(hosts, ReleaseList::new, releases_table).await
    }

    /// Prints the status as one JSON document with the fields of [`SiteStatus`], for a dashboard or
    /// `jq`.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Prints the status as JSON: `fab production status_json | jq '.hosts[].live'`.
    /// #[task(local)]
    /// async fn status_json() -> Result {
    ///     Site::new("/srv/shop").status_json(on(role("web"))?).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of unreachable hosts. The document is printed first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn status_json(&self, hosts: Group) -> Result<(), Error> {
        self.print(hosts, SiteStatus::new, json_document).await
    }

    /// Prints all releases as one JSON document with the fields of [`ReleaseList`].
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Prints the releases as JSON: `fab production releases_json | jq '.releases[0]'`.
    /// #[task(local)]
    /// async fn releases_json() -> Result {
    ///     Site::new("/srv/shop").releases_json(on(role("web"))?).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`status_json`](Self::status_json).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn releases_json(&self, hosts: Group) -> Result<(), Error> {
        self.print(hosts, ReleaseList::new, json_document).await
    }

    /// Returns the status of each host of a group. An unreachable host is part of the result, with
    /// its error.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Fails if a host is locked by a person.
    /// #[task(local)]
    /// async fn check_locks() -> Result {
    ///     let status = Site::new("/srv/shop").read_status(on(role("web"))?).await?;
    ///     for host in &status.hosts {
    ///         ensure!(host.manual_lock.is_none(), "{} is locked", host.host);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cancelled`] if the run is stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn read_status(&self, hosts: Group) -> Result<SiteStatus, Error> {
        self.read(hosts, SiteStatus::new).await
    }

    /// Returns all releases on the hosts of a group. Unreachable hosts are part of the result.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Prints the ids of the releases that are live on no host.
    /// #[task(local)]
    /// async fn old_releases() -> Result {
    ///     let list = Site::new("/srv/shop").read_releases(on(role("web"))?).await?;
    ///     for release in list.releases.iter().filter(|release| release.live_on.is_empty()) {
    ///         println!("{}", release.release);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read_status`](Self::read_status).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn read_releases(&self, hosts: Group) -> Result<ReleaseList, Error> {
        self.read(hosts, ReleaseList::new).await
    }

    async fn read<T>(&self, hosts: Group, compose: Compose<T>) -> Result<T, Error> {
        let surveyed = survey_hosts(self, &hosts).await;
        let mut errors = surveyed.failed().filter_map(|(_, outcome)| outcome.error());
        match errors.find(|error| error.kind() == ErrorKind::Cancelled) {
            Some(stopped) => Err(stopped.clone()),
            None => Ok(self.compose(&hosts, &surveyed, compose).await),
        }
    }

    async fn print<T>(&self, hosts: Group, compose: Compose<T>, text: fn(&T) -> String) -> Result<(), Error> {
        let surveyed = survey_hosts(self, &hosts).await;
        if let Some(client) = client(&hosts) {
            client.print(None, text(&self.compose(&hosts, &surveyed, compose).await));
        }
        all_ok(surveyed).map(drop)
    }

    async fn compose<T>(&self, hosts: &Group, surveyed: &Outcomes<Survey>, compose: Compose<T>) -> T {
        let surveys: Surveys = surveyed.succeeded().map(|(host, survey)| (host.clone(), survey.clone())).collect();
        let mut migrations = check_live_releases(self, hosts.connections(), &surveys).await;
        if let Some(client) = client(hosts) {
            migrations = migrations.into_iter().map(|checked| checked.redacted(&client)).collect();
        }
        let results: Vec<(&Host, Result<&Survey, String>)> = surveyed
            .iter()
            .map(|(host, outcome)| {
                let why = || reason(outcome.error(), outcome.kind().as_str());
                (host, outcome.value().ok_or_else(why))
            })
            .collect();
        compose(&self.root, &results, migrations)
    }
}

/// Composes a result from the root of the site, the survey of each host, and the migrations.
type Compose<T> = fn(&str, &[(&Host, Result<&Survey, String>)], Vec<LiveMigrations>) -> T;

pub(super) fn client(hosts: &Group) -> Option<Client> {
    hosts.connections().first().and_then(Connection::client)
}
