//! [`JsonSink`]: events as JSON lines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use serde::Serialize;

use crate::event::event::Event;
use crate::event::formatter::EventFormatter;
use crate::event::output_queue::queue::OutputQueue;
use crate::event::sink::Sink;
use crate::event::stream::Stream;
use crate::event::style::{Prefix, Style};

/// A sink that prints each event as a JSON line on stdout, and error blocks on stderr.
///
/// Each line has `event`, the name of the event, and `t`, the seconds since the start.
/// Bytes that are not UTF-8 become `U+FFFD`. New versions may add events and fields.
///
/// | `event` | fields in addition to `event` and `t` |
/// |---|---|
/// | `task_started` | `task`, `host` |
/// | `task_ended` | `task`, `host`, `outcome`, `elapsed`, `error` |
/// | `command_started` | `id`, `host`, `command`, `is_echoed` |
/// | `output_lines` | `id`, `host`, `stream`, `text`: complete lines of output |
/// | `output_bytes` | `id`, `host`, `stream`, `bytes`: not in `--json` |
/// | `command_ended` | `id`, `host`, `command`, `status`, `error`, `elapsed` |
/// | `retry` | `host`, `command`, `reason`, `attempt`, `max_attempts`, `pause`, `time_left` |
/// | `unconfirmed_stop` | `id`, `host`, `command`: the command may still be running |
/// | `diff` | `host`, `operation`, `path`, `diff` |
/// | `progress` | `id`, `host`, `operation`, `done_bytes`, `total_bytes`, `elapsed`, `is_finished`|
/// | `transferred` | `host`, `operation`, `changed`, `files`, `removed` |
/// | `planned` | `host`, `operation` |
/// | `phase_started` | `number`, `total`, `name`, `hosts`, `is_dry_run`: a phase of a deploy |
/// | `phase_ended` | as `phase_started`, and `outcome`, `elapsed`, `slowest`, `detail` |
/// | `stale_read` | `host`, `command`, `planned_changes` |
/// | `once` | `name`, `value` |
/// | `message` | `host`, `stream`, `text` |
/// | `warning` | `host`, `text` |
/// | `shell_line_ended` | `line`, `host`, `outcome`, `error`: for the shell line of `fab -- LINE` |
/// | `summary` | `name`, `is_local`, `outcomes`: the hosts of each outcome, for each task |
/// | `run_ended` | `exit_code`, `outcomes`: the number of hosts of each outcome, `error` |
///
/// `outcome` is `ok`, `failed`, `lost`, `unreachable`, `cancelled`, `skipped`, `not_started` or
/// `incomplete`. `outcomes` has an entry for each outcome. `elapsed`, `pause` and `time_left` are
/// seconds. `host` is `null` for events without a host. `status` is `{"code": 0}`,
/// `{"signal": "TERM"}`, or `null` if the end of the command is unknown. `summary` is printed for
/// each task and for the shell line, and `run_ended` is the last line. `number` is `null` for a
/// phase outside the plan, such as a revert. `slowest` is a host or `null`,
/// and `is_dry_run` is only in `phase_started`.
///
/// `error` is `null`, or an object:
///
/// | field | content |
/// |---|---|
/// | `kind` | the [`ErrorKind`](crate::ErrorKind) in snake case: `exit`, `connect`, `host_key` |
/// | `host` | the failed host, or `null` |
/// | `message` | one line without the host |
/// | `causes` | a list of texts, the nearest cause first |
/// | `hint` | a text, or `null` |
/// | `at` | the line of `tasks.rs`, if known: `tasks.rs:12` |
/// | `stdout`, `stderr` | the last lines of output, unless `output_lines` events contained them |
#[derive(Debug)]
pub struct JsonSink {
    queue: Arc<OutputQueue>,
    began: Instant,
    formatter: EventFormatter,
}

#[derive(Serialize)]
struct Line<'a> {
    t: f64,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl JsonSink {
    /// Makes a sink that prints through `queue`. The run starts now.
    pub fn new(queue: Arc<OutputQueue>, style: Style) -> Self {
        Self { queue, began: Instant::now(), formatter: EventFormatter::new(Prefix::Host, style).only_error_blocks() }
    }
}

