//! Telling everybody what came of it.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use fabrs::config::Environment;
use fabrs::group::HostFailures;
use fabrs::{Connection, Error};

use super::begin::Coming;
use super::site_hosts::SiteHosts;
use crate::database::UnknownMigrations;
use crate::notify::{ChangesSince, DeployAction, DeployOutcome, DeployReport, HostReport};
use crate::release::Survey;
use crate::source::Revision;

/// When something began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    at: SystemTime,
    clock: Instant,
}

impl Began {
    pub(super) fn now() -> Self {
        Self { at: SystemTime::now(), clock: Instant::now() }
    }
}

/// Tells everybody, also when the run is stopped; that somebody could not be told is a warning.
pub(super) async fn tell(
    fleet: &SiteHosts,
    coming: &Coming,
    action: DeployAction,
    began: Began,
    came: &Result<(), Error>,
    unknown_migrations: Option<UnknownMigrations>,
) {
    if fleet.site.notifiers.is_empty() {
        return;
    }
    let hosts = fleet.hosts.connections().iter().map(|host| HostReport {
        host: host.host().map_or_else(String::new, |host| host.label().to_string()),
        state: fleet.standing.says(host),
    });
    let report = DeployReport {
        action,
        outcome: if came.is_ok() { DeployOutcome::Live } else { DeployOutcome::Failed },
        error: came.as_ref().err().map(|error| fleet.client().redacted(&text_of(error))),
        site: fleet.site.root.clone(),
        environment: fleet.client().inventory().environment().map(Environment::name).map(str::to_owned),
        release: coming.release.clone(),
        revision: coming.revision.clone(),
        by: coming.by.clone(),
        run: coming.run.clone(),
        started: humantime::format_rfc3339_seconds(began.at).to_string(),
        finished: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        hosts: hosts.collect(),
        unknown_migrations: unknown_migrations.map(|unknown| unknown.redacted(fleet.client())),
        changes: changes(fleet, coming).await,
        elapsed: began.clock.elapsed(),
        at: SystemTime::now(),
    };
    fleet.site.notifiers.notify(fleet.client(), report).await;
}

/// Returns what it brought, since each of the revisions that were live: as far as the repositories know.
async fn changes(fleet: &SiteHosts, coming: &Coming) -> Vec<ChangesSince> {
    let aside = fleet.aside(|_| true);
    let (Some(source), Some(host)) = (&fleet.site.source, aside.connections().first()) else { return Vec::new() };
    let Ok(layout) = fleet.layouts.of(host) else { return Vec::new() };
    let live = fleet.hosts.connections().iter().filter_map(|host: &Connection| coming.before(host));
    let live: BTreeMap<&str, &Revision> = live
        .filter_map(Survey::live_manifest)
        .map(|manifest| (manifest.revision.commit.as_str(), &manifest.revision))
        .collect();
    let mut all = Vec::new();
    for since in live.into_values() {
        // That they are not known is no reason to tell nobody.
        if let Ok(Some(changes)) = source.changes(host, layout, &since.commit, &coming.revision.commit).await {
            all.push(ChangesSince { since: since.clone(), changes });
        }
    }
    all
}

/// How many lines of the output of a failed step are in a message.
const LINES: usize = 20;

/// Returns the block of an error with the last output of the step that failed: who reads a mail has not seen it pass by.
fn text_of(error: &Error) -> String {
    let block = error.block().to_string();
    let of_group = std::error::Error::source(error).and_then(|source| source.downcast_ref::<HostFailures>());
    let failed = of_group.into_iter().flat_map(HostFailures::failed);
    let inner = failed.filter_map(|(host, _, error)| Some((Some(host), error.as_ref()?)));
    let mut all = std::iter::once((error.host(), error)).chain(inner);
    let Some((host, output)) = all.find_map(|(host, error)| Some((host, error.output()?))) else { return block };
    let text = [output.stdout(), output.stderr()].into_iter().flatten().collect::<Vec<_>>().join("\n");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
    match last.last() {
        Some(line) if !block.contains(line) => {
            let host = host.map_or_else(String::new, |host| format!(" of {}", host.label()));
            format!("{block}\n\noutput{host}:\n  {}", last.join("\n  "))
        }
        _ => block,
    }
}
