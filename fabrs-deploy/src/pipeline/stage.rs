//! One stage of a pipeline: [`PipelineStage`].

use std::future::IntoFuture;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::{Duration, Instant};

use fabrs::event::escape_controls;
use fabrs::{Client, Error, ErrorKind, Hide, ShellLine, TaskError};
use futures::FutureExt;

use crate::pipeline::notes::{RecordedCommit, StageNotes, git_error};
use crate::pipeline::record::{StageRecord, StageResult};
use crate::pipeline::stage_output::StageOutput;
use crate::pipeline::stages::{Pipeline, local_task_client};
use crate::run_id::{Operator, RunId};
use crate::source::refs::is_commit;
use crate::source::work_tree::{CHANGED_FILES, uncommitted_changes};

/// One stage of a [`Pipeline`]: runs work for a commit, and records the result in git.
///
/// [`run`](Self::run) runs any work. [`Site::stage`](crate::Site::stage) makes a deploy a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a stage has no effect until it runs"]
pub struct PipelineStage {
    pipeline: Pipeline,
    index: usize,
    commit: Option<String>,
}

impl Pipeline {
    /// Returns a stage by its name.
    ///
    /// ```
    /// use fabrs_deploy::Pipeline;
    ///
    /// let error = Pipeline::new(["unit", "production"]).stage("smoke").unwrap_err();
    /// assert_eq!(error.message(), "the pipeline has no stage `smoke`");
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an unknown name, for two stages of the same name, and for a name
    /// with characters other than ASCII letters, digits, `-`, `_` and `.`.
    pub fn stage(&self, name: &str) -> Result<PipelineStage, Error> {
        self.check_names()?;
        let Some(index) = self.stages.iter().position(|stage| stage == name) else {
            let text = format!("the pipeline has no stage `{}`", escape_controls(name));
            return Err(Error::new(ErrorKind::Usage, text).hint(format!("its stages are {}", self.stages.join(", "))));
        };
        Ok(PipelineStage { pipeline: self.clone(), index, commit: None })
    }
}

impl PipelineStage {
    /// Returns the name of the stage.
    pub fn name(&self) -> &str {
        self.pipeline.stages.get(self.index).map_or("", String::as_str)
    }

    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Returns the names of the earlier stages.
    pub(super) fn earlier(&self) -> &[String] {
        self.pipeline.stages.get(..self.index).unwrap_or_default()
    }

    /// Returns the names of the earlier stages and of this stage.
    pub(super) fn up_to_this(&self) -> &[String] {
        self.pipeline.stages.get(..=self.index).unwrap_or_default()
    }

