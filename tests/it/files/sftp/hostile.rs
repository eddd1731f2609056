//! Hostile SFTP servers: each transfer ends with an error.

use fabrs::prelude::*;
use fabrs_testing::{Sshd, probe};

use super::super::FileFixture;
use crate::support::{error_text, expect_error, within_limit};

/// Returns a server with this hostile behaviour, and the directory of the program.
fn hostile_server(behaviour: &str) -> (FileFixture, tempfile::TempDir) {
    let (folder, program) = probe::hostile_sftp();
    let command = format!("{} {behaviour}", program.display());
    (FileFixture::of(Sshd::builder().option("ForceCommand", command).start()), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_from_an_endless_server_is_an_error() {
    for (behaviour, source, reason) in [
        ("empty-data", "/a-file", "the SFTP server sent neither data nor the end of the file"),
        ("empty-names", "/tree", "the SFTP server sent neither names nor the end of the directory"),
        ("endless-names", "/tree", "the listing of `/tree` is larger than 32 MiB"),
        ("deep", "/tree", "the directories of the SFTP server are nested too deeply"),
    ] {
        let (fixture, _program) = hostile_server(behaviour);
        let target = fixture.local.path().join("got").display().to_string();
        let text = error_text(&expect_error(within_limit(fixture.host.get(source, target)).await, ErrorKind::File));
        assert!(text.contains(reason), "{behaviour}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_on_an_endless_server_is_an_error() {
    for behaviour in ["empty-names", "endless-names"] {
        let (fixture, _program) = hostile_server(behaviour);
        let target = fixture.local.path().join("got").display().to_string();
        expect_error(within_limit(fixture.host.get("/tree/*.log", target)).await, ErrorKind::File);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_to_an_endless_server_is_an_error() {
    for behaviour in ["empty-data", "empty-names", "endless-names"] {
        let (fixture, _program) = hostile_server(behaviour);
        let put = within_limit(fixture.host.put(b"x".to_vec(), "/tree/new")).await;
        assert!(put.is_err(), "{behaviour}: {put:?}");
    }
}
