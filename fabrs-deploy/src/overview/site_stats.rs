//! [`SiteStats`]: the four DORA metrics of a site, computed from its recorded operations.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::deploy::OperationRecord;
use crate::notify::{DeployAction, DeployOutcome};
use crate::release::ReleaseId;

/// The period of the statistics.
const PERIOD: Duration = Duration::from_hours(90 * 24);

/// One week.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// The statistics of a site: the result of [`Site::read_stats`](crate::Site::read_stats).
///
/// The JSON of [`Site::stats_json`](crate::Site::stats_json) has the names of these fields as keys.
/// An absent value is `null`. New versions may add keys.
///
/// A *change* is a deploy or a promotion that went live or failed. Cancelled operations, holds and
/// rollbacks do not count. A change *fails* if its release did not go live on all
/// hosts, if a rollback replaced the release by an earlier release, or if the release is marked as
/// bad. A post-deploy step that fails leaves the release live, so the change does not fail.
///
/// # Limits
///
/// - Each host keeps its last 1,000 operations, and the period is at most 90 days.
/// - Operations without the lock are missing, for example a deploy refused by a check. Killed runs
///   are missing also, and runs that lost the connection to all hosts.
/// - Deploys by earlier versions of this crate are read from the manifests on the hosts. They have
///   no lead time, and removed releases are missing.
/// - Outages without a failed or rolled back change are unknown.
/// - The times are in whole seconds, by the clocks of the deploying machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SiteStats {
    /// The directory of the site, as passed to [`Site::new`](crate::Site::new).
    pub site: String,
    /// The reachable hosts, in the order of the group.
    pub hosts: Vec<String>,
    /// The unreachable hosts. Operations recorded on these hosts only are missing.
    pub unreachable: Vec<String>,
    /// The start of the period: 90 days ago, or the first recorded operation if that is later.
    /// RFC 3339, UTC.
    pub from: String,
    /// The end of the period: now. RFC 3339, UTC.
    pub to: String,
    /// The number of changes that went live.
    pub deploys: usize,
    /// Deployment frequency: `deploys` divided by the weeks of the period. A shorter period counts
    /// as one week.
    pub deploys_per_week: f64,
    /// Lead time in seconds: the median time from the commit time of the deployed commit to the end
    /// of its first live deploy.
    pub lead_time_seconds: Option<u64>,
    /// The number of lead times used for the median.
    pub lead_times: usize,
    /// The number of changes.
    pub changes: usize,
    /// The number of failed changes without a switched host.
    pub failed_before_switch: usize,
    /// The number of failed changes with a switched host.
    pub failed_after_switch: usize,
    /// The number of changes that went live, and were rolled back or marked as bad later.
    pub rolled_back: usize,
    /// Change failure rate: the failed changes divided by all changes, from 0 to 1.
    pub change_failure_rate: Option<f64>,
    /// Time to restore in seconds: the median time from a failure to the next good live release.
    ///
    /// The failure of a change begins at its first switch, or at its end if the change went live
    /// and was rolled back later. It ends with the complete revert, or else with the next good
    /// operation. A change that failed before the switch does not count.
    pub time_to_restore_seconds: Option<u64>,
    /// The number of restored failures, used for the median.
    pub restores: usize,
    /// The number of failures without a complete revert or a later good operation.
    pub not_restored: usize,
}

