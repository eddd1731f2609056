//! The methods of a pipeline that print or return commits and their stages.

use fabrs::{Client, Error, Hide, ShellLine};

use crate::json_document::json_document;
use crate::pipeline::notes::{StageNotes, git_error};
use crate::pipeline::stages::{Pipeline, task_client};
use crate::pipeline::status::{CommitStages, PipelineStatus};
use crate::pipeline::status_table::status_table;
use crate::source::changes::Commit;
use crate::source::refs::is_commit;

/// The number of commits in a status.
const LISTED_COMMITS: usize = 20;

/// # Status
///
/// The last 20 commits of HEAD with the results of their stages: as a table
/// ([`status`](Self::status)), as JSON ([`status_json`](Self::status_json)) and as a value
/// ([`read_status`](Self::read_status)). The records are read from the remote `origin`.
impl Pipeline {
    /// Prints a table of commits and stages on stdout: the result, the user and the duration. A
    /// line for each failed or overridden stage follows.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Pipeline;
    ///
    /// /// Prints commits and their stages.
    /// #[task(local)]
    /// async fn pipeline() -> Result {
    ///     Pipeline::new(["unit", "staging", "production"]).status().await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read_status`](Self::read_status).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn status(&self) -> Result<(), Error> {
        let client = task_client()?;
        client.print(None, status_table(&self.read(&client).await?));
        Ok(())
    }

    /// Prints commits and their stages as one JSON document with the fields of [`PipelineStatus`].
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Pipeline;
    ///
    /// /// Prints the pipeline as JSON: `fab pipeline_json | jq '.commits[0].records'`.
    /// #[task(local)]
    /// async fn pipeline_json() -> Result {
    ///     Pipeline::new(["unit", "staging", "production"]).status_json().await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read_status`](Self::read_status).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn status_json(&self) -> Result<(), Error> {
        let client = task_client()?;
        client.print(None, json_document(&self.read(&client).await?));
        Ok(())
    }

    /// Returns commits and their stages.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{Pipeline, StageResult};
    ///
    /// /// Fails if a stage of the latest commit failed.
    /// #[task(local)]
    /// async fn check_latest() -> Result {
    ///     let status = Pipeline::new(["unit", "staging"]).read_status().await?;
    ///     for record in status.commits.iter().take(1).flat_map(|commit| &commit.records) {
    ///         ensure!(record.result == StageResult::Passed, "{} failed", record.stage);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Task`](fabrs::ErrorKind::Task) if git cannot read the commits or the remote.
    /// - [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) outside a task, and for invalid names of
    ///   stages.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn read_status(&self) -> Result<PipelineStatus, Error> {
        self.read(&task_client()?).await
    }

    async fn read(&self, client: &Client) -> Result<PipelineStatus, Error> {
        self.check_names()?;
        let notes = StageNotes::new(&self.local_clone(client)?);
        let log = format!("git log --no-show-signature --max-count={LISTED_COMMITS} --format='%H%x09%an%x09%s' HEAD");
        let log = notes.clone_connection().probe(ShellLine::raw(log)).hide(Hide::Both).capture_all().await;
        let log = log.map_err(|error| git_error("could not read the commits of the local clone", error))?;
        let commits: Vec<Commit> = log.stdout()?.lines().filter_map(parse_commit).collect();
        let ids: Vec<String> = commits.iter().map(|commit| commit.id.clone()).collect();
        let records = notes.read(&ids).await?;
        let commits = commits.into_iter().map(|commit| {
            let found = records.get(&commit.id);
            let last = self.stages.iter().filter_map(|stage| found?.last(stage).cloned());
            CommitStages { records: last.collect(), commit }
        });
        Ok(PipelineStatus { stages: self.stages.to_vec(), commits: commits.collect() })
    }
}

/// Parses a line of `git log`: the id, the author and the subject.
fn parse_commit(line: &str) -> Option<Commit> {
    let mut parts = line.splitn(3, '\t');
    let (id, author, subject) = (parts.next()?, parts.next()?, parts.next()?);
    let [id, author, subject] = [id, author, subject].map(str::to_owned);
    is_commit(&id).then_some(Commit { id, author, subject })
}
