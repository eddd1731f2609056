//! [`Output`]: the result of a command.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::host::Host;
use crate::output::cause::Cause;
use crate::output::plan_end::PlanEnd;
use crate::output::status::ExitStatus;
use crate::secret::Redactor;

/// The result of a command: its exit status and its output.
///
/// [`command`](Self::command), [`host`](Self::host), [`was_run`](Self::was_run) and
/// [`elapsed`](Self::elapsed) never fail. All other accessors need a command that ran. If a dry run
/// only planned the command, they fail with [`ErrorKind::NotRun`](crate::ErrorKind::NotRun): a
/// value is never invented.
#[derive(Debug, Clone)]
pub struct Output {
    pub(crate) record: Arc<CommandRecord>,
}

/// The data of an [`Output`].
#[derive(Clone)]
pub(crate) struct CommandRecord {
    pub(crate) host: Host,
    pub(crate) command: Arc<str>,
    pub(crate) location: &'static Location<'static>,
    pub(crate) elapsed: Duration,
    pub(crate) result: CommandResult,
    pub(crate) stdout: CapturedStream,
    pub(crate) stderr: CapturedStream,
    /// The reason why the end of the output is missing, although the command has ended.
    pub(crate) lost_output: Option<Cause>,
    /// True for each stream shown while the command ran: stdout, then stderr.
    pub(crate) shown: (bool, bool),
    pub(crate) has_pty: bool,
    /// True if the command was stopped and its end is not confirmed.
    pub(crate) may_be_running: bool,
    /// Redacts the secrets in the output.
    pub(crate) redactor: Redactor,
}

/// The captured end of a stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct CapturedStream {
    pub(crate) bytes: Vec<u8>,
    /// The number of dropped bytes before the captured bytes.
    pub(crate) dropped: u64,
}

impl CapturedStream {
    fn redacted(&self, redactor: &Redactor) -> Self {
        Self { bytes: redactor.bytes(&self.bytes).into_owned(), dropped: self.dropped }
    }
}

/// Prints the output with secrets redacted.
impl fmt::Debug for CommandRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |kept: &CapturedStream| String::from_utf8_lossy(&self.redactor.bytes(&kept.bytes)).into_owned();
        f.debug_struct("CommandRecord")
            .field("host", &self.host)
            .field("command", &self.command)
            .field("result", &self.result)
            .field("stdout", &text(&self.stdout))
            .field("stderr", &text(&self.stderr))
            .field("dropped", &(self.stdout.dropped, self.stderr.dropped))
            .finish_non_exhaustive()
    }
}

/// The end of a command, or the reason for an unknown end.
#[derive(Debug, Clone)]
pub(crate) enum CommandResult {
    /// The exit status.
    Exited(ExitStatus),
    /// The command was planned and not run. Reading a result ends this plan.
    NotRun(PlanEnd),
    /// The command may have run. Its exit status is unknown for this reason.
    Unknown(Cause),
}

impl Output {
    pub(crate) fn new(record: CommandRecord) -> Self {
        Self { record: Arc::new(record) }
    }

    /// Returns the output for another plan, if the command did not run. The accessors then end the
    /// other plan.
    pub(crate) fn planned_for(&self, plan: &PlanEnd) -> Self {
        match self.record.result {
            CommandResult::NotRun(_) => Self::new(CommandRecord {
                result: CommandResult::NotRun(plan.clone()),
                ..CommandRecord::clone(&self.record)
            }),
            CommandResult::Exited(_) | CommandResult::Unknown(_) => self.clone(),
        }
    }

    /// Returns the output with secrets redacted.
    pub(crate) fn redacted(&self, redactor: &Redactor) -> Self {
        let record = CommandRecord::clone(&self.record);
        Self::new(CommandRecord {
            command: redactor.text(&record.command).into(),
            stdout: record.stdout.redacted(redactor),
            stderr: record.stderr.redacted(redactor),
            ..record
        })
    }

    /// Returns the quoted command line.
    pub fn command(&self) -> &str {
        &self.record.command
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.record.host
    }

    /// Returns whether the command ran: `false` if a dry run only planned the command. Unlike the
    /// fallible accessors, this method never ends a plan.
    pub fn was_run(&self) -> bool {
        !matches!(self.record.result, CommandResult::NotRun(_))
    }

    /// Returns the run time of the command, or zero if the command did not run.
    pub fn elapsed(&self) -> Duration {
        self.record.elapsed
    }
}

/// Serializes the host, the command, and the exit status if it is known.
impl serde::Serialize for Output {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;

        let mut output = serializer.serialize_struct("Output", 3)?;
        output.serialize_field("host", self.host())?;
        output.serialize_field("command", self.command())?;
        let status = match &self.record.result {
            CommandResult::Exited(status) => Some(status),
            CommandResult::NotRun(_) | CommandResult::Unknown(_) => None,
        };
        output.serialize_field("status", &status)?;
        output.end()
    }
}
