//! Warnings about lost metadata of a replaced file.

/// Suffix of a warning: the option to keep hard links.
pub(crate) const IN_PLACE_HINT: &str = ": use `.in_place()` to write into the file itself";

/// Returns the warning about other hard links of `files`, which keep the old content.
pub(crate) fn hard_links(files: &str) -> String {
    format!("other hard links of {files} keep the old content")
}

/// Returns the warning about an ACL different from the ACL of the replaced file.
pub(crate) fn acl(path: &str) -> String {
    format!("the ACL of `{path}` is lost: the host could not set the ACL with `setfacl`")
}
