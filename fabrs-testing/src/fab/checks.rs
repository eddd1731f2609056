//! What a run is expected to leave, and how it differs.

use super::output::FabOutput;

/// One expectation.
#[derive(Debug, Clone)]
pub(super) enum Check {
    /// The exit code is for the test to judge.
    AnyCode,
    /// The exit code is this.
    Code(i32),
    /// The stream is exactly this.
    Exact(Stream, String),
    /// This stands somewhere in the stream.
    Contains(Stream, String),
    /// This stands nowhere in the stream.
    Lacks(Stream, String),
}

/// One of the two streams.
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
    /// Returns how the run differs from it, if it does.
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

/// Returns every difference, and what the run left, or nothing if there is none.
pub(super) fn differences(checks: &[Check], ran: &FabOutput) -> Option<String> {
    let mut found: Vec<String> = checks.iter().filter_map(|check| check.difference(ran)).collect();
    // Who says nothing about the code wants a run that went well.
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
