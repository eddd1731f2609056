//! Remote scripts with positional parameters.

use fabrs::{ShellLine, cmd};

/// Returns a script with positional parameters: `set -- ARGUMENTS` and the script.
pub(crate) fn with_arguments<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>, script: &str) -> ShellLine {
    let arguments: Vec<String> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
    let set = cmd!("set -- {arguments...}");
    match set.check() {
        Ok(set) => ShellLine::raw(format!("{set}\n{}", script.trim_end())),
        // A NUL byte in an argument. The command returns this error.
        Err(_) => set,
    }
}
