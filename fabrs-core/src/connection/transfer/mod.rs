//! Files to and from a host: whole or not at all, and only where they differ.
//!
//! A transfer is one command whose script (`script`) looks at the target first, says whether it wants the content, takes
//! it into a temporary file beside the target, and renames that. It needs a POSIX shell and `cat`, works under sudo and on
//! this machine as it does on a host, and is ended as every command is.

mod changes;
mod fetch;
mod get;
mod lazy;
mod put;
mod script;
mod source;

pub use changes::Changes;
pub use get::Get;
pub use put::Put;
pub use source::Source;

use crate::error::{Error, ErrorKind};
use crate::output::last_lines;

/// How many files of one transfer are on their way at once.
const AT_ONCE: usize = 4;

/// Makes the error of a transfer out of that of its command: what the script or its tools said last is the cause.
fn failed(what: String, error: &Error) -> Error {
    let said = match (error.kind(), error.output()) {
        (ErrorKind::Exit, Some(output)) => last_lines(&output.record.redactor.bytes(&output.record.stderr), 1),
        _ => return error.clone(),
    };
    let said = said.trim();
    let said = said.strip_prefix(script::SAYS).unwrap_or(said).to_owned();
    let made = Error::new(ErrorKind::File, what).or_on(error.host());
    let made = match error.location() {
        Some(location) => made.at(location),
        None => made,
    };
    let made = if said.ends_with("Permission denied") && !what_ran_as_root(error) {
        made.hint("`.sudo()` does it as root")
    } else {
        made
    };
    made.caused_by(Said(said))
}

fn what_ran_as_root(error: &Error) -> bool {
    error.output().is_some_and(|output| output.command().contains("by sudo"))
}

/// What a host said about a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);
