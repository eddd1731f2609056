//! Waits for conditions. No other module sleeps.

use std::thread;
use std::time::{Duration, Instant};

/// The pause between two checks.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until `done` returns `true`.
///
/// The limit only stops a broken test, and does not measure time. Choose a generous limit.
///
/// # Panics
///
/// If `done` is still `false` after `limit`. The message has `condition`.
#[track_caller]
pub fn wait_until(condition: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    wait_for(condition, limit, || done().then_some(()));
}

/// Waits until `check` returns a value, and returns the value.
///
/// # Panics
///
/// If `check` still returns `None` after `limit`. The message has `condition`.
#[track_caller]
pub fn wait_for<T>(condition: &str, limit: Duration, check: impl FnMut() -> Option<T>) -> T {
    match poll(limit, check) {
        Some(found) => found,
        None => panic!("timed out after {limit:?} waiting until {condition}"),
    }
}

/// Calls `check` repeatedly, at least once, until it returns a value or `limit` is reached.
#[expect(clippy::disallowed_methods, reason = "other programs send no event to wait for")]
pub fn poll<T>(limit: Duration, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = check() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_zero_still_checks_once() {
        assert_eq!(wait_for("the file exists", Duration::ZERO, || Some(7)), 7);
    }

    #[test]
    #[should_panic(expected = "waiting until the file exists")]
    fn a_timeout_names_the_condition() {
        wait_until("the file exists", Duration::ZERO, || false);
    }
}
