//! The end of the process: its last error and its exit code.

use std::process::ExitCode;

use fabrs_core::event::{Event, json_line};
use fabrs_core::{Error, Result};

use crate::display::print;

/// Ends a program: an error that nobody has shown is shown, and its code returned.
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

/// Shows the error of a run that ended before it had hosts. With `--json`, it is the last event as well.
pub(crate) fn report_error(error: &Error, exit_code: u8) {
    use std::io::Write;

    // Where stderr is closed there is nobody to tell; the exit code still does.
    let _ = writeln!(std::io::stderr(), "{}", error.block());
    if has_json_flag() {
        let event = Event::RunEnded { exit_code, outcomes: &[], error: Some(error) };
        let _ = print(&json_line(&event));
    }
}

/// Tells whether `--json` was command_line, also where the command line can't be read as a whole.
fn has_json_flag() -> bool {
    std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json")
}
