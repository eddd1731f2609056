//! Messages of file errors, shared by both backends.

use crate::error::Error;

/// Suffix of the error: a directory in the place of a file.
pub(super) const IS_A_FOLDER: &str = " is a folder";
/// Suffix of the error: another file in the place of a directory.
pub(super) const IS_NO_FOLDER: &str = " is no folder";
/// Suffix of the error: another file in the place of a symlink.
pub(super) const IS_NO_LINK: &str = " is no symlink";
/// Suffix of the error: the file changed during the transfer.
pub(super) const CHANGED_MEANWHILE: &str = " was changed meanwhile";
/// Suffix of the error: a pipe, a socket or a device.
pub(super) const NO_REGULAR: &str = " is no file that can be sent";
/// Prefix of the error: no file at the path.
pub(super) const NO_FILE: &str = "there is no file ";
/// Prefix of the error: no directory for the file.
pub(super) const NO_FOLDER: &str = "there is no folder ";

/// Returns whether the error is [`IS_A_FOLDER`].
pub(super) fn is_a_folder(error: &Error) -> bool {
    said(error).is_some_and(|said| said.ends_with(IS_A_FOLDER))
}

/// Returns whether the error is [`NO_FILE`].
pub(super) fn is_missing(error: &Error) -> bool {
    said(error).is_some_and(|said| said.starts_with(NO_FILE))
}

/// Returns whether the error is [`NO_FOLDER`].
pub(super) fn has_no_folder(error: &Error) -> bool {
    said(error).is_some_and(|said| said.starts_with(NO_FOLDER))
}

pub(super) fn said(error: &Error) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}
