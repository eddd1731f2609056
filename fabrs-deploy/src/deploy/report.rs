//! The report of a deploy or a rollback, and its delivery to the notifiers of the site.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use fabrs::config::{Environment, Mode};
use fabrs::{Connection, Error, ErrorKind, HostFailures};

use crate::database::UnknownMigrations;
use crate::deploy::rollout::Rollout;
use crate::last_line::last_line;
use crate::notify::{ChangesSince, DeployAction, DeployOutcome, DeployReport, FlagReport, HostReport};
use crate::release::{SiteKind, Survey};
use crate::source::Revision;

/// The start of an operation, by the wall clock and by a monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartTime {
    at: SystemTime,
    clock: Instant,
}

impl StartTime {
    pub(super) fn now() -> Self {
        Self { at: SystemTime::now(), clock: Instant::now() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Returns the start by the wall clock.
    pub(super) fn at(self) -> SystemTime {
        self.at
    }
}

/// Sends the report to all notifiers, also after a stop of the run. A failed notifier causes a
/// warning.
pub(super) async fn send(
    rollout: &Rollout<'_>,
    action: DeployAction,
    start: StartTime,
    result: &Result<(), Error>,
    is_live: bool,
    unknown_migrations: Option<UnknownMigrations>,
) {
    let (site, client) = (&rollout.hosts.site, rollout.hosts.client());
    if site.notifiers.is_empty() {
        return;
    }
    let phase = match result {
        Ok(()) => rollout.hosts.phase("notify", &[]),
        Err(_) => rollout.hosts.unplanned_phase("notify", &[]),
    };
    let target = &rollout.target;
    let hosts = rollout.hosts.group.connections().iter().map(|host| HostReport {
        host: host.host().map_or_else(String::new, |host| host.label().to_string()),
        state: rollout.describe(host),
    });
    let report = DeployReport {
        action,
        outcome: outcome_of(action, result),
        is_live,
        error: result.as_ref().err().map(|error| client.redact(&error_text(error))),
        application: site.application().to_owned(),
        site: site.root.clone(),
        environment: client.inventory().environment().map(Environment::name).map(str::to_owned),
        release: target.release.clone(),
        revision: target.revision.clone(),
        by: target.by.clone(),
        run: target.run.clone(),
        override_reason: target.override_reason.as_deref().map(|reason| client.redact(reason)),
        stage_override_reason: target.stage_override_reason.clone(),
        started: humantime::format_rfc3339_seconds(start.at).to_string(),
        finished: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        hosts: hosts.collect(),
        unknown_migrations: unknown_migrations.map(|unknown| unknown.redacted(client)),
        flags: flags(rollout, is_live).await,
        changes: changes(rollout).await,
        elapsed: start.elapsed(),
        at: SystemTime::now(),
    };
    site.notifiers.notify(client, report).await;
    phase.done("");
}

/// Returns the outcome of an operation.
pub(super) fn outcome_of(action: DeployAction, result: &Result<(), Error>) -> DeployOutcome {
    match result {
        Ok(()) if action == DeployAction::Hold => DeployOutcome::Held,
        Ok(()) => DeployOutcome::Live,
        Err(error) if error.kind() == ErrorKind::Cancelled => DeployOutcome::Cancelled,
        Err(_) => DeployOutcome::Failed,
    }
}

/// Returns the feature flags in a rollout, read in the live release of one host. A failure is a
/// warning, since a report without flags is better than none.
async fn flags(rollout: &Rollout<'_>, is_live: bool) -> Vec<FlagReport> {
    let (hosts, client) = (rollout.hosts, rollout.hosts.client());
    let Some((scope, waffle)) = &hosts.site.waffle else { return Vec::new() };
    let scope = scope.or(&hosts.site.once_hosts);
    // A dry run sends no report, and the new release does not exist.
    let is_new_live = is_live && client.settings().mode == Mode::Run;
    let was_live = |host: &Connection| rollout.target.before(host).is_some_and(|survey| survey.live().is_some());
    let usable = rollout.recovery_hosts(|host| scope.has(host).unwrap_or(false) && (is_new_live || was_live(host)));
    let Some(host) = usable.connections().first() else { return Vec::new() };
    let Ok(layout) = hosts.layouts.of(host) else { return Vec::new() };
    let dir = match hosts.site.kind {
        SiteKind::Releases => layout.current(),
        SiteKind::InPlace => layout.root().to_owned(),
    };
    waffle.report(&host.cd(&dir).venv(format!("{dir}/env"))).await.unwrap_or_else(|error| {
        let reason = last_line(&error).unwrap_or_else(|| error.message().to_owned());
        client.warn(error.host(), format!("could not list the feature flags for the report: {reason}"));
        Vec::new()
    })
}

/// Returns the new commits since each previously live revision. A revision unknown to the
/// repositories is left out.
async fn changes(rollout: &Rollout<'_>) -> Vec<ChangesSince> {
    let (hosts, target) = (rollout.hosts, &rollout.target);
    let recovery = rollout.recovery_hosts(|_| true);
    let (Some(source), Some(host)) = (&hosts.site.source, recovery.connections().first()) else { return Vec::new() };
    let Ok(layout) = hosts.layouts.of(host) else { return Vec::new() };
    let before = hosts.group.connections().iter().filter_map(|host| target.before(host));
    let live: BTreeMap<&str, &Revision> = before
        .filter_map(Survey::live_manifest)
        .map(|manifest| (manifest.revision.commit.as_str(), &manifest.revision))
        .collect();
    let mut all = Vec::new();
    for since in live.into_values() {
        // A missing list of commits must not prevent the report.
        if let Ok(Some(changes)) = source.changes(host, layout, &since.commit, &target.revision.commit).await {
            all.push(ChangesSince { since: since.clone(), changes });
        }
    }
    all
}

/// The number of output lines of a failed step in a report.
const OUTPUT_LINES: usize = 20;

/// Returns the error block with the last output lines of the failed step: readers of a mail did not
/// see the output.
fn error_text(error: &Error) -> String {
    let block = error.block().to_string();
    let of_group = std::error::Error::source(error).and_then(|source| source.downcast_ref::<HostFailures>());
    let failed = of_group.into_iter().flat_map(HostFailures::failed);
    let inner = failed.filter_map(|(host, _, error)| Some((Some(host), error.as_ref()?)));
    let mut all = std::iter::once((error.host(), error)).chain(inner);
    let Some((host, output)) = all.find_map(|(host, error)| Some((host, error.output()?))) else { return block };
    let text = [output.stdout(), output.stderr()].into_iter().flatten().collect::<Vec<_>>().join("\n");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(OUTPUT_LINES)..).unwrap_or_default();
    match last.last() {
        Some(line) if !block.contains(line) => {
            let host = host.map_or_else(String::new, |host| format!(" of {}", host.label()));
            format!("{block}\n\noutput{host}:\n  {}", last.join("\n  "))
        }
        _ => block,
    }
}
