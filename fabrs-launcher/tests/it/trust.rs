//! File trust: inputs writable by another user are refused before any of them runs.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use fabrs_core::ErrorKind;
use fabrs_project::Project;

use crate::test_dir::{RecordedEvents, TestDir};

/// A user id without an account.
const STRANGER: u32 = 54_321;

/// Compiles a tool without trusted folders, and returns the text of the expected error.
#[track_caller]
fn refusal(dir: &TestDir, project: &Project) -> (String, RecordedEvents) {
    let (compiled, events) = dir.try_compile(project, &[("FABRS_TRUST", "")]);
    let error = compiled.expect_err("another user could have written an input");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
    assert!(
        error.hint_text().is_some_and(|hint| hint.contains("to trust the folder: `export FABRS_TRUST=")),
        "{error:?}"
    );
    (error.to_string().replace(dir.path("").to_str().expect("temporary folders have plain names"), ""), events)
}

#[track_caller]
fn accepted(dir: &TestDir, project: &Project) -> RecordedEvents {
    let (compiled, events) = dir.try_compile(project, &[("FABRS_TRUST", "")]);
    compiled.unwrap_or_else(|error| panic!("{error:?}\n{}", events.diagnostics));
    events
}

fn chown_to_stranger(dir: &TestDir, name: &str) {
    chown(dir.path(name), Some(STRANGER), None).expect("root can change the owner");
}

#[test]
fn a_module_of_another_user_is_refused_in_every_run() {
    let dir = TestDir::new();
    let project = dir.project("shop", "mod evil;\nfabrs::task!(\"{}\", evil::TEXT);");
    dir.write("shop/evil.rs", "pub const TEXT: &str = \"evil\";");
    chown_to_stranger(&dir, "shop/evil.rs");
    let expected = "`shop/evil.rs` belongs to another user (uid 54321)";
    assert_eq!(refusal(&dir, &project).0, expected);
    assert_eq!(refusal(&dir, &project).0, expected);
    assert!(!dir.cache_folder(&project).join("build-record").exists());

    // The module is compiled and recorded while its folder is trusted.
    dir.run(&project);
    let (text, events) = refusal(&dir, &project);
    assert_eq!(text, expected);
    assert!(!events.is_compiling(), "the tool is fresh");

    dir.write("shop/tasks.rs", &fs::read_to_string(&project.tasks_file).unwrap().replace("mod evil;", "mod good;"));
    dir.write("shop/tasks.rs", &fs::read_to_string(&project.tasks_file).unwrap().replace("evil::", "good::"));
    dir.write("shop/good.rs", "pub const TEXT: &str = \"good\";");
    accepted(&dir, &project);
}

#[test]
fn a_module_folder_writable_by_others_is_refused() {
    let dir = TestDir::new();
    let project = dir.project("shop", "mod a;\nfabrs::task!(\"{}\", a::b::TEXT);");
    dir.write("shop/a/mod.rs", "pub mod b;");
    dir.write("shop/a/b.rs", "pub const TEXT: &str = \"b\";");
    let set_mode = |mode| fs::set_permissions(dir.path("shop/a"), fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o777);
    let expected = "other users can write to `shop/a` (mode 0777)";
    assert_eq!(refusal(&dir, &project).0, expected);
    set_mode(0o755);
    assert!(accepted(&dir, &project).is_compiling());

    // The compiled tool contains the accepted sources. After a change of a source, the tool is not
    // used.
    set_mode(0o777);
    assert!(!accepted(&dir, &project).is_compiling());
    dir.write("shop/a/b.rs", "pub const TEXT: &str = \"c\";");
    assert_eq!(refusal(&dir, &project).0, expected);
    // With other values of the trust variables, the sources are checked again.
    let (compiled, _) = dir.try_compile(&project, &[("SUDO_UID", "54321")]);
    compiled.unwrap();
    assert_eq!(refusal(&dir, &project).0, expected);
}

#[test]
fn a_build_script_of_another_user_never_runs() {
    for name in ["price/build.rs", "price/Cargo.toml", "price", "price/src/deep/x.rs"] {
        let dir = TestDir::new();
        let project = dir.project_with("shop", "price.path = '../price'", "fabrs::task!(\"x\");");
        dir.write("price/Cargo.toml", "[package]\nname = 'price'\nversion = '0.0.0'\nedition = '2024'\n");
        dir.write("price/src/lib.rs", "");
        dir.write("price/src/deep/x.rs", "");
        let ran = dir.path("ran");
        dir.write("price/build.rs", &format!("fn main() {{ std::fs::write({ran:?}, \"\").unwrap(); }}"));
        chown_to_stranger(&dir, name);
        let (text, events) = refusal(&dir, &project);
        // The error shows the path as written in the manifest block.
        assert_eq!(text, format!("`{name}` belongs to another user (uid 54321)"));
        assert!(!events.is_compiling() && !ran.exists());
    }
}

#[test]
fn a_missing_input_of_a_build_script_is_accepted() {
    let dir = TestDir::new();
    let project = dir.project_with("shop", "price.path = '../price'", "fabrs::task!(\"x\");");
    dir.write("price/Cargo.toml", "[package]\nname = 'price'\nversion = '0.0.0'\nedition = '2024'\n");
    dir.write("price/src/lib.rs", "");
    dir.write("price/build.rs", "fn main() { println!(\"cargo::rerun-if-changed=none\"); }");
    assert!(accepted(&dir, &project).is_compiling());
}

#[test]
fn a_cargo_configuration_of_another_user_is_refused() {
    for name in [".cargo/config.toml", "shop/.cargo/config"] {
        let dir = TestDir::new();
        let project = dir.project("shop", "fabrs::task!(\"x\");");
        dir.write(name, "[net]\nretry = 1\n");
        chown_to_stranger(&dir, name);
        let (text, events) = refusal(&dir, &project);
        assert_eq!(text, format!("`{name}` belongs to another user (uid 54321)"));
        assert!(!events.is_compiling());
    }
}

#[test]
fn settings_of_another_user_above_the_cache_have_no_effect() {
    let dir = TestDir::new();
    let project = dir.project("shop", "fabrs::task!(\"x\");");
    for (name, text) in [
        ("cache/.cargo/config.toml", "[build]\nrustc = \"/no such compiler\"\n"),
        ("rust-toolchain.toml", "[toolchain]\npath = \"/no such toolchain\"\n"),
    ] {
        dir.write(name, text);
        chown_to_stranger(&dir, name);
    }
    assert!(accepted(&dir, &project).is_compiling());
}
