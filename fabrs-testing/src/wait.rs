//! Waiting for something to become true: the only place with a pause.

use std::thread;
use std::time::{Duration, Instant};

/// How long to pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `done` says so.
///
/// The limit is there to end a broken test, not to measure anything: make it generous.
///
/// # Panics
///
/// With `what` as its words, if `done` is still false at the limit.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    wait_for(what, limit, || done().then_some(()));
}

/// Waits until `look` finds something, and returns it.
///
/// # Panics
///
/// With `what` as its words, if nothing was found until the limit.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    match poll(limit, look) {
        Some(found) => found,
        None => panic!("waited {limit:?} in vain until {what}"),
    }
}

/// Looks again and again until something is found or the limit is reached; looks at least once.
#[expect(clippy::disallowed_methods, reason = "there is no event to wait for in what other programs do")]
pub fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_once_even_without_time() {
        assert_eq!(wait_for("it is there", Duration::ZERO, || Some(7)), 7);
    }

    #[test]
    #[should_panic(expected = "in vain until the cows come home")]
    fn names_what_was_waited_for() {
        wait_until("the cows come home", Duration::ZERO, || false);
    }
}
