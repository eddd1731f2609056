//! Pages and messages that are the same everywhere, character by character.

/// Runs the cases of `tests/cmd`; after a change of the texts, `TRYCMD=overwrite` writes them anew.
#[test]
fn pages_and_messages_are_as_written_down() {
    trycmd::TestCases::new().register_bin("fab", std::path::Path::new(crate::place::FAB)).case("tests/cmd/*.trycmd");
}
