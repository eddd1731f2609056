//! Sizes of files and modules.

use std::collections::BTreeMap;

use crate::repository::{code, crate_sources, sources};

/// A longer file has more than one purpose.
const MAX_FILE_LINES: usize = 450;

/// The greatest median of the lines of a file.
const MAX_MEDIAN_LINES: usize = 150;

/// The maximum number of lines of a top-level module.
const MAX_MODULE_LINES: usize = 9_000;

/// The maximum number of `super::super` in the workspace: an absolute path is easier to read.
const MAX_SUPER_SUPER: usize = 20;

#[test]
fn no_file_has_more_than_450_lines() {
    let sizes: Vec<_> = sources().into_iter().map(|(path, text)| (text.lines().count(), path)).collect();
    let long: Vec<_> = sizes.iter().filter(|(lines, _)| *lines > MAX_FILE_LINES).collect();
    assert!(long.is_empty(), "{long:#?}");
    let mut lines: Vec<usize> = sizes.iter().map(|(lines, _)| *lines).collect();
    lines.sort_unstable();
    assert!(lines[lines.len() / 2] <= MAX_MEDIAN_LINES, "the median is {} lines", lines[lines.len() / 2]);
}

#[test]
fn no_top_level_module_of_the_core_has_more_than_9000_lines() {
    let mut modules = BTreeMap::<String, usize>::new();
    for (path, text) in crate_sources("fabrs-core") {
        let module = path.iter().nth(2).expect("the file is below the sources").to_string_lossy().into_owned();
        *modules.entry(module).or_default() += text.lines().count();
    }
    let large: Vec<_> = modules.iter().filter(|(_, lines)| **lines > MAX_MODULE_LINES).collect();
    assert!(large.is_empty(), "{large:#?}");
}

#[test]
fn paths_start_at_the_crate_in_the_place_of_two_supers() {
    let files = sources();
    let uses: usize = files.iter().map(|(_, text)| code(text).matches("super::super").count()).sum();
    assert!(uses <= MAX_SUPER_SUPER, "`super::super` is used {uses} times");
    for (path, text) in &files {
        assert!(!code(text).contains("super::super::super"), "{}", path.display());
    }
}
