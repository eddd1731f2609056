//! The summary of a run: every host is named that is not simply done.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fabrs_core::ExitCode;
use fabrs_core::config::Mode;
use fabrs_core::event::Word;
use fabrs_core::run::{Report, StageReport};

/// Returns the lines that end a run: for each task how many hosts are done, and the name of each that is not.
///
/// Of a dry run they say that nothing was changed.
pub(crate) fn summary(report: &Report, mode: Mode) -> String {
    let mut text = String::new();
    for stage in report.stages() {
        let _ = writeln!(text, "{}: {}", stage.task.shown_name(), counts(stage));
    }
    if mode == Mode::DryRun {
        let is_incomplete = report.exit_code() == ExitCode::PlanIncomplete;
        text.push_str("a dry run: nothing was changed");
        text.push_str(if is_incomplete { "; the plan is incomplete\n" } else { "\n" });
    }
    text
}

/// Returns `2 ok, 1 failed (web2), 1 not started (web3)`; just the word for a task that runs here.
fn counts(stage: &StageReport) -> String {
    let mut by_word: BTreeMap<usize, (Word, Vec<String>)> = BTreeMap::new();
    for (host, outcome) in &stage.outcomes {
        let word = outcome.word();
        by_word.entry(rank(word)).or_insert((word, Vec::new())).1.push(host.label().to_string());
    }
    let parts = by_word.into_values().map(|(word, hosts)| match word {
        _ if stage.here => word.as_str().to_owned(),
        Word::Ok => format!("{} ok", hosts.len()),
        _ => format!("{} {} ({})", hosts.len(), word.as_str(), hosts.join(", ")),
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn rank(word: Word) -> usize {
    match word {
        Word::Ok => 0,
        Word::Failed => 1,
        Word::Lost => 2,
        Word::Unreachable => 3,
        Word::Cancelled => 4,
        Word::Skipped => 5,
        Word::NotStarted => 6,
        Word::Incomplete => 7,
    }
}
