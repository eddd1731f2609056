//! The verdict of a cell, derived from the findings of the steps.

use std::fs;
use std::path::Path;

use fabrs::{Error, ErrorKind, ExitStatus, Output, Result};

/// The verdict of a cell, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Ok,
    Error,
    Reported,
    Left,
    Wrong,
}

impl Verdict {
    /// Returns the word for the verdict in the table.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Reported => "reported",
            Self::Left => "LEFT",
            Self::Wrong => "WRONG",
        }
    }

    /// Returns `true` if the verdict makes the matrix fail.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::Left | Self::Wrong)
    }
}

/// The result of a step of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The work was done.
    Right,
    /// The step failed with this message and a nonzero status.
    Error(String),
    /// The step had another result, described by this text.
    Wrong(String),
}

/// The state of a step's work on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    Done,
    /// The file is missing or empty.
    Absent,
    /// The file has another content.
    Other(String),
}

impl Work {
    /// Compares a file with the expected content of the step.
    pub(crate) fn compare(path: &Path, content: impl AsRef<[u8]>) -> Self {
        match fs::read(path) {
            Ok(found) if found == content.as_ref() => Self::Done,
            Ok(found) if !found.is_empty() => Self::Other(String::from_utf8_lossy(&found).into_owned()),
            _ => Self::Absent,
        }
    }

    /// Returns the first state other than `Done`.
    pub(crate) fn all(works: impl IntoIterator<Item = Self>) -> Self {
        works.into_iter().find(|work| *work != Self::Done).unwrap_or(Self::Done)
    }
}

/// Returns the finding of a step with this result and this work on disk.
pub(crate) fn judge<T>(result: Result<T>, work: Work) -> Finding {
    match (result, work) {
        (Ok(_), Work::Done) => Finding::Right,
        (Ok(_), Work::Absent) => Finding::Wrong("success without the work".to_owned()),
        (Ok(_), Work::Other(found)) => Finding::Wrong(format!("success, and the content is {found:?}")),
        (Err(error), Work::Other(found)) => Finding::Wrong(format!("{}, and the content is {found:?}", text(&error))),
        (Err(error), _) if error.kind() == ErrorKind::Internal => Finding::Wrong(text(&error)),
        (Err(error), _) => Finding::Error(text(&error)),
    }
}

/// Returns the finding of a line with the expected `status` and `stdout`, and this work on disk.
pub(crate) fn judge_line(result: Result<Output>, status: u32, stdout: &str, work: Work) -> Finding {
    let ended = match result {
        Ok(output) => output.status().map(ExitStatus::shell_code).map(|status| (status, output)),
        Err(error) => Err(error),
    };
    let (found, output) = match ended {
        Ok(ended) => ended,
        Err(error) => return judge::<()>(Err(error), work),
    };
    let decoded =
        |bytes: Result<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    judge_status(found, status, &decoded(output.stdout_bytes()), &decoded(output.stderr_bytes()), stdout, work)
}

/// Returns the finding of a line from the exit status and the two streams.
pub(crate) fn judge_status(
    found: u32,
    status: u32,
    stdout: &str,
    stderr: &str,
    expected_stdout: &str,
    work: Work,
) -> Finding {
    let words = format!("{stdout}{stderr}");
    let words = words.trim();
    match work {
        Work::Done if found == status && stdout == expected_stdout => Finding::Right,
        Work::Done => Finding::Wrong(format!("the work was done, with status {found} and the output {words:?}")),
        Work::Other(content) => Finding::Wrong(format!("status {found}, and the content is {content:?}; {words}")),
        Work::Absent if found == status || found == 0 => {
            Finding::Wrong(format!("status {found} without the work; {words}"))
        }
        Work::Absent if words.is_empty() => Finding::Wrong(format!("status {found} without a message")),
        Work::Absent => Finding::Error(format!("status {found}: {words}")),
    }
}

/// Returns an error as printed for users.
pub(crate) fn text(error: &Error) -> String {
    error.block().to_string().trim_end().to_owned()
}

/// The findings of a cell's steps so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    verdict: Option<Verdict>,
    reports: Vec<String>,
    messages: Vec<String>,
}

impl Findings {
    /// Adds a step. Every error is wrong.
    pub(crate) fn add(&mut self, step: &str, finding: Finding) {
        self.add_step(step, finding, false);
    }

    /// Adds a step. A clear error is accepted if `allowed` is `true`.
    pub(crate) fn add_step(&mut self, step: &str, finding: Finding, allowed: bool) {
        let (verdict, message) = match finding {
            Finding::Right => (Verdict::Ok, None),
            Finding::Error(text) if allowed => (Verdict::Error, Some(text)),
            Finding::Error(text) => {
                (Verdict::Wrong, Some(format!("failed, although the shell supports the operation: {text}")))
            }
            Finding::Wrong(text) => (Verdict::Wrong, Some(text)),
        };
        self.note(verdict, message.map(|message| format!("{step}: {message}")));
    }

    /// Adds a verdict.
    pub(crate) fn note(&mut self, verdict: Verdict, message: Option<String>) {
        self.verdict = self.verdict.max(Some(verdict));
        self.messages.extend(message);
    }

    /// Adds a report of the run about a command that may still be running.
    pub(crate) fn report(&mut self, text: String) {
        self.reports.push(text.clone());
        self.note(Verdict::Reported, Some(text));
    }

    /// Returns the reports so far.
    pub(crate) fn reports(&self) -> &[String] {
        &self.reports
    }

    /// Returns the worst verdict and all messages.
    pub(crate) fn end(self) -> (Verdict, Vec<String>) {
        // A cell without a step has tested nothing.
        (self.verdict.unwrap_or(Verdict::Wrong), self.messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(found: u32, work: Work, words: &str) -> Finding {
        judge_status(found, 3, "out", words, "out", work)
    }

    #[test]
    fn a_line_is_right_only_with_its_status_its_output_and_its_work() {
        assert_eq!(line(3, Work::Done, ""), Finding::Right);
        assert!(matches!(line(1, Work::Done, ""), Finding::Wrong(_)));
        assert!(matches!(line(3, Work::Absent, "no"), Finding::Wrong(_)));
        assert!(matches!(line(3, Work::Other("y".to_owned()), ""), Finding::Wrong(_)));
        assert!(matches!(judge_status(3, 3, "", "", "out", Work::Done), Finding::Wrong(_)));
    }

    #[test]
    fn an_error_has_a_message_and_a_status_and_no_partial_work() {
        assert!(matches!(line(1, Work::Absent, "Unmatched '."), Finding::Error(_)));
        assert!(matches!(line(0, Work::Absent, "Unmatched '."), Finding::Wrong(_)));
        assert!(matches!(judge_status(1, 3, "", "", "out", Work::Absent), Finding::Wrong(_)));
        assert!(matches!(line(1, Work::Other("half".to_owned()), "no"), Finding::Wrong(_)));
    }

    #[test]
    fn a_cell_is_as_bad_as_its_worst_step() {
        let mut findings = Findings::default();
        findings.add("a", Finding::Right);
        findings.add_step("b", Finding::Error("no shell".to_owned()), true);
        assert_eq!(findings.end(), (Verdict::Error, vec!["b: no shell".to_owned()]));
    }

    #[test]
    fn an_error_is_wrong_if_the_shell_supports_the_operation() {
        let mut findings = Findings::default();
        findings.add("a", Finding::Error("no shell".to_owned()));
        assert_eq!(findings.end().0, Verdict::Wrong);
    }

    #[test]
    fn a_cell_without_a_step_is_wrong() {
        assert_eq!(Findings::default().end().0, Verdict::Wrong);
    }
}
