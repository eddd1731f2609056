//! [`Event`]: an event of a run, such as a started command or a failed task.

use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::event::diff::FileDiff;
use crate::event::json_fields::{by_outcome, counts, lossy, seconds, some_seconds};
use crate::event::outcome_kind::OutcomeKind;
use crate::event::stream::Stream;
use crate::host::Host;
use crate::output::ExitStatus;

/// The texts of a planned command, for a plan in phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedCommand<'a> {
    /// A short text for people: the name of the command, or else its line without the context
    /// (directory, environment).
    pub short: &'a str,
    /// The quoted command line with its context.
    pub shell_line: &'a str,
}

impl<'a> PlannedCommand<'a> {
    /// Makes the texts of a command without a name and without a context.
    pub(crate) fn of_line(line: &'a str) -> Self {
        Self { short: line, shell_line: line }
    }
}

/// An event of a run.
///
/// Serialized with the name in snake case as the tag `event`. `--json` prints one event per line.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event<'a> {
    /// A task starts. A task without a host runs on this machine.
    TaskStarted {
        /// The name of the task.
        task: &'a str,
        /// The host, or `None` for a task on this machine.
        host: Option<&'a Host>,
    },
    /// A task ended on a host, or does not start on the host.
    TaskEnded {
        /// The name of the task.
        task: &'a str,
        /// The host, or `None` for a task on this machine.
        host: Option<&'a Host>,
        /// The outcome.
        outcome: OutcomeKind,
        /// The duration, or zero if the task did not start.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
        /// The reason, unless the outcome is [`OutcomeKind::Ok`] or [`OutcomeKind::NotStarted`].
        error: Option<&'a Error>,
    },
    /// A command starts on a host. In a dry run, the command is added to the plan.
    CommandStarted {
        /// The number of the command within its run, starting at 1. All events of a command
        /// have the same number.
        id: u64,
        /// The host.
        host: &'a Host,
        /// The quoted command line.
        command: &'a str,
        /// True if the command line is to be shown (`.echo()`, `-e`).
        is_echoed: bool,
    },
    /// Complete lines of output with their line ends. The last line of a stream may have no line
    /// end.
    OutputLines {
        /// The number of the command within its run, starting at 1. All events of a command
        /// have the same number.
        id: u64,
        /// The host.
        host: &'a Host,
        /// The stream.
        stream: Stream,
        /// The lines.
        #[serde(serialize_with = "lossy")]
        text: &'a [u8],
    },
    /// Output as received, for a sink that forwards bytes unchanged.
    OutputBytes {
        /// The number of the command within its run, starting at 1. All events of a command
        /// have the same number.
        id: u64,
        /// The host.
        host: &'a Host,
        /// The stream.
        stream: Stream,
        /// The bytes.
        #[serde(serialize_with = "lossy")]
        bytes: &'a [u8],
    },
    /// A command ended.
    CommandEnded {
        /// The number of the command within its run, starting at 1. All events of a command
        /// have the same number.
        id: u64,
        /// The host.
        host: &'a Host,
        /// The quoted command line.
        command: &'a str,
        /// The exit status or signal. `None` if the command did not start, or its end is unknown.
        status: Option<&'a ExitStatus>,
        /// The reason for a missing exit status or for lost output: no connection, a lost
        /// connection, a timeout or a stop.
        error: Option<&'a Error>,
        /// The duration of the command.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// The diff of a changed file, emitted before the upload if diffs are on.
    Diff {
        /// The host.
        host: &'a Host,
        /// The operation: `put conf/x -> /etc/x`.
        operation: &'a str,
        /// The path of the file on the host.
        path: &'a str,
        /// The diff.
        diff: &'a FileDiff,
    },
    /// The progress of a transfer. Emitted a few times a second if the transfer takes longer than
    /// half a second.
    Progress {
        /// The number of the transfer within its client, starting at 1. All events of a transfer
        /// have the same number.
        id: u64,
        /// The host.
        host: &'a Host,
        /// The operation: `put app.tar -> /srv/`.
        operation: &'a str,
        /// The number of transferred bytes. Bytes already on the host are not transferred.
        done_bytes: u64,
        /// The total number of bytes.
        total_bytes: u64,
        /// The time since the start of the transfer.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
        /// True in the last event of a transfer, with any result.
        is_finished: bool,
    },
    /// A transfer ended.
    Transferred {
        /// The host.
        host: &'a Host,
        /// The operation: `put conf -> /etc/shop`.
        operation: &'a str,
        /// The number of written files. Unchanged files are not written.
        changed: usize,
        /// The number of files in the source.
        files: usize,
        /// The number of removed files.
        removed: usize,
    },
    /// A dry run planned a change instead of making the change.
    Planned {
        /// The host. `None` for an effect such as a mail.
        host: Option<&'a Host>,
        /// The quoted command, the transfer (`put conf -> /etc/shop`), or the name of the effect.
        operation: &'a str,
        /// The two texts of a command. `None` for a transfer or an effect.
        #[serde(skip)]
        command: Option<PlannedCommand<'a>>,
    },
    /// A phase of a task starts: one of several parts of a deploy, such as its build. In a dry run,
    /// the phase is added to the plan.
    PhaseStarted {
        /// The number of the phase, starting at 1. `None` for a phase outside the plan, such as the
        /// revert of a failed deploy.
        number: Option<usize>,
        /// The number of planned phases.
        total: usize,
        /// The name: `build`.
        name: &'a str,
        /// The hosts of the phase.
        hosts: &'a [Host],
        /// True in a dry run.
        is_dry_run: bool,
    },
    /// A phase of a task ended. In a dry run, all operations of the phase are planned.
    PhaseEnded {
        /// The number of the phase, as in [`PhaseStarted`](Self::PhaseStarted).
        number: Option<usize>,
        /// The number of planned phases.
        total: usize,
        /// The name: `build`.
        name: &'a str,
        /// The hosts of the phase.
        hosts: &'a [Host],
        /// The outcome: ok, failed or cancelled.
        outcome: OutcomeKind,
        /// The duration.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
        /// The slowest of several hosts, if it took clearly longer than the others.
        slowest: Option<&'a Host>,
        /// The result in a few words. May be empty.
        detail: &'a str,
    },
    /// A dry run read from a host with planned changes. The result does not include these changes.
    StaleRead {
        /// The host.
        host: &'a Host,
        /// The command that read the host.
        command: &'a str,
        /// The number of changes planned on this host before the read.
        planned_changes: usize,
    },
    /// A value was computed once for all hosts.
    Once {
        /// The name.
        name: &'a str,
        /// The value.
        value: &'a serde_json::Value,
    },
    /// A message or a result of a task.
    Message {
        /// The host of the message, if any.
        host: Option<&'a Host>,
        /// Stdout for a result, stderr for a message.
        stream: Stream,
        /// The lines. The last line may have no line end.
        text: &'a str,
    },
    /// A command failed and is retried after a pause. See [`Command::retry`](crate::Command::retry)
    /// and [`Command::retry_for`](crate::Command::retry_for).
    Retry {
        /// The host.
        host: &'a Host,
        /// The quoted command line.
        command: &'a str,
        /// The reason: `exit status 7`.
        reason: &'a str,
        /// The number of the next attempt. The first attempt is 1.
        attempt: u32,
        /// The maximum number of attempts, if any.
        max_attempts: Option<u32>,
        /// The pause before the next attempt.
        #[serde(serialize_with = "seconds")]
        pause: Duration,
        /// The remaining time, if there is a time limit.
        #[serde(serialize_with = "some_seconds")]
        time_left: Option<Duration>,
    },
    /// The shell line of `fab -- LINE` ended on a host.
    ShellLineEnded {
        /// The line.
        line: &'a str,
        /// The host.
        host: &'a Host,
        /// The outcome.
        outcome: OutcomeKind,
        /// The reason, unless the outcome is [`OutcomeKind::Ok`] or [`OutcomeKind::NotStarted`].
        error: Option<&'a Error>,
    },
    /// The outcomes of a task, or of the shell line, on all hosts.
    Summary {
        /// The name of the task, or the shell line.
        name: &'a str,
        /// True for a `local` task, which has no host.
        is_local: bool,
        /// The outcome of each host in plan order. Serialized as a list of hosts for each outcome.
        #[serde(serialize_with = "by_outcome")]
        outcomes: &'a [(Host, OutcomeKind)],
    },
    /// The run ended. This is the last event.
    RunEnded {
        /// The exit code of `fab`.
        exit_code: u8,
        /// The outcomes of all tasks and of the shell line. Serialized as the number of hosts for
        /// each outcome.
        #[serde(serialize_with = "counts")]
        outcomes: &'a [(Host, OutcomeKind)],
        /// The reason if the run failed as a whole: invalid arguments, an invalid fabrs.toml, or no
        /// host.
        error: Option<&'a Error>,
    },
    /// A command was stopped, and its end is not confirmed. It may still be running.
    UnconfirmedStop {
        /// The number of the command within its run, starting at 1. All events of a command
        /// have the same number.
        id: u64,
        /// The host.
        host: &'a Host,
        /// The quoted command line.
        command: &'a str,
    },
    /// A warning. The run continues.
    Warning {
        /// The host of the warning, if any.
        host: Option<&'a Host>,
        /// The text.
        text: &'a str,
    },
}
