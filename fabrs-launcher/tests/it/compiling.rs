//! Compilation of a `tasks.rs`: projects, modules, dependencies and editions.

use crate::test_dir::TestDir;

#[test]
fn projects_with_equal_contents_run_their_own_tools() {
    let dir = TestDir::new();
    let one = dir.project("one/shop", "fabrs::task!(\"{}\", file!());");
    let two = dir.project("two/shop", "fabrs::task!(\"{}\", file!());");
    for _ in 0..2 {
        for project in [&one, &two] {
            let (printed, _) = dir.run(project);
            assert_eq!(printed, format!("{}\ntool of {}\n", project.tasks_file.display(), project.hash()));
        }
    }
}

#[test]
fn dependencies_are_compiled_once_for_all_projects() {
    let dir = TestDir::new();
    let (_, first) = dir.run(&dir.project("one", ""));
    let (_, second) = dir.run(&dir.project("two", ""));
    assert!(first.has_compiled("fabrs") && first.has_compiled("tasks.rs"), "{first:?}");
    assert!(!second.has_compiled("fabrs") && second.has_compiled("tasks.rs"), "{second:?}");
    assert!(first.events[0].contains("first: true") && second.events[0].contains("first: false"));
}

#[test]
fn modules_included_files_and_path_dependencies_work_below_a_path_with_spaces() {
    let dir = TestDir::new();
    dir.write("my shöp/of 2/db/mod.rs", "pub mod table;\npub fn name() -> &'static str { crate::db::table::NAME }");
    dir.write("my shöp/of 2/db/table.rs", "pub const NAME: &str = include_str!(\"name.txt\");");
    dir.write("my shöp/of 2/db/name.txt", "orders");
    dir.write("my shöp/price list/Cargo.toml", "[package]\nname = 'price'\nversion = '1.0.0'");
    dir.write("my shöp/price list/src/lib.rs", "pub const PRICE: u32 = 42;");
    let project = dir.project_with(
        "my shöp/of 2",
        "price = { path = '../price list' }",
        "#![forbid(unused_must_use)]\nmod db;\nfabrs::task!(\"{} {}\", crate::db::name(), price::PRICE);",
    );
    let (printed, _) = dir.run(&project);
    assert_eq!(printed.lines().next(), Some("orders 42"));

    // Each of these files is an input of the tool.
    for (file, text, expected) in [
        ("my shöp/of 2/db/name.txt", "bills", "bills 42"),
        ("my shöp/price list/src/lib.rs", "pub const PRICE: u32 = 7;", "bills 7"),
        ("my shöp/of 2/db/table.rs", "pub const NAME: &str = \"shops\";", "shops 7"),
    ] {
        dir.write(file, text);
        assert_eq!(dir.run(&project).0.lines().next(), Some(expected));
        assert!(!dir.run(&project).1.is_compiling());
    }
}

#[test]
fn a_shebang_line_and_another_edition_are_accepted() {
    let dir = TestDir::new();
    // `gen` is a keyword since the edition 2024.
    let code = "fn gen() -> u32 { 5 }\nfabrs::task!(\"{}\", gen());";
    let project = dir.project_with("shop", "[package]\nedition = '2021'", code);
    let text = std::fs::read_to_string(&project.tasks_file).unwrap();
    dir.write("shop/tasks.rs", &format!("#!/usr/bin/env fab\n{text}"));
    assert_eq!(dir.run(&project).0.lines().next(), Some("5"));
}

#[test]
fn build_settings_of_the_project_and_the_environment_are_ignored() {
    let dir = TestDir::new();
    dir.write(
        "shop/.cargo/config.toml",
        "[build]\ntarget = 'nonsense'\nrustflags = ['--nonsense']\nrustc-wrapper = 'nonsense'\n[net]\nretry = 1",
    );
    dir.write("shop/rust-toolchain.toml", "[toolchain]\nchannel = 'nonsense'");
    dir.write("shop/Cargo.toml", "nonsense");
    let project = dir.project("shop", "");
    let (compiled, events) = dir.try_compile(
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
    assert!(compiled.is_ok(), "{compiled:?} {events:?}");
}
