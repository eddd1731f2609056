//! The messages of scripts: `fabrs-` starts a protocol message, `fabrs: ` starts an error.

/// Prefix of an error on stderr.
pub(crate) const MESSAGE_PREFIX: &str = "fabrs: ";
/// Requests the content.
pub(crate) const SEND: &str = "fabrs-send";
/// Prefix of the checksum of a target with the same size. The script waits for the comparison.
pub(crate) const SUM_IS: &str = "fabrs-sum ";
/// Announces the checksums of the blocks of the target.
pub(crate) const BLOCKS: &str = "fabrs-blocks";
/// Requests the content in parts. The temporary directory follows.
pub(crate) const SEND_PARTS: &str = "fabrs-parts ";
/// Confirms a received part.
pub(crate) const PART: &str = "fabrs-part";
/// Reports a written entry. Its path follows.
pub(crate) const DONE: &str = "fabrs-done ";
/// Reports an unchanged entry. Its path follows.
pub(crate) const SAME: &str = "fabrs-same ";
/// Reports a replaced file with other hard links. Its path follows.
pub(crate) const HARD_LINKS: &str = "fabrs-names ";
/// Reports a lost ACL. The path of the file follows.
pub(crate) const ACL: &str = "fabrs-acl ";
/// Prefix of the header line before a content: mode and size follow.
pub(crate) const CONTENT: &str = "fabrs-content ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_print_the_messages_of_the_protocol() {
        for (script, messages) in [
            (include_str!("../sh/fail.sh"), &[MESSAGE_PREFIX][..]),
            (include_str!("../sh/put.sh"), &[DONE, SAME]),
            (include_str!("../sh/plan_answers.sh"), &[DONE, SAME]),
            (include_str!("../sh/plan_secret.sh"), &[SEND]),
            (include_str!("../sh/compare_sum.sh"), &[SUM_IS]),
            (include_str!("../sh/plan_sum.sh"), &[SUM_IS]),
            (include_str!("../sh/compare_blocks.sh"), &[BLOCKS]),
            (include_str!("../sh/receive_whole.sh"), &[SEND]),
            (include_str!("../sh/receive_parts.sh"), &[SEND_PARTS]),
            (include_str!("../sh/parts.sh"), &[PART]),
            (include_str!("../sh/keep_acl.sh"), &[ACL]),
            (include_str!("../sh/rename_into_place.sh"), &[HARD_LINKS]),
            (include_str!("../sh/link.sh"), &[SAME]),
            (include_str!("../sh/folder.sh"), &[SAME]),
            (include_str!("../sh/remove_path.sh"), &[SAME]),
            (include_str!("../sh/get.sh"), &[CONTENT]),
            (include_str!("../sh/get_known.sh"), &[SAME]),
        ] {
            for message in messages {
                assert!(script.contains(message), "{message:?} is missing in {script}");
            }
        }
    }
}
