//! The tables of [`SiteStatus`], [`ReleaseList`] and [`SiteStats`].

use std::time::Duration;

use fabrs::config::Operator;

use crate::deploy::LiveMigrations;
use crate::overview::release_list::{ListedRelease, ReleaseList};
use crate::overview::site_stats::SiteStats;
use crate::overview::site_status::{ActiveRun, HostStatus, SiteStatus};
use crate::release::{HostRevert, ReleaseId};
use crate::source::Revision;
use crate::table::{render, table};

/// Returns the table of the status. Unreachable hosts come first.
pub(super) fn status_table(status: &SiteStatus) -> String {
    let mut rows = table(["host", "live", "revision", "by", "at", ""]);
    let (reachable, unreachable): (Vec<_>, Vec<_>) = status.hosts.iter().partition(|host| host.is_reachable);
    for host in unreachable {
        let [from, by, at] = deploy_cells(None, None, None);
        rows.add_row([host.host.clone(), "?".to_owned(), from, by, at, "unreachable".to_owned()]);
    }
    for host in reachable {
        let live = match &host.live {
            None => "nothing".to_owned(),
            Some(live) if *live == ReleaseId::default() => "in place".to_owned(),
            Some(live) => live.to_string(),
        };
        let [from, by, at] = deploy_cells(host.revision.as_ref(), host.by.as_ref(), host.at.as_deref());
        rows.add_row([host.host.clone(), live, from, by, at, host_remarks(host).join(", ")]);
    }
    render(&rows) + &migration_lines(&status.migrations)
}

fn host_remarks(host: &HostStatus) -> Vec<String> {
    let mut remarks: Vec<String> = host.manual_lock.iter().map(ToString::to_string).collect();
    remarks.extend(host.lock_holder.iter().map(|ActiveRun { by, since, purpose, phase }| {
        format!("locked by {by} since {since}: {purpose}, phase `{phase}`")
    }));
    if !host.is_on_common_release {
        remarks.push("differs from most hosts".to_owned());
    }
    if let Some(live) = host.live_side {
        let release = host.idle_release.as_ref().map_or_else(|| "no release".to_owned(), ToString::to_string);
        remarks.push(format!("{live} is live, {} is idle with {release}", live.other()));
    }
    remarks.extend(host.held_releases.iter().map(|held| format!("{held} is held")));
    match (host.is_drained, &host.lock_holder) {
        (true, Some(_)) => remarks.push("drained from the balancer".to_owned()),
        (true, None) => remarks.push("drained from the balancer by an earlier run: deploy again".to_owned()),
        (false, _) => {}
    }
    remarks.extend(host.current_problem.clone());
    remarks.extend(host.bad.iter().map(|bad| format!("bad: {}", first_line(&bad.reason))));
    remarks.extend(host.host_revert.iter().map(HostRevert::describe));
    if host.revision.is_some() && !host.is_verified {
        remarks.push("live but not verified".to_owned());
    }
    remarks.extend(host.changed_files.iter().map(|file| format!("`{file}` has local changes")));
    remarks.extend(host.missing_files.iter().map(|file| format!("`{file}` is missing")));
    remarks
}

/// Returns the table of the releases, the latest first.
pub(super) fn releases_table(list: &ReleaseList) -> String {
    let total = list.hosts.len() + list.unreachable.len();
    let mut rows = table(["release", "revision", "by", "at", "on", ""]);
    for release in &list.releases {
        let [from, by, at] = deploy_cells(release.revision.as_ref(), release.by.as_ref(), release.at.as_deref());
        let (on, remarks) = (names(&release.hosts, total), release_remarks(release, total));
        rows.add_row([release.release.to_string(), from, by, at, on, remarks.join(", ")]);
    }
    render(&rows) + &migration_lines(&list.migrations)
}

fn release_remarks(release: &ListedRelease, total: usize) -> Vec<String> {
    let mut remarks = Vec::new();
    if !release.live_on.is_empty() {
        remarks.push(format!("live on {}", names(&release.live_on, total)));
    }
    if !release.unconfirmed_on.is_empty() {
        remarks.push(format!("unconfirmed on {}", names(&release.unconfirmed_on, total)));
    }
    if release.is_unfinished {
        remarks.push("unfinished".to_owned());
    }
    if let Some(held) = &release.held {
        remarks.push(format!("held by {}", held.by));
    }
    match &release.bad {
        Some(bad) => remarks.push(format!("bad: {}", first_line(&bad.reason))),
        None if !release.unverified_on.is_empty() && release.held.is_none() => {
            remarks.push("not verified on every host".to_owned());
        }
        None => {}
    }
    for (rule, reason) in [("freeze", &release.override_reason), ("stages", &release.stage_override_reason)] {
        remarks.extend(reason.iter().map(|reason| format!("{rule} overridden: {reason}")));
    }
    remarks
}

