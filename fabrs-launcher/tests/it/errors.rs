//! What goes wrong is told in the user's terms.

use std::fs;

use fabrs_core::{Error, ErrorKind};

use crate::test_dir::{Heard, Place};

/// Asserts that nothing names the generated package, and returns the error's block.
#[track_caller]
fn told(place: &Place, error: &Error, heard: &Heard) -> String {
    let block = error.block().to_string();
    let all = format!("{block}\n{}", heard.diagnostics);
    assert!(!all.contains("tasks-") && !all.contains("aborting due to"), "{all}");
    assert!(!all.contains(&place.path("cache").display().to_string()), "{all}");
    block
}

#[test]
fn a_compile_error_shows_the_users_file_and_line() {
    let place = Place::new();
    let project = place.project("shop", "mod db;\nfn a() { nonsense() }");
    place.write("shop/db.rs", "\npub fn b() -> u32 { \"text\" }");
    let (prepared, heard) = place.try_prepare(&project, &[]);
    let error = prepared.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compile);
    assert_eq!(told(&place, &error, &heard), "error: could not compile `shop/tasks.rs`");
    assert!(heard.diagnostics.contains("error[E0425]: cannot find function `nonsense`"), "{}", heard.diagnostics);
    assert!(heard.diagnostics.contains("--> shop/tasks.rs:6:10"), "{}", heard.diagnostics);
    assert_eq!(heard.notes.last().map(String::as_str), Some("Done"));

    // Until it is mended each call says so, and then it compiles.
    let (again, heard) = place.try_prepare(&project, &[]);
    assert!(again.is_err() && heard.diagnostics.contains("nonsense"));
    place.project("shop", "mod db;");
    let (prepared, heard) = place.try_prepare(&project, &[]);
    assert!(prepared.is_err() && heard.diagnostics.contains("--> shop/db.rs:2:"), "{}", heard.diagnostics);
    place.write("shop/db.rs", "pub fn b() -> u32 { 1 }");
    let (_, heard) = place.run(&project);
    // A warning does not stop it.
    assert!(heard.diagnostics.contains("function `b` is never used"), "{}", heard.diagnostics);
}

#[test]
fn a_broken_crate_is_named() {
    let place = Place::new();
    place.write("price/Cargo.toml", "[package]\nname = 'price'\nversion = '1.0.0'");
    place.write("price/src/lib.rs", "fn a() { nonsense() }");
    let project = place.project_with("shop", "price.path = '../price'", "");
    let (prepared, heard) = place.try_prepare(&project, &[]);
    let block = told(&place, &prepared.unwrap_err(), &heard);
    assert_eq!(block, "error: could not compile `price`, which `shop/tasks.rs` needs");
    assert!(heard.diagnostics.contains("cannot find function `nonsense`"), "{}", heard.diagnostics);
}

#[test]
fn a_crate_that_is_not_there_is_cargos_to_explain() {
    let place = Place::new();
    let project = place.project_with("shop", "price.path = '../price'", "");
    let (prepared, heard) = place.try_prepare(&project, &[]);
    let error = prepared.unwrap_err();
    let block = told(&place, &error, &heard);
    assert_eq!(error.kind(), ErrorKind::Compile);
    assert!(block.contains("caused by: failed to load manifest for dependency `price`"), "{block}");
    assert!(block.contains(place.path("price/Cargo.toml").to_str().unwrap()), "{block}");
    assert_eq!(error.advice(), None);
}

#[test]
fn a_wrong_manifest_block_is_named_with_its_line() {
    let place = Place::new();
    let project = place.project_with("shop", "[features]\nfast = []", "");
    let (prepared, heard) = place.try_prepare(&project, &[]);
    let error = prepared.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().starts_with("shop/tasks.rs:4: unknown key `features`"), "{error}");
    assert!(!heard.compiling());
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let place = Place::new();
    let project = place.project("shop", "");
    fs::write(&project.tasks_file, [0xff, 0xfe]).unwrap();
    let error = place.try_prepare(&project, &[]).0.unwrap_err();
    assert_eq!(error.to_string(), "could not read `shop/tasks.rs`");
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn without_cargo_the_way_to_get_it_is_told() {
    let place = Place::new();
    let project = place.project("shop", "");
    let error = place.try_prepare(&project, &[("PATH", "/nowhere"), ("CARGO_HOME", "/nowhere")]).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local);
    assert!(error.advice().is_some_and(|hint| hint.contains("rustup.rs")), "{error:?}");
}

#[test]
fn a_cache_that_can_not_be_written_is_named() {
    let place = Place::new();
    let project = place.project("shop", "");
    place.write("cache", "a file where a folder should be");
    let error = place.try_prepare(&project, &[]).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local);
    assert!(error.to_string().contains("cache/fabrs"), "{error}");
    assert!(error.advice().is_some_and(|hint| hint.contains("FABRS_CACHE")), "{error:?}");
}
