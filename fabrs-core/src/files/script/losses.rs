//! What a file has not that takes the place of another.

/// What does otherwise, for who puts.
pub(super) const OTHERWISE: &str = ": `.in_place()` writes into the file itself";

/// Says that the other names of files are those of what they have replaced.
pub(super) fn names(files: &str) -> String {
    format!("other names of {files} (hard links) keep the old content")
}

/// Says that a file has another ACL than what it has replaced, or one where that had none.
pub(super) fn acl(path: &str) -> String {
    format!("the ACL of `{path}` is not what it was: the host could not set it (`setfacl`)")
}
