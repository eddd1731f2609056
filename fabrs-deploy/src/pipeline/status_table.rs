//! The table of [`PipelineStatus`].

use std::time::Duration;

use fabrs::event::escape_controls;

use crate::pipeline::notes::short;
use crate::pipeline::record::{StageRecord, StageResult};
use crate::pipeline::status::PipelineStatus;
use crate::table::{render, table};
use crate::whole_seconds::whole_seconds;

/// Returns the table of commits and stages, and a line for each failed or overridden stage.
pub(super) fn status_table(status: &PipelineStatus) -> String {
    let header = ["commit"].into_iter().chain(status.stages.iter().map(String::as_str)).chain(["subject"]);
    let mut rows = table(header.collect::<Vec<_>>());
    let mut remarks = Vec::new();
    for commit in &status.commits {
        let mut cells = vec![short(&commit.commit.id).to_owned()];
        for stage in &status.stages {
            let record = commit.records.iter().find(|record| record.stage == *stage);
            cells.push(record.map(cell).unwrap_or_default());
            if let Some(remark) = record.and_then(remark) {
                remarks.push(format!("{} {stage}: {remark}\n", short(&commit.commit.id)));
            }
        }
        cells.push(escape_controls(&commit.commit.subject).replace('\t', " "));
        rows.add_row(cells);
    }
    render(&rows) + &remarks.concat()
}

/// Returns the result, the user and the duration: `passed ann 41s`.
fn cell(record: &StageRecord) -> String {
    format!("{} {} {}", record.result.as_str(), record.by.user, duration(record.seconds))
}

fn remark(record: &StageRecord) -> Option<String> {
    let reason = record.override_reason.as_ref().map(|reason| format!(", stages overridden: {reason}"));
    match (record.result, &reason) {
        (StageResult::Passed, None) => None,
        _ => {
            let reason = reason.unwrap_or_default();
            Some(format!("{} at {}, by {}{reason}", record.result.as_str(), record.at, record.by))
        }
    }
}

/// Returns a duration in whole seconds: `41s`, `2m 5s`.
fn duration(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    whole_seconds(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::record::CommitRecords;
    use crate::pipeline::status::CommitStages;
    use crate::source::changes::Commit;

    #[test]
    fn a_commit_has_a_cell_for_each_stage_and_a_line_for_a_failure() {
        let line = |stage: &str, result: &str, more: &str| {
            format!(
                r#"{{"at":"2026-12-01T08:15:00Z","stage":"{stage}","result":"{result}","by":{{"user":"ann","machine":"ci-7"}},"seconds":125.7,"run":"0a"{more}}}"#
            )
        };
        let note = [line("unit", "passed", ""), line("smoke", "failed", r#","override_reason":"urgent""#)].join("\n");
        let records = CommitRecords::parse(&note);
        let commit = |id: &str, records| {
            let commit =
                Commit { id: id.repeat(40), author: "Ann".to_owned(), subject: "Add\u{1b}[2K notes".to_owned() };
            CommitStages { commit, records }
        };
        let all = ["unit", "smoke"].iter().filter_map(|stage| records.last(stage).cloned()).collect();
        let stages = ["unit", "smoke"].map(str::to_owned).to_vec();
        let status = PipelineStatus { stages, commits: vec![commit("2", all), commit("1", Vec::new())] };
        assert_eq!(
            status_table(&status),
            "commit      unit              smoke             subject\n\
             2222222222  passed ann 2m 5s  failed ann 2m 5s  Add\\u{1b}[2K notes\n\
             1111111111                                      Add\\u{1b}[2K notes\n\
             2222222222 smoke: failed at 2026-12-01T08:15:00Z, by ann@ci-7, stages overridden: urgent\n"
        );
    }
}
