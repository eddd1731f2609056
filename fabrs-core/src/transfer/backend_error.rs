//! [`BackendError`]: the reason for an unfinished transfer.

use crate::error::Error;

/// The reason for an unfinished transfer.
#[derive(Debug)]
pub(crate) enum BackendError {
    /// The host has no POSIX shell. The error contains the output of the program that ran instead.
    NoShell(Error),
    /// The transfer failed.
    Failed(Error),
}

impl BackendError {
    /// Adds a hint with the number of files of a tree that were written before the failure.
    pub(crate) fn in_part(self, written_files: usize) -> Self {
        let count = match written_files {
            0 => return self,
            1 => "1 file was written".to_owned(),
            _ => format!("{written_files} files were written"),
        };
        match self {
            Self::Failed(error) => {
                Self::Failed(error.hint(format!("{count}: run the same transfer again for the rest")))
            }
            Self::NoShell(error) => Self::NoShell(error),
        }
    }
}

impl From<Error> for BackendError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