impl Sink for JsonSink {
    fn event(&self, event: &Event<'_>) {
        match line(self.began.elapsed(), event) {
            Ok(line) => self.queue.push(Stream::Stdout, &line),
            Err(error) => {
                let text = format!("warning: an event can't be written as JSON: {error}\n");
                self.queue.push(Stream::Stderr, text.as_bytes());
            }
        }
        let blocks = match event {
            Event::TaskEnded { error: Some(_), .. } => self.formatter.text(event),
            Event::Summary { .. } | Event::RunEnded { .. } => self.formatter.pending(),
            // Stderr shows error blocks only, not the start of a task.
            Event::TaskStarted { task, host } => self.formatter.started(task, *host),
            _ => return,
        };
        self.queue.push(Stream::Stderr, blocks.as_bytes());
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.queue.flush().boxed()
    }

    fn pause(&self) {
        self.queue.pause();
    }

    fn resume(&self) {
        self.queue.resume();
    }

    fn finish(&self) {
        self.queue.push(Stream::Stderr, self.formatter.pending().as_bytes());
        self.queue.finish();
    }
}

/// Returns the JSON line of an event, for a run that ends before a sink exists.
pub fn json_line(event: &Event<'_>) -> String {
    let line = line(Duration::ZERO, event).unwrap_or_default();
    String::from_utf8_lossy(&line).into_owned()
}

