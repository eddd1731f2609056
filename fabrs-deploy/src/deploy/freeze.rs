//! The freeze windows of the environment: the refusal of a deploy, and its override.

use std::time::SystemTime;

use fabrs::config::{FreezeWindow, Mode};
use fabrs::{Client, Error, ErrorKind};

use crate::deploy::approval_rule::ApprovalRule;

/// The state of some freeze windows at a time.
#[derive(Debug, PartialEq, Eq)]
enum FreezeState {
    /// A window contains the time. Of several windows, the window with the last end counts.
    Frozen { until: String, window: String },
    /// No window contains the time.
    Open { next_start: Option<String> },
}

/// The name of the rule in the approval.
const RULE: &str = "freeze";

/// The result of a check that does not refuse the deploy.
#[derive(Debug, Default)]
pub(super) struct FreezeCheck {
    /// The rule in the approval, if the environment has freeze windows.
    pub(super) rule: Option<ApprovalRule>,
    /// The reason, if the run overrides an active freeze.
    pub(super) override_reason: Option<String>,
}

/// Refuses a deploy during a freeze, unless the run has an override reason. An override is a
/// warning, and a freeze is a warning in a dry run.
///
/// # Errors
///
/// [`ErrorKind::Task`] during a freeze without an override.
pub(super) fn check(client: &Client) -> Result<FreezeCheck, Error> {
    let Some(environment) = client.inventory().environment() else { return Ok(FreezeCheck::default()) };
    if environment.freeze_windows().is_empty() {
        return Ok(FreezeCheck::default());
    }
    match state_at(environment.freeze_windows(), SystemTime::now()) {
        FreezeState::Open { next_start } => {
            let next = next_start.map_or_else(|| "none".to_owned(), |start| format!("next at {start}"));
            Ok(FreezeCheck { rule: Some(ApprovalRule::new(RULE, next)), override_reason: None })
        }
        FreezeState::Frozen { until, window } => {
            let text = frozen_text(environment.name(), &until, &window);
            if let Some(reason) = override_reason(client) {
                client.warn(None, format!("{text}\nfreeze overridden: {reason}"));
                let rule = ApprovalRule::new(RULE, format!("overridden: {reason}"));
                return Ok(FreezeCheck { rule: Some(rule), override_reason: Some(reason) });
            }
            match client.settings().mode {
                Mode::DryRun => client.warn(None, text),
                _ => return Err(refusal(text)),
            }
            Ok(FreezeCheck { rule: Some(ApprovalRule::new(RULE, format!("until {until}"))), override_reason: None })
        }
    }
}

/// Repeats the check under the lock, without its output. Returns the override reason of a freeze
/// that began after the first check.
///
/// # Errors
///
/// As [`check`].
fn check_again(client: &Client) -> Result<Option<String>, Error> {
    match (frozen_now(client), client.settings().mode) {
        (None, _) | (_, Mode::DryRun) => Ok(None),
        (Some(text), _) => override_reason(client).map(Some).ok_or_else(|| refusal(text)),
    }
}

/// Returns the override reason of a run under the lock. A freeze may have begun during the
/// approval, or during the wait for the lock.
///
/// # Errors
///
/// As [`check`].
pub(super) fn reason_under_lock(client: &Client, approved: Option<String>) -> Result<Option<String>, Error> {
    match approved {
        Some(reason) => Ok(Some(reason)),
        None => check_again(client),
    }
}

/// Prints a note about an active freeze. A freeze never refuses a rollback.
pub(super) fn note_for_rollback(client: &Client) {
    if let Some(text) = frozen_now(client) {
        client.note(None, format!("{text}; a rollback is allowed"));
    }
}

fn frozen_now(client: &Client) -> Option<String> {
    let environment = client.inventory().environment()?;
    match state_at(environment.freeze_windows(), SystemTime::now()) {
        FreezeState::Frozen { until, window } => Some(frozen_text(environment.name(), &until, &window)),
        FreezeState::Open { .. } => None,
    }
}

fn override_reason(client: &Client) -> Option<String> {
    client.settings().override_freeze.clone().filter(|reason| !reason.trim().is_empty())
}

fn frozen_text(environment: &str, until: &str, window: &str) -> String {
    format!("{environment} is frozen until {until} (freeze window `{window}`)")
}

fn refusal(text: String) -> Error {
    Error::new(ErrorKind::Task, text).hint("wait for the end of the freeze, or deploy with `--override-freeze REASON`")
}

/// Returns the state of the windows at a time.
fn state_at(windows: &[FreezeWindow], at: SystemTime) -> FreezeState {
    let ends = windows.iter().filter_map(|window| Some((window.end(at)?, window)));
    if let Some((end, window)) = ends.max_by_key(|(end, _)| *end) {
        return FreezeState::Frozen { until: window.local_time(end), window: window.to_string() };
    }
    let starts = windows.iter().filter_map(|window| Some((window.next_start(at)?, window)));
    let next = starts.min_by_key(|(start, _)| *start);
    FreezeState::Open { next_start: next.map(|(start, window)| window.local_time(start)) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// 1970-01-01 was a Thursday.
    const THURSDAY: SystemTime = SystemTime::UNIX_EPOCH;
    const DAY: Duration = Duration::from_hours(24);

    fn windows(texts: &[&str]) -> Vec<FreezeWindow> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_window_with_the_last_end_decides_the_end_of_a_freeze() {
        let windows = windows(&["Fri 15:00 - Mon 08:00 UTC", "Sat 00:00 - Sun 12:00 UTC"]);
        let until = "Mon 08:00 UTC".to_owned();
        let frozen = FreezeState::Frozen { until, window: "Fri 15:00 - Mon 08:00 UTC".to_owned() };
        assert_eq!(state_at(&windows, THURSDAY + 2 * DAY), frozen);
    }

    #[test]
    fn the_first_start_of_all_windows_is_the_next_freeze() {
        let windows = windows(&["Sat 00:00 - Sun 12:00 UTC", "Fri 15:00 - Mon 08:00 Australia/Sydney"]);
        let next_start = Some("Fri 15:00 Australia/Sydney".to_owned());
        assert_eq!(state_at(&windows, THURSDAY), FreezeState::Open { next_start });
    }

    #[test]
    fn a_past_range_of_dates_has_no_next_start() {
        let windows = windows(&["1969-12-01 - 1969-12-24 UTC"]);
        assert_eq!(state_at(&windows, THURSDAY), FreezeState::Open { next_start: None });
        assert_eq!(state_at(&[], THURSDAY), FreezeState::Open { next_start: None });
    }
}
