//! [`FreezeWindow`]: a weekly period or a range of dates, in a time zone.

use std::fmt;
use std::time::SystemTime;

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _, ZonedDateTime};

/// A period without deploys, in a time zone: weekly, or a range of dates.
///
/// | text | period |
/// |---|---|
/// | `Fri 15:00 - Mon 08:00 Australia/Sydney` | each weekend |
/// | `2026-12-24 - 2027-01-02 Europe/Berlin` | including the last day |
/// | `2026-12-24 18:00 - 2027-01-02 08:00 UTC` | from a time to a time |
///
/// The time zone is `UTC` or a name of the IANA database. Zones of this machine have precedence
/// over the built-in zones. A start within the hour skipped by daylight saving time is an hour
/// later. A start within a repeated hour is the first of both times, and an end is the last.
///
/// All methods are pure: the caller passes the current time.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use fabrs_core::config::FreezeWindow;
///
/// let weekend: FreezeWindow = "Fri 15:00 - Mon 08:00 UTC".parse()?;
/// let thursday = SystemTime::UNIX_EPOCH; // 1970-01-01 was a Thursday
/// let friday = weekend.next_start(thursday).unwrap();
/// assert_eq!(friday, thursday + Duration::from_hours(24 + 15));
/// assert!(weekend.contains(friday) && !weekend.contains(thursday));
/// assert_eq!(weekend.local_time(weekend.end(friday).unwrap()), "Mon 08:00 UTC");
/// # Ok::<(), fabrs_core::config::FreezeWindowError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FreezeWindow {
    pub(super) text: String,
    pub(super) period: Period,
    pub(super) zone: TimeZone,
}

/// The period of a window, in the local time of its zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Period {
    /// From a time of the week to another.
    Weekly(WeekTime, WeekTime),
    /// From a time to another. The window does not contain the end.
    Once(DateTime, DateTime),
}

/// A weekday and a time of day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WeekTime {
    pub(super) weekday: Weekday,
    pub(super) time: Time,
}

impl FreezeWindow {
    /// Returns whether the window contains a time. The start is in the window, and the end is not.
    pub fn contains(&self, at: SystemTime) -> bool {
        self.end(at).is_some()
    }

    /// Returns the end of the window around `at`, or `None` if the window does not contain `at`.
    pub fn end(&self, at: SystemTime) -> Option<SystemTime> {
        self.occurrences(at).into_iter().find(|(start, end)| (*start..*end).contains(&at)).map(|(_, end)| end)
    }

    /// Returns the first start of the window after `at`. A range of dates starts only once.
    pub fn next_start(&self, at: SystemTime) -> Option<SystemTime> {
        self.occurrences(at).into_iter().map(|(start, _)| start).find(|start| *start > at)
    }

    /// Returns a time in the zone of the window, for people: `Mon 08:00 Australia/Sydney` for a
    /// weekly window, `2027-01-03 00:00 Europe/Berlin` for a range of dates.
    pub fn local_time(&self, at: SystemTime) -> String {
        let format = match self.period {
            Period::Weekly(..) => "%a %H:%M",
            Period::Once(..) => "%Y-%m-%d %H:%M",
        };
        format!("{} {}", self.local(at).strftime(format), self.zone.iana_name().unwrap_or("UTC"))
    }

    /// Converts a time to the zone of the window. A time beyond the calendar of jiff counts as its
    /// last time.
    fn local(&self, at: SystemTime) -> ZonedDateTime {
        Timestamp::try_from(at).unwrap_or(Timestamp::MAX).to_zoned_datetime(self.zone.clone())
    }

    /// Returns the starts and ends of all periods near a time, in order.
    fn occurrences(&self, around: SystemTime) -> Vec<(SystemTime, SystemTime)> {
        let occurrence = |start, end| {
            let start = self.zone.to_ambiguous_timestamp(start).compatible().ok()?;
            let end = self.zone.to_ambiguous_timestamp(end).later().ok()?;
            Some((start.try_into().ok()?, end.try_into().ok()?))
        };
        match self.period {
            Period::Once(start, end) => occurrence(start, end).into_iter().collect(),
            Period::Weekly(start, end) => {
                let today = self.local(around).date();
                let since_start = today.weekday().since(start.weekday);
                let length = match end.weekday.since(start.weekday) {
                    0 if end.time <= start.time => 7,
                    days => days,
                };
                let day = |days: Span| today.checked_add(days).ok();
                // A period of up to a week that began two weeks ago has ended.
                let of_week = |week: i8| {
                    let first = 7 * week - since_start;
                    let (first, last) = (day(first.days())?, day((first + length).days())?);
                    occurrence(first.to_datetime(start.time), last.to_datetime(end.time))
                };
                (-1..=1).filter_map(of_week).collect()
            }
        }
    }
}

/// Shows the text of the window.
impl fmt::Display for FreezeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
