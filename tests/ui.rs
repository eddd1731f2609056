//! Compile errors of the macros and of the shell line types.
//!
//! Each file in `ui/fail` contains a single mistake. The `.stderr` file next to it holds the
//! expected compile error and is reviewed like documentation. After a change of the messages, run
//! `TRYBUILD=overwrite cargo test --test ui` to rewrite the files.

#[test]
fn each_mistake_has_one_error() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
