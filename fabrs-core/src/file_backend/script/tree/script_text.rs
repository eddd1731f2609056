//! Composes the scripts to upload and download a directory. They answer requests, and transfer a
//! tar stream.
//!
//! The scripts are POSIX, and need `tar`, `xargs -0`, `stat` and `readlink` of GNU, busybox or BSD.

use std::path::Path;

use crate::file_backend::script::script_dialog::END_OF_ANSWER;
use crate::file_backend::script::text::{FAIL, MAKE_PRIVATE, REMOVE, SWEEP, belongs, owner_words, path_word};
use crate::shell::compose::{fill, minify, minify_all};
use crate::shell::{ShellLineError, quote, quote_path};
use crate::transfer::file_error::{IS_NOT_A_DIRECTORY, NO_FILE};
use crate::transfer::job::{Tree, TreeMode};
use crate::transport::Effect;

/// Requests the metadata of paths.
pub(crate) const STAT: &str = "stat";
/// Requests the SHA-256 of files.
pub(crate) const SUMS: &str = "sums";
/// Requests the targets of symlinks.
pub(crate) const SYMLINK_TARGETS: &str = "links";
/// Requests the paths with an owner other than the requested owner.
pub(crate) const OTHER_OWNERS: &str = "foreign";
/// Requests files as a tar stream. The stream ends the dialogue.
pub(crate) const SEND_FILES: &str = "give";
/// Announces a tar stream.
pub(crate) const RECEIVE_STREAM: &str = "take\n";
/// The answer after success.
pub(crate) const DONE: &str = "fabrs-done";
/// Prefix of the number of moved files after a failure.
pub(crate) const MOVED: &str = "fabrs-moved ";

/// The answer about a missing directory, if the script only reads.
pub(crate) const MISSING: &str = "fabrs-nothing";

/// The directory of the files in the stream.
pub(crate) const STAGING: &str = "t";
/// The script of the renames in the stream.
pub(crate) const RENAMES: &str = "m";
/// The script to run after the renames.
pub(crate) const AFTER_RENAMES: &str = "a";
/// The clean-up script, to run after success and after a failure.
pub(crate) const CLEANUP: &str = "c";
/// The checksums of the files.
pub(crate) const SUMS_FILE: &str = "s";
/// The last member, as a proof of a complete stream.
pub(crate) const COMPLETE: &str = "z";

/// The maximum length of the paths in a script, in bytes. Paths on stdin need another round trip:
/// a server reads input only while a program runs.
const MAX_EMBEDDED_PATHS_LENGTH: usize = 16 << 10;

/// `state`: prints the metadata of paths.
const METADATA: &str = include_str!("../sh/tree/metadata.sh");
/// Prints the metadata of the directory and of all paths below.
const LIST_ALL: &str = include_str!("../sh/tree/list_all.sh");
/// `sums`: prints the SHA-256 of paths.
const SUM_FILES: &str = include_str!("../sh/tree/sums.sh");
/// `links`: prints symlinks and their targets.
const READ_LINKS: &str = include_str!("../sh/tree/links.sh");
/// `at DIRECTORY COMMAND`: runs a command inside a directory, unless the directory was moved.
const AT: &str = include_str!("../sh/tree/at.sh");
/// `restore`: restores the old entries of failed replacements.
const RESTORE: &str = include_str!("../sh/tree/restore.sh");

/// `rename_entries SCRIPT`: executes the renames of a script.
///
/// Time of an upload with Perl, as a ratio to an `mv` for each directory (medians, 2026-12-01):
/// 0.20 for 4,000 files in 2,000 directories, 0.85 for 50 of 5,000 files in 50 directories.
fn rename_entries() -> String {
    let perl = minify(include_str!("../sh/tree/rename_entries.pl"));
    fill(include_str!("../sh/tree/rename_entries.sh"), &[("PERL", perl.trim_end())])
}

