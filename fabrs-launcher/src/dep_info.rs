//! What cargo and the compiler write down about the files that went into a build.

use std::path::{Path, PathBuf};

/// Returns the inputs that cargo's dep-info beside a binary names: all sources of all packages that are no download.
pub(crate) fn source_files(text: &str) -> Vec<PathBuf> {
    // One rule, `BINARY: INPUT INPUT …`; what ends the binary's name is the first colon before a blank.
    text.lines().filter_map(|rule| rule.split_once(": ")).flat_map(|(_, inputs)| split_unescaped(inputs)).collect()
}

/// Splits at blanks that have no backslash before them.
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

/// Returns the variables that `env!` and `option_env!` read, out of the compiler's own dep-info.
///
/// Those that cargo sets are left out: they are made from what is compared anyway.
pub(crate) fn env_variables(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# env-dep:"))
        .map(|variable| variable.split_once('=').map_or(variable, |(name, _)| name))
        .filter(|name| !name.starts_with("CARGO") && *name != "OUT_DIR")
}

/// Returns where the compiler's dep-info of a library is, given the files that cargo made of it.
pub(crate) fn library_dep_info(files: &[PathBuf]) -> Option<PathBuf> {
    let metadata = files.iter().find(|file| file.extension().is_some_and(|extension| extension == "rmeta"))?;
    let name = Path::new(metadata.file_name()?.to_str()?.strip_prefix("lib")?).with_extension("d");
    Some(metadata.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_found_also_with_blanks_in_their_paths() {
        let text = "/my\\ target/debug/tasks-1: /fabrs/src/lib.rs /my\\ shop\\ 2/täsks.rs /x:y/a.rs\n";
        let expected = ["/fabrs/src/lib.rs", "/my shop 2/täsks.rs", "/x:y/a.rs"].map(PathBuf::from);
        assert_eq!(source_files(text), expected);
        assert_eq!(source_files(""), Vec::<PathBuf>::new());
    }

    #[test]
    fn variables_are_those_that_cargo_does_not_set() {
        let text = "/a.d: /a.rs\n\n/a.rs:\n\n# env-dep:CARGO_PKG_NAME=x\n# env-dep:KEY=a=b\n# env-dep:UNSET\n";
        assert_eq!(env_variables(text).collect::<Vec<_>>(), ["KEY", "UNSET"]);
    }

    #[test]
    fn a_library_has_its_dep_info_beside_its_metadata() {
        let files = ["/t/debug/libtasks.rlib", "/t/debug/deps/libtasks-12ab.rmeta"].map(PathBuf::from);
        assert_eq!(library_dep_info(&files), Some("/t/debug/deps/tasks-12ab.d".into()));
        assert_eq!(library_dep_info(&files[..1]), None);
    }
}
