//! Tests of [`FreezeWindow`].

use std::time::SystemTime;

use jiff::Timestamp;

use super::{FreezeWindow, FreezeWindowError};

fn at(text: &str) -> SystemTime {
    text.parse::<Timestamp>().expect("RFC 3339").try_into().expect("a time of this system")
}

fn window(text: &str) -> FreezeWindow {
    text.parse().expect("a valid window")
}

/// Asserts the start and the end of a window, in UTC.
#[track_caller]
fn assert_period(text: &str, before: &str, start: &str, end: &str) {
    let (window, second) = (window(text), std::time::Duration::from_secs(1));
    assert_eq!(window.next_start(at(before)), Some(at(start)), "{text}: the start after {before}");
    assert_eq!(window.end(at(start)), Some(at(end)), "{text}: the end");
    assert!(!window.contains(at(start) - second) && window.contains(at(start)), "{text}: the start is in the window");
    assert!(window.contains(at(end) - second) && !window.contains(at(end)), "{text}: the end is not in the window");
}

const SYDNEY: &str = "Fri 15:00 - Mon 08:00 Australia/Sydney";

#[test]
fn a_weekly_window_has_the_local_times_of_its_zone() {
    // 2026-07-03 is a Friday, at UTC+10.
    assert_period(SYDNEY, "2026-07-01T00:00:00Z", "2026-07-03T05:00:00Z", "2026-07-05T22:00:00Z");
    // During the window, the next start is a week later.
    assert_eq!(window(SYDNEY).next_start(at("2026-07-03T05:00:00Z")), Some(at("2026-07-10T05:00:00Z")));
    assert_period("Mon 09:00 - Mon 17:00 UTC", "2026-07-05T00:00:00Z", "2026-07-06T09:00:00Z", "2026-07-06T17:00:00Z");
    // All week, except Monday from 9 to 17.
    assert_period("Mon 17:00 - Mon 09:00 UTC", "2026-07-06T12:00:00Z", "2026-07-06T17:00:00Z", "2026-07-13T09:00:00Z");
    assert_period(
        "sunday 22:00 - tue 6:30 UTC",
        "2026-07-01T00:00:00Z",
        "2026-07-05T22:00:00Z",
        "2026-07-07T06:30:00Z",
    );
}

#[test]
fn a_change_of_daylight_saving_time_within_a_window_moves_its_end_in_utc() {
    // Sydney changes from UTC+10 to UTC+11 on Sunday, 2026-10-04.
    assert_period(SYDNEY, "2026-10-01T00:00:00Z", "2026-10-02T05:00:00Z", "2026-10-04T21:00:00Z");
    // And from UTC+11 back to UTC+10 on Sunday, 2027-04-04.
    assert_period(SYDNEY, "2027-04-01T00:00:00Z", "2027-04-02T04:00:00Z", "2027-04-04T22:00:00Z");
}

#[test]
fn a_skipped_hour_starts_later_and_a_repeated_hour_is_frozen_as_a_whole() {
    // 02:30 on 2026-10-04 does not exist. The window starts at 03:30 (UTC+11).
    let skipped = "Sun 02:30 - Sun 06:00 Australia/Sydney";
    assert_period(skipped, "2026-10-01T00:00:00Z", "2026-10-03T16:30:00Z", "2026-10-03T19:00:00Z");
    // 02:30 on 2027-04-04 exists twice: first at UTC+11, then at UTC+10.
    let repeated = "Sun 01:00 - Sun 02:30 Australia/Sydney";
    assert_period(repeated, "2027-04-01T00:00:00Z", "2027-04-03T14:00:00Z", "2027-04-03T16:30:00Z");
}

#[test]
fn a_range_of_dates_includes_its_last_day_and_starts_once() {
    let christmas = "2026-12-24 - 2027-01-02 Europe/Berlin";
    assert_period(christmas, "2026-06-01T00:00:00Z", "2026-12-23T23:00:00Z", "2027-01-02T23:00:00Z");
    assert_eq!(window(christmas).next_start(at("2026-12-23T23:00:00Z")), None);
    let exact = "2026-12-24 18:00 - 2027-01-02 08:00 UTC";
    assert_period(exact, "2026-06-01T00:00:00Z", "2026-12-24T18:00:00Z", "2027-01-02T08:00:00Z");
    assert_period(
        "2026-12-25 - 2026-12-25 UTC",
        "2026-06-01T00:00:00Z",
        "2026-12-25T00:00:00Z",
        "2026-12-26T00:00:00Z",
    );
}

#[test]
fn a_time_is_shown_in_the_zone_of_the_window() {
    assert_eq!(window(SYDNEY).local_time(at("2026-10-04T21:00:00Z")), "Mon 08:00 Australia/Sydney");
    let christmas = window("2026-12-24 - 2027-01-02 europe/berlin");
    assert_eq!(christmas.local_time(at("2027-01-02T23:00:00Z")), "2027-01-03 00:00 Europe/Berlin");
    assert_eq!(window(" Fri 15:00  - Mon 08:00 UTC").to_string(), "Fri 15:00 - Mon 08:00 UTC");
}

#[test]
fn an_invalid_window_is_an_error_with_the_reason() {
    for (text, reason) in [
        ("", "expected `START - END ZONE`"),
        ("Fri 15:00 Mon 08:00 UTC", "expected `START - END ZONE`"),
        ("Fri 15:00 - Mon 08:00", "the time zone is missing"),
        ("2026-12-24 - 2027-01-02", "the time zone is missing"),
        ("Fri 15:00 - ", "the time zone is missing"),
        ("Fri 15:00 - Mon 08:00 Mars/Base", "unknown time zone `Mars/Base`"),
        ("Fry 15:00 - Mon 08:00 UTC", "`Fry` is not a weekday (`Mon` to `Sun`)"),
        ("Fri - Mon 08:00 UTC", "`Fri` has no time of day"),
        ("Fri 25:00 - Mon 08:00 UTC", "`25:00` is not a time of day (`00:00` to `23:59`)"),
        ("Fri 3pm - Mon 08:00 UTC", "`3pm` is not a time of day (`00:00` to `23:59`)"),
        ("2026-13-01 - 2027-01-02 UTC", "`2026-13-01` is not a date (`YYYY-MM-DD`)"),
        ("24.12.2026 - 2027-01-02 UTC", "`24.12.2026` is not a date (`YYYY-MM-DD`)"),
        ("2027-01-02 - 2026-12-24 UTC", "the end precedes the start"),
        ("Fri 15:00 - Fri 15:00 UTC", "the start equals the end"),
        ("Fri 15:00 - 2027-01-02 UTC", "the start and the end must both have a weekday, or both a date"),
        ("next week - Mon 08:00 UTC", "`next` is not a weekday (`Mon` to `Sun`)"),
        ("15:00 - 16:00 UTC", "`15:00` is neither a weekday with a time nor a date"),
    ] {
        let error = text.parse::<FreezeWindow>().unwrap_err();
        assert_eq!(error.to_string(), format!("`{}`: {reason}", text.trim()));
    }
}

#[test]
fn the_examples_of_the_hint_are_valid() {
    let examples: Vec<&str> = FreezeWindowError::EXAMPLES.split('`').skip(1).step_by(2).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        window(example);
    }
}