impl SiteStats {
    /// Computes the statistics of operations in any order. `bad` lists the releases with a bad
    /// mark.
    pub(super) fn new(records: &[OperationRecord], bad: &HashSet<ReleaseId>, now: SystemTime) -> Self {
        let mut operations: Vec<TimedOperation<'_>> =
            records.iter().filter_map(|record| TimedOperation::of(record, now)).collect();
        operations.sort_by_key(|operation| operation.finished);
        let oldest = now.checked_sub(PERIOD).unwrap_or(SystemTime::UNIX_EPOCH);
        let from = operations.first().map_or(now, |first| first.finished).max(oldest);
        let weeks = since(from, now).max(WEEK).as_secs_f64() / WEEK.as_secs_f64();
        let mut stats = Self::empty(from, now);
        let (mut lead_times, mut restores, mut commits) = (Vec::new(), Vec::new(), HashSet::new());
        for (index, change) in operations.iter().enumerate().filter(|(_, operation)| operation.is_change()) {
            // The first deploy of a commit may be older than the period.
            let is_first = change.record.is_live && commits.insert(change.record.revision.commit.as_str());
            if change.finished < from {
                continue;
            }
            stats.changes += 1;
            stats.deploys += usize::from(change.record.is_live);
            if let (true, Some(committed)) = (is_first, change.record.committed) {
                lead_times.push(since(SystemTime::UNIX_EPOCH + Duration::from_secs(committed), change.finished));
            }
            let later = operations.get(index + 1..).unwrap_or_default();
            let Some((failure, start)) = change.failure(later, bad) else { continue };
            let count = match failure {
                ChangeFailure::BeforeSwitch => &mut stats.failed_before_switch,
                ChangeFailure::AfterSwitch => &mut stats.failed_after_switch,
                ChangeFailure::RolledBack => &mut stats.rolled_back,
            };
            *count += 1;
            let Some(start) = start else { continue };
            match change.restored(later, bad) {
                Some(end) => restores.push(since(start, end)),
                None => stats.not_restored += 1,
            }
        }
        let failed = stats.failed_before_switch + stats.failed_after_switch + stats.rolled_back;
        stats.deploys_per_week = number(stats.deploys) / weeks;
        stats.change_failure_rate = (stats.changes > 0).then(|| number(failed) / number(stats.changes));
        (stats.lead_times, stats.restores) = (lead_times.len(), restores.len());
        (stats.lead_time_seconds, stats.time_to_restore_seconds) = (median(lead_times), median(restores));
        stats
    }

    fn empty(from: SystemTime, to: SystemTime) -> Self {
        let time = |time| humantime::format_rfc3339_seconds(time).to_string();
        Self {
            site: String::new(),
            hosts: Vec::new(),
            unreachable: Vec::new(),
            from: time(from),
            to: time(to),
            deploys: 0,
            deploys_per_week: 0.0,
            lead_time_seconds: None,
            lead_times: 0,
            changes: 0,
            failed_before_switch: 0,
            failed_after_switch: 0,
            rolled_back: 0,
            change_failure_rate: None,
            time_to_restore_seconds: None,
            restores: 0,
            not_restored: 0,
        }
    }
}

/// A recorded operation with its parsed times.
struct TimedOperation<'a> {
    record: &'a OperationRecord,
    switched: Option<SystemTime>,
    finished: SystemTime,
}

/// The kind of a failed change.
enum ChangeFailure {
    BeforeSwitch,
    AfterSwitch,
    RolledBack,
}

impl<'a> TimedOperation<'a> {
    /// Parses the times of a record. Returns `None` for an invalid time, and for a time in the
    /// future: a manipulated host could otherwise set the period.
    fn of(record: &'a OperationRecord, now: SystemTime) -> Option<Self> {
        let time = |text: &str| humantime::parse_rfc3339(text).ok();
        let finished = time(&record.finished).filter(|finished| *finished <= now)?;
        Some(Self { record, switched: record.switched.as_deref().and_then(time), finished })
    }

    /// Returns `true` for a deploy or a promotion that went live or failed.
    fn is_change(&self) -> bool {
        let is_deploy = matches!(self.record.action, DeployAction::Deploy | DeployAction::Promote);
        is_deploy && (self.record.is_live || self.record.outcome == DeployOutcome::Failed)
    }

    /// Returns the kind of the failure of a change, and the start of its effect on users, or `None`
    /// for a good change.
    fn failure(&self, later: &[Self], bad: &HashSet<ReleaseId>) -> Option<(ChangeFailure, Option<SystemTime>)> {
        if !self.record.is_live {
            return Some(match self.switched {
                None => (ChangeFailure::BeforeSwitch, None),
                Some(switched) => (ChangeFailure::AfterSwitch, Some(switched)),
            });
        }
        let release = &self.record.release;
        let is_rolled_back = later.iter().any(|operation| {
            let record = operation.record;
            let is_rollback = record.action == DeployAction::Rollback && record.is_live;
            is_rollback && record.release < *release && record.replaced.contains(release)
        });
        (is_rolled_back || bad.contains(release)).then_some((ChangeFailure::RolledBack, Some(self.finished)))
    }

