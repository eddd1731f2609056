//! Every compile error that the macros and the shell's types give is text for a person, and reviewed as such.
//!
//! One mistake, one error, one file in `ui/fail` with what the compiler says beside it. After a change of the texts,
//! `TRYBUILD=overwrite cargo test --test ui` writes them anew.

#[test]
fn mistakes_are_told_once_and_with_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn what_is_right_compiles_under_the_strictest_lints() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}
