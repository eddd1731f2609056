//! [`Event`]: everything that can happen in a run.

use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::event::diff::FileDiff;
use crate::event::json_fields::{by_outcome, counts, lossy, seconds, some_seconds};
use crate::event::outcome_kind::OutcomeKind;
use crate::event::stream::Stream;
use crate::host::Host;
use crate::output::ExitStatus;

/// Something that happened.
///
/// Serialised with `event` as the tag, in snake case: what `--json` prints, a line an event.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event<'a> {
    /// A task begins on a host; on none for a task that runs here.
    TaskStarted {
        /// The task's name.
        task: &'a str,
        /// The host, where it has one.
        host: Option<&'a Host>,
    },
    /// A task ended on a host, or will not begin there.
    TaskEnded {
        /// The task's name.
        task: &'a str,
        /// The host, where it has one.
        host: Option<&'a Host>,
        /// What came of it.
        outcome: OutcomeKind,
        /// How long it took; nothing where it never began.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
        /// Why, where it is not [`OutcomeKind::Ok`].
        error: Option<&'a Error>,
    },
    /// A command is on its way to a host; in a dry run, to the plan.
    CommandStarted {
        /// Which command of its client it is, counted from 1: what belongs together has the same.
        id: u64,
        /// Where.
        host: &'a Host,
        /// The command as quoted.
        command: &'a str,
        /// Whether the user asked to see the command line.
        is_echoed: bool,
    },
    /// Whole lines of output, each with its line end; the last of a stream may have none.
    OutputLines {
        /// Which command of its client it is, counted from 1: what belongs together has the same.
        id: u64,
        /// Where.
        host: &'a Host,
        /// Which stream.
        stream: Stream,
        /// The lines.
        #[serde(serialize_with = "lossy")]
        text: &'a [u8],
    },
    /// Output as it came, for a sink that passes it on byte for byte.
    OutputBytes {
        /// Which command of its client it is, counted from 1: what belongs together has the same.
        id: u64,
        /// Where.
        host: &'a Host,
        /// Which stream.
        stream: Stream,
        /// The bytes.
        #[serde(serialize_with = "lossy")]
        bytes: &'a [u8],
    },
    /// A command ended.
    CommandEnded {
        /// Which command of its client it is, counted from 1: what belongs together has the same.
        id: u64,
        /// Where.
        host: &'a Host,
        /// The command as quoted.
        command: &'a str,
        /// The exit status or the signal; none if the command did not start or its end is not known.
        status: Option<&'a ExitStatus>,
        /// The reason if the command did not end by itself: no connection, a lost connection, a timeout, a stop.
        error: Option<&'a Error>,
        /// How long it took.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// What a file that is put changes, told before it is written: only where that was asked for.
    Diff {
        /// The host.
        host: &'a Host,
        /// What is done: `put conf/x -> /etc/x`.
        operation: &'a str,
        /// The path of the file on the host.
        path: &'a str,
        /// The difference.
        diff: &'a FileDiff,
    },
    /// Contents are on their way: told where that takes longer than half a second, a few times a second.
    Progress {
        /// Which transfer of its client it is, counted from 1: what belongs together has the same.
        id: u64,
        /// The host.
        host: &'a Host,
        /// What is done: `put app.tar -> /srv/`.
        operation: &'a str,
        /// How many bytes have gone so far; fewer than there are where some are on the host already.
        done_bytes: u64,
        /// How many there are.
        total_bytes: u64,
        /// Since when they are on their way.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
        /// Whether they are on their way no more, whatever came of them: the last of its kind.
        is_finished: bool,
    },
    /// Files were transferred, as far as they differed.
    Transferred {
        /// The host.
        host: &'a Host,
        /// What was done: `put conf -> /etc/shop`.
        operation: &'a str,
        /// How many files were written.
        changed: usize,
        /// How many there are.
        files: usize,
        /// How many were removed.
        removed: usize,
    },
    /// A dry run came to a change and did not make it.
    Planned {
        /// Where; nowhere for an effect.
        host: Option<&'a Host>,
        /// The command as quoted, the transfer (`put conf -> /etc/shop`), or the effect's name.
        operation: &'a str,
        /// Whether it is a command.
        #[serde(skip)]
        is_command: bool,
    },
    /// A dry run read something that changes planned before it would have altered.
    StaleRead {
        /// Where.
        host: &'a Host,
        /// The command that read.
        command: &'a str,
        /// How many changes were planned on this host before it.
        planned_changes: usize,
    },
    /// A value was settled once for all hosts.
    Once {
        /// Its name.
        name: &'a str,
        /// The value.
        value: &'a serde_json::Value,
    },
    /// A task says something to whoever called it.
    Message {
        /// The host that it is said of, if any.
        host: Option<&'a Host>,
        /// Whether it is a result, or only beside the work.
        stream: Stream,
        /// Lines; the last may have no end.
        text: &'a str,
    },
    /// A command failed and is tried again after a pause: [`Command::retry`](crate::Command::retry) and
    /// [`Command::until`](crate::Command::until).
    Retry {
        /// The host.
        host: &'a Host,
        /// The command as quoted.
        command: &'a str,
        /// The reason: `exit status 7`.
        reason: &'a str,
        /// The number of the next attempt; the first attempt is 1.
        attempt: u32,
        /// The number of attempts, if it is limited.
        max_attempts: Option<u32>,
        /// The pause before the next attempt.
        #[serde(serialize_with = "seconds")]
        pause: Duration,
        /// The time left, if it is limited.
        #[serde(serialize_with = "some_seconds")]
        time_left: Option<Duration>,
    },
    /// The shell line after `--` has a result on a host.
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
    /// All hosts of a task, or of the shell line, have an outcome.
    Summary {
        /// The name of the task, or the line.
        name: &'a str,
        /// Whether the task ran on this machine, without a host.
        is_local: bool,
        /// The outcome of each host, in plan order. Serialized as a list of hosts for each outcome.
        #[serde(serialize_with = "by_outcome")]
        outcomes: &'a [(Host, OutcomeKind)],
    },
    /// The run has ended: the last event.
    RunEnded {
        /// The exit code of `fab`.
        exit_code: u8,
        /// The outcomes of all tasks and of the line. Serialized as the number of hosts for each outcome.
        #[serde(serialize_with = "counts")]
        outcomes: &'a [(Host, OutcomeKind)],
        /// The reason if the run as a whole failed: wrong arguments, a broken fabrs.toml, no host.
        error: Option<&'a Error>,
    },
    /// A command was told to end and it is not known that it did.
    UnconfirmedStop {
        /// Which command of its client it is, counted from 1: what belongs together has the same.
        id: u64,
        /// Where.
        host: &'a Host,
        /// The command as quoted.
        command: &'a str,
    },
    /// Something the user should know that is no failure.
    Warning {
        /// Where, if anywhere.
        host: Option<&'a Host>,
        /// The text.
        text: &'a str,
    },
}
