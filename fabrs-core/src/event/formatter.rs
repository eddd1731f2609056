//! [`EventFormatter`]: events as text for people, shared by all printing sinks.

use std::fmt::Write as _;

use crate::controls::{escape_controls, escape_except_colours};
use crate::error::{Error, GroupedErrors};
use crate::event::event::Event;
use crate::event::format::{
    elapsed_time, files_written, indent_continuation, once_command_result, short_duration, summary, truncated,
};
use crate::event::map_texts::map_texts;
use crate::event::outcome_kind::OutcomeKind;
use crate::event::phase_formatter::PhaseFormatter;
use crate::event::shown_errors::{ErrorForm, ErrorToShow, ShownErrors};
use crate::event::style::{HostOrLocal, Prefix, Style, TextRole};
use crate::host::Host;

/// A formatter of all events except output, as lines for stderr.
#[derive(Debug)]
pub(super) struct EventFormatter {
    prefix: Prefix,
    style: Style,
    /// If true, no line refers to an equal error of an earlier host.
    only_error_blocks: bool,
    failures: ShownErrors,
    phases: PhaseFormatter,
}

impl EventFormatter {
    /// Makes a formatter that puts `prefix` in front of the lines of a host.
    pub(super) fn new(prefix: Prefix, style: Style) -> Self {
        Self {
            prefix,
            style,
            only_error_blocks: false,
            failures: ShownErrors::default(),
            phases: PhaseFormatter::new(style),
        }
    }

    /// Omits the lines that refer to an equal error of an earlier host.
    pub(super) fn only_error_blocks(self) -> Self {
        Self { only_error_blocks: true, ..self }
    }

    /// Replaces the formatter of phases.
    pub(super) fn with_phases(self, change: impl FnOnce(PhaseFormatter) -> PhaseFormatter) -> Self {
        Self { phases: change(self.phases), ..self }
    }

    /// Returns whether a phase of a dry run is being planned.
    pub(super) fn is_in_phase_plan(&self) -> bool {
        self.phases.is_in_plan()
    }

