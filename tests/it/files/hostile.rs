//! Hosts with a hostile shell: each transfer ends with an error that names the host and the limit.

use std::fs;
use std::time::Duration;

use fabrs::Client;
use fabrs::prelude::*;
use fabrs_testing::{Sshd, probe};
use futures::future::join_all;

use super::FileFixture;
use crate::support::{error_text, expect_error, settings, ssh_config, within_limit};

/// Returns a server with this hostile behaviour, and the directory of the program.
fn hostile_host(behaviour: &str) -> (FileFixture, tempfile::TempDir) {
    let (folder, program) = probe::hostile_shell();
    let command = format!("{} {behaviour}", program.display());
    (FileFixture::of(Sshd::builder().option("ForceCommand", command).start()), folder)
}

fn target(fixture: &FileFixture) -> String {
    fixture.local.path().join("got").display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_of_an_endless_file_is_an_error() {
    let cases = [
        ("head", "the host sent no valid file size before the content"),
        ("text", "the host sent more than 16 MiB of text outside of the protocol"),
        ("noise", "the host sent more than 16 MiB of text outside of the protocol"),
        ("messages", "the host sent more than 16 MiB of text outside of the protocol"),
    ];
    join_all(cases.map(async |(behaviour, reason)| {
        let (fixture, _program) = hostile_host(behaviour);
        let text = error_text(&expect_error(
            within_limit(fixture.host.get("/a-file", target(&fixture))).await,
            ErrorKind::File,
        ));
        assert!(text.starts_with("error: host: could not get") && text.contains(reason), "{behaviour}: {text}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_of_an_endless_directory_is_an_error() {
    // A busy machine may detect a flood before the end of the listing.
    let listing: &[&str] = &["the listing of the host is larger than 32 MiB", "24 MiB from the host are unread"];
    let cases: [(_, &[&str]); 8] = [
        ("tree", listing),
        ("links", listing),
        ("deep", &["the host listed a path longer than 4096 bytes"]),
        ("record", &["the host sent an answer longer than 64 KiB"]),
        ("noise", &["the host sent an answer longer than 64 KiB"]),
        ("messages", &["the host sent more than 16 MiB of text outside of the protocol"]),
        ("stream", &["the host sent more than twice the size of the files that it listed"]),
        ("long-name", &["the host sent a file name longer than 1 MiB"]),
    ];
    // In sequence: a debug build reads several floods at once too slowly for the time limit.
    for (behaviour, reasons) in cases {
        let (fixture, _program) = hostile_host(behaviour);
        let text = error_text(&expect_error(
            within_limit(fixture.host.get("/tree/", target(&fixture))).await,
            ErrorKind::File,
        ));
        assert!(text.starts_with("error: host: could not get"), "{behaviour}: {text}");
        assert!(reasons.iter().any(|reason| text.contains(reason)), "{behaviour}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_answer_to_a_pattern_is_an_error() {
    join_all(["noise", "text", "messages"].map(async |behaviour| {
        let (fixture, _program) = hostile_host(behaviour);
        let text = error_text(&expect_error(
            within_limit(fixture.host.get("/tree/*", target(&fixture))).await,
            ErrorKind::File,
        ));
        assert!(text.contains("the host sent more than 16 MiB of text"), "{behaviour}: {text}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_to_a_host_with_endless_output_is_an_error() {
    join_all(["noise", "record", "messages", "tree"].map(async |behaviour| {
        let (fixture, _program) = hostile_host(behaviour);
        expect_error(within_limit(fixture.host.put(b"x".to_vec(), "/tree/new")).await, ErrorKind::File);
        let tree = fixture.file("tree/a", "a").parent().expect("the file has a parent").to_owned();
        fixture.file("tree/b", "b");
        expect_error(within_limit(fixture.host.put(tree, "/tree")).await, ErrorKind::File);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_with_an_endless_host_is_an_error() {
    let (fixture, _program) = hostile_host("sync");
    let tree = fixture.file("tree/a", "a").parent().expect("the file has a parent").to_owned();
    let text = error_text(&expect_error(within_limit(fixture.host.sync(tree, "/tree")).await, ErrorKind::File));
    assert!(text.contains("the listing of the host is larger than 32 MiB") || text.contains("24 MiB from"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_host_that_falls_silent_does_not_stall_the_run() {
    let (fixture, _program) = hostile_host("outside");
    let text =
        error_text(&expect_error(within_limit(fixture.host.get("/tree/", target(&fixture))).await, ErrorKind::File));
    assert!(text.contains("would be written outside of `"), "{text}");
    assert!(!fs::exists(fixture.local.path().join("evil")).expect("the directory is ours"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_script_ends_at_the_timeout_of_commands() {
    let (fixture, _program) = hostile_host("silence");
    let settings = settings(&ssh_config(&fixture.sshd, "")).command_timeout(Some(Duration::from_millis(300)));
    let client = Client::builder().settings(settings).build();
    let host = client.connect("host").expect("an alias is a host");
    expect_error(within_limit(host.get("/tree/", target(&fixture))).await, ErrorKind::Timeout);
    expect_error(within_limit(host.put(b"x".to_vec(), "/tree/new")).await, ErrorKind::Timeout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_output_of_sudo_is_an_error() {
    let (fixture, _program) = hostile_host("sudo");
    let text = error_text(&expect_error(within_limit(fixture.host.sudo("true; true")).await, ErrorKind::Sudo));
    assert!(text.contains("the host printed more than 1 MiB before the start of the command"), "{text}");
}
