//! [`Output`] itself: what is always known of a command.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::host::Host;
use crate::output::cause::Cause;
use crate::output::plan_end::PlanEnd;
use crate::output::status::ExitStatus;
use crate::secret::Redactor;

/// What a command left: how it ended and what it printed.
///
/// [`command`](Self::command), [`host`](Self::host) and [`elapsed`](Self::elapsed) are always there. Everything else
/// is what only a command that ran can know, and fails with [`ErrorKind::NotRun`](crate::ErrorKind::NotRun) in a dry
/// run: a value is never invented.
#[derive(Debug, Clone)]
pub struct Output {
    pub(crate) record: Arc<CommandRecord>,
}

/// The facts behind an [`Output`].
#[derive(Clone)]
pub(crate) struct CommandRecord {
    pub(crate) host: Host,
    pub(crate) command: Arc<str>,
    pub(crate) location: &'static Location<'static>,
    pub(crate) elapsed: Duration,
    pub(crate) ended: CommandResult,
    pub(crate) stdout: CapturedStream,
    pub(crate) stderr: CapturedStream,
    /// Why the end of the output has not come, where the command has ended all the same.
    pub(crate) cut: Option<Cause>,
    /// Whether stdout and stderr were shown while they came.
    pub(crate) shown: (bool, bool),
    pub(crate) pty: bool,
    /// Whether it was told to end and it is not known that it did.
    pub(crate) is_left: bool,
    /// Knows what of it must not be shown.
    pub(crate) redactor: Redactor,
}

/// What is kept of a stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct CapturedStream {
    pub(crate) bytes: Vec<u8>,
    /// How many bytes before them were dropped, because only the end is kept.
    pub(crate) dropped: u64,
}

impl CapturedStream {
    fn redacted(&self, redactor: &Redactor) -> Self {
        Self { bytes: redactor.bytes(&self.bytes).into_owned(), dropped: self.dropped }
    }
}

/// Shows what was printed as a person would be shown it.
impl fmt::Debug for CommandRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |kept: &CapturedStream| String::from_utf8_lossy(&self.redactor.bytes(&kept.bytes)).into_owned();
        f.debug_struct("CommandRecord")
            .field("host", &self.host)
            .field("command", &self.command)
            .field("ended", &self.ended)
            .field("stdout", &text(&self.stdout))
            .field("stderr", &text(&self.stderr))
            .field("dropped", &(self.stdout.dropped, self.stderr.dropped))
            .finish_non_exhaustive()
    }
}

/// What is known of a command's end.
#[derive(Debug, Clone)]
pub(crate) enum CommandResult {
    /// How it ended.
    Exited(ExitStatus),
    /// It was planned and not run; where the plan ends that looks at it.
    NotRun(PlanEnd),
    /// It ran, or may have, and its own end is not known: why.
    Unknown(Cause),
}

impl Output {
    pub(crate) fn new(record: CommandRecord) -> Self {
        Self { record: Arc::new(record) }
    }

    /// Returns the output for the task whose plan ends where it looks at a command that was not run.
    pub(crate) fn planned_for(&self, plan: &PlanEnd) -> Self {
        match self.record.ended {
            CommandResult::NotRun(_) => Self::new(CommandRecord {
                ended: CommandResult::NotRun(plan.clone()),
                ..CommandRecord::clone(&self.record)
            }),
            CommandResult::Exited(_) | CommandResult::Unknown(_) => self.clone(),
        }
    }

    /// Returns it with nothing in it that must not be shown.
    pub(crate) fn redacted(&self, redactor: &Redactor) -> Self {
        let record = CommandRecord::clone(&self.record);
        Self::new(CommandRecord {
            command: redactor.text(&record.command).into(),
            stdout: record.stdout.redacted(redactor),
            stderr: record.stderr.redacted(redactor),
            ..record
        })
    }

    /// Returns the command as it was quoted.
    pub fn command(&self) -> &str {
        &self.record.command
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.record.host
    }

    /// Tells whether the command was run, and not only planned. Unlike looking at what it left, this ends no plan.
    pub fn was_run(&self) -> bool {
        !matches!(self.record.ended, CommandResult::NotRun(_))
    }

    /// Returns how long the command took; nothing, where it was not run.
    pub fn elapsed(&self) -> Duration {
        self.record.elapsed
    }
}

/// Serialises what a record of the run needs: the host, the command, and how it ended where it was run.
impl serde::Serialize for Output {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;

        let mut output = serializer.serialize_struct("Output", 3)?;
        output.serialize_field("host", self.host())?;
        output.serialize_field("command", self.command())?;
        let status = match &self.record.ended {
            CommandResult::Exited(status) => Some(status),
            CommandResult::NotRun(_) | CommandResult::Unknown(_) => None,
        };
        output.serialize_field("status", &status)?;
        output.end()
    }
}
