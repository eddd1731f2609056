//! Commands of the harness: a failure is a panic with the command and its output.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// The search path. The path of a plain session lacks `/usr/sbin`.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The number of characters of an output in a panic message.
const MAX_SHOWN_OUTPUT: usize = 3_000;

/// Returns a command with [`PATH`], an empty stdin and the locale `C.UTF-8`.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", PATH).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Runs a command to its end and returns its stdout.
///
/// # Panics
///
/// If the program is not installed, or fails. The message has the end of the output.
#[track_caller]
pub(super) fn run(command: &mut Command) -> String {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("`{}` does not start: {error}", command.get_program().display()),
    };
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "`{command:?}` failed ({}): {}",
        output.status,
        end(&format!("{stdout}{stderr}"), MAX_SHOWN_OUTPUT)
    );
    stdout
}

/// Runs a command to its end and returns `true` if it succeeds. Discards the output.
pub(super) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Returns the last `count` characters of a text.
pub(super) fn end(text: &str, count: usize) -> &str {
    let skipped = text.chars().count().saturating_sub(count);
    text.char_indices().nth(skipped).map_or("", |(start, _)| &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "failed (exit status: 3): out\nerr")]
    fn a_failed_command_panics_with_its_output() {
        run(command("sh").args(["-c", "echo out; echo err >&2; exit 3"]));
    }

    #[test]
    fn the_end_of_a_text_keeps_whole_characters() {
        assert_eq!((end("aäö", 2), end("aäö", 9), end("", 1)), ("äö", "aäö", ""));
    }
}
