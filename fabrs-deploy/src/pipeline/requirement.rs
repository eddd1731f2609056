//! The refusal of a commit that has not passed the earlier stages, and its override.

use fabrs::config::{Mode, OnUnreachable};
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
    /// - [`ErrorKind::Usage`] for a run with `-w`, `--skip-bad-hosts` or `-x`, and for `-H` with an
    ///   environment.
    /// - [`ErrorKind::Task`] if git cannot read the remote.
    pub(crate) async fn check(&self, client: &Client, commit: &str) -> Result<Option<String>, Error> {
        check_options(self.name(), client)?;
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

    /// Repeats a successful [`check`](Self::check) after a wait, without its output. A new refusal
    /// cannot be overridden: the approval did not show the override.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub(crate) async fn check_again(&self, client: &Client, commit: &str) -> Result<(), Error> {
        match (self.refusal(client, commit, self.earlier()).await?, client.settings().mode) {
            (None, _) | (_, Mode::DryRun) => Ok(()),
            (Some(text), _) if override_reason(client).is_some() => {
                let text = format!("{text}\nthe stage failed after the approval: this run changed nothing");
                Err(Error::new(ErrorKind::Task, text).hint("run again to approve the override"))
            }
            (Some(text), _) => Err(refusal_error(text)),
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

    /// Returns the refusal of a commit: the first of some stages without a pass. The first stage
    /// also reads the records: an unreachable remote is an error before the work.
    async fn refusal(&self, client: &Client, commit: &str, stages: &[String]) -> Result<Option<String>, Error> {
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
            StageResult::Passed if records.is_followed_by_malformed(stage) => {
                Some(format!("an unreadable record follows the pass of {}", last.at))
            }
            StageResult::Passed => None,
            StageResult::Failed => Some(format!("failed at {}, by {}", last.at, last.by)),
        },
    }
}

/// Refuses options that let a failed command or an untested host count as a success. `-H` without
/// an environment is accepted: no other hosts are declared.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for `-w`, `--skip-bad-hosts` and `-x`, and for `-H` with an environment.
fn check_options(stage: &str, client: &Client) -> Result<(), Error> {
    let (settings, inventory) = (client.settings(), client.inventory());
    let (failure, some_hosts) = ("a failure", "a part of the hosts");
    let (option, passed) = if settings.warn_only {
        ("-w", failure)
    } else if settings.on_unreachable == OnUnreachable::Skip {
        ("--skip-bad-hosts", failure)
    } else if !inventory.excluded_hosts().is_empty() {
        ("-x", some_hosts)
    } else if inventory.environment().is_some() && inventory.explicit_hosts().is_some() {
        ("-H", some_hosts)
    } else {
        return Ok(());
    };
    let text = format!("stage `{stage}` cannot run with `{option}`: {passed} would be recorded as passed");
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
