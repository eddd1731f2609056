//! Remote scripts with positional parameters.

use fabrs::{ShellLine, cmd};

/// Returns a script with positional parameters: `set -- ARGUMENTS` and the script.
pub(crate) fn with_arguments<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>, script: &str) -> ShellLine {
    let arguments: Vec<String> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
    let set = cmd!("set -- {arguments...}");
    ShellLine::raw(format!("{}\n{}", set.as_str(), script.trim_end()))
}
