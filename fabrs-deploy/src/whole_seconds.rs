//! Durations as text for people, in whole seconds: `2m 5s`.

use std::time::Duration;

use humantime::FormattedDuration;

/// Returns a duration as text, without fractions of a second.
pub(crate) fn whole_seconds(duration: Duration) -> FormattedDuration {
    humantime::format_duration(Duration::from_secs(duration.as_secs()))
}
