//! Warnings about metadata of a replaced file that the new file lacks.

/// Suffix of a warning: the option that keeps hard links.
pub(super) const IN_PLACE_HINT: &str = ": `.in_place()` writes into the file itself";

/// Returns the warning that other hard links of `files` keep the old content.
pub(super) fn hard_links(files: &str) -> String {
    format!("other names of {files} (hard links) keep the old content")
}

/// Returns the warning that the ACL of a file differs from the ACL of the replaced file.
pub(super) fn acl(path: &str) -> String {
    format!("the ACL of `{path}` is not what it was: the host could not set it (`setfacl`)")
}