    /// Returns the end of a failure: the end of the complete revert, or the next operation with
    /// another good live release.
    fn restored(&self, later: &[Self], bad: &HashSet<ReleaseId>) -> Option<SystemTime> {
        if !self.record.is_live && self.record.is_as_before {
            return Some(self.finished);
        }
        let is_good = |(index, operation): &(usize, &Self)| {
            let since = later.get(index + 1..).unwrap_or_default();
            // A release that was live stays bad. Another attempt at a failed deploy may be good.
            let is_other = !self.record.is_live || operation.record.release != self.record.release;
            operation.record.is_live && is_other && operation.failure(since, bad).is_none()
        };
        later.iter().enumerate().find(is_good).map(|(_, operation)| operation.finished)
    }
}

/// Returns the time between two times, or zero if the clocks of two machines differ.
fn since(start: SystemTime, end: SystemTime) -> Duration {
    end.duration_since(start).unwrap_or_default()
}

/// Returns the median in whole seconds. Of an even number of values, this is the mean of the two
/// values in the middle.
fn median(mut values: Vec<Duration>) -> Option<u64> {
    values.sort_unstable();
    let upper = values.get(values.len() / 2)?;
    let lower = values.get(values.len().saturating_sub(1) / 2)?;
    Some(((*lower + *upper) / 2).as_secs())
}

