//! Why a request came to nothing, in words.

use russh_sftp::protocol::{Status, StatusCode};

use crate::error::{CauseText, Error};
use crate::files::file_error::NO_FOLDER;
use crate::files::transfer_context::TransferContext;

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server says no.
    Refused(Status),
    /// What was asked for can't be had, in our own words.
    Message(String),
    /// It is not about the request: the session has ended, or a file here can't be read.
    Failed(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Fault {
    pub(super) fn said(words: impl Into<String>) -> Self {
        Self::Message(words.into())
    }

    fn has(&self, code: StatusCode) -> bool {
        matches!(self, Self::Refused(status) if status.status_code == code)
    }

    /// Tells whether what was asked for is not there.
    pub(super) fn is_missing(&self) -> bool {
        self.has(StatusCode::NoSuchFile)
    }

    /// Tells whether the folder of a file is not there.
    pub(super) fn has_no_folder(&self) -> bool {
        matches!(self, Self::Message(said) if said.starts_with(NO_FOLDER))
    }

    /// Tells whether it is the end of a file or of a folder.
    pub(super) fn is_end(&self) -> bool {
        self.has(StatusCode::Eof)
    }

    /// Tells whether the server gives no reason.
    pub(super) fn is_unexplained(&self) -> bool {
        self.has(StatusCode::Failure)
    }

    /// Makes the error of something that could not be done.
    pub(super) fn into_error(self, context: &TransferContext, operation: &str) -> Error {
        let said = match self {
            Self::Failed(error) => return context.error(error),
            Self::Message(said) => said,
            // The words of the scripts' tools, for the same failures.
            Self::Refused(status) => match status.status_code {
                StatusCode::PermissionDenied => "Permission denied".to_owned(),
                StatusCode::NoSuchFile => "No such file or directory".to_owned(),
                StatusCode::OpUnsupported => "the SFTP server can't do that".to_owned(),
                _ if is_empty(&status) => "the SFTP server gives no reason".to_owned(),
                _ => status.error_message,
            },
        };
        context.could_not(operation).caused_by(CauseText(said))
    }
}

/// Tells whether a status has no other words than the name of its code.
fn is_empty(status: &Status) -> bool {
    let words = status.error_message.trim();
    words.is_empty() || words == status.status_code.to_string()
}