/// Returns the table of the statistics.
pub(super) fn stats_table(stats: &SiteStats) -> String {
    let mut rows = table(["metric", "value", ""]);
    let days = match (humantime::parse_rfc3339(&stats.from), humantime::parse_rfc3339(&stats.to)) {
        (Ok(from), Ok(to)) => to.duration_since(from).unwrap_or_default().as_secs().div_ceil(24 * 3600).max(1),
        _ => 0,
    };
    let unknown = || "-".to_owned();
    let time = |seconds: Option<u64>| seconds.map_or_else(unknown, short_duration);
    let median = |count: usize, unit: &str| match count {
        0 => format!("no {unit} yet"),
        _ => format!("median of {count}"),
    };
    rows.add_row([
        "deploys".to_owned(),
        format!("{:.1} a week", stats.deploys_per_week),
        format!("{} live in {days} d", stats.deploys),
    ]);
    rows.add_row(["lead time".to_owned(), time(stats.lead_time_seconds), median(stats.lead_times, "lead time")]);
    let failed = stats.failed_before_switch + stats.failed_after_switch + stats.rolled_back;
    let kinds = format!(
        "{failed} of {}: {} before the switch, {} after the switch, {} rolled back",
        stats.changes, stats.failed_before_switch, stats.failed_after_switch, stats.rolled_back
    );
    let rate = stats.change_failure_rate.map_or_else(unknown, |rate| format!("{:.0} %", rate * 100.0));
    rows.add_row(["change failure rate".to_owned(), rate, kinds]);
    let open = match stats.not_restored {
        0 => String::new(),
        open => format!(", {open} not restored"),
    };
    let restores = median(stats.restores, "restored failure") + &open;
    rows.add_row(["time to restore".to_owned(), time(stats.time_to_restore_seconds), restores]);
    let missing = match stats.unreachable.as_slice() {
        [] => String::new(),
        hosts => format!("unreachable: {}\n", hosts.join(", ")),
    };
    render(&rows) + &missing
}

/// Returns a time with its two largest units: `3days 4h`.
fn short_duration(seconds: u64) -> String {
    let unit = match seconds {
        86_400.. => 3_600,
        3_600.. => 60,
        _ => 1,
    };
    humantime::format_duration(Duration::from_secs(seconds - seconds % unit)).to_string()
}

/// Returns the names of some hosts, or `all` for all hosts of a group of several hosts.
fn names(some: &[String], total: usize) -> String {
    if some.len() == total && total > 1 { "all".to_owned() } else { some.join(", ") }
}

/// Returns the cells of a deploy: revision, user and time.
fn deploy_cells(revision: Option<&Revision>, by: Option<&Operator>, at: Option<&str>) -> [String; 3] {
    [
        revision.map_or_else(String::new, ToString::to_string),
        by.map_or_else(String::new, ToString::to_string),
        at.unwrap_or_default().to_owned(),
    ]
}

fn migration_lines(migrations: &[LiveMigrations]) -> String {
    migrations.iter().filter_map(LiveMigrations::describe).map(|line| line + "\n").collect()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use fabrs::Host;

    use super::*;
    use crate::release::{BadMark, CurrentLink, FoundRelease, Manifest, Survey};
    use crate::run_id::RunId;

    fn id(last: u32) -> ReleaseId {
        format!("202611031402{last:02}").parse().unwrap()
    }

    fn survey(releases: &[u32], live: Option<u32>) -> Survey {
        let found = |last: &u32| {
            let mut manifest = Manifest::new(
                id(*last),
                Revision::new("1a2b3c4d5e6f", format!("v{last}")),
                Operator::unknown(),
                RunId::default(),
            );
            manifest.at = format!("2026-11-03T14:02:{last:02}Z");
            let bad = (*last == 9).then(|| BadMark::new(Operator::unknown(), "web2: 502\nand more"));
            (id(*last), FoundRelease { manifest: Some(manifest), is_verified: true, bad, ..FoundRelease::default() })
        };
        let current = live.map_or(CurrentLink::Missing, |live| CurrentLink::Release(id(live)));
        Survey { current, releases: releases.iter().map(found).collect(), ..Survey::default() }
    }

    fn surveyed<'a>(hosts: &'a [Host], found: &'a [Survey]) -> Vec<(&'a Host, Result<&'a Survey, String>)> {
        hosts.iter().zip(found.iter().map(Ok)).collect()
    }

    #[test]
    fn hosts_that_differ_from_most_hosts_are_marked() {
        let hosts: Vec<Host> = ["web1", "web2", "web3"].iter().map(|name| name.parse().unwrap()).collect();
        let found = [survey(&[1, 2], Some(2)), survey(&[1, 2], Some(2)), survey(&[1], Some(1))];
        let shown = status_table(&SiteStatus::new("/srv/shop", &surveyed(&hosts, &found), Vec::new()));
        assert_eq!(
            shown,
            "host  live            revision         by               at\n\
             web1  20261103140202  v2 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:02Z\n\
             web2  20261103140202  v2 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:02Z\n\
             web3  20261103140201  v1 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:01Z  differs from most hosts\n"
        );
    }

    #[test]
    fn a_release_is_listed_with_its_hosts_and_marks() {
        let hosts: Vec<Host> = ["web1", "web2"].iter().map(|name| name.parse().unwrap()).collect();
        let found = [survey(&[1, 9], Some(1)), survey(&[1], Some(1))];
        let shown = releases_table(&ReleaseList::new("/srv/shop", &surveyed(&hosts, &found), Vec::new()));
        assert_eq!(
            shown,
            "release         revision         by               at                    on\n\
             20261103140209  v9 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:09Z  web1  bad: web2: 502\n\
             20261103140201  v1 (1a2b3c4d5e)  unknown@unknown  2026-11-03T14:02:01Z  all   live on all\n"
        );
    }
}
