//! Rules about dependencies, lints, versions and recorded texts.

use std::fs;

use crate::repository::{code, files, root, sources};

#[test]
fn russh_is_imported_only_by_the_ssh_modules() {
    for (path, text) in sources() {
        let speaks = ["fabrs-core/src/ssh", "fabrs-demo/src/serve", "fabrs-demo/src/sftp"];
        let speaks =
            speaks.iter().any(|place| path.starts_with(place)) || path.ends_with("fabrs-launcher/src/cargo_profile.rs");
        // The protocol for files is its own, and is spoken over a channel that any transport has
        // carried.
        let speaks_sftp = path.starts_with("fabrs-core/src/file_backend/sftp");
        let is_named = |line: &str| line.contains("russh::") || line.contains("use russh");
        let named = code(&text).lines().any(|line| is_named(line) && !(speaks_sftp && line.contains("russh_sftp::")));
        assert!(speaks || !named, "{} names russh", path.display());
    }
}

#[test]
fn the_plan_has_no_io_and_no_async_code() {
    for (path, text) in files("fabrs-core/src/plan", ".rs") {
        let code = code(&text);
        for word in ["async ", ".await", "std::fs", "std::io", "std::net", "tokio"] {
            assert!(!code.contains(word), "{} has `{word}`", path.display());
        }
    }
}

#[test]
fn no_source_has_open_marks_ignored_tests_or_silenced_lints() {
    // Concatenated, so this file does not contain the words.
    let open = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    let silenced = ["#[allow(", "#![allow(", "#[ignore"];
    let tests = [
        "tests",
        "fabrs-cli/tests",
        "fabrs-demo/tests",
        "fabrs-deploy/tests",
        "fabrs-launcher/tests",
        "fabrs-openssh/tests",
        "fabrs-testing/tests",
    ];
    let all = sources().into_iter().chain(tests.into_iter().flat_map(|folder| files(folder, ".rs")));
    for (path, text) in all {
        // The cases for the macros are users' files.
        if path.starts_with("tests/ui") || path.starts_with("tests/macros") {
            continue;
        }
        for word in &open {
            assert!(!text.contains(word.as_str()), "{} has {word}", path.display());
        }
        // Generated code in a user's file must not trigger the user's lints.
        let generates = path.starts_with("fabrs-macros");
        for word in silenced {
            let found = code(&text).lines().any(|line| line.trim_start().starts_with(word));
            assert!(generates || !found, "{} has {word}", path.display());
        }
    }
}

#[test]
fn no_file_has_a_merge_conflict() {
    for ending in [".rs", ".md", ".sh", ".py", ".toml", ".txt"] {
        for (path, text) in files(".", ending) {
            // Concatenated, so this file does not contain the marks.
            let is_mark = |line: &str| ["<", ">"].iter().any(|mark| line.starts_with(&(mark.repeat(7) + " ")));
            assert!(!text.lines().any(is_mark), "{} has a merge conflict", path.display());
        }
    }
}

#[test]
fn versions_have_one_source() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let minimum = value(&manifest, "rust-version");
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    assert!(readme.contains(&format!("{minimum} or newer")), "the README names another Rust than {minimum}");
    for krate in [
        "fabrs-core",
        "fabrs-cli",
        "fabrs-demo",
        "fabrs-deploy",
        "fabrs-launcher",
        "fabrs-macros",
        "fabrs-openssh",
        "fabrs-project",
        "fabrs-testing",
    ] {
        let text = fs::read_to_string(root().join(krate).join("Cargo.toml")).expect("a manifest");
        assert!(text.contains("version.workspace = true"), "{krate} has a version of its own");
        assert!(text.contains("rust-version.workspace = true"), "{krate} names a Rust of its own");
        // Its name, its description and its paths are its own; all else comes from the workspace.
        let named = text
            .lines()
            .find(|line| line.contains(" = \"") && !line.starts_with(['n', 'd', 'p', '[']) && !line.contains("path"));
        assert_eq!(named, None, "{krate}: versions belong to the workspace");
    }
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("the changelog");
    let version = value(&manifest, "version");
    assert!(changelog.contains(&format!("## {version}")), "the changelog does not know {version}");
}

/// Returns the first value of a key in a manifest.
fn value(manifest: &str, key: &str) -> String {
    let line = manifest.lines().find(|line| line.split('=').next().is_some_and(|name| name.trim() == key));
    line.and_then(|line| line.split('"').nth(1)).expect("the key is there").to_owned()
}

#[test]
fn the_pages_name_existing_tests() {
    for page in ["ARCHITECTURE.md", "docs/continuous-deployment.md"] {
        let text = fs::read_to_string(root().join(page)).expect("the page");
        let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|name| name.contains("tests/")).collect();
        let missing: Vec<&&str> = named.iter().filter(|name| !root().join(name).exists()).collect();
        assert!(!named.is_empty() && missing.is_empty(), "{page}: {missing:?}");
    }
}

#[test]
fn every_macro_diagnostic_has_a_recorded_text() {
    for (path, _) in files("tests/ui/fail", ".rs") {
        assert!(root().join(path.with_extension("stderr")).exists(), "{} has no .stderr", path.display());
    }
    for (path, _) in files("tests/ui/fail", ".stderr") {
        assert!(root().join(path.with_extension("rs")).exists(), "{} has no .rs", path.display());
    }
}
