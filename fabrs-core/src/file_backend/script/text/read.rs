//! Scripts to read files and metadata, and to create directories.

use std::path::Path;

use super::fragments::{FAIL, SUM};
use super::words::{path_word, pattern};
use crate::shell::compose::{fill, minify, minify_all};
use crate::shell::{ShellLineError, quote, quote_path};
use crate::transfer::checksum::Checksum;
use crate::transfer::file_error::{IS_A_DIRECTORY, IS_NOT_A_REGULAR_FILE, NO_FILE};

/// Composes a script to create directories and their missing parents.
pub(crate) fn directories(directories: &[String]) -> Result<String, ShellLineError> {
    let words = directories.iter().map(|folder| quote_path(folder)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("umask 022\nmkdir -p -- {}", words.join(" ")))
}

/// Composes a script to print a file, unless the content is `known`.
pub(crate) fn get(path: &Path, known: Option<&Checksum>) -> Result<String, ShellLineError> {
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
            ("IS_A_FOLDER", IS_A_DIRECTORY),
            ("NO_FILE", NO_FILE),
            ("NO_REGULAR", IS_NOT_A_REGULAR_FILE),
            ("UNLESS_KNOWN", &unless_known),
        ],
    );
    Ok(minify_all(&[FAIL, SUM]) + &script)
}

/// Composes a script to print the metadata of a path without and with following a symlink.
pub(crate) fn stat(path: &str) -> Result<String, ShellLineError> {
    Ok(minify(FAIL) + &fill(include_str!("../sh/stat.sh"), &[("PATH", &quote_path(path)?)]))
}

/// Composes a script to print the paths matching a pattern.
pub(crate) fn matches(path: &str) -> Result<String, ShellLineError> {
    let values = [("PATTERN", &*pattern(path)?), ("NO_FILE", NO_FILE), ("SHOWN", &quote(path)?)];
    Ok(minify(FAIL) + &fill(include_str!("../sh/matches.sh"), &values))
}
