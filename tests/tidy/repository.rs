//! Access to the files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates of the workspace, by folder. The facade is the root.
pub(crate) const CRATES: [&str; 10] = [
    ".",
    "fabrs-cli",
    "fabrs-core",
    "fabrs-demo",
    "fabrs-deploy",
    "fabrs-launcher",
    "fabrs-macros",
    "fabrs-openssh",
    "fabrs-project",
    "fabrs-testing",
];

/// Returns the root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files below a folder of the repository with this ending, and their texts.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(ending) {
                let text = fs::read_to_string(&path).expect("a file of the repository is UTF-8");
                found.push((path.strip_prefix(root()).expect("it is below").to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// Returns the source files of all crates, without their tests.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    CRATES.into_iter().flat_map(crate_sources).collect()
}

/// Returns the source files of one crate, with paths relative to the root of the repository.
pub(crate) fn crate_sources(krate: &str) -> Vec<(PathBuf, String)> {
    let src = if krate == "." { "src".to_owned() } else { format!("{krate}/src") };
    files(&src, ".rs")
}

/// Returns the code of a text: without comments and unit tests.
pub(crate) fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let lines = text.get(..end).unwrap_or_default().lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}
