//! Shell code for the context of a command line.

use std::fmt::Write as _;

use super::rendering::{ContextError, Rendering};
use crate::shell::{ShellLineError, grouped, quote};

/// Shell code for the additional activation of a conda virtualenv, since packages may depend on its
/// variables. A failing activation script does not fail the command. Scripts for other shells are
/// skipped.
pub(in crate::connection) const CONDA_ACTIVATION: &str = "if [ -d \"$VIRTUAL_ENV/conda-meta\" ]; then export CONDA_PREFIX=\"$VIRTUAL_ENV\"; \
    for fabrs_line in \"$CONDA_PREFIX\"/etc/conda/activate.d/*.sh; do \
    if [ -r \"$fabrs_line\" ] && { [ -n \"$BASH_VERSION\" ] || sh -n \"$fabrs_line\"; }; then . \"$fabrs_line\" || :; fi; \
    done; unset fabrs_line; fi";

/// The start of the host's message for a missing virtualenv.
pub(in crate::connection) const NO_VENV: &str = "there is no virtualenv in ";
/// The start of the host's message for a virtualenv with a dangling Python symlink, for example
/// after a system upgrade.
pub(in crate::connection) const NO_PYTHON: &str = "the Python interpreter no longer exists for the virtualenv in ";

pub(in crate::connection) fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns a script that runs `text` by a shell: a program with options. `exec` avoids a second
/// shell process.
pub(in crate::connection) fn in_shell(shell: &str, text: &str) -> Result<String, ContextError> {
    let words = shlex::split(shell).filter(|words| !words.is_empty());
    let mut words = words.ok_or_else(|| ContextError::Shell(shell.to_owned()))?;
    words.push(text.to_owned());
    let quoted = words.iter().map(|word| quote(word)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("exec {}", quoted.join(" ")))
}

/// Returns a line to start `line` in the background: in a session of its own if the host has
/// `setsid`, otherwise with HUP ignored.
pub(in crate::connection) fn detached(line: &str, rendering: Rendering) -> Result<String, ShellLineError> {
    if rendering == Rendering::Shown {
        return Ok(format!("{} &", grouped(line)));
    }
    let line = quote(line)?;
    Ok(format!(
        "{{ if command -v setsid >/dev/null; then setsid sh -c {line}; else trap '' HUP; sh -c {line}; fi; }} \
         </dev/null >/dev/null 2>&1 &"
    ))
}

/// Returns shell code to read a variable of `line_ends + 1` lines from stdin. `read` consumes no
/// byte after the line end, so the rest of the input is left for the command (POSIX, for input that
/// cannot seek).
pub(in crate::connection) fn read_variable(name: &str, line_ends: usize) -> String {
    let mut text = format!("IFS= read -r {name} && ");
    for _ in 0..line_ends {
        let _infallible = write!(text, "IFS= read -r fabrs_line && {name}=${name}'\n'$fabrs_line && ");
    }
    if line_ends > 0 {
        text.push_str("unset fabrs_line && ");
    }
    text
}
