//! [`RedactingSink`]: redacts the secrets in events.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::error::Error;
use crate::event::event::Event;
use crate::event::map_texts::map_texts;
use crate::event::sink::{Granularity, Sink};
use crate::secret::Redactor;

/// A sink that redacts the secrets in the texts of events and passes the events to another sink.
///
/// Output and the errors of tasks are already redacted. An output event can end in the middle of a
/// secret, so only the reader of the whole stream can find the secret.
#[derive(Debug)]
pub(crate) struct RedactingSink {
    sink: Arc<dyn Sink>,
    redactor: Redactor,
}

impl RedactingSink {
    pub(crate) fn new(sink: Arc<dyn Sink>, redactor: Redactor) -> Self {
        Self { sink, redactor }
    }
}

impl Sink for RedactingSink {
    fn event(&self, event: &Event<'_>) {
        if let Event::Diff { host, operation: what, path, diff: difference } = *event {
            let (what, path) = (&self.redactor.text(what), &self.redactor.text(path));
            let difference = &difference.redacted(&self.redactor);
            return self.sink.event(&Event::Diff { host, operation: what, path, diff: difference });
        }
        let error = error_of(event).map(|error| error.clone().redacted(&self.redactor));
        let event = &with_error(event, error.as_ref());
        map_texts(event, |text| self.redactor.text(text), |event| self.sink.event(event));
    }

    fn granularity(&self) -> Granularity {
        self.sink.granularity()
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.sink.flush()
    }

    fn pause(&self) {
        self.sink.pause();
    }

    fn resume(&self) {
        self.sink.resume();
    }

    fn finish(&self) {
        self.sink.finish();
    }
}

/// Returns the error of an event, except the error of a task, since that error is already redacted.
fn error_of<'a>(event: &Event<'a>) -> Option<&'a Error> {
    match *event {
        Event::CommandEnded { error, .. } | Event::ShellLineEnded { error, .. } | Event::RunEnded { error, .. } => {
            error
        }
        _ => None,
    }
}

/// Returns the event with another error.
fn with_error<'a>(event: &Event<'a>, redacted: Option<&'a Error>) -> Event<'a> {
    let mut event = event.clone();
    if let Event::CommandEnded { error, .. } | Event::ShellLineEnded { error, .. } | Event::RunEnded { error, .. } =
        &mut event
    {
        *error = redacted;
    }
    event
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;
    use crate::event::capture::CaptureSink;
    use crate::event::diff::FileDiff;
    use crate::event::event::PlannedCommand;
    use crate::event::outcome_kind::OutcomeKind;
    use crate::event::stream::Stream;
    use crate::host::Host;
    use crate::secret::Secret;

    #[test]
    fn no_text_of_an_event_contains_a_secret() {
        let (capture, redactor) = (Arc::new(CaptureSink::default()), Redactor::default());
        redactor.add(&Secret::new("hunter2"));
        let sink = RedactingSink::new(Arc::clone(&capture) as Arc<dyn Sink>, redactor);
        let (host, text) = (Host::local(), "say hunter2");
        let error = Error::new(ErrorKind::Task, text).hint(text);
        let value = json!({ "hunter2": ["hunter2", 1] });
        sink.event(&Event::CommandStarted { id: 1, host: &host, command: text, is_echoed: false });
        sink.event(&Event::CommandEnded {
            id: 1,
            host: &host,
            command: text,
            status: None,
            error: Some(&error),
            elapsed: std::time::Duration::ZERO,
        });
        sink.event(&Event::ShellLineEnded {
            line: text,
            host: &host,
            outcome: OutcomeKind::Failed,
            error: Some(&error),
        });
        sink.event(&Event::Summary { name: text, is_local: false, outcomes: &[] });
        sink.event(&Event::RunEnded { exit_code: 1, outcomes: &[], error: Some(&error) });
        sink.event(&Event::Retry {
            host: &host,
            command: text,
            reason: text,
            attempt: 2,
            max_attempts: None,
            pause: std::time::Duration::ZERO,
            time_left: None,
        });
        sink.event(&Event::StaleRead { host: &host, command: text, planned_changes: 1 });
        sink.event(&Event::UnconfirmedStop { id: 1, host: &host, command: text });
        sink.event(&Event::Transferred { host: &host, operation: text, changed: 1, files: 1, removed: 0 });
        let elapsed = std::time::Duration::ZERO;
        sink.event(&Event::Progress {
            id: 1,
            host: &host,
            operation: text,
            done_bytes: 1,
            total_bytes: 2,
            elapsed,
            is_finished: false,
        });
        sink.event(&Event::Planned { host: None, operation: text, command: None });
        let command = Some(PlannedCommand { short: text, shell_line: text });
        sink.event(&Event::Planned { host: None, operation: text, command });
        let phase = (Some(1), 2, &[host.clone()][..]);
        let (number, total, hosts) = phase;
        sink.event(&Event::PhaseStarted { number, total, name: text, hosts, is_dry_run: false });
        let (outcome, slowest) = (OutcomeKind::Ok, None);
        sink.event(&Event::PhaseEnded { number, total, name: text, hosts, outcome, elapsed, slowest, detail: text });
        sink.event(&Event::Warning { host: None, text });
        sink.event(&Event::Message { host: None, stream: Stream::Stdout, text });
        sink.event(&Event::Once { name: "x", value: &value });
        let difference = &FileDiff::Lines("-hunter2\n+new".to_owned());
        sink.event(&Event::Diff { host: &host, operation: text, path: "/hunter2", diff: difference });
        let json = serde_json::to_string(&capture.events()).unwrap();
        assert!(!json.contains("hunter2"), "{json}");
        assert_eq!(json.matches("[redacted]").count(), 28, "{json}");
    }
}
