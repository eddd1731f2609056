//! [`RequestError`]: errors of SFTP requests.

use russh_sftp::protocol::{Status, StatusCode};

use crate::error::{CauseText, Error};
use crate::transfer::context::TransferContext;
use crate::transfer::file_error::NO_DIRECTORY;

/// The reason why an SFTP request failed.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The server rejected the request.
    Rejected(Status),
    /// A requirement of the transfer is not met. The message is from fabrs.
    Message(String),
    /// The session has ended, or a local file could not be read.
    Failed(Error),
}

impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl RequestError {
    pub(crate) fn message(words: impl Into<String>) -> Self {
        Self::Message(words.into())
    }

    fn has(&self, code: StatusCode) -> bool {
        matches!(self, Self::Rejected(status) if status.status_code == code)
    }

    /// Returns true if the path does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        self.has(StatusCode::NoSuchFile)
    }

    /// Returns true if the parent directory does not exist.
    pub(crate) fn has_no_directory(&self) -> bool {
        matches!(self, Self::Message(message) if message.starts_with(NO_DIRECTORY))
    }

    /// Returns true at the end of a file or of a listing.
    pub(crate) fn is_end(&self) -> bool {
        self.has(StatusCode::Eof)
    }

    /// Returns true if the server gave no reason.
    pub(crate) fn is_unexplained(&self) -> bool {
        self.has(StatusCode::Failure)
    }

    /// Creates the error of a failed operation.
    pub(crate) fn into_error(self, context: &TransferContext, operation: &str) -> Error {
        let message = match self {
            Self::Failed(error) => return context.error(error),
            Self::Message(message) => message,
            // The same messages as those of the tools in the scripts.
            Self::Rejected(status) => match status.status_code {
                StatusCode::PermissionDenied => "Permission denied".to_owned(),
                StatusCode::NoSuchFile => "No such file or directory".to_owned(),
                StatusCode::OpUnsupported => "the SFTP server does not support the request".to_owned(),
                _ if is_empty(&status) => "the SFTP server gave no reason".to_owned(),
                _ => status.error_message,
            },
        };
        context.could_not(operation).caused_by(CauseText(message))
    }
}

/// Returns true if a status has no message, or only the name of its code.
fn is_empty(status: &Status) -> bool {
    let words = status.error_message.trim();
    words.is_empty() || words == status.status_code.to_string()
}
