//! [`Output`] itself: what is always known of a command.

use std::panic::Location;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::error::Error;
use crate::host::Host;
use crate::output::ExitStatus;

/// What a command left: how it ended and what it printed.
///
/// [`command`](Self::command), [`host`](Self::host) and [`elapsed`](Self::elapsed) are always there. Everything else
/// is what only a command that ran can know, and fails with [`ErrorKind::NotRun`](crate::ErrorKind::NotRun) in a dry
/// run: a value is never invented.
#[derive(Debug, Clone)]
pub struct Output {
    pub(crate) record: Arc<Record>,
}

/// The facts behind an [`Output`].
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) host: Host,
    pub(crate) command: Arc<str>,
    pub(crate) location: &'static Location<'static>,
    pub(crate) elapsed: Duration,
    pub(crate) ended: Result<ExitStatus, Planned>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// How many bytes of stdout were dropped, because only the end is kept.
    pub(crate) dropped: u64,
    /// Whether stdout and stderr were shown while they came.
    pub(crate) shown: (bool, bool),
    pub(crate) pty: bool,
}

/// Stands for the end of a command that was planned and not run.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) poison: Poison,
}

/// Where the plan of a task ended, because it looked at what was not run.
///
/// Shared by a connection and the outputs of its commands: once set, every later command returns the same error, so
/// that no branch which was never decided is shown, even when the first error was swallowed.
pub(crate) type Poison = Arc<OnceLock<Error>>;

impl Output {
    pub(crate) fn new(record: Record) -> Self {
        Self { record: Arc::new(record) }
    }

    /// Returns the output for the task whose plan ends where it looks at a command that was not run.
    pub(crate) fn planned_for(&self, poison: &Poison) -> Self {
        if self.record.ended.is_ok() {
            return self.clone();
        }
        let planned = Planned { poison: Arc::clone(poison) };
        Self::new(Record { ended: Err(planned), ..Record::clone(&self.record) })
    }

    /// Returns the command as it was quoted.
    pub fn command(&self) -> &str {
        &self.record.command
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.record.host
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
        output.serialize_field("status", &self.record.ended.as_ref().ok())?;
        output.end()
    }
}
