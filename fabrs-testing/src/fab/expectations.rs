//! Expectations for a run of `fab`, and the comparison with the output.

use super::output::FabOutput;

/// An expectation for a run.
#[derive(Debug, Clone)]
pub(super) enum Expectation {
    /// Any exit code is accepted.
    AnyCode,
    /// The exit code is equal to this number.
    Code(i32),
    /// The stream is equal to this text.
    Exact(OutputStream, String),
    /// The stream contains this text.
    Contains(OutputStream, String),
    /// The stream does not contain this text.
    Lacks(OutputStream, String),
}

/// An output stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl OutputStream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    fn text(self, output: &FabOutput) -> &str {
        match self {
            Self::Stdout => &output.stdout,
            Self::Stderr => &output.stderr,
        }
    }
}

impl Expectation {
    /// Returns the difference, or `None` if the run meets the expectation.
    fn difference(&self, output: &FabOutput) -> Option<String> {
        match self {
            Self::AnyCode => None,
            Self::Code(code) => (output.code != *code).then(|| format!("exit code: {} instead of {code}", output.code)),
            Self::Exact(stream, text) => {
                (stream.text(output) != text).then(|| format!("{} differs from: {text:?}", stream.name()))
            }
            Self::Contains(stream, text) => {
                (!stream.text(output).contains(text)).then(|| format!("{} lacks: {text:?}", stream.name()))
            }
            Self::Lacks(stream, text) => stream
                .text(output)
                .contains(text)
                .then(|| format!("{} contains the excluded text: {text:?}", stream.name())),
        }
    }
}

/// Returns all differences and both streams, or `None` if the run meets all expectations.
pub(super) fn differences(expectations: &[Expectation], output: &FabOutput) -> Option<String> {
    let mut found: Vec<String> = expectations.iter().filter_map(|expectation| expectation.difference(output)).collect();
    // Without an expectation for the exit code, the run must succeed.
    if !expectations.iter().any(|expectation| matches!(expectation, Expectation::AnyCode | Expectation::Code(_))) {
        found.extend(Expectation::Code(0).difference(output));
    }
    if found.is_empty() {
        return None;
    }
    let found = found.join("\n");
    Some(format!("{found}\n--- stdout\n{}\n--- stderr\n{}\n---", output.stdout, output.stderr))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    fn output() -> FabOutput {
        let keep = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        FabOutput { code: 3, stdout: "a\n".to_owned(), stderr: "b\n".to_owned(), dir: PathBuf::new(), _keep: keep }
    }

    #[test]
    fn all_differences_are_shown_together() {
        let expectations = [
            Expectation::Exact(OutputStream::Stdout, "x".to_owned()),
            Expectation::Lacks(OutputStream::Stderr, "b".to_owned()),
        ];
        let shown = differences(&expectations, &output()).expect("a difference");
        assert!(shown.starts_with(
            "stdout differs from: \"x\"\nstderr contains the excluded text: \"b\"\nexit code: 3 instead of 0\n"
        ));
        assert!(shown.contains("--- stdout\na\n"), "{shown}");
    }

    #[test]
    fn a_run_that_meets_all_expectations_has_no_difference() {
        let expectations = [Expectation::Code(3), Expectation::Contains(OutputStream::Stderr, "b".to_owned())];
        assert_eq!(differences(&expectations, &output()), None);
    }
}
