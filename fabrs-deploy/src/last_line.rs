//! The last line of a failed command, as the reason in a summary.

use fabrs::Error;

/// Returns the last line of a failed command: of stderr, or else of stdout.
pub(crate) fn last_line(error: &Error) -> Option<String> {
    let output = error.output()?;
    let texts = [output.stderr(), output.stdout()].into_iter().filter_map(Result::ok);
    texts.filter_map(|text| Some(text.trim_end().lines().last()?.trim().to_owned())).find(|line| !line.is_empty())
}