    /// Returns complete lines. Returns an empty text for output and for events without a text form.
    /// Control characters are escaped, so that the terminal does not execute them.
    pub(super) fn text(&self, event: &Event<'_>) -> String {
        map_texts(event, escape_controls, |event| self.of(event))
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn of(&self, event: &Event<'_>) -> String {
        match event {
            Event::TaskStarted { task, host } => self.started(task, *host) + &self.line(*host, &format!("task {task}")),
            Event::TaskEnded { error: Some(error), task, host, outcome, .. } => match outcome {
                // Other events report the reason of these outcomes. The summary names the hosts.
                OutcomeKind::NotStarted | OutcomeKind::Cancelled => String::new(),
                OutcomeKind::Skipped => self.line(*host, &format!("task {task}: skipped: {}", error.message())),
                OutcomeKind::Incomplete => self.line(*host, &plan_end_text(error)),
                OutcomeKind::Ok | OutcomeKind::Failed | OutcomeKind::Lost | OutcomeKind::Unreachable => {
                    self.error(task, *host, *outcome, error)
                }
            },
            Event::TaskEnded { error: None, task, host, outcome, elapsed } => match outcome {
                OutcomeKind::NotStarted | OutcomeKind::Cancelled => String::new(),
                OutcomeKind::Skipped => self.line(*host, &format!("task {task}: skipped")),
                OutcomeKind::Ok
                | OutcomeKind::Failed
                | OutcomeKind::Lost
                | OutcomeKind::Unreachable
                | OutcomeKind::Incomplete => {
                    self.line(*host, &format!("task {task}: {} in {}", outcome.as_str(), elapsed_time(*elapsed)))
                }
            },
            Event::CommandStarted { host, command, is_echoed: true, .. } => self.command(Some(*host), "$ ", command),
            Event::PhaseStarted { .. } | Event::PhaseEnded { .. } => self.phases.text(event),
            Event::Planned { .. } | Event::StaleRead { .. } if self.phases.add(event) => String::new(),
            Event::Planned { host: Some(host), operation: what, command } => {
                self.command(Some(*host), if command.is_some() { "would run: " } else { "would " }, what)
            }
            Event::Planned { host: None, operation: what, .. } => format!("would: {}\n", indent_continuation(what)),
            Event::Transferred { host, operation: what, changed, files, removed } => {
                self.command(Some(*host), "", &format!("{what}: {}", files_written(*changed, *files, *removed)))
            }
            Event::Diff { host, path, diff: difference, .. } => {
                let prefix = self.prefix.of(Some(*host), self.style);
                difference.lines(path, self.style).iter().fold(String::new(), |text, line| text + &prefix + line + "\n")
            }
            Event::StaleRead { host, command, planned_changes: planned } => {
                let changes = if *planned == 1 { "planned change" } else { "planned changes" };
                self.command(Some(*host), &format!("read without the {planned} {changes}: "), command)
            }
            Event::Once { name, value } => match value {
                serde_json::Value::Null => format!("once: {name}\n"),
                serde_json::Value::String(text) => format!("once: {name} = {}\n", indent_continuation(text)),
                value => match once_command_result(value) {
                    Some(end) => format!("once: {name}: {end}\n"),
                    None => format!("once: {name} = {value}\n"),
                },
            },
            Event::UnconfirmedStop { host, command, .. } => {
                self.warning(Some(host), &format!("may still be running: {command}"))
            }
            Event::Warning { host, text } => self.warning(*host, text),
            Event::Retry { host, command, reason, attempt, max_attempts: attempts, pause, time_left: left } => {
                let of = attempts.map_or_else(String::new, |attempts| format!(" of {attempts}"));
                // With a time limit, the line shows the remaining time. With a number of attempts,
                // the line shows the pause.
                let when = match left {
                    Some(left) => format!(", {} left", short_duration(*left)),
                    None if pause.is_zero() => String::new(),
                    None => format!(", in {}", short_duration(*pause)),
                };
                let what = format!("`{}`: {}", truncated(command), indent_continuation(reason));
                self.line(Some(*host), &format!("{what}, retrying (attempt {attempt}{of}{when})"))
            }
            Event::Summary { name, is_local: local, outcomes } => {
                format!("{}{}: {}\n", self.pending(), truncated(name), summary(outcomes, *local))
            }
            Event::RunEnded { .. } => self.pending(),
            Event::ShellLineEnded { .. }
            | Event::CommandStarted { is_echoed: false, .. }
            | Event::Progress { .. }
            | Event::Message { .. }
            | Event::OutputLines { .. }
            | Event::OutputBytes { .. }
            | Event::CommandEnded { .. } => String::new(),
        }
    }

    /// Returns the block of an error, or one line if another host has an equal error in the same
    /// task.
    fn error(&self, task: &str, host: Option<&Host>, outcome: OutcomeKind, error: &Error) -> String {
        let ErrorToShow { before, form } = self.failures.add(task, host, error);
        let text = match form {
            ErrorForm::Block => self.block(&error.block().to_string()),
            ErrorForm::SameAs(first) if !self.only_error_blocks => {
                let text = format!("task {task}: {} (same error as {})", outcome.as_str(), HostOrLocal(Some(&first)));
                self.line(host, &text)
            }
            ErrorForm::SameAs(_) | ErrorForm::Known => String::new(),
        };
        self.blocks(&before) + &text
    }

    /// Records the start of a task on a host. Returns the blocks of errors shared by several hosts
    /// in the previous task.
    pub(super) fn started(&self, task: &str, host: Option<&Host>) -> String {
        self.blocks(&self.failures.start(task, host))
    }

    /// Returns the blocks of errors shared by several hosts since the last call.
    pub(super) fn pending(&self) -> String {
        self.blocks(&self.failures.take())
    }

    /// Returns a block for each error shared by at least two hosts.
    fn blocks(&self, grouped: &GroupedErrors) -> String {
        grouped.blocks(2).iter().map(|block| self.block(block)).collect()
    }

    fn block(&self, block: &str) -> String {
        let mut text = String::with_capacity(block.len() + 32);
        for line in block.lines() {
            text.push_str(&self.lead(line));
            text.push('\n');
        }
        text
    }

    /// Colours the first word of a line of an error block.
    fn lead(&self, line: &str) -> String {
        for (word, role) in [("error:", TextRole::Error), ("hint:", TextRole::Hint)] {
            if let Some(rest) = line.strip_prefix(word) {
                return format!("{}{rest}", self.style.paint(role, word));
            }
        }
        line.to_owned()
    }

    fn line(&self, host: Option<&Host>, text: &str) -> String {
        format!("{}{}\n", self.prefix.of(host, self.style), escape_except_colours(text))
    }

    /// Formats a command. The second and later lines of the command are indented.
    fn command(&self, host: Option<&Host>, lead: &str, command: &str) -> String {
        let prefix = self.prefix.of(host, self.style);
        let mut lead = lead.to_owned();
        let mut text = String::new();
        for line in command.lines() {
            let line = self.style.paint(TextRole::Command, line);
            // Writing to a string can't fail.
            let _ = writeln!(text, "{prefix}{lead}{line}");
            lead = " ".repeat(lead.chars().count().min(2));
        }
        text
    }

    fn warning(&self, host: Option<&Host>, text: &str) -> String {
        let word = self.style.paint(TextRole::Warning, "warning:");
        let name = host.map(|host| format!("{}: ", HostOrLocal(Some(host)))).unwrap_or_default();
        format!("{word} {name}{}\n", indent_continuation(text))
    }
}

/// Returns the last line of an incomplete plan: the line of code, and the command without a result.
fn plan_end_text(error: &Error) -> String {
    let at = error.code_location().map(|at| format!(" ({at})")).unwrap_or_default();
    let hint = error.hint_text().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    format!("planned up to here{at}: {}{hint}", error.message())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;
    use crate::event::event::PlannedCommand;
    use crate::event::testing::web1;

    #[track_caller]
    fn case(event: &Event<'_>, text: &str) {
        assert_eq!(EventFormatter::new(Prefix::Host, Style::Plain).text(event), text);
    }

    fn ended<'a>(host: &'a Host, outcome: OutcomeKind, error: Option<&'a Error>) -> Event<'a> {
        Event::TaskEnded { task: "deploy", host: Some(host), outcome, elapsed: Duration::from_millis(3210), error }
    }

    #[test]
    fn a_task_has_a_line_for_its_start_and_its_outcome() {
        let host = web1();
        case(&Event::TaskStarted { task: "deploy", host: Some(&host) }, "[web1] task deploy\n");
        case(&Event::TaskStarted { task: "changes", host: None }, "[local] task changes\n");
        case(&ended(&host, OutcomeKind::Ok, None), "[web1] task deploy: ok in 3.2 s\n");
        case(&ended(&host, OutcomeKind::Skipped, None), "[web1] task deploy: skipped\n");
        case(&ended(&host, OutcomeKind::NotStarted, None), "");
        case(&ended(&host, OutcomeKind::Cancelled, None), "");
        let error = Error::new(ErrorKind::Task, "not in the canary").on(&host);
        case(&ended(&host, OutcomeKind::Skipped, Some(&error)), "[web1] task deploy: skipped: not in the canary\n");
        let error = Error::new(ErrorKind::Cancelled, "the run was stopped");
        case(&ended(&host, OutcomeKind::Cancelled, Some(&error)), "");
    }

    fn planned_command<'a>(host: &'a Host, line: &'a str) -> Event<'a> {
        let command = Some(PlannedCommand::of_line(line));
        Event::Planned { host: Some(host), operation: line, command }
    }

    #[test]
    fn an_echoed_command_is_shown() {
        let host = web1();
        let started = |command, echo| Event::CommandStarted { id: 1, host: &host, command, is_echoed: echo };
        case(&started("git fetch", true), "[web1] $ git fetch\n");
        case(&started("git fetch", false), "");
        case(&started("if true; then\n  ls\nfi", true), "[web1] $ if true; then\n[web1]     ls\n[web1]   fi\n");
    }

    #[test]
    fn a_dry_run_shows_planned_changes() {
        let host = web1();
        let here = Host::local();
        case(&planned_command(&host, "rm x"), "[web1] would run: rm x\n");
        case(&planned_command(&here, "make"), "[local] would run: make\n");
        let put = Event::Planned { host: Some(&host), operation: "put a -> /b", command: None };
        case(&put, "[web1] would put a -> /b\n");
        case(&Event::Planned { host: None, operation: "mail the changes", command: None }, "would: mail the changes\n");
        let read = |planned| Event::StaleRead { host: &host, command: "cat a", planned_changes: planned };
        case(&read(1), "[web1] read without the 1 planned change: cat a\n");
        case(&read(3), "[web1] read without the 3 planned changes: cat a\n");
    }

    #[test]
    fn a_transfer_shows_the_number_of_written_files() {
        let host = web1();
        let put =
            |changed, files| Event::Transferred { host: &host, operation: "put a -> /b", changed, files, removed: 0 };
        let sync = |changed, removed| Event::Transferred {
            host: &host,
            operation: "sync a -> /b",
            changed,
            files: 3,
            removed,
        };
        let gone = Event::Transferred { host: &host, operation: "remove /b", changed: 0, files: 0, removed: 1 };
        case(&gone, "[web1] remove /b: removed\n");
        case(&sync(2, 1), "[web1] sync a -> /b: 2 of 3 files written, 1 removed\n");
        case(&sync(0, 4), "[web1] sync a -> /b: none written, 4 removed\n");
        case(&put(1, 1), "[web1] put a -> /b: written\n");
        case(&put(0, 3), "[web1] put a -> /b: unchanged\n");
        case(&put(2, 3), "[web1] put a -> /b: 2 of 3 files written\n");
    }

    #[test]
    fn a_once_value_is_shown() {
        case(&Event::Once { name: "tag", value: &json!("build-314") }, "once: tag = build-314\n");
        case(&Event::Once { name: "tag", value: &json!(["a", 1]) }, "once: tag = [\"a\",1]\n");
        case(&Event::Once { name: "migrate", value: &json!(null) }, "once: migrate\n");
        let left = |status| json!({ "host": "web1", "command": "migrate", "status": status });
        let ok = left(json!({ "code": 0 }));
        case(&Event::Once { name: "migrate", value: &ok }, "once: migrate: ok on web1\n");
        let planned = left(json!(null));
        case(&Event::Once { name: "migrate", value: &planned }, "once: migrate: planned on web1\n");
    }

    #[test]
    fn warnings_name_their_host() {
        let host = web1();
        let leftover = Event::UnconfirmedStop { id: 1, host: &host, command: "sleep 100" };
        case(&leftover, "warning: web1: may still be running: sleep 100\n");
        case(&Event::Warning { host: None, text: "no agent" }, "warning: no agent\n");
        case(&Event::Warning { host: Some(&host), text: "slow\nvery" }, "warning: web1: slow\n  very\n");
    }

    #[test]
    fn a_shared_error_of_several_hosts_is_shown_once() {
        let (web1, web2): (Host, Host) = (web1(), "web2".parse().unwrap());
        let error = Error::new(ErrorKind::Exit, "`migrate` failed").on(&web1).hint("look at the log");
        let block = "error: web1: `migrate` failed\nhint: look at the log\n";
        let formatter = EventFormatter::new(Prefix::Host, Style::Plain);
        assert_eq!(formatter.text(&ended(&web1, OutcomeKind::Failed, Some(&error))), block);
        assert_eq!(formatter.text(&ended(&web2, OutcomeKind::Failed, Some(&error.clone()))), "");
        // A host reports an error once, so a repeated error is a new error.
        assert_eq!(formatter.text(&ended(&web1, OutcomeKind::Failed, Some(&error))), block);
        assert_eq!(formatter.text(&ended(&web2, OutcomeKind::Failed, Some(&error))), "");
    }

    #[test]
    fn equal_errors_are_one_block_then_lines_then_a_grouped_block() {
        let hosts: Vec<Host> = ["web1", "web2", "web3"].iter().map(|name| name.parse().unwrap()).collect();
        let formatter = EventFormatter::new(Prefix::Host, Style::Plain);
        let failed = |host: &Host| {
            let error = Error::new(ErrorKind::Exit, "`migrate` failed").on(host).hint("look at the log");
            formatter.text(&ended(host, OutcomeKind::Failed, Some(&error)))
        };
        assert_eq!(failed(&hosts[0]), "error: web1: `migrate` failed\nhint: look at the log\n");
        assert_eq!(failed(&hosts[1]), "[web2] task deploy: failed (same error as web1)\n");
        assert_eq!(failed(&hosts[2]), "[web3] task deploy: failed (same error as web1)\n");
        let block = "error: web1, web2, web3: `migrate` failed\nhint: look at the log\n";
        let outcomes: Vec<(Host, OutcomeKind)> = hosts.iter().map(|host| (host.clone(), OutcomeKind::Failed)).collect();
        let event = Event::Summary { name: "deploy", is_local: false, outcomes: &outcomes };
        assert_eq!(formatter.text(&event), format!("{block}deploy: 3 failed (web1, web2, web3)\n"));
        let end = Event::RunEnded { exit_code: 1, outcomes: &outcomes, error: None };
        assert_eq!(formatter.text(&end), "");
    }

    #[test]
    fn grouped_errors_list_hosts_in_plan_order() {
        let (web1, web2): (Host, Host) = ("web1".parse().unwrap(), "web2".parse().unwrap());
        let formatter = EventFormatter::new(Prefix::Host, Style::Plain);
        for host in [&web1, &web2] {
            formatter.text(&Event::TaskStarted { task: "deploy", host: Some(host) });
        }
        for host in [&web2, &web1] {
            let error = Error::new(ErrorKind::Exit, "`x` failed").on(host);
            formatter.text(&ended(host, OutcomeKind::Failed, Some(&error)));
        }
        let end = Event::RunEnded { exit_code: 1, outcomes: &[], error: None };
        assert_eq!(formatter.text(&end), "error: web1, web2: `x` failed\n");
    }

    #[test]
    fn grouped_errors_precede_the_next_task() {
        let (web1, web2): (Host, Host) = ("web1".parse().unwrap(), "web2".parse().unwrap());
        let formatter = EventFormatter::new(Prefix::Host, Style::Plain);
        for host in [&web1, &web2] {
            let error = Error::new(ErrorKind::Exit, "`x` failed").on(host);
            formatter.text(&ended(host, OutcomeKind::Failed, Some(&error)));
        }
        assert_eq!(formatter.text(&Event::TaskStarted { task: "deploy", host: Some(&web1) }), "[web1] task deploy\n");
        let next = formatter.text(&Event::TaskStarted { task: "next", host: Some(&web1) });
        assert_eq!(next, "error: web1, web2: `x` failed\n[web1] task next\n");
    }

    #[test]
    fn a_summary_counts_outcomes_and_names_hosts_without_success() {
        let outcomes: Vec<(Host, OutcomeKind)> =
            [("web1", OutcomeKind::Ok), ("web2", OutcomeKind::Failed), ("ops@web3:22", OutcomeKind::NotStarted)]
                .map(|(name, word)| (name.parse().unwrap(), word))
                .to_vec();
        let event = |local, outcomes| Event::Summary { name: "deploy", is_local: local, outcomes };
        case(&event(false, &outcomes), "deploy: 1 ok, 1 failed (web2), 1 not started (web3:22)\n");
        case(&event(true, &outcomes[..1]), "deploy: ok\n");
        let name = "for f in /etc/*.conf; do\n\tgrep -q secret $f\ndone";
        let line = Event::Summary { name, is_local: false, outcomes: &outcomes[..1] };
        case(&line, "for f in /etc/*.conf; do grep -q secr...: 1 ok\n");
    }

    #[test]
    fn a_retry_is_announced_with_its_reason() {
        let host = web1();
        let retry = |attempts, left| Event::Retry {
            host: &host,
            command: "curl",
            reason: "exit status 7",
            attempt: 2,
            max_attempts: attempts,
            pause: Duration::from_millis(1500),
            time_left: left,
        };
        let until = retry(None, Some(Duration::from_secs(12)));
        case(&until, "[web1] `curl`: exit status 7, retrying (attempt 2, 12 s left)\n");
        case(&retry(Some(3), None), "[web1] `curl`: exit status 7, retrying (attempt 2 of 3, in 1.5 s)\n");
    }

    #[test]
    fn colours_do_not_change_the_text() {
        let host = web1();
        let error = Error::new(ErrorKind::Connect, "could not connect").on(&host).hint("is it up?");
        for event in [
            ended(&host, OutcomeKind::Unreachable, Some(&error)),
            ended(&host, OutcomeKind::Ok, None),
            Event::CommandStarted { id: 1, host: &host, command: "a\nb", is_echoed: true },
            Event::Warning { host: Some(&host), text: "look" },
        ] {
            let coloured = EventFormatter::new(Prefix::Host, Style::Colour).text(&event);
            assert!(coloured.contains("\x1b["));
            let text: String = coloured.split('\x1b').enumerate().map(without_sequence).collect();
            case(&event, &text);
        }
    }

    /// Removes the rest of an escape sequence from every piece except the first.
    fn without_sequence((n, piece): (usize, &str)) -> &str {
        if n == 0 { piece } else { piece.split_once('m').unwrap().1 }
    }
}
