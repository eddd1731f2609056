//! The pieces of shell that a context is made of.

use std::fmt::Write as _;

use super::rendering::{ContextError, Rendering};
use crate::shell::{ShellLineError, grouped, quote};

/// Does what conda does besides, where it has made the virtualenv: the packages in it may want to be asked. How that ends is
/// nothing to the command, nor that one of them is for another shell, which says so.
pub(in crate::connection) const CONDA_ACTIVATION: &str = "if [ -d \"$VIRTUAL_ENV/conda-meta\" ]; then export CONDA_PREFIX=\"$VIRTUAL_ENV\"; \
    for fabrs_line in \"$CONDA_PREFIX\"/etc/conda/activate.d/*.sh; do \
    if [ -r \"$fabrs_line\" ] && { [ -n \"$BASH_VERSION\" ] || sh -n \"$fabrs_line\"; }; then . \"$fabrs_line\" || :; fi; \
    done; unset fabrs_line; fi";

/// Begins what a host says where there is no virtualenv.
pub(in crate::connection) const NO_VENV: &str = "there is no virtualenv in ";
/// Begins what a host says where the Python of a virtualenv leads nowhere, as after an upgrade of the system's.
pub(in crate::connection) const NO_PYTHON: &str = "there is no longer a Python behind the virtualenv in ";

pub(in crate::connection) fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns the script that runs `text` by a shell, a program with its options. `exec` leaves no other shell between them.
pub(in crate::connection) fn in_shell(shell: &str, text: &str) -> Result<String, ContextError> {
    let words = shlex::split(shell).filter(|words| !words.is_empty());
    let mut words = words.ok_or_else(|| ContextError::Shell(shell.to_owned()))?;
    words.push(text.to_owned());
    let quoted = words.iter().map(|word| quote(word)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("exec {}", quoted.join(" ")))
}

/// Returns the line that starts `line` and leaves it: in a session of its own where the host has `setsid`, else deaf to the end
/// of this one.
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

/// Returns what reads a variable of so many lines, and one more, from the standard input. `read` takes no byte beyond its line,
/// so the rest is the command's (POSIX, of an input that cannot seek).
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
