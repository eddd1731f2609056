//! The methods of a site that print or return its statistics.

use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

use fabrs::{Error, ErrorKind, Group, Outcomes};

use crate::deploy::{OperationRecord, read_operations, survey_host};
use crate::json_document::json_document;
use crate::notify::{DeployAction, DeployOutcome};
use crate::outcomes::all_ok;
use crate::overview::commands::client;
use crate::overview::site_stats::SiteStats;
use crate::overview::tables::stats_table;
use crate::release::{FoundRelease, Manifest, ReleaseId, Survey};
use crate::site::Site;

/// The survey and the operation log of a host.
type HostHistory = (Survey, Vec<OperationRecord>);

/// # Statistics
///
/// The four DORA metrics: deploys a week, lead time, change failure rate and time to restore.
/// [`SiteStats`] defines each metric and its limits.
impl Site {
    /// Prints the statistics of the last 90 days as a table.
    ///
    /// ```text
    /// metric               value
    /// deploys              2.3 a week  30 live in 90 d
    /// lead time            4h 12m      median of 28
    /// change failure rate  6 %         2 of 32: 0 before the switch, 1 after the switch, 1 rolled back
    /// time to restore      18m         median of 2
    /// ```
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Prints the statistics.
    /// #[task(local)]
    /// async fn stats() -> Result {
    ///     Site::new("/srv/shop").stats(on(role("web"))?).await?;
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
    pub async fn stats(&self, hosts: Group) -> Result<(), Error> {
        self.print_stats(hosts, stats_table).await
    }

    /// Prints the statistics as one JSON document with the fields of [`SiteStats`].
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Prints the statistics as JSON: `fab production stats_json | jq .deploys_per_week`.
    /// #[task(local)]
    /// async fn stats_json() -> Result {
    ///     Site::new("/srv/shop").stats_json(on(role("web"))?).await?;
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
    pub async fn stats_json(&self, hosts: Group) -> Result<(), Error> {
        self.print_stats(hosts, json_document).await
    }

    /// Returns the statistics. [`SiteStats::unreachable`] lists the unreachable hosts.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Fails if more than one change in five fails.
    /// #[task(local)]
    /// async fn check_quality() -> Result {
    ///     let stats = Site::new("/srv/shop").read_stats(on(role("web"))?).await?;
    ///     ensure!(stats.change_failure_rate.unwrap_or(0.0) < 0.2, "too many failed changes");
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
    pub async fn read_stats(&self, hosts: Group) -> Result<SiteStats, Error> {
        let read = self.read_histories(&hosts).await;
        let mut errors = read.failed().filter_map(|(_, outcome)| outcome.error());
        match errors.find(|error| error.kind() == ErrorKind::Cancelled) {
            Some(stopped) => Err(stopped.clone()),
            None => Ok(self.compose_stats(&read)),
        }
    }

    async fn print_stats(&self, hosts: Group, text: fn(&SiteStats) -> String) -> Result<(), Error> {
        let read = self.read_histories(&hosts).await;
        if let Some(client) = client(&hosts) {
            client.print(None, text(&self.compose_stats(&read)));
        }
        all_ok(read).map(drop)
    }

    async fn read_histories(&self, hosts: &Group) -> Outcomes<HostHistory> {
        let read = hosts.each(|host| async move {
            let survey = survey_host(self, &host).await?;
            let log = read_operations(&host, &survey.layout).await?;
            Ok::<_, Error>((survey, log))
        });
        read.await
    }

    fn compose_stats(&self, read: &Outcomes<HostHistory>) -> SiteStats {
        let histories: Vec<&HostHistory> = read.iter().filter_map(|(_, outcome)| outcome.value()).collect();
        let found = || histories.iter().flat_map(|(survey, _)| &survey.releases);
        let bad: HashSet<ReleaseId> =
            found().filter(|(_, found)| found.bad.is_some()).map(|(release, _)| release.clone()).collect();
        let names = |is_selected: fn(bool) -> bool| {
            let selected = read.iter().filter(|(_, outcome)| is_selected(outcome.value().is_some()));
            selected.map(|(host, _)| host.label().to_string()).collect()
        };
        SiteStats {
            site: self.root.clone(),
            hosts: names(|is_read| is_read),
            unreachable: names(|is_read| !is_read),
            ..SiteStats::new(&merge(&histories), &bad, SystemTime::now())
        }
    }
}

/// Merges the logs of all hosts: each operation once, and the deploys known from manifests only.
fn merge(histories: &[&HostHistory]) -> Vec<OperationRecord> {
    let records = histories.iter().flat_map(|(_, log)| log);
    let mut operations: BTreeMap<String, OperationRecord> = BTreeMap::new();
    for record in records {
        operations.entry(record.run.to_string()).or_insert_with(|| record.clone());
    }
    let recorded: HashSet<ReleaseId> = operations.values().map(|record| record.release.clone()).collect();
    let releases = histories.iter().flat_map(|(survey, _)| &survey.releases);
    let unrecorded =
        releases.filter(|(release, _)| !recorded.contains(*release)).filter_map(|(_, found)| of_manifest(found));
    let mut by_release: BTreeMap<ReleaseId, OperationRecord> = BTreeMap::new();
    for record in unrecorded {
        by_release.entry(record.release.clone()).or_insert(record);
    }
    operations.into_values().chain(by_release.into_values()).collect()
}

/// Returns the deploy that built a release, from its manifest: a deploy before the first entry of
/// the operation log. Returns `None` for a release that may never have been live.
fn of_manifest(found: &FoundRelease) -> Option<OperationRecord> {
    let manifest = found.manifest.as_ref().filter(|manifest| !manifest.at.is_empty())?;
    if found.held.is_some() || (!found.is_verified && found.bad.is_none()) {
        return None;
    }
    let Manifest { release, revision, by, run, at, previous, .. } = manifest.clone();
    // A release that fails its checks is marked as bad, and never verified.
    let is_live = found.is_verified;
    Some(OperationRecord {
        run,
        action: DeployAction::Deploy,
        outcome: if is_live { DeployOutcome::Live } else { DeployOutcome::Failed },
        is_live,
        is_as_before: !is_live,
        release,
        revision,
        by,
        replaced: previous.into_iter().collect(),
        started: at.clone(),
        switched: Some(at.clone()),
        finished: at,
        committed: None,
    })
}
