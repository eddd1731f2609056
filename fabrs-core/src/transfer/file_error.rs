//! Causes of file errors. Both backends use the same messages.

use crate::error::Error;

/// The suffix of the cause: the path is a directory.
pub(crate) const IS_A_DIRECTORY: &str = " is a directory";
/// The suffix of the cause: the path is not a directory.
pub(crate) const IS_NOT_A_DIRECTORY: &str = " is not a directory";
/// The suffix of the cause: the path is not a symlink.
pub(crate) const IS_NOT_A_SYMLINK: &str = " is not a symlink";
/// The suffix of the cause: the file has changed during the transfer.
pub(crate) const CHANGED_BY_ANOTHER_PROCESS: &str = " was changed by another process";
/// The suffix of the cause: a pipe, a socket or a device.
pub(crate) const IS_NOT_A_REGULAR_FILE: &str = " is not a regular file";
/// The prefix of the cause: the path does not exist.
pub(crate) const NO_FILE: &str = "no such file: ";
/// The prefix of the cause: the directory of the file does not exist.
pub(crate) const NO_DIRECTORY: &str = "no such directory: ";

/// Returns true if the cause is [`IS_A_DIRECTORY`].
pub(crate) fn is_a_directory(error: &Error) -> bool {
    cause_text(error).is_some_and(|text| text.ends_with(IS_A_DIRECTORY))
}

/// Returns true if the cause is [`NO_FILE`].
pub(crate) fn is_missing(error: &Error) -> bool {
    cause_text(error).is_some_and(|text| text.starts_with(NO_FILE))
}

/// Returns true if the cause is [`NO_DIRECTORY`].
pub(crate) fn has_no_directory(error: &Error) -> bool {
    cause_text(error).is_some_and(|text| text.starts_with(NO_DIRECTORY))
}

pub(crate) fn cause_text(error: &Error) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}