    /// Sets the commit by its full id. Defaults to HEAD of the local clone.
    ///
    /// Use the commit of a deploy for tests of the deployed site:
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{Pipeline, Site};
    ///
    /// # fn shop() -> Site { Site::new("/srv/shop") }
    /// # fn stages() -> Pipeline { Pipeline::new(["staging", "smoke"]) }
    /// /// Deploys to staging, and runs the smoke tests.
    /// #[task(local, defer_approval)]
    /// async fn stage() -> Result {
    ///     let live = shop().stage(stages().stage("staging")?).deploy(on(role("web"))?).await?;
    ///     let smoke = stages().stage("smoke")?.commit(live.revision.commit);
    ///     smoke.run(local("python smoke.py https://staging.example.com")).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn commit(mut self, id: impl Into<String>) -> Self {
        self.commit = Some(id.into());
        self
    }

    /// Runs work as this stage: a command, or any future with a `Result`. Returns the result of the
    /// work.
    ///
    /// - The commit must have passed all earlier stages, unless the run has
    ///   [`Settings::override_stages`](fabrs::config::Settings::override_stages).
    /// - The work is about the commit of HEAD, so uncommitted changes are refused, unless
    ///   [`commit`](Self::commit) sets a commit. Work that changes tracked files does not pass. New
    ///   files are accepted: reports and caches.
    /// - A success is recorded as `passed`, and a failure as `failed`. A stop of the run is not
    ///   recorded.
    /// - A panic of the work is recorded as `failed`, and continues after the record.
    /// - A value with a failure is a failure: a command with `.warn()`, or a group without
    ///   `.all_ok()`.
    /// - A dry run plans the work and the record. Work that inspects the output of a planned
    ///   command ends the plan.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Pipeline;
    ///
    /// /// Runs the unit tests.
    /// #[task(local)]
    /// async fn unit() -> Result {
    ///     let stages = Pipeline::new(["unit", "functional"]);
    ///     stages.stage("unit")?.run(local("python manage.py test --tag unit")).await?;
    ///     Ok(())
    /// }
    ///
    /// /// Runs the functional tests in two steps.
    /// #[task(local)]
    /// async fn functional() -> Result {
    ///     let stages = Pipeline::new(["unit", "functional"]);
    ///     let tests = async {
    ///         local("python manage.py check").await?;
    ///         local("python manage.py test --tag functional").await
    ///     };
    ///     stages.stage("functional")?.run(tests).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - The error of the work, unchanged.
    /// - [`ErrorKind::Task`] if the work returns the [`Output`](fabrs::Output) of a failed command.
    ///   For the [`Outcomes`](fabrs::Outcomes) of a group, an error of the kind of the first failed
    ///   host.
    /// - [`ErrorKind::Task`] before the work, if the commit has not passed the earlier stages.
    /// - [`ErrorKind::Task`] after successful work, if the pass cannot be recorded.
    /// - [`ErrorKind::Usage`] for uncommitted changes, outside a clone with the remote `origin`,
    ///   outside a task, and for a run with `-w`, `--skip-bad-hosts` or `-x`.
    /// - [`ErrorKind::Usage`] for `-H` with an environment. Without an environment, the hosts of
    ///   `-H` are all hosts.
    /// - [`ErrorKind::Usage`] in a task for hosts, since the result of the last host would decide.
    ///   Use `#[task(local)]`, with [`on`](fabrs::on) for commands on hosts.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work, and records nothing.
    pub async fn run<W, T, E>(&self, work: W) -> Result<T, TaskError>
    where
        W: IntoFuture<Output = Result<T, E>>,
        T: StageOutput,
        E: Into<TaskError>,
    {
        let client = local_task_client(self.name())?;
        let notes = StageNotes::new(&self.pipeline.local_clone(&client)?);
        let commit = self.recorded_commit(&notes).await?;
        let override_reason = self.check(&client, commit.id()).await?;
        let start = Instant::now();
        // A panic is a failure: an earlier pass must not remain valid.
        let worked = AssertUnwindSafe(work.into_future()).catch_unwind().await.map(|worked| {
            let worked = worked.map_err(Into::into);
            worked.and_then(|output| output.check().map(|()| output).map_err(Into::into))
        });
        let (result, worked) = match worked {
            // The work did not run to its end.
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::NotRun) => return Err(error),
            Ok(Ok(output)) => (StageResult::Passed, Ok(Ok(output))),
            failed => (StageResult::Failed, failed),
        };
        let record = self.record(result, Operator::current(), RunId::new(), start.elapsed(), override_reason);
        match (notes.append(&commit, &record).await, worked) {
            // A pass without a record would be refused by the next stage.
            (Err(error), Ok(Ok(_))) => Err(error.into()),
            (appended, worked) => {
                if let Err(error) = appended {
                    client.warn(None, error.message());
                }
                worked.unwrap_or_else(|panic| resume_unwind(panic))
            }
        }
    }

    /// Records the result of a deploy for its commit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if the record cannot be pushed.
    pub(crate) async fn record_deploy(&self, client: &Client, commit: &str, record: &StageRecord) -> Result<(), Error> {
        let notes = StageNotes::new(&self.pipeline.local_clone(client)?);
        notes.append(&RecordedCommit::Given(commit.to_owned()), record).await
    }

    /// Creates a record of this stage that ends now.
    pub(crate) fn record(
        &self,
        result: StageResult,
        by: Operator,
        run: RunId,
        elapsed: Duration,
        override_reason: Option<String>,
    ) -> StageRecord {
        StageRecord { override_reason, ..StageRecord::new(self.name(), result, by, run, elapsed) }
    }

    /// Returns the given commit, or HEAD of a work tree without changes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a shortened or invalid commit id, outside a clone with the remote
    /// `origin`, and for uncommitted changes.
    pub(super) async fn recorded_commit(&self, notes: &StageNotes) -> Result<RecordedCommit, Error> {
        if let Some(id) = &self.commit {
            if is_commit(id) {
                return Ok(RecordedCommit::Given(id.to_ascii_lowercase()));
            }
            return Err(Error::new(ErrorKind::Usage, "invalid commit of a stage: expected an id of 40 hex digits"));
        }
        let read = format!(
            "set -e; git rev-parse --verify --quiet HEAD || {{ echo 'no git repository with a commit' >&2; exit 1; }}; \
             git remote get-url -- origin > /dev/null; cd \"$(git rev-parse --show-toplevel)\"; {CHANGED_FILES}"
        );
        let lines = notes.clone_connection().probe(ShellLine::raw(read)).hide(Hide::Both).lines().await;
        let lines = lines.map_err(|error| match error.kind() {
            ErrorKind::Exit => {
                let text = git_error("could not determine the commit of the stage", error).message().to_owned();
                Error::new(ErrorKind::Usage, text).hint("run the stage in a clone with the remote `origin`")
            }
            _ => error,
        })?;
        let (head, changed) = lines.split_first().map_or(("", &[][..]), |(head, changed)| (head.as_str(), changed));
        if !is_commit(head) {
            return Err(Error::new(ErrorKind::Format, "`git rev-parse HEAD` printed no commit id"));
        }
        match uncommitted_changes(changed) {
            None => Ok(RecordedCommit::Head(head.to_owned())),
            Some(reason) => {
                let text = format!("stage `{}` would record a result for HEAD, but {reason}", self.name());
                Err(Error::new(ErrorKind::Usage, text).hint("commit the changes, or remove them"))
            }
        }
    }
}
