//! The parameters of composing a command line, and its errors.

use super::super::sudo::line::SudoError;
use crate::shell::ShellLineError;

/// Where a line runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::connection) enum Activation {
    /// In the shell of the login.
    #[default]
    Shell,
    /// In the virtualenv of the connection.
    Venv,
}

/// The language of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::connection) enum Language {
    /// That of the login shell, or of the shell that is configured.
    #[default]
    Login,
    /// POSIX: a script of fabrs.
    Posix,
}

/// For whom a line is composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connection) enum Rendering {
    /// For the host's shell.
    Sent,
    /// For a person, to whom the way into a virtualenv says less than its name.
    Shown,
}

/// Says why a line can't be composed.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::connection) enum ContextError {
    #[error("`{0}` is not the name of an environment variable")]
    Name(String),
    #[error("the directory to run it in is empty")]
    NoDirectory,
    #[error("`{0}` is no shell: it takes a program with its options, as in `bash -l -c`")]
    Shell(String),
    #[error(transparent)]
    Line(#[from] ShellLineError),
    #[error(transparent)]
    Sudo(#[from] SudoError),
}
