//! Hostile SFTP servers: each transfer ends with an error.

use fabrs::prelude::*;
use fabrs_testing::{Sshd, probe};

use super::super::Lab;
use crate::support::{block, refused, soon};

/// Returns a server with this hostile behaviour, and the directory of its program.
fn lab(way: &str) -> (Lab, tempfile::TempDir) {
    let (folder, program) = probe::hostile_sftp();
    let command = format!("{} {way}", program.display());
    (Lab::of(Sshd::builder().option("ForceCommand", command).start()), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_from_a_server_without_an_end_is_an_error() {
    for (way, source, reason) in [
        ("empty-data", "/a-file", "the SFTP server sent no bytes and no end of a file"),
        ("empty-names", "/tree", "the SFTP server sent no names and no end of a directory"),
        ("endless-names", "/tree", "the listing of `/tree` is larger than 32 MiB"),
        ("deep", "/tree", "the directories of the SFTP server are nested too deeply"),
    ] {
        let (lab, _program) = lab(way);
        let target = lab.here.path().join("got").display().to_string();
        let text = block(&refused(soon(lab.host.get(source, target)).await, ErrorKind::File));
        assert!(text.contains(reason), "{way}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_on_a_server_without_an_end_is_an_error() {
    for way in ["empty-names", "endless-names"] {
        let (lab, _program) = lab(way);
        let target = lab.here.path().join("got").display().to_string();
        refused(soon(lab.host.get("/tree/*.log", target)).await, ErrorKind::File);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_to_a_server_without_an_end_is_an_error() {
    for way in ["empty-data", "empty-names", "endless-names"] {
        let (lab, _program) = lab(way);
        let put = soon(lab.host.put(b"x".to_vec(), "/tree/new")).await;
        assert!(put.is_err(), "{way}: {put:?}");
    }
}
