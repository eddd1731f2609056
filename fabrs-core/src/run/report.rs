//! What came of a run.

use crate::error::{ErrorKind, ExitCode};
use crate::group::{Outcome, Outcomes};
use crate::task::Task;

/// What came of a run: of each task on each of its hosts.
#[derive(Debug)]
#[must_use = "a report tells whether the run did what it was asked"]
pub struct Report {
    stages: Vec<StageReport>,
}

/// What came of one task.
#[derive(Debug)]
pub struct StageReport {
    /// The task.
    pub task: &'static Task,
    /// Whether it ran here, with no host of its own; its one outcome then stands under `@local`.
    pub here: bool,
    /// What came of each of its hosts.
    pub outcomes: Outcomes<()>,
}

impl Report {
    pub(super) fn new(stages: Vec<StageReport>) -> Self {
        Self { stages }
    }

    /// Returns the tasks in their order.
    pub fn stages(&self) -> &[StageReport] {
        &self.stages
    }

    /// Tells whether everything was done.
    pub fn is_ok(&self) -> bool {
        self.exit_code() == ExitCode::Ok
    }

    /// Returns the exit code of the run: a failure before a refused login before an unreachable host.
    pub fn exit_code(&self) -> ExitCode {
        let all = || self.stages.iter().flat_map(|stage| stage.outcomes.iter());
        // A task whose hosts were all skipped has done nothing.
        let skipped =
            self.stages.iter().filter_map(|stage| stage.outcomes.all_skipped()).map(|error| error.exit_code());
        match ExitCode::worst(all().map(|(_, outcome)| code(outcome)).chain(skipped)) {
            // Nothing went wrong, and yet not everything was done: the run was stopped in between.
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
