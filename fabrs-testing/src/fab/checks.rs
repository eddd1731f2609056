//! Expectations for a run of `fab`, and the differences from them.

use super::output::FabOutput;

/// An expectation for a run.
#[derive(Debug, Clone)]
pub(super) enum Check {
    /// Any exit code is accepted.
    AnyCode,
    /// The exit code is equal to this number.
    Code(i32),
    /// The stream is equal to this text.
    Exact(Stream, String),
    /// The stream contains this text.
    Contains(Stream, String),
    /// The stream does not contain this text.
    Lacks(Stream, String),
}

/// An output stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }

    fn of(self, ran: &FabOutput) -> &str {
        match self {
            Self::Out => &ran.stdout,
            Self::Err => &ran.stderr,
        }
    }
}

impl Check {
    /// Returns the difference, or `None` if the run meets the expectation.
    fn difference(&self, ran: &FabOutput) -> Option<String> {
        match self {
            Self::AnyCode => None,
            Self::Code(code) => (ran.code != *code).then(|| format!("exit code: {} instead of {code}", ran.code)),
            Self::Exact(stream, text) => {
                (stream.of(ran) != text).then(|| format!("{} is not: {text:?}", stream.name()))
            }
            Self::Contains(stream, text) => {
                (!stream.of(ran).contains(text)).then(|| format!("{} lacks: {text:?}", stream.name()))
            }
            Self::Lacks(stream, text) => {
                stream.of(ran).contains(text).then(|| format!("{} contains: {text:?}", stream.name()))
            }
        }
    }
}

/// Returns all differences and both streams, or `None` if the run meets all expectations.
pub(super) fn differences(checks: &[Check], ran: &FabOutput) -> Option<String> {
    let mut found: Vec<String> = checks.iter().filter_map(|check| check.difference(ran)).collect();
    // Without an expectation for the exit code, the run must succeed.
    if !checks.iter().any(|check| matches!(check, Check::AnyCode | Check::Code(_))) {
        found.extend(Check::Code(0).difference(ran));
    }
    if found.is_empty() {
        return None;
    }
    let found = found.join("\n");
    Some(format!("{found}\n--- stdout\n{}\n--- stderr\n{}\n---", ran.stdout, ran.stderr))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    fn ran() -> FabOutput {
        let keep = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        FabOutput { code: 3, stdout: "a\n".to_owned(), stderr: "b\n".to_owned(), dir: PathBuf::new(), _keep: keep }
    }

    #[test]
    fn all_differences_are_shown_at_once() {
        let checks = [Check::Exact(Stream::Out, "x".to_owned()), Check::Lacks(Stream::Err, "b".to_owned())];
        let shown = differences(&checks, &ran()).expect("it differs");
        assert!(shown.starts_with("stdout is not: \"x\"\nstderr contains: \"b\"\nexit code: 3 instead of 0\n"));
        assert!(shown.contains("--- stdout\na\n"), "{shown}");
    }

    #[test]
    fn a_run_as_expected_has_no_difference() {
        let checks = [Check::Code(3), Check::Contains(Stream::Err, "b".to_owned())];
        assert_eq!(differences(&checks, &ran()), None);
    }
}
