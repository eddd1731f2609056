//! Parser of a freeze window.

use std::str::FromStr;

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::freeze_window::{FreezeWindow, Period, WeekTime};

/// The error of an invalid freeze window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {reason}")]
pub struct FreezeWindowError {
    text: String,
    reason: String,
}

impl FreezeWindowError {
    /// Valid freeze windows, for a hint.
    pub const EXAMPLES: &'static str =
        "`Fri 15:00 - Mon 08:00 Australia/Sydney`, or `2026-12-24 - 2027-01-02 Europe/Berlin`";
}

/// The start or the end of a window, before both are compared.
#[derive(Debug, Clone, Copy)]
enum Point {
    Week(WeekTime),
    Day(Date, Option<Time>),
}

impl FromStr for FreezeWindow {
    type Err = FreezeWindowError;

    fn from_str(text: &str) -> Result<Self, FreezeWindowError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let (period, zone) = parse(&words).map_err(|reason| FreezeWindowError { text: text.clone(), reason })?;
        Ok(Self { text, period, zone })
    }
}

fn parse(words: &[&str]) -> Result<(Period, TimeZone), String> {
    let Some(dash) = words.iter().position(|word| *word == "-") else {
        return Err("expected `START - END ZONE`".to_owned());
    };
    let (start, rest) = (&words[..dash], &words[dash + 1..]);
    let (end, zone) = match rest {
        [end @ .., zone] if !is_part_of_point(zone) => (end, time_zone(zone)?),
        _ => return Err("the time zone is missing".to_owned()),
    };
    Ok((period(point(start)?, point(end)?)?, zone))
}

fn period(start: Point, end: Point) -> Result<Period, String> {
    match (start, end) {
        (Point::Week(start), Point::Week(end)) if start == end => Err("the start equals the end".to_owned()),
        (Point::Week(start), Point::Week(end)) => Ok(Period::Weekly(start, end)),
        (Point::Day(first, start), Point::Day(last, end)) => {
            let start = first.to_datetime(start.unwrap_or(Time::midnight()));
            let end = match end {
                Some(time) => last.to_datetime(time),
                None => end_of_day(last)?,
            };
            if start < end { Ok(Period::Once(start, end)) } else { Err("the end precedes the start".to_owned()) }
        }
        _ => Err("the start and the end must both have a weekday, or both a date".to_owned()),
    }
}

fn end_of_day(date: Date) -> Result<DateTime, String> {
    let next = date.checked_add(1.day()).map_err(|_| format!("`{date}` is too late"))?;
    Ok(next.to_datetime(Time::midnight()))
}

/// Returns a time zone: from the database of this machine, or else from the built-in database. A
/// minimal machine may have an incomplete database.
fn time_zone(name: &str) -> Result<TimeZone, String> {
    let zone = TimeZone::get(name).or_else(|_| TimeZoneDatabase::bundled().get(name));
    let has_name = |zone: &TimeZone| *zone == TimeZone::UTC || zone.iana_name().is_some();
    zone.ok().filter(has_name).ok_or_else(|| format!("unknown time zone `{name}`"))
}

fn point(words: &[&str]) -> Result<Point, String> {
    match words {
        [date] if is_numeric(date) && !date.contains(':') => Ok(Point::Day(parse_date(date)?, None)),
        [date, time] if is_numeric(date) => Ok(Point::Day(parse_date(date)?, Some(parse_time(time)?))),
        [day, time] => match weekday(day) {
            Some(weekday) => Ok(Point::Week(WeekTime { weekday, time: parse_time(time)? })),
            None => Err(format!("`{day}` is not a weekday (`Mon` to `Sun`)")),
        },
        [day] if weekday(day).is_some() => Err(format!("`{day}` has no time of day")),
        _ => Err(format!("`{}` is neither a weekday with a time nor a date", words.join(" "))),
    }
}

/// Returns `true` for a word of a start or an end, and `false` for a time zone.
fn is_part_of_point(word: &str) -> bool {
    is_numeric(word) || weekday(word).is_some()
}

fn is_numeric(word: &str) -> bool {
    word.starts_with(|char: char| char.is_ascii_digit())
}

fn weekday(word: &str) -> Option<Weekday> {
    const NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let word = word.to_ascii_lowercase();
    let index = NAMES.iter().position(|name| *name == word || name.get(..3) == Some(word.as_str()))?;
    Weekday::from_monday_zero_offset(i8::try_from(index).ok()?).ok()
}

fn parse_time(word: &str) -> Result<Time, String> {
    let time = word.split_once(':').filter(|(_, minute)| minute.len() == 2);
    let time = time.and_then(|(hour, minute)| Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok());
    time.ok_or_else(|| format!("`{word}` is not a time of day (`00:00` to `23:59`)"))
}

fn parse_date(word: &str) -> Result<Date, String> {
    let date = Some(word).filter(|word| word.len() == 10).and_then(|word| word.parse().ok());
    date.ok_or_else(|| format!("`{word}` is not a date (`YYYY-MM-DD`)"))
}