/// Composes a script to compare and upload a directory. If `effect` is [`Effect::Changes`], the
/// script creates a missing directory. Otherwise it answers [`MISSING`].
///
/// The stream is unpacked in a private temporary directory inside the target directory, with the
/// secret name `word`. Renames move the entries to their targets after the whole stream has
/// arrived. The temporary directory is removed at the end.
pub(crate) fn upload(
    tree: &Tree,
    word: &str,
    effect: Effect,
    initial: &InitialPaths,
) -> Result<String, ShellLineError> {
    let attributes = &tree.attributes;
    let belongs = belongs(attributes)?;
    let foreign = format!("find \"$@\" -prune ! \\({belongs} \\) -print0");
    let chown = match owner_words(attributes)? {
        Some(owner) => format!("[ ! -d {STAGING} ] || chown -hR {owner} {STAGING} || exit 1\n"),
        None => String::new(),
    };
    let make_root = match effect {
        Effect::Changes => "mkdir -p -- \"$t\"".to_owned(),
        Effect::Reads => {
            format!("{{ [ ! -e \"$t\" ] || fail \"$t{IS_NOT_A_DIRECTORY}\"; printf '\\0{MISSING}\\0'; exit 0; }}")
        }
    };
    let initial = match initial {
        InitialPaths::Nothing => String::new(),
        InitialPaths::Paths(paths) => format!("printf '%s\\0'{paths} | state; printf '{END_OF_ANSWER}\\0'\n"),
        InitialPaths::All => format!("{}printf '{END_OF_ANSWER}\\0'\n", minify(LIST_ALL)),
    };
    // `find` is the only way to detect an unknown user or group.
    let check_owner = if belongs.is_empty() { String::new() } else { format!("find / -prune{belongs} || exit 1\n") };
    let optional = |script: &str, is_used: bool| if is_used { minify(script) } else { String::new() };
    let script = fill(
        include_str!("../sh/tree/upload.sh"),
        &[
            ("ROOT", &quote_path(&tree.root)?),
            ("NAME", word),
            ("FOREIGN", &quote(&foreign)?),
            ("CHECK_OWNER", &check_owner),
            ("MAKE_ROOT", &make_root),
            ("SPARE", &optional(include_str!("../sh/tree/spare.sh"), tree.removes())),
            // A put keeps neither times nor owners. A sync keeps the times.
            (
                "TAR_OPTIONS",
                match tree.mode {
                    TreeMode::Put => "pmo",
                    TreeMode::Sync(_) => "po",
                },
            ),
            ("VERIFY", &optional(include_str!("../sh/tree/verify.sh"), tree.write_options.verifies)),
            ("CHOWN", &chown),
            ("FLUSH", &optional("sync -f . 2>/dev/null || sync || exit 1\n", tree.write_options.flushes)),
            ("INITIAL", &initial),
        ],
    );
    let functions = minify_all(&[FAIL, METADATA, SUM_FILES, READ_LINKS, REMOVE, SWEEP, MAKE_PRIVATE]);
    Ok(functions + &rename_entries() + &minify_all(&[AT, RESTORE]) + &script)
}

/// The paths with metadata printed without a request.
pub(crate) enum InitialPaths {
    Nothing,
    /// These paths.
    Paths(String),
    /// All paths.
    All,
}

/// Composes a script to list a directory and to send the files as a stream.
pub(crate) fn download(folder: &Path) -> Result<String, ShellLineError> {
    let script = fill(
        include_str!("../sh/tree/download.sh"),
        &[
            ("PATH", &path_word(folder.as_os_str())?),
            ("NO_FILE", NO_FILE),
            ("IS_NO_FOLDER", IS_NOT_A_DIRECTORY),
            ("LIST_ALL", &minify(LIST_ALL)),
        ],
    );
    Ok(minify_all(&[FAIL, METADATA, SUM_FILES, READ_LINKS]) + &script)
}

/// Quotes paths for a script. Returns `None` if their total length is too large, or if a path
/// cannot be part of a script.
pub(crate) fn words<'a>(paths: impl Iterator<Item = &'a Path>) -> Option<String> {
    let mut words = String::new();
    for path in paths {
        words.extend([" ", &*quote(&format!("./{}", path.to_str()?)).ok()?]);
        if words.len() > MAX_EMBEDDED_PATHS_LENGTH {
            return None;
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_contain_the_messages_and_members() {
        let upload = include_str!("../sh/tree/upload.sh");
        for text in [STAT, SUMS, SYMLINK_TARGETS, OTHER_OWNERS, RECEIVE_STREAM.trim_end(), DONE, MOVED, END_OF_ANSWER] {
            assert!(upload.contains(text), "{text}");
        }
        for member in [RENAMES, AFTER_RENAMES, CLEANUP, COMPLETE] {
            assert!(
                upload.lines().any(|line| line.contains(&format!(" {member}")) || line.contains(&format!("/{member}")))
            );
        }
        let download = include_str!("../sh/tree/download.sh");
        assert!(download.contains(&format!("  {SEND_FILES})")) && download.contains(END_OF_ANSWER));
        assert!(include_str!("../sh/tree/rename_entries.pl").contains(MOVED));
        assert!(!rename_entries().contains("__") && !include_str!("../sh/tree/rename_entries.pl").contains('\''));
    }
}
