//! Every compile error of the macros and of the shell's types is text for a person, and is reviewed as such.
//!
//! One mistake, one error, one file in `ui/fail`, with what the compiler says beside it. After a change of the texts,
//! `TRYBUILD=overwrite cargo test --test ui` writes them anew.

#[test]
fn a_mistake_is_told_once_with_what_to_write_instead_and_what_is_right_compiles() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
