//! Scripts that read files and metadata, and the script that creates directories.

use std::path::Path;

use super::fragments::{FAIL, SUM};
use super::words::{path_word, pattern};
use crate::files::checksum::Checksum;
use crate::files::file_error::{IS_A_FOLDER, NO_FILE, NO_REGULAR};
use crate::files::script::compose::{fill, minify, minify_all};
use crate::shell::{ShellLineError, quote, quote_path};

/// Returns the script that creates directories and their missing parents.
pub(in crate::files::script) fn folders(folders: &[String]) -> Result<String, ShellLineError> {
    let words = folders.iter().map(|folder| quote_path(folder)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("umask 022\nmkdir -p -- {}", words.join(" ")))
}

/// Returns the script that prints a file, unless its content is `known`.
pub(in crate::files::script) fn get(path: &Path, known: Option<&Checksum>) -> Result<String, ShellLineError> {
    let unless_known = match known {
        Some(known) => fill(
            include_str!("../sh/get_known.sh"),
            &[("SIZE", &known.size.to_string()), ("SUM", &known.sha256.to_string())],
        ),
        None => String::new(),
    };
    let script = fill(
        include_str!("../sh/get.sh"),
        &[
            ("PATH", &path_word(path.as_os_str())?),
            ("IS_A_FOLDER", IS_A_FOLDER),
            ("NO_FILE", NO_FILE),
            ("NO_REGULAR", NO_REGULAR),
            ("UNLESS_KNOWN", &unless_known),
        ],
    );
    Ok(minify_all(&[FAIL, SUM]) + &script)
}

/// Returns the script that prints the metadata of a path without and with following a symlink.
pub(in crate::files::script) fn stat(path: &str) -> Result<String, ShellLineError> {
    Ok(minify(FAIL) + &fill(include_str!("../sh/stat.sh"), &[("PATH", &quote_path(path)?)]))
}

/// Returns the script that prints the paths matching a pattern.
pub(in crate::files::script) fn matches(path: &str) -> Result<String, ShellLineError> {
    let values = [("PATTERN", &*pattern(path)?), ("NO_FILE", NO_FILE), ("SHOWN", &quote(path)?)];
    Ok(minify(FAIL) + &fill(include_str!("../sh/matches.sh"), &values))
}
