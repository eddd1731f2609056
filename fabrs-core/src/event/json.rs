//! [`Json`]: events for programs, a line of JSON each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::notes::Notes;
use super::{Event, Prefix, Sink, Spool, Stream, Style};

/// Prints every event as one JSON object a line on stdout, and on stderr nothing but the blocks of errors.
///
/// `event` names the event and `t` says when it was, in seconds since the run began. Bytes that are not UTF-8 become
/// `U+FFFD`. Fields and events may be added; what is there keeps its name and meaning.
#[derive(Debug)]
pub struct Json {
    spool: Arc<Spool>,
    began: Instant,
    notes: Notes,
}

#[derive(Serialize)]
struct Line<'a> {
    t: f64,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Json {
    /// Prints through `spool`; the run begins now.
    pub fn new(spool: Arc<Spool>, style: Style) -> Self {
        Self { spool, began: Instant::now(), notes: Notes::new(Prefix::Host, style) }
    }
}

impl Sink for Json {
    fn event(&self, event: &Event<'_>) {
        match line(self.began.elapsed(), event) {
            Ok(line) => self.spool.push(Stream::Stdout, &line),
            Err(error) => {
                let text = format!("warning: an event can't be written as JSON: {error}\n");
                self.spool.push(Stream::Stderr, text.as_bytes());
            }
        }
        if let Event::TaskEnded { error: Some(_), .. } = event {
            self.spool.push(Stream::Stderr, self.notes.text(event).as_bytes());
        }
    }

    fn flush(&self) {
        self.spool.flush();
    }

    fn hold(&self) {
        self.spool.hold();
    }

    fn release(&self) {
        self.spool.release();
    }

    fn finish(&self) {
        self.spool.finish();
    }
}

fn line(since: Duration, event: &Event<'_>) -> serde_json::Result<Vec<u8>> {
    // Milliseconds are what a reader can use; the rest would be noise in every line.
    let t = (since.as_secs_f64() * 1000.0).round() / 1000.0;
    let mut line = serde_json::to_vec(&Line { t, event })?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::printed::{printed, web1};
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::event::Word;
    use crate::output::{ExitStatus, Signal};

    /// Compares the line of an event with the fields that follow its name.
    #[track_caller]
    fn case(event: &Event<'_>, name: &str, fields: &str) {
        let line = line(Duration::from_micros(1_234_600), event).unwrap();
        let expected = format!("{{\"t\":1.235,\"event\":\"{name}\",{fields}}}\n");
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn a_task_is_a_line_at_its_begin_and_its_end() {
        let host = web1();
        let task = "deploy";
        let started = Event::TaskStarted { task, host: Some(&host) };
        case(&started, "task_started", r#""task":"deploy","host":"deploy@web1""#);
        let error = Error::new(ErrorKind::Connect, "no route").on(&host);
        let (outcome, elapsed) = (Word::NotStarted, Duration::from_secs(1));
        let fields = r#""task":"deploy","host":null,"outcome":"not_started","elapsed":1.0,"error":"#;
        let ended = Event::TaskEnded { task, host: None, outcome, elapsed, error: Some(&error) };
        case(&ended, "task_ended", &format!("{fields}\"error: web1: no route\""));
        let ended = Event::TaskEnded { task, host: None, outcome, elapsed, error: None };
        case(&ended, "task_ended", &format!("{fields}null"));
    }

    #[test]
    fn a_command_is_a_line_at_its_begin_and_its_end() {
        let host = web1();
        let at = r#""number":1,"host":"deploy@web1""#;
        let command = "ls \"a\"";
        let started = Event::CommandStarted { number: 1, host: &host, command, echo: false };
        case(&started, "command_started", &format!(r#"{at},"command":"ls \"a\"","echo":false"#));
        for (status, text) in [
            (Some(ExitStatus::Code(2)), r#"{"code":2}"#),
            (Some(ExitStatus::Signal(Signal::new("SIGTERM"))), r#"{"signal":"TERM"}"#),
            (None, "null"),
        ] {
            let ended = Event::CommandEnded {
                number: 1,
                host: &host,
                command,
                status: status.as_ref(),
                elapsed: Duration::from_secs(1),
            };
            let fields = format!(r#"{at},"command":"ls \"a\"","status":{text},"elapsed":1.0"#);
            case(&ended, "command_ended", &fields);
        }
    }

    #[test]
    fn output_that_is_no_text_does_not_break_the_line() {
        let host = web1();
        let event = Event::Lines { number: 1, host: &host, stream: Stream::Stderr, text: b"a\n\xff\0" };
        case(
            &event,
            "lines",
            "\"number\":1,\"host\":\"deploy@web1\",\"stream\":\"stderr\",\"text\":\"a\\n\u{fffd}\\u0000\"",
        );
    }

    #[test]
    fn everything_else_is_a_line_too() {
        let host = web1();
        let at = r#""host":"deploy@web1""#;
        case(&Event::Planned { host: None, what: "mail" }, "planned", r#""host":null,"what":"mail""#);
        let stale = Event::StaleRead { host: &host, command: "cat", planned: 2 };
        case(&stale, "stale_read", &format!(r#"{at},"command":"cat","planned":2"#));
        case(&Event::Once { name: "tag", value: &json!({"n": 1}) }, "once", r#""name":"tag","value":{"n":1}"#);
        let leftover = Event::Leftover { number: 1, host: &host, command: "sleep" };
        case(&leftover, "leftover", &format!(r#""number":1,{at},"command":"sleep""#));
        case(&Event::Warning { host: None, text: "look" }, "warning", r#""host":null,"text":"look""#);
        let said = Event::Said { host: None, stream: Stream::Stdout, text: "web1  1" };
        case(&said, "said", r#""host":null,"stream":"stdout","text":"web1  1""#);
    }

    #[test]
    fn only_the_blocks_of_errors_go_to_stderr() {
        let host = web1();
        let error = Error::new(ErrorKind::Connect, "no route").on(&host);
        let outcome = Word::Unreachable;
        let events = [
            Event::Warning { host: None, text: "look" },
            Event::TaskEnded { task: "t", host: Some(&host), outcome, elapsed: Duration::ZERO, error: Some(&error) },
        ];
        let (stdout, stderr) = printed(|spool| Json::new(spool, Style::Plain), &events);
        assert_eq!(stderr, "error: web1: no route\n");
        let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line["t"].is_f64()));
    }
}
