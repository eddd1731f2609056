//! Parsers for dep-info files, the lists of inputs written by cargo and rustc.

use std::path::{Path, PathBuf};

/// Returns the inputs in the dep-info file of a binary: all sources of all local packages.
pub(crate) fn source_files(text: &str) -> Vec<PathBuf> {
    // The file has one rule: `BINARY: INPUT INPUT ..`. The name of the binary ends at the first
    // colon before a space.
    text.lines().filter_map(|rule| rule.split_once(": ")).flat_map(|(_, inputs)| split_unescaped(inputs)).collect()
}

/// Splits text at spaces without a backslash before them.
fn split_unescaped(text: &str) -> Vec<PathBuf> {
    let mut words = Vec::new();
    let mut word = String::new();
    for part in text.split(' ') {
        if let Some(part) = part.strip_suffix('\\') {
            word.push_str(part);
            word.push(' ');
        } else {
            word.push_str(part);
            words.push(std::mem::take(&mut word));
        }
    }
    words.push(word);
    words.into_iter().filter(|word| !word.is_empty()).map(PathBuf::from).collect()
}

/// Returns the variables of `env!` and `option_env!` in a dep-info file of rustc.
///
/// Skips the variables set by cargo, because they are derived from inputs that are compared anyway.
pub(crate) fn env_variables(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# env-dep:"))
        .map(|variable| variable.split_once('=').map_or(variable, |(name, _)| name))
        .filter(|name| !name.starts_with("CARGO") && *name != "OUT_DIR")
}

/// Returns the path of the dep-info file of a library, given the compiled files of the library.
pub(crate) fn library_dep_info(files: &[PathBuf]) -> Option<PathBuf> {
    let metadata = files.iter().find(|file| file.extension().is_some_and(|extension| extension == "rmeta"))?;
    let name = Path::new(metadata.file_name()?.to_str()?.strip_prefix("lib")?).with_extension("d");
    Some(metadata.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_paths_may_contain_spaces() {
        let text = "/my\\ target/debug/tasks-1: /fabrs/src/lib.rs /my\\ shop\\ 2/täsks.rs /x:y/a.rs\n";
        let expected = ["/fabrs/src/lib.rs", "/my shop 2/täsks.rs", "/x:y/a.rs"].map(PathBuf::from);
        assert_eq!(source_files(text), expected);
        assert_eq!(source_files(""), Vec::<PathBuf>::new());
    }

    #[test]
    fn variables_set_by_cargo_are_skipped() {
        let text = "/a.d: /a.rs\n\n/a.rs:\n\n# env-dep:CARGO_PKG_NAME=x\n# env-dep:KEY=a=b\n# env-dep:UNSET\n";
        assert_eq!(env_variables(text).collect::<Vec<_>>(), ["KEY", "UNSET"]);
    }

    #[test]
    fn the_dep_info_of_a_library_is_beside_its_metadata() {
        let files = ["/t/debug/libtasks.rlib", "/t/debug/deps/libtasks-12ab.rmeta"].map(PathBuf::from);
        assert_eq!(library_dep_info(&files), Some("/t/debug/deps/tasks-12ab.d".into()));
        assert_eq!(library_dep_info(&files[..1]), None);
    }
}