#[expect(clippy::cast_precision_loss, reason = "the number of operations in a log")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_id::{Operator, RunId};
    use crate::source::Revision;

    const DAY: u64 = 24 * 3600;
    const NOW: u64 = 1_700_000_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn id(number: u64) -> ReleaseId {
        format!("202611031402{number:02}").parse().unwrap()
    }

    /// Returns a live deploy of a release that ended `ago` seconds before now. The commit is an
    /// hour older than the end.
    fn live(number: u64, ago: u64) -> OperationRecord {
        let time = |seconds| humantime::format_rfc3339_seconds(at(seconds)).to_string();
        OperationRecord {
            run: RunId::default(),
            action: DeployAction::Deploy,
            outcome: DeployOutcome::Live,
            is_live: true,
            is_as_before: false,
            release: id(number),
            revision: Revision::new(number.to_string(), "t"),
            by: Operator::unknown(),
            replaced: [id(number.saturating_sub(1))].into(),
            started: time(NOW - ago - 100),
            switched: Some(time(NOW - ago - 60)),
            finished: time(NOW - ago),
            committed: Some(NOW - ago - 3600),
        }
    }

    fn failed(number: u64, ago: u64) -> OperationRecord {
        OperationRecord { outcome: DeployOutcome::Failed, is_live: false, is_as_before: true, ..live(number, ago) }
    }

    fn rollback(from: u64, to: u64, ago: u64) -> OperationRecord {
        OperationRecord { action: DeployAction::Rollback, replaced: [id(from)].into(), ..live(to, ago) }
    }

    fn stats(records: &[OperationRecord]) -> SiteStats {
        SiteStats::new(records, &HashSet::new(), at(NOW))
    }

    #[track_caller]
    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    }

    #[test]
    fn a_site_without_operations_has_no_values() {
        let stats = stats(&[]);
        assert_eq!((stats.deploys, stats.changes, stats.change_failure_rate), (0, 0, None));
        assert_eq!((stats.lead_time_seconds, stats.time_to_restore_seconds), (None, None));
        assert_eq!(stats.from, stats.to);
    }

    #[test]
    fn the_frequency_is_the_number_of_live_changes_a_week() {
        assert_near(stats(&[live(1, 14 * DAY), live(2, DAY), failed(3, 0)]).deploys_per_week, 1.0);
        assert_near(stats(&[live(1, DAY), live(2, 0)]).deploys_per_week, 2.0);
        let old = stats(&[live(1, 200 * DAY), live(2, 91 * DAY), live(3, DAY)]);
        assert_eq!(old.deploys, 1, "the period is 90 days");
        assert_near(old.deploys_per_week, 7.0 / 90.0);
    }

    #[test]
    fn the_lead_time_is_the_median_of_the_first_live_deploys_of_each_commit() {
        let commit = |record: OperationRecord, age| OperationRecord { committed: Some(NOW - age), ..record };
        let records = [commit(live(1, 100), 200), commit(live(2, 50), 350), commit(live(3, 10), 30)];
        assert_eq!(stats(&records).lead_time_seconds, Some(100));
        assert_eq!(stats(&records[..2]).lead_time_seconds, Some(200), "the mean of two values");
        let again = OperationRecord { release: id(4), ..commit(live(1, 5), 200) };
        assert_eq!(stats(&[records[0].clone(), again]).lead_times, 1);
        let records = [OperationRecord { committed: None, ..live(1, 5) }];
        assert_eq!((stats(&records).lead_time_seconds, stats(&records).deploys), (None, 1));
    }

    #[test]
    fn failed_reverted_rolled_back_and_bad_changes_count_as_failures() {
        let before = OperationRecord { switched: None, ..failed(2, 9000) };
        let records =
            [live(1, 9500), before, failed(3, 8000), live(4, 7000), rollback(4, 1, 6000), live(5, 5000), live(6, 1000)];
        let stats = SiteStats::new(&records, &[id(5)].into(), at(NOW));
        assert_eq!((stats.changes, stats.deploys), (6, 4));
        assert_eq!((stats.failed_before_switch, stats.failed_after_switch, stats.rolled_back), (1, 1, 2));
        assert_near(stats.change_failure_rate.unwrap(), 4.0 / 6.0);
        // The revert took 60 s, the rollback 1000 s, and the next good deploy 4000 s.
        assert_eq!((stats.restores, stats.time_to_restore_seconds, stats.not_restored), (3, Some(1000), 0));
    }

    #[test]
    fn cancelled_deploys_holds_and_rollbacks_do_not_count_as_changes() {
        let cancelled = OperationRecord { outcome: DeployOutcome::Cancelled, ..failed(2, 30) };
        let held = OperationRecord { action: DeployAction::Hold, outcome: DeployOutcome::Held, ..failed(3, 20) };
        let no_hold = OperationRecord { action: DeployAction::Hold, ..failed(4, 10) };
        let stats = stats(&[live(1, 40), cancelled, held, no_hold, rollback(1, 0, 5)]);
        assert_eq!((stats.changes, stats.rolled_back), (1, 1));
    }

    #[test]
    fn a_failure_without_a_complete_revert_lasts_until_the_next_good_deploy() {
        let partial = OperationRecord { is_as_before: false, ..failed(2, 1000) };
        assert_eq!(stats(&[live(1, 2000), partial.clone()]).not_restored, 1);
        let again = stats(&[live(1, 2000), partial.clone(), live(2, 900)]);
        assert_eq!((again.not_restored, again.time_to_restore_seconds), (0, Some(160)), "the same build again");
        let worse = OperationRecord { is_as_before: false, ..failed(3, 800) };
        let stats = stats(&[live(1, 2000), partial, worse, live(4, 500)]);
        assert_eq!((stats.not_restored, stats.time_to_restore_seconds), (0, Some(460)));
    }

    #[test]
    fn a_rollback_to_a_later_release_does_not_count_as_failure() {
        let stats = stats(&[live(1, 2000), live(2, 1500), rollback(2, 1, 1000), rollback(1, 2, 500)]);
        assert_eq!(stats.rolled_back, 1, "only the rollback to an earlier release");
    }

    #[test]
    fn records_with_an_invalid_or_a_future_time_are_ignored() {
        let invalid = OperationRecord { finished: "yesterday".to_owned(), ..live(1, 0) };
        let future =
            OperationRecord { finished: humantime::format_rfc3339_seconds(at(NOW + DAY)).to_string(), ..live(2, 0) };
        assert_eq!(stats(&[invalid, future]).changes, 0);
        let clock = OperationRecord { committed: Some(NOW + DAY), ..live(3, 0) };
        assert_eq!(stats(&[clock]).lead_time_seconds, Some(0), "the clock of the developer is ahead");
    }
}