fn line(since: Duration, event: &Event<'_>) -> serde_json::Result<Vec<u8>> {
    // Milliseconds are precise enough for readers of the log.
    let t = (since.as_secs_f64() * 1000.0).round() / 1000.0;
    let mut line = serde_json::to_vec(&Line { t, event })?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::event::outcome_kind::OutcomeKind;
    use crate::event::testing::{output_of, web1};
    use crate::output::{ExitStatus, Signal};

    /// Compares the line of an event with the fields after its name.
    #[track_caller]
    fn case(event: &Event<'_>, name: &str, fields: &str) {
        let line = line(Duration::from_micros(1_234_600), event).unwrap();
        let expected = format!("{{\"t\":1.235,\"event\":\"{name}\",{fields}}}\n");
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn a_task_has_a_line_for_its_start_and_its_end() {
        let host = web1();
        let task = "deploy";
        let started = Event::TaskStarted { task, host: Some(&host) };
        case(&started, "task_started", r#""task":"deploy","host":"deploy@web1""#);
        let error = Error::new(ErrorKind::Connect, "no route").on(&host);
        let (outcome, elapsed) = (OutcomeKind::NotStarted, Duration::from_secs(1));
        let fields = r#""task":"deploy","host":null,"outcome":"not_started","elapsed":1.0,"error":"#;
        let ended = Event::TaskEnded { task, host: None, outcome, elapsed, error: Some(&error) };
        case(&ended, "task_ended", &format!("{fields}{}", object("connect", "no route")));
        let ended = Event::TaskEnded { task, host: None, outcome, elapsed, error: None };
        case(&ended, "task_ended", &format!("{fields}null"));
    }

    /// Returns the object of an error on `deploy@web1` without causes and hint.
    fn object(kind: &str, message: &str) -> String {
        format!(r#"{{"kind":"{kind}","host":"deploy@web1","message":"{message}","causes":[],"hint":null}}"#)
    }

    #[test]
    fn an_error_is_a_json_object() {
        let (host, line) = (web1(), "uname");
        let cause = Error::new(ErrorKind::Local, "no such file").caused_by(std::io::Error::other("gone"));
        let error = Error::new(ErrorKind::HostKey, "not known").on(&host).caused_by(cause).hint("compare");
        let ended = Event::ShellLineEnded { line, host: &host, outcome: OutcomeKind::Unreachable, error: Some(&error) };
        let fields = r#""line":"uname","host":"deploy@web1","outcome":"unreachable","error":{"kind":"host_key","#;
        let rest = r#""host":"deploy@web1","message":"not known","causes":["no such file","gone"],"hint":"compare"}"#;
        case(&ended, "shell_line_ended", &format!("{fields}{rest}"));
    }

    #[test]
    fn summaries_list_or_count_hosts_by_outcome() {
        let outcomes = [(web1(), OutcomeKind::Ok), ("web2".parse().unwrap(), OutcomeKind::NotStarted)];
        let none = r#""failed":[],"lost":[],"unreachable":[],"cancelled":[],"skipped":[]"#;
        let fields = format!(
            r#""name":"deploy","is_local":false,"outcomes":{{"ok":["deploy@web1"],{none},"not_started":["web2"],"incomplete":[]}}"#
        );
        case(&Event::Summary { name: "deploy", is_local: false, outcomes: &outcomes }, "summary", &fields);
        let none = none.replace("[]", "0");
        let fields =
            format!(r#""exit_code":1,"outcomes":{{"ok":1,{none},"not_started":1,"incomplete":0}},"error":null"#);
        case(&Event::RunEnded { exit_code: 1, outcomes: &outcomes, error: None }, "run_ended", &fields);
    }

    #[test]
    fn every_event_is_documented() {
        let source = include_str!("event.rs");
        let variants = source.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"));
        let variants: Vec<&str> = variants.filter(|line| line.chars().all(char::is_alphanumeric)).collect();
        assert!(variants.len() >= 19, "{variants:?}");
        let documented = include_str!("json.rs");
        for variant in variants {
            let name = variant.chars().fold(String::new(), |name, letter| match letter.is_uppercase() {
                true if name.is_empty() => letter.to_lowercase().to_string(),
                true => format!("{name}_{}", letter.to_lowercase()),
                false => format!("{name}{letter}"),
            });
            assert!(documented.contains(&format!("/// | `{name}` |")), "`{name}` is not documented");
        }
    }

    #[test]
    fn a_command_has_a_line_for_its_start_and_its_end() {
        let host = web1();
        let at = r#""id":1,"host":"deploy@web1""#;
        let command = "ls \"a\"";
        let started = Event::CommandStarted { id: 1, host: &host, command, is_echoed: false };
        case(&started, "command_started", &format!(r#"{at},"command":"ls \"a\"","is_echoed":false"#));
        for (status, text) in [
            (Some(ExitStatus::Code(2)), r#"{"code":2}"#),
            (Some(ExitStatus::Signal(Signal::new("SIGTERM"))), r#"{"signal":"TERM"}"#),
            (None, "null"),
        ] {
            let ended = Event::CommandEnded {
                id: 1,
                host: &host,
                command,
                status: status.as_ref(),
                error: None,
                elapsed: Duration::from_secs(1),
            };
            let fields = format!(r#"{at},"command":"ls \"a\"","status":{text},"error":null,"elapsed":1.0"#);
            case(&ended, "command_ended", &fields);
        }
    }

    #[test]
    fn binary_output_does_not_break_the_line() {
        let host = web1();
        let event = Event::OutputLines { id: 1, host: &host, stream: Stream::Stderr, text: b"a\n\xff\0" };
        case(
            &event,
            "output_lines",
            "\"id\":1,\"host\":\"deploy@web1\",\"stream\":\"stderr\",\"text\":\"a\\n\u{fffd}\\u0000\"",
        );
    }

    #[test]
    fn all_other_events_are_lines() {
        let host = web1();
        let at = r#""host":"deploy@web1""#;
        case(
            &Event::Planned { host: None, operation: "mail", command: None },
            "planned",
            r#""host":null,"operation":"mail""#,
        );
        let stale = Event::StaleRead { host: &host, command: "cat", planned_changes: 2 };
        case(&stale, "stale_read", &format!(r#"{at},"command":"cat","planned_changes":2"#));
        case(&Event::Once { name: "tag", value: &json!({"n": 1}) }, "once", r#""name":"tag","value":{"n":1}"#);
        let leftover = Event::UnconfirmedStop { id: 1, host: &host, command: "sleep" };
        case(&leftover, "unconfirmed_stop", &format!(r#""id":1,{at},"command":"sleep""#));
        case(&Event::Warning { host: None, text: "look" }, "warning", r#""host":null,"text":"look""#);
        let message = Event::Message { host: None, stream: Stream::Stdout, text: "web1  1" };
        case(&message, "message", r#""host":null,"stream":"stdout","text":"web1  1""#);
    }

    #[test]
    fn only_error_blocks_go_to_stderr() {
        let host = web1();
        let error = Error::new(ErrorKind::Connect, "no route").on(&host);
        let outcome = OutcomeKind::Unreachable;
        let events = [
            Event::Warning { host: None, text: "look" },
            Event::TaskEnded { task: "t", host: Some(&host), outcome, elapsed: Duration::ZERO, error: Some(&error) },
        ];
        let (stdout, stderr) = output_of(|queue| JsonSink::new(queue, Style::Plain), &events);
        assert_eq!(stderr, "error: web1: no route\n");
        let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line["t"].is_f64()));
    }
}
