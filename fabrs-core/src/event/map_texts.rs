//! Maps the texts of an event, for example to redact them.

use std::borrow::Cow;

use serde_json::Value;

use crate::event::event::{Event, PlannedCommand};

/// Passes the event to `pass` with each text mapped by `map`, except output, errors and diffs.
pub(super) fn map_texts<T>(
    event: &Event<'_>,
    map: impl Fn(&str) -> Cow<'_, str>,
    pass: impl FnOnce(&Event<'_>) -> T,
) -> T {
    if let Event::Retry { host, command, reason, attempt, max_attempts: attempts, pause, time_left: left } = *event {
        let (command, reason) = (&map(command), &map(reason));
        return pass(&Event::Retry { host, command, reason, attempt, max_attempts: attempts, pause, time_left: left });
    }
    if let Event::Planned { host, operation, command } = *event {
        let texts = command.map(|command| (map(command.short), map(command.shell_line)));
        let command = texts.as_ref().map(|(short, shell_line)| PlannedCommand { short, shell_line });
        return pass(&Event::Planned { host, operation: &map(operation), command });
    }
    if let Event::PhaseEnded { number, total, name, hosts, outcome, elapsed, slowest, detail } = *event {
        let (name, detail) = (&map(name), &map(detail));
        return pass(&Event::PhaseEnded { number, total, name, hosts, outcome, elapsed, slowest, detail });
    }
    match text_of(event) {
        None => pass(event),
        Some(Text::Line(line)) => match map(line) {
            Cow::Borrowed(_) => pass(event),
            Cow::Owned(line) => pass(&with_text(event, &line)),
        },
        Some(Text::Value(name, value)) => pass(&Event::Once { name, value: &mapped(value, &map) }),
    }
}

/// A text of an event.
enum Text<'a> {
    Line(&'a str),
    Value(&'a str, &'a Value),
}

fn text_of<'a>(event: &Event<'a>) -> Option<Text<'a>> {
    match *event {
        Event::CommandStarted { command, .. }
        | Event::CommandEnded { command, .. }
        | Event::StaleRead { command, .. }
        | Event::UnconfirmedStop { command, .. } => Some(Text::Line(command)),
        Event::Transferred { operation: what, .. } | Event::Progress { operation: what, .. } => Some(Text::Line(what)),
        Event::Warning { text, .. }
        | Event::Message { text, .. }
        | Event::ShellLineEnded { line: text, .. }
        | Event::PhaseStarted { name: text, .. }
        | Event::Summary { name: text, .. } => Some(Text::Line(text)),
        Event::Once { name, value } => Some(Text::Value(name, value)),
        Event::RunEnded { .. }
        | Event::Retry { .. }
        | Event::Planned { .. }
        | Event::PhaseEnded { .. }
        | Event::TaskStarted { .. }
        | Event::TaskEnded { .. }
        | Event::OutputLines { .. }
        | Event::OutputBytes { .. }
        | Event::Diff { .. } => None,
    }
}

/// Returns the event with another text.
fn with_text<'a>(event: &Event<'a>, text: &'a str) -> Event<'a> {
    let mut event = event.clone();
    match &mut event {
        Event::CommandStarted { command, .. }
        | Event::CommandEnded { command, .. }
        | Event::StaleRead { command, .. }
        | Event::UnconfirmedStop { command, .. } => *command = text,
        Event::Transferred { operation: what, .. } | Event::Progress { operation: what, .. } => *what = text,
        Event::Warning { text: old, .. }
        | Event::Message { text: old, .. }
        | Event::ShellLineEnded { line: old, .. }
        | Event::PhaseStarted { name: old, .. }
        | Event::Summary { name: old, .. } => *old = text,
        Event::Once { .. }
        | Event::RunEnded { .. }
        | Event::Retry { .. }
        | Event::Planned { .. }
        | Event::PhaseEnded { .. }
        | Event::TaskStarted { .. }
        | Event::TaskEnded { .. }
        | Event::OutputLines { .. }
        | Event::OutputBytes { .. }
        | Event::Diff { .. } => {}
    }
    event
}

fn mapped(value: &Value, map: &impl Fn(&str) -> Cow<'_, str>) -> Value {
    match value {
        Value::String(text) => map(text).into_owned().into(),
        Value::Array(all) => all.iter().map(|value| mapped(value, map)).collect(),
        Value::Object(all) => all.iter().map(|(name, value)| (map(name).into_owned(), mapped(value, map))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
