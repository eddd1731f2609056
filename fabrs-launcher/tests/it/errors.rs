//! Error messages name the files of the user, never the generated package.

use std::fs;

use fabrs_core::{Error, ErrorKind};

use crate::test_dir::{RecordedEvents, TestDir};

/// Asserts that no message names the generated package. Returns the text of the error.
#[track_caller]
fn error_block(dir: &TestDir, error: &Error, events: &RecordedEvents) -> String {
    let block = error.block().to_string();
    let all = format!("{block}\n{}", events.diagnostics);
    assert!(!all.contains("tasks-") && !all.contains("aborting due to"), "{all}");
    assert!(!all.contains(&dir.path("cache").display().to_string()), "{all}");
    block
}

#[test]
fn a_compile_error_shows_file_and_line() {
    let dir = TestDir::new();
    let project = dir.project("shop", "mod db;\nfn a() { nonsense() }");
    dir.write("shop/db.rs", "\npub fn b() -> u32 { \"text\" }");
    let (compiled, events) = dir.try_compile(&project, &[]);
    let error = compiled.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compile);
    assert_eq!(error_block(&dir, &error, &events), "error: could not compile `shop/tasks.rs`");
    assert!(events.diagnostics.contains("error[E0425]: cannot find function `nonsense`"), "{}", events.diagnostics);
    assert!(events.diagnostics.contains("--> shop/tasks.rs:6:10"), "{}", events.diagnostics);
    assert_eq!(events.events.last().map(String::as_str), Some("Done"));

    // Each call reports the error until the file is fixed.
    let (again, events) = dir.try_compile(&project, &[]);
    assert!(again.is_err() && events.diagnostics.contains("nonsense"));
    dir.project("shop", "mod db;");
    let (compiled, events) = dir.try_compile(&project, &[]);
    assert!(compiled.is_err() && events.diagnostics.contains("--> shop/db.rs:2:"), "{}", events.diagnostics);
    dir.write("shop/db.rs", "pub fn b() -> u32 { 1 }");
    let (_, events) = dir.run(&project);
    // A warning does not fail the build.
    assert!(events.diagnostics.contains("function `b` is never used"), "{}", events.diagnostics);
}

#[test]
fn an_error_names_the_failed_dependency() {
    let dir = TestDir::new();
    dir.write("price/Cargo.toml", "[package]\nname = 'price'\nversion = '1.0.0'");
    dir.write("price/src/lib.rs", "fn a() { nonsense() }");
    let project = dir.project_with("shop", "price.path = '../price'", "");
    let (compiled, events) = dir.try_compile(&project, &[]);
    let block = error_block(&dir, &compiled.unwrap_err(), &events);
    assert_eq!(block, "error: could not compile `price`, a dependency of `shop/tasks.rs`");
    assert!(events.diagnostics.contains("cannot find function `nonsense`"), "{}", events.diagnostics);
}

#[test]
fn a_missing_path_dependency_has_the_error_of_cargo() {
    let dir = TestDir::new();
    let project = dir.project_with("shop", "price.path = '../price'", "");
    let (compiled, events) = dir.try_compile(&project, &[]);
    let error = compiled.unwrap_err();
    let block = error_block(&dir, &error, &events);
    assert_eq!(error.kind(), ErrorKind::Compile);
    assert!(block.contains("caused by: failed to load manifest for dependency `price`"), "{block}");
    assert!(block.contains(dir.path("price/Cargo.toml").to_str().unwrap()), "{block}");
    assert_eq!(error.hint_text(), None);
}

#[test]
fn an_invalid_manifest_block_is_reported_with_its_line() {
    let dir = TestDir::new();
    let project = dir.project_with("shop", "[features]\nfast = []", "");
    let (compiled, events) = dir.try_compile(&project, &[]);
    let error = compiled.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().starts_with("shop/tasks.rs:4: unknown key `features`"), "{error}");
    assert!(!events.is_compiling());
}

#[test]
fn a_tasks_rs_that_is_not_utf_8_is_named() {
    let dir = TestDir::new();
    let project = dir.project("shop", "");
    fs::write(&project.tasks_file, [0xff, 0xfe]).unwrap();
    let error = dir.try_compile(&project, &[]).0.unwrap_err();
    assert_eq!(error.to_string(), "could not read `shop/tasks.rs`");
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn a_missing_cargo_has_an_installation_hint() {
    let dir = TestDir::new();
    let project = dir.project("shop", "");
    let error = dir.try_compile(&project, &[("PATH", "/nowhere"), ("CARGO_HOME", "/nowhere")]).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local);
    assert!(error.hint_text().is_some_and(|hint| hint.contains("rustup.rs")), "{error:?}");
}

#[test]
fn an_unwritable_cache_is_named() {
    let dir = TestDir::new();
    let project = dir.project("shop", "");
    dir.write("cache", "a file where a folder should be");
    let error = dir.try_compile(&project, &[]).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local);
    assert!(error.to_string().contains("cache/fabrs"), "{error}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("FABRS_CACHE")), "{error:?}");
}
