//! Text forms of counts, durations and names.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::controls::escape_all_controls;
use crate::event::outcome_kind::OutcomeKind;
use crate::host::Host;

/// Indents all lines except the first.
pub(super) fn indent_continuation(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ")
}

/// Returns the numbers of written and removed files as text.
pub(super) fn files_written(changed: usize, files: usize, removed: usize) -> String {
    let written_text = match (changed, files) {
        (0, 0) if removed > 0 => String::new(),
        (0, _) if removed > 0 => "none written".to_owned(),
        (0, _) => "unchanged".to_owned(),
        (1, 1) => "written".to_owned(),
        (changed, files) => format!("{changed} of {files} files written"),
    };
    let removed_text = match removed {
        0 => String::new(),
        1 if files == 0 => "removed".to_owned(),
        removed => format!(", {removed} removed"),
    };
    written_text + &removed_text
}

/// The maximum width of a command or shell line inside a message, in columns.
const MAX_NAME_WIDTH: usize = 40;

/// Truncates a command or a shell line to [`MAX_NAME_WIDTH`] columns, on one line.
pub(super) fn truncated(text: &str) -> String {
    let words = escape_all_controls(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if words.chars().count() <= MAX_NAME_WIDTH {
        return words;
    }
    let start: String = words.chars().take(MAX_NAME_WIDTH - 3).collect();
    format!("{}...", start.trim_end())
}

/// Formats a pause or a remaining time: `12 s`, `0.5 s`.
pub(super) fn short_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 2.0 || seconds.fract() == 0.0 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
}

/// Formats a duration: `0.4 s`, `2 min 5 s`.
pub(super) fn elapsed_time(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        whole @ 0..60 => format!("{whole}.{} s", elapsed.subsec_millis() / 100),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

/// Returns the result of a command as text, if the value is a serialized [`Output`](crate::Output).
pub(super) fn once_command_result(value: &serde_json::Value) -> Option<String> {
    let host = value.get("host")?.as_str()?;
    value.get("command")?.as_str()?;
    let status = value.get("status")?;
    let end = match (status.get("code"), status.get("signal").and_then(|signal| signal.as_str())) {
        (Some(code), _) if *code == 0 => "ok".to_owned(),
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "planned".to_owned(),
    };
    Some(format!("{end} on {host}"))
}

/// Returns the hosts of each outcome: `27 ok, 2 failed (web1, web2)`. The host list can be pasted
/// after `-H`.
pub(super) fn summary(outcomes: &[(Host, OutcomeKind)], local: bool) -> String {
    let mut by_word: BTreeMap<usize, (OutcomeKind, Vec<String>)> = BTreeMap::new();
    for (host, word) in outcomes {
        let rank = OutcomeKind::ALL.iter().position(|known| known == word).unwrap_or(OutcomeKind::ALL.len());
        by_word.entry(rank).or_insert((*word, Vec::new())).1.push(host.label().to_string());
    }
    let parts = by_word.into_values().map(|(word, hosts)| match word {
        _ if local => word.as_str().to_owned(),
        OutcomeKind::Ok => format!("{} ok", hosts.len()),
        _ => format!("{} {} ({})", hosts.len(), word.as_str(), hosts.join(", ")),
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_seconds_and_minutes() {
        let case = |millis, text| assert_eq!(elapsed_time(Duration::from_millis(millis)), text);
        case(49, "0.0 s");
        case(12_340, "12.3 s");
        case(59_999, "59.9 s");
        case(125_000, "2 min 5 s");
    }

    #[test]
    fn pauses_and_limits_are_whole_seconds_unless_they_are_short() {
        let case = |millis, text| assert_eq!(short_duration(Duration::from_millis(millis)), text);
        case(12_340, "12 s");
        case(8_970, "9 s");
        case(1_500, "1.5 s");
        case(1_000, "1 s");
    }
}
