//! Inputs of a tool that another user could have written: refused before they run.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use fabrs_core::ErrorKind;
use fabrs_project::Project;

use crate::test_dir::{Heard, Place};

/// A user id without an account.
const STRANGER: u32 = 54_321;

/// Prepares a tool where nothing is trusted but the owners of files, and returns the text of its refusal.
#[track_caller]
fn refused(place: &Place, project: &Project) -> (String, Heard) {
    let (prepared, heard) = place.try_prepare(project, &[("FABRS_TRUST", "")]);
    let error = prepared.expect_err("another user could have written an input");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
    assert!(error.advice().is_some_and(|hint| hint.contains("to trust the folder: `export FABRS_TRUST=")), "{error:?}");
    (error.to_string().replace(place.path("").to_str().expect("temporary folders have plain names"), ""), heard)
}

#[track_caller]
fn accepted(place: &Place, project: &Project) -> Heard {
    let (prepared, heard) = place.try_prepare(project, &[("FABRS_TRUST", "")]);
    prepared.unwrap_or_else(|error| panic!("{error:?}\n{}", heard.diagnostics));
    heard
}

fn give(place: &Place, name: &str) {
    chown(place.path(name), Some(STRANGER), None).expect("root can give files away");
}

#[test]
fn a_module_of_another_user_is_refused_before_it_runs_and_in_every_later_run() {
    let place = Place::new();
    let project = place.project("shop", "mod evil;\nfabrs::task!(\"{}\", evil::TEXT);");
    place.write("shop/evil.rs", "pub const TEXT: &str = \"evil\";");
    give(&place, "shop/evil.rs");
    let expected = "`shop/evil.rs` belongs to another user (uid 54321)";
    assert_eq!(refused(&place, &project).0, expected);
    assert_eq!(refused(&place, &project).0, expected);
    assert!(!place.room(&project).join("stamp").exists());

    // Compiled and recorded while it was trusted.
    place.run(&project);
    let (text, heard) = refused(&place, &project);
    assert_eq!(text, expected);
    assert!(!heard.compiling(), "the tool is fresh");

    place.write("shop/tasks.rs", &fs::read_to_string(&project.tasks_file).unwrap().replace("mod evil;", "mod good;"));
    place.write("shop/tasks.rs", &fs::read_to_string(&project.tasks_file).unwrap().replace("evil::", "good::"));
    place.write("shop/good.rs", "pub const TEXT: &str = \"good\";");
    accepted(&place, &project);
}

#[test]
fn a_folder_of_modules_that_others_can_write_to_is_refused() {
    let place = Place::new();
    let project = place.project("shop", "mod a;\nfabrs::task!(\"{}\", a::b::TEXT);");
    place.write("shop/a/mod.rs", "pub mod b;");
    place.write("shop/a/b.rs", "pub const TEXT: &str = \"b\";");
    let set_mode = |mode| fs::set_permissions(place.path("shop/a"), fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o777);
    let expected = "other users can write to `shop/a` (mode 0777)";
    assert_eq!(refused(&place, &project).0, expected);
    set_mode(0o755);
    assert!(accepted(&place, &project).compiling());

    // The compiled tool is what was accepted. It is not used once somebody writes to a source.
    set_mode(0o777);
    assert!(!accepted(&place, &project).compiling());
    place.write("shop/a/b.rs", "pub const TEXT: &str = \"c\";");
    assert_eq!(refused(&place, &project).0, expected);
    // Other values of the trust variables check the sources again.
    let (prepared, _) = place.try_prepare(&project, &[("SUDO_UID", "54321")]);
    prepared.unwrap();
    assert_eq!(refused(&place, &project).0, expected);
}

#[test]
fn a_build_script_of_another_user_is_never_run() {
    for name in ["price/build.rs", "price/Cargo.toml", "price", "price/src/deep/x.rs"] {
        let place = Place::new();
        let project = place.project_with("shop", "price.path = '../price'", "fabrs::task!(\"x\");");
        place.write("price/Cargo.toml", "[package]\nname = 'price'\nversion = '0.0.0'\nedition = '2024'\n");
        place.write("price/src/lib.rs", "");
        place.write("price/src/deep/x.rs", "");
        let ran = place.path("ran");
        place.write("price/build.rs", &format!("fn main() {{ std::fs::write({ran:?}, \"\").unwrap(); }}"));
        give(&place, name);
        let (text, heard) = refused(&place, &project);
        // The path of the manifest block is named as it was written.
        assert_eq!(text, format!("`{name}` belongs to another user (uid 54321)"));
        assert!(!heard.compiling() && !ran.exists());
    }
}

#[test]
fn an_input_that_a_build_script_names_need_not_exist() {
    let place = Place::new();
    let project = place.project_with("shop", "price.path = '../price'", "fabrs::task!(\"x\");");
    place.write("price/Cargo.toml", "[package]\nname = 'price'\nversion = '0.0.0'\nedition = '2024'\n");
    place.write("price/src/lib.rs", "");
    place.write("price/build.rs", "fn main() { println!(\"cargo::rerun-if-changed=none\"); }");
    assert!(accepted(&place, &project).compiling());
}

#[test]
fn a_cargo_configuration_of_another_user_is_refused_before_cargo_starts() {
    for name in [".cargo/config.toml", "shop/.cargo/config"] {
        let place = Place::new();
        let project = place.project("shop", "fabrs::task!(\"x\");");
        place.write(name, "[net]\nretry = 1\n");
        give(&place, name);
        let (text, heard) = refused(&place, &project);
        assert_eq!(text, format!("`{name}` belongs to another user (uid 54321)"));
        assert!(!heard.compiling());
    }
}

#[test]
fn settings_of_another_user_above_the_cache_have_no_effect() {
    let place = Place::new();
    let project = place.project("shop", "fabrs::task!(\"x\");");
    for (name, text) in [
        ("cache/.cargo/config.toml", "[build]\nrustc = \"/no such compiler\"\n"),
        ("rust-toolchain.toml", "[toolchain]\npath = \"/no such toolchain\"\n"),
    ] {
        place.write(name, text);
        give(&place, name);
    }
    assert!(accepted(&place, &project).compiling());
}
