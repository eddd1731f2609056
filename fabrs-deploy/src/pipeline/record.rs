//! The record of a stage: one line of JSON in the note of a commit.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::release::untrusted_json;
use crate::run_id::{Operator, RunId};

/// The result of a stage for a commit, as recorded in git.
///
/// A record is one line of JSON in the git note of the commit. Each line begins with the time, so
/// that `git notes merge -s cat_sort_uniq` sorts the records of several clones by time. Everyone
/// with push access to the repository can write records. Control characters in the texts are
/// escaped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StageRecord {
    /// The end of the stage: RFC 3339, UTC, by the clock of its machine.
    #[serde(deserialize_with = "time")]
    pub at: String,
    /// The name of the stage.
    pub stage: String,
    /// The result.
    pub result: StageResult,
    /// The user and the machine of the run, with the URL of its CI job.
    pub by: Operator,
    /// The duration in seconds.
    #[serde(deserialize_with = "seconds")]
    pub seconds: f64,
    /// The id of the run. A deploy has the same id in its manifests and its report.
    pub run: RunId,
    /// The reason to run the stage although the commit has not passed the earlier stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_reason: Option<String>,
}

/// The result of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StageResult {
    /// The stage succeeded.
    Passed,
    /// The stage failed.
    Failed,
}

impl StageResult {
    /// Returns the name of the result: `passed` or `failed`.
    ///
    /// ```
    /// assert_eq!(fabrs_deploy::StageResult::Passed.as_str(), "passed");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

impl StageRecord {
    pub(crate) fn new(stage: &str, result: StageResult, by: Operator, run: RunId, elapsed: Duration) -> Self {
        Self {
            at: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            stage: stage.to_owned(),
            result,
            by,
            // Milliseconds keep the line short.
            seconds: Duration::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)).as_secs_f64(),
            run,
            override_reason: None,
        }
    }

    /// Returns the record as one line of JSON.
    pub(super) fn to_json_line(&self) -> String {
        // All fields are strings and finite numbers, which always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The records of a commit, in order of addition.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct CommitRecords {
    records: Vec<StageRecord>,
    /// The number of lines that are not records.
    pub(super) malformed: usize,
    /// The number of records before the last malformed line.
    before_malformed: usize,
}

impl CommitRecords {
    /// Parses the note of a commit. Malformed lines are counted, and no record.
    pub(super) fn parse(note: &str) -> Self {
        let mut all = Self::default();
        // `git notes append` separates entries by empty lines.
        for line in note.lines().filter(|line| !line.trim().is_empty()) {
            match untrusted_json::parse(line) {
                Ok(record) => all.records.push(record),
                Err(_) => {
                    all.malformed += 1;
                    all.before_malformed = all.records.len();
                }
            }
        }
        all
    }

    /// Returns the last record of a stage. The order of addition decides, since the clocks of two
    /// machines may differ.
    pub(super) fn last(&self, stage: &str) -> Option<&StageRecord> {
        self.records.iter().rev().find(|record| record.stage == stage)
    }

    /// Returns whether a malformed line follows the last record of a stage. The line may be a later
    /// failure of the stage.
    pub(super) fn is_followed_by_malformed(&self, stage: &str) -> bool {
        !self.records.iter().skip(self.before_malformed).any(|record| record.stage == stage) && self.malformed > 0
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_rfc3339(&text).map_err(de::Error::custom)?;
    Ok(text)
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(de::Error::custom)?;
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stage: &str, result: &str) -> String {
        format!(
            r#"{{"at":"2026-12-01T08:15:00.000Z","stage":"{stage}","result":"{result}","by":{{"user":"ann","machine":"ci-7"}},"seconds":41.5,"run":"0a1b2c3d4e5f"}}"#
        )
    }

    #[test]
    fn a_record_is_one_line_with_the_time_first() {
        let mut record = StageRecord::new(
            "unit",
            StageResult::Passed,
            Operator::unknown(),
            RunId::default(),
            Duration::from_micros(1_234_567),
        );
        record.override_reason = Some("two\nlines".to_owned());
        let text = record.to_json_line();
        assert!(text.starts_with(r#"{"at":""#) && text.lines().count() == 1, "{text}");
        let parsed = CommitRecords::parse(&text);
        let parsed = parsed.last("unit").unwrap();
        assert_eq!(parsed.seconds.to_string(), "1.234");
        assert_eq!(parsed.override_reason.as_deref(), Some(r"two\nlines"), "control characters are escaped");
    }

    #[test]
    fn the_last_record_of_a_stage_decides() {
        let note = [line("unit", "failed"), String::new(), line("unit", "passed"), line("smoke", "failed")].join("\n");
        let records = CommitRecords::parse(&note);
        assert_eq!(records.last("unit").unwrap().result, StageResult::Passed);
        assert_eq!(records.last("smoke").unwrap().result, StageResult::Failed);
        assert_eq!(records.last("staging"), None);
    }

    #[test]
    fn a_malformed_line_affects_only_earlier_records() {
        let note = [&line("unit", "passed"), "{}", &line("smoke", "passed")].join("\n");
        let records = CommitRecords::parse(&note);
        assert!(records.is_followed_by_malformed("unit") && !records.is_followed_by_malformed("smoke"));
        let rerun = CommitRecords::parse(&format!("{note}\n{}", line("unit", "passed")));
        assert!(!rerun.is_followed_by_malformed("unit"));
        assert!(!CommitRecords::parse(&line("unit", "passed")).is_followed_by_malformed("unit"));
    }

    #[test]
    fn a_malformed_line_is_counted_and_is_no_record() {
        let good = line("unit", "passed");
        for malformed in [
            "reviewed by Ann".to_owned(),
            good[..40].to_owned(),
            good.replace("passed", "skipped"),
            good.replace("41.5", "-1"),
            good.replace("41.5", "1e300"),
            good.replace("2026-12-01T08:15:00.000Z", "yesterday"),
            format!("[{good}]"),
            format!("{good}{good}"),
        ] {
            let records = CommitRecords::parse(&malformed);
            assert_eq!((records.last("unit"), records.malformed), (None, 1), "{malformed}");
        }
    }
}
