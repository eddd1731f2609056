//! Pipeline stages: each stage records its result for a commit in git, and refuses a commit that
//! has not passed the earlier stages.
//!
//! | module | content |
//! |---|---|
//! | `stages` | [`Pipeline`]: the names of the stages, in order |
//! | `stage` | [`PipelineStage`]: runs work, and records the result |
//! | `stage_output` | the check of a value returned by work |
//! | `requirement` | the refusal of a commit, and its override |
//! | `good_build` | the tag of a good build after the last required stage |
//! | `record` | one result: a line of JSON in a git note |
//! | `notes` | reads and pushes the git notes |
//! | `status`, `commands`, `status_table` | commits and their stages: value, table, JSON |

mod commands;
mod good_build;
mod notes;
mod record;
mod requirement;
mod stage;
mod stage_output;
mod stages;
mod status;
mod status_table;

pub use record::{StageRecord, StageResult};
pub use stage::PipelineStage;
pub use stage_output::StageOutput;
pub use stages::Pipeline;
pub use status::{CommitStages, PipelineStatus};
