//! The parameters of composing a command line, and [`ContextError`].

use crate::connection::sudo::line::SudoError;
use crate::shell::ShellLineError;

/// The activation of a virtualenv for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::connection) enum Activation {
    /// No activation.
    #[default]
    None,
    /// The virtualenv of the connection is activated.
    Venv,
}

/// The shell language of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::connection) enum Language {
    /// The language of the login shell, or of the configured shell.
    #[default]
    Login,
    /// POSIX shell: a script of fabrs.
    Posix,
}

/// The form of a composed line: for the host or for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connection) enum Rendering {
    /// For the shell of the host.
    Sent,
    /// For a person. The activation of a virtualenv is shortened.
    Shown,
}

/// The error of composing a line.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::connection) enum ContextError {
    #[error("`{0}` is not a valid name of an environment variable")]
    Name(String),
    #[error("the directory of the command is empty")]
    NoDirectory,
    #[error("`{0}` is not a shell: use a program with its options, as in `bash -l -c`")]
    Shell(String),
    #[error(transparent)]
    Line(#[from] ShellLineError),
    #[error(transparent)]
    Sudo(#[from] SudoError),
}
