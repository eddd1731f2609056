//! The refusal of a commit that has not passed the earlier stages, and its override.

use fabrs::config::{Mode, OnUnreachable, Settings};
use fabrs::{Client, Error, ErrorKind};

use crate::pipeline::notes::{StageNotes, short};
use crate::pipeline::record::{CommitRecords, StageResult};
use crate::pipeline::stage::PipelineStage;

impl PipelineStage {
    /// Refuses a commit that has not passed the earlier stages, unless the run has an override
    /// reason. Returns the reason if the commit needed it. An override prints a warning. A dry run
    /// prints a refusal as a warning, and continues.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Task`] for a commit that has not passed the earlier stages.
    /// - [`ErrorKind::Usage`] for a run with `-w` or `--skip-bad-hosts`.
    /// - [`ErrorKind::Task`] if git cannot read the remote.
    pub(crate) async fn check(&self, client: &Client, commit: &str) -> Result<Option<String>, Error> {
        check_settings(self.name(), client.settings())?;
        let Some(text) = self.refusal(client, commit, self.earlier()).await? else { return Ok(None) };
        if let Some(reason) = override_reason(client) {
            client.warn(None, format!("{text}\nstages overridden: {reason}"));
            return Ok(Some(reason));
        }
        match client.settings().mode {
            Mode::DryRun => client.warn(None, text),
            _ => return Err(refusal_error(text)),
        }
        Ok(None)
    }

    /// Repeats [`check`](Self::check) after a wait, without its warnings.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub(crate) async fn check_again(&self, client: &Client, commit: &str) -> Result<Option<String>, Error> {
        match (self.refusal(client, commit, self.earlier()).await?, client.settings().mode) {
            (None, _) | (_, Mode::DryRun) => Ok(None),
            (Some(text), _) => override_reason(client).map(Some).ok_or_else(|| refusal_error(text)),
        }
    }

    /// Refuses a commit that has not passed this stage and all earlier stages.
    /// `--override-stages` does not apply. A dry run prints a refusal as a warning, and continues.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub(super) async fn check_passed(&self, client: &Client, commit: &str) -> Result<(), Error> {
        let Some(text) = self.refusal(client, commit, self.up_to_this()).await? else { return Ok(()) };
        match client.settings().mode {
            Mode::DryRun => client.warn(None, text),
            _ => return Err(Error::new(ErrorKind::Task, text).hint("run this stage for the commit first")),
        }
        Ok(())
    }

    /// Returns the reason to refuse a commit: the first of `stages` that it has not passed.
    async fn refusal(&self, client: &Client, commit: &str, stages: &[String]) -> Result<Option<String>, Error> {
        if stages.is_empty() {
            return Ok(None);
        }
        let notes = StageNotes::new(&self.pipeline().local_clone(client)?);
        let mut all = notes.read(&[commit.to_owned()]).await?;
        let records = all.remove(commit).unwrap_or_default();
        let problem = stages.iter().find_map(|stage| Some((stage, problem(&records, stage)?)));
        Ok(problem.map(|(stage, problem)| format!("{} has not passed stage `{stage}`: {problem}", short(commit))))
    }
}

/// Returns the reason why a commit has not passed a stage.
fn problem(records: &CommitRecords, stage: &str) -> Option<String> {
    match records.last(stage) {
        None => Some("the stage never ran".to_owned()),
        Some(last) => match last.result {
            StageResult::Passed => None,
            StageResult::Failed => Some(format!("failed at {}, by {}", last.at, last.by)),
        },
    }
}

/// Refuses settings that let a failed command or an untested host count as a success.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for `-w` and `--skip-bad-hosts`.
fn check_settings(stage: &str, settings: &Settings) -> Result<(), Error> {
    let option = match (settings.warn_only, settings.on_unreachable) {
        (true, _) => "-w",
        (false, OnUnreachable::Skip) => "--skip-bad-hosts",
        (false, _) => return Ok(()),
    };
    let text = format!("stage `{stage}` cannot run with `{option}`: a failure would be recorded as passed");
    Err(Error::new(ErrorKind::Usage, text).hint(format!("remove `{option}`")))
}

fn override_reason(client: &Client) -> Option<String> {
    let reason = client.settings().override_stages.as_deref().filter(|reason| !reason.trim().is_empty());
    // Everyone can read the record, so it must not contain secrets.
    reason.map(|reason| client.redact(reason))
}

fn refusal_error(text: String) -> Error {
    Error::new(ErrorKind::Task, text).hint("run this stage for the commit, or use `--override-stages REASON`")
}
