//! Snapshots of pages and messages (`tests/cmd`).

use std::path::Path;

use crate::fixtures::FAB;

/// Runs the cases in `tests/cmd`. `TRYCMD=overwrite` updates them.
#[test]
fn pages_and_messages_match_their_snapshots() {
    let trusted = fabrs_testing::trusted_folders().into_string().expect("test directories have plain names");
    let cases = trycmd::TestCases::new();
    cases.env("FABRS_TRUST", trusted).register_bin("fab", Path::new(FAB)).case("tests/cmd/*.trycmd");
}
