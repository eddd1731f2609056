//! [`Report`]: the outcomes of a run, and the exit code.

use crate::error::{ErrorKind, ExitCode};
use crate::group::{Outcome, Outcomes};
use crate::task::Task;

/// The outcomes of a run, for each call and each host.
#[derive(Debug)]
#[must_use = "a report can contain failures"]
pub struct Report {
    stages: Vec<StageReport>,
}

/// The outcomes of a call.
#[derive(Debug)]
pub struct StageReport {
    /// The task.
    pub task: &'static Task,
    /// True for a `local` task. The only outcome is then the outcome of `@local`.
    pub is_local: bool,
    /// The outcome of each host.
    pub outcomes: Outcomes<()>,
}

impl Report {
    pub(super) fn new(stages: Vec<StageReport>) -> Self {
        Self { stages }
    }

    /// Returns the reports of the calls, in order.
    pub fn stages(&self) -> &[StageReport] {
        &self.stages
    }

    /// Returns whether the exit code is 0.
    pub fn is_ok(&self) -> bool {
        self.exit_code() == ExitCode::Ok
    }

    /// Returns the exit code of the run. A failure takes precedence over a failed login, and a
    /// failed login over an unreachable host.
    pub fn exit_code(&self) -> ExitCode {
        let all = || self.stages.iter().flat_map(|stage| stage.outcomes.iter());
        // A task with only skipped hosts is not a success.
        let skipped =
            self.stages.iter().filter_map(|stage| stage.outcomes.all_skipped()).map(|error| error.exit_code());
        match ExitCode::worst(all().map(|(_, outcome)| code(outcome)).chain(skipped)) {
            // Without a failure, hosts remain unstarted only after a stop of the run.
            ExitCode::Ok if all().any(|(_, outcome)| matches!(outcome, Outcome::NotStarted)) => ExitCode::Failed,
            worst => worst,
        }
    }
}

fn code(outcome: &Outcome<()>) -> ExitCode {
    match outcome {
        Outcome::Ok(()) | Outcome::Skipped(_) | Outcome::NotStarted => ExitCode::Ok,
        Outcome::Failed(error) if error.kind() == ErrorKind::Internal => ExitCode::Internal,
        // `on(role(..))` in a task selects hosts as the command line does.
        Outcome::Failed(error) if error.kind() == ErrorKind::NoHost => ExitCode::NoHost,
        Outcome::Failed(_) | Outcome::Cancelled(_) => ExitCode::Failed,
        Outcome::Lost(_) => ExitCode::Unreachable,
        Outcome::Incomplete(_) => ExitCode::PlanIncomplete,
        Outcome::Unreachable(error) => error.exit_code(),
    }
}
