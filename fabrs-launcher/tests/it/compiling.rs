//! What becomes of a `tasks.rs`.

use crate::test_dir::Place;

#[test]
fn projects_with_equal_contents_each_run_their_own() {
    let place = Place::new();
    let one = place.project("one/shop", "fabrs::task!(\"{}\", file!());");
    let two = place.project("two/shop", "fabrs::task!(\"{}\", file!());");
    for _ in 0..2 {
        for project in [&one, &two] {
            let (printed, _) = place.run(project);
            assert_eq!(printed, format!("{}\ntool of {}\n", project.tasks_file.display(), project.hash()));
        }
    }
}

#[test]
fn dependencies_are_compiled_once_for_all_projects() {
    let place = Place::new();
    let (_, first) = place.run(&place.project("one", ""));
    let (_, second) = place.run(&place.project("two", ""));
    assert!(first.crate_compiled("fabrs") && first.crate_compiled("tasks.rs"), "{first:?}");
    assert!(!second.crate_compiled("fabrs") && second.crate_compiled("tasks.rs"), "{second:?}");
    assert!(first.notes[0].contains("first: true") && second.notes[0].contains("first: false"));
}

#[test]
fn modules_crate_paths_included_files_and_own_crates_work_in_a_path_with_blanks() {
    let place = Place::new();
    place.write("my shöp/of 2/db/mod.rs", "pub mod table;\npub fn name() -> &'static str { crate::db::table::NAME }");
    place.write("my shöp/of 2/db/table.rs", "pub const NAME: &str = include_str!(\"name.txt\");");
    place.write("my shöp/of 2/db/name.txt", "orders");
    place.write("my shöp/price list/Cargo.toml", "[package]\nname = 'price'\nversion = '1.0.0'");
    place.write("my shöp/price list/src/lib.rs", "pub const PRICE: u32 = 42;");
    let project = place.project_with(
        "my shöp/of 2",
        "price = { path = '../price list' }",
        "#![forbid(unused_must_use)]\nmod db;\nfabrs::task!(\"{} {}\", crate::db::name(), price::PRICE);",
    );
    let (printed, _) = place.run(&project);
    assert_eq!(printed.lines().next(), Some("orders 42"));

    // Each of them is an input, also of a tool that is up to date.
    for (file, text, expected) in [
        ("my shöp/of 2/db/name.txt", "bills", "bills 42"),
        ("my shöp/price list/src/lib.rs", "pub const PRICE: u32 = 7;", "bills 7"),
        ("my shöp/of 2/db/table.rs", "pub const NAME: &str = \"shops\";", "shops 7"),
    ] {
        place.write(file, text);
        assert_eq!(place.run(&project).0.lines().next(), Some(expected));
        assert!(!place.run(&project).1.compiling());
    }
}

#[test]
fn a_shebang_line_and_another_edition_are_fine() {
    let place = Place::new();
    // `gen` is a word of the language since 2024.
    let code = "fn gen() -> u32 { 5 }\nfabrs::task!(\"{}\", gen());";
    let project = place.project_with("shop", "[package]\nedition = '2021'", code);
    let text = std::fs::read_to_string(&project.tasks_file).unwrap();
    place.write("shop/tasks.rs", &format!("#!/usr/bin/env fab\n{text}"));
    assert_eq!(place.run(&project).0.lines().next(), Some("5"));
}

#[test]
fn settings_of_the_project_and_the_environment_for_programs_do_not_matter() {
    let place = Place::new();
    place.write(
        "shop/.cargo/config.toml",
        "[build]\ntarget = 'nonsense'\nrustflags = ['--nonsense']\nrustc-wrapper = 'nonsense'\n[net]\nretry = 1",
    );
    place.write("shop/rust-toolchain.toml", "[toolchain]\nchannel = 'nonsense'");
    place.write("shop/Cargo.toml", "nonsense");
    let project = place.project("shop", "");
    let (prepared, heard) = place.try_prepare(
        &project,
        &[
            ("RUSTFLAGS", "--nonsense"),
            ("CARGO_ENCODED_RUSTFLAGS", "--nonsense"),
            ("CARGO_BUILD_TARGET", "nonsense"),
            ("CARGO_TARGET_DIR", "/nonsense"),
            ("CARGO_PROFILE_DEV_OPT_LEVEL", "nonsense"),
            ("CARGO_TERM_QUIET", "true"),
        ],
    );
    assert!(prepared.is_ok(), "{prepared:?} {heard:?}");
}
