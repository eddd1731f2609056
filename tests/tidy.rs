//! The repository's own rules: what may import what, what may be named where, and what must not be said twice.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of `fabrs-core` by layer: each imports only from the lines above its own.
const LAYERS: [&[&str]; 13] = [
    &["host", "secret", "shell", "controls", "open_files", "mutex", "blocking"],
    &["output", "error"],
    &["event", "config"],
    &["transport"],
    &["state"],
    &["connection"],
    &["files"],
    &["client"],
    &["group"],
    &["lock"],
    &["task"],
    &["plan"],
    &["run"],
];

/// A source file with more lines than this has more than one purpose.
const LONGEST: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files below a folder of the repository that end so, with their texts.
fn files(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
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

fn sources() -> Vec<(PathBuf, String)> {
    let folders = [
        "src",
        "fabrs-core/src",
        "fabrs-cli/src",
        "fabrs-demo/src",
        "fabrs-deploy/src",
        "fabrs-launcher/src",
        "fabrs-macros/src",
        "fabrs-openssh/src",
        "fabrs-project/src",
        "fabrs-testing/src",
    ];
    folders.into_iter().flat_map(|folder| files(folder, ".rs")).collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// Returns the code of a text: without comments, and without its unit tests, which may look anywhere.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let lines = text.get(..end).unwrap_or_default().lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the top-level modules that a file of `fabrs-core` names by `crate::` or, from a module's root, by `super::`.
fn named_modules(code: &str, is_root: bool) -> Vec<String> {
    let mut named = Vec::new();
    let starts: &[&str] = if is_root { &["crate::", "super::"] } else { &["crate::"] };
    for start in starts {
        for (at, _) in code.match_indices(start) {
            let rest = code.get(at + start.len()..).unwrap_or_default();
            let inside = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or_default(),
                None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default(),
            };
            let words = inside.split(',').map(|word| word.trim().split("::").next().unwrap_or_default().to_owned());
            named.extend(words.filter(|word| layer(word).is_some()));
        }
    }
    named
}

#[test]
fn modules_of_the_core_import_only_from_layers_above() {
    let mut broken = Vec::new();
    for (path, text) in files("fabrs-core/src", ".rs") {
        let below = path.strip_prefix("fabrs-core/src").expect("it is below");
        let first = below.iter().next().expect("it has a name").to_string_lossy().replace(".rs", "");
        let Some(own) = layer(&first) else {
            assert_eq!(first, "lib", "{} stands in no layer", path.display());
            continue;
        };
        let is_root = below.components().count() <= 2 && (below.ends_with("mod.rs") || below.components().count() == 1);
        for named in named_modules(&code(&text), is_root) {
            if layer(&named).is_some_and(|other| other > own) {
                broken.push(format!("{} names `{named}`", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_scan_of_imports_sees_every_way_to_name_a_module() {
    let text = "use crate::{plan::Plan, host};\nfn f() { crate::run::once(); }\nuse super::group::Group;";
    assert_eq!(named_modules(text, true), ["plan", "host", "run", "group"]);
    assert_eq!(named_modules(text, false), ["plan", "host", "run"]);
}

#[test]
fn russh_is_named_only_where_ssh_is_spoken() {
    for (path, text) in sources() {
        let speaks = ["fabrs-core/src/transport/ssh", "fabrs-demo/src/serve", "fabrs-demo/src/sftp"];
        let speaks =
            speaks.iter().any(|place| path.starts_with(place)) || path.ends_with("fabrs-launcher/src/cargo_profile.rs");
        // The protocol for files is its own, and is spoken over a channel that any transport has carried.
        let speaks_sftp = path.starts_with("fabrs-core/src/files/sftp");
        let is_named = |line: &str| line.contains("russh::") || line.contains("use russh");
        let named = code(&text).lines().any(|line| is_named(line) && !(speaks_sftp && line.contains("russh_sftp::")));
        assert!(speaks || !named, "{} names russh", path.display());
    }
}

#[test]
fn the_plan_does_no_work() {
    for (path, text) in files("fabrs-core/src/plan", ".rs") {
        let code = code(&text);
        for word in ["async ", ".await", "std::fs", "std::io", "std::net", "tokio"] {
            assert!(!code.contains(word), "{} has `{word}`", path.display());
        }
    }
}

#[test]
fn every_file_has_one_purpose_and_says_it_first() {
    for (path, text) in sources() {
        let path = path.display();
        let is_tests = path.to_string().ends_with("tests.rs");
        assert!(is_tests || text.lines().count() <= LONGEST, "{path} has more than {LONGEST} lines");
        let doc: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let first: String = doc.iter().take_while(|line| line.trim() != "//!").copied().collect::<Vec<_>>().join(" ");
        assert!(!first.is_empty(), "{path} does not begin by saying what it is about");
        assert!(first.ends_with(['.', '!', ':']), "{path}: its first words are no sentence: {first}");
    }
}

#[test]
fn nothing_is_left_open_switched_off_or_silenced() {
    // Put together here, so that this file does not hold them.
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
        if path.starts_with("tests/ui") {
            continue;
        }
        for word in &open {
            assert!(!text.contains(word.as_str()), "{} has {word}", path.display());
        }
        // What the macros write into a user's file must not meet the user's lints.
        let generates = path.starts_with("fabrs-macros");
        for word in silenced {
            let found = code(&text).lines().any(|line| line.trim_start().starts_with(word));
            assert!(generates || !found, "{} has {word}", path.display());
        }
    }
}

#[test]
fn versions_are_said_once() {
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
fn the_architecture_names_only_what_is_there() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page");
    let named = text.split('`').skip(1).step_by(2).filter(|name| name.contains("tests/"));
    let missing: Vec<&str> = named.filter(|name| !root().join(name).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_macro_diagnostic_has_its_text_on_record() {
    for (path, _) in files("tests/ui/fail", ".rs") {
        assert!(root().join(path.with_extension("stderr")).exists(), "{} has no .stderr", path.display());
    }
    for (path, _) in files("tests/ui/fail", ".stderr") {
        assert!(root().join(path.with_extension("rs")).exists(), "{} has no .rs", path.display());
    }
}
