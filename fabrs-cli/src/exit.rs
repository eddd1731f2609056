//! Exit code of the process, and the report of errors before a run.

use std::process::ExitCode;

use fabrs_core::event::{Event, json_line};
use fabrs_core::{Error, Result};

use crate::display::print;

/// Returns the exit code for a result, and reports its error.
pub(crate) fn exit_code_of(result: Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            let code = error.exit_code().code();
            report_error(&error, code);
            ExitCode::from(code)
        }
    }
}

/// Prints an error on stderr. With `--json`, also prints the `run_ended` event on stdout.
///
/// For runs that end before they have a [`Reporter`](crate::display::Reporter).
pub(crate) fn report_error(error: &Error, exit_code: u8) {
    use std::io::Write;

    // If stderr is closed, the exit code is the only report.
    let _ = writeln!(std::io::stderr(), "{}", error.block());
    if has_json_flag() {
        let event = Event::RunEnded { exit_code, outcomes: &[], error: Some(error) };
        let _ = print(&json_line(&event));
    }
}

/// Returns `true` if `--json` is among the arguments. Also works for an invalid command line.
fn has_json_flag() -> bool {
    std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json")
}
