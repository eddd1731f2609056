//! Causes of file errors. Both backends use the same messages.

use crate::error::Error;

/// The suffix of the cause: the path is a directory.
pub(super) const IS_A_FOLDER: &str = " is a directory";
/// The suffix of the cause: the path is not a directory.
pub(super) const IS_NO_FOLDER: &str = " is not a directory";
/// The suffix of the cause: the path is not a symlink.
pub(super) const IS_NO_LINK: &str = " is not a symlink";
/// The suffix of the cause: the file has changed during the transfer.
pub(super) const CHANGED_MEANWHILE: &str = " was changed by another process";
/// The suffix of the cause: a pipe, a socket or a device.
pub(super) const NO_REGULAR: &str = " is not a regular file";
/// The prefix of the cause: no file has the path.
pub(super) const NO_FILE: &str = "no such file: ";
/// The prefix of the cause: the directory of the file does not exist.
pub(super) const NO_FOLDER: &str = "no such directory: ";

/// Returns true if the cause is [`IS_A_FOLDER`].
pub(super) fn is_a_folder(error: &Error) -> bool {
    cause_text(error).is_some_and(|text| text.ends_with(IS_A_FOLDER))
}

/// Returns true if the cause is [`NO_FILE`].
pub(super) fn is_missing(error: &Error) -> bool {
    cause_text(error).is_some_and(|text| text.starts_with(NO_FILE))
}

/// Returns true if the cause is [`NO_FOLDER`].
pub(super) fn has_no_folder(error: &Error) -> bool {
    cause_text(error).is_some_and(|text| text.starts_with(NO_FOLDER))
}

pub(super) fn cause_text(error: &Error) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}
