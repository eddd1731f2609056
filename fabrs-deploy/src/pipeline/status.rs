//! The commits of a pipeline with their stages, as a value: [`PipelineStatus`].

use serde::Serialize;

use crate::pipeline::record::StageRecord;
use crate::source::changes::Commit;

/// The last commits of HEAD with the results of their stages.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PipelineStatus {
    /// The names of the stages, in order.
    pub stages: Vec<String>,
    /// The commits, the latest first. At most 20.
    pub commits: Vec<CommitStages>,
}

/// A commit with the results of its stages.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CommitStages {
    /// The commit. The JSON has the fields of [`Commit`] beside `records`.
    #[serde(flatten)]
    pub commit: Commit,
    /// The last record of each stage, in the order of the stages. A stage without a record is left
    /// out.
    pub records: Vec<StageRecord>,
}
