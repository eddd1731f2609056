//! Scripts to compare an entry with the host, without changes.

use std::ffi::OsStr;
use std::path::Path;

use super::fragments::{FAIL, FOLLOW, PREAMBLE, SUM};
use super::words::{belongs, path_word, word};
use crate::shell::ShellLineError;
use crate::shell::compose::{fill, minify, minify_all};
use crate::transfer::file_error::{IS_A_DIRECTORY, IS_NOT_A_DIRECTORY, IS_NOT_A_SYMLINK, NO_DIRECTORY};
use crate::transfer::job::{Attributes, FileJob, Job, ReplacePolicy};

/// The shell functions that report an equal or a different entry.
const ANSWERS: &str = include_str!("../sh/plan_answers.sh");
/// The mode bits of a file set exactly by `chmod`.
const FILE_MODE: u32 = 0o7777;
/// The mode bits of a directory set exactly by `chmod`. GNU `chmod` keeps set-user-ID and
/// set-group-ID unless the mode contains them.
const FOLDER_MODE: u32 = 0o1777;

/// Composes a script to compare a file with its target: size, SHA-256 and requested attributes.
///
/// The protocol is that of an upload. A secret is sent on stdin, because its checksum must not be
/// part of the script.
pub(crate) fn plan(file: FileJob<'_>, known: Option<&str>) -> Result<String, ShellLineError> {
    let job = file.job;
    let follow =
        if job.write_options.replaces_symlinks { "[ ! -L \"$t\" ] || differs\n".to_owned() } else { minify(FOLLOW) };
    let compare = match (file.content.secret(), known) {
        (Some(_), _) => minify(include_str!("../sh/plan_secret.sh")),
        (None, Some(sum)) => format!("[ \"$(sum <\"$t\")\" = {sum} ] && same_content; differs\n"),
        (None, None) => minify(include_str!("../sh/plan_sum.sh")),
    };
    // The upload of a tree creates the directories.
    let check_directory = match job.item.below {
        None => fill(
            include_str!("../sh/check_directory.sh"),
            &[("IS_NO_FOLDER", IS_NOT_A_DIRECTORY), ("NO_FOLDER", NO_DIRECTORY)],
        ),
        Some(_) => String::new(),
    };
    let script = fill(
        include_str!("../sh/plan_file.sh"),
        &[
            ("TARGET", &path_word(&job.target)?),
            ("OWN_NAME", &word(&job.item.name())?),
            ("SIZE", &file.fingerprint.size.to_string()),
            ("FOLLOW", &follow),
            ("CHECK_DIRECTORY", &check_directory),
            ("IS_A_FOLDER", IS_A_DIRECTORY),
            ("CHECK_ATTRIBUTES", &check_attributes(&job.attributes, FILE_MODE)?),
            ("COMPARE", &compare),
        ],
    );
    Ok(minify_all(&[FAIL, SUM, PREAMBLE, ANSWERS]) + &script)
}

/// Composes a script to check if a directory exists with the requested attributes.
pub(crate) fn plan_folder(target: &OsStr, attributes: &Attributes) -> Result<String, ShellLineError> {
    let script = fill(
        include_str!("../sh/plan_folder.sh"),
        &[
            ("TARGET", &path_word(target)?),
            ("IS_NO_FOLDER", IS_NOT_A_DIRECTORY),
            ("CHECK_ATTRIBUTES", &check_attributes(attributes, FOLDER_MODE)?),
        ],
    );
    Ok(minify_all(&[FAIL, ANSWERS]) + &script)
}

/// Composes a script to check if a symlink to `to` exists. The script fails if an upload would
/// fail.
pub(crate) fn plan_link(job: &Job, to: &Path) -> Result<String, ShellLineError> {
    let unless_other = match job.write_options.replaces {
        ReplacePolicy::Link => format!("[ ! -e \"$t\" ] || [ -L \"$t\" ] || fail \"$t{IS_NOT_A_SYMLINK}\"\n"),
        _ => format!("[ -d \"$t\" ] && [ ! -L \"$t\" ] && fail \"$t{IS_A_DIRECTORY}\"\n"),
    };
    let script = fill(
        include_str!("../sh/plan_link.sh"),
        &[
            ("TARGET", &path_word(job.target.as_os_str())?),
            ("TO", &word(to.as_os_str())?),
            ("UNLESS_OTHER", &unless_other),
            ("CHECK_OWNER", &check_owner(&job.attributes)?),
        ],
    );
    Ok(minify_all(&[FAIL, ANSWERS]) + &script)
}

/// Reports a difference unless the entry has the requested mode and owner. Mode bits outside of
/// `exact` may be set in addition.
fn check_attributes(attributes: &Attributes, exact: u32) -> Result<String, ShellLineError> {
    let mode = attributes.mode.map(|mode| {
        fill(include_str!("../sh/check_mode.sh"), &[("MODE", &format!("{mode:o}")), ("EXACT", &format!("{exact:o}"))])
    });
    Ok(mode.unwrap_or_default() + &check_owner(attributes)?)
}

fn check_owner(attributes: &Attributes) -> Result<String, ShellLineError> {
    if !attributes.gives_owner() {
        return Ok(String::new());
    }
    Ok(fill(include_str!("../sh/check_owner.sh"), &[("BELONGS", &belongs(attributes)?)]))
}
