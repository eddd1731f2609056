//! Hosts with a hostile shell: each transfer ends with an error that names the host and the limit.

use std::fs;
use std::time::Duration;

use fabrs::Client;
use fabrs::prelude::*;
use fabrs_testing::{Sshd, probe};
use futures::future::join_all;

use super::Lab;
use crate::support::{block, refused, settings, soon, ssh_config};

/// Returns a server with this hostile behaviour, and the directory of its program.
fn lab(way: &str) -> (Lab, tempfile::TempDir) {
    let (folder, program) = probe::hostile_shell();
    let command = format!("{} {way}", program.display());
    (Lab::of(Sshd::builder().option("ForceCommand", command).start()), folder)
}

fn target(lab: &Lab) -> String {
    lab.here.path().join("got").display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_of_a_file_without_an_end_is_an_error() {
    let cases = [
        ("head", "the host sent no size before the content"),
        ("text", "the host sent more than 16 MiB of text besides its answers"),
        ("noise", "the host sent more than 16 MiB of text besides its answers"),
        ("messages", "the host sent more than 16 MiB of text besides its answers"),
    ];
    join_all(cases.map(async |(way, reason)| {
        let (lab, _program) = lab(way);
        let text = block(&refused(soon(lab.host.get("/a-file", target(&lab))).await, ErrorKind::File));
        assert!(text.starts_with("error: host: could not get") && text.contains(reason), "{way}: {text}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_of_a_directory_without_an_end_is_an_error() {
    // A busy machine detects a flood before it has read the listing.
    let listing: &[&str] = &["the listing of the host is larger than 32 MiB", "24 MiB from the host wait to be read"];
    let cases: [(_, &[&str]); 8] = [
        ("tree", listing),
        ("links", listing),
        ("deep", &["the host listed a path longer than 4096 bytes"]),
        ("record", &["the host sent an answer longer than 64 KiB"]),
        ("noise", &["the host sent an answer longer than 64 KiB"]),
        ("messages", &["the host sent more than 16 MiB of text besides its answers"]),
        ("stream", &["the host sent more than twice the size of the files that it listed"]),
        ("long-name", &["the host sent a file name longer than 1 MiB"]),
    ];
    join_all(cases.map(async |(way, reasons)| {
        let (lab, _program) = lab(way);
        let text = block(&refused(soon(lab.host.get("/tree/", target(&lab))).await, ErrorKind::File));
        assert!(text.starts_with("error: host: could not get"), "{way}: {text}");
        assert!(reasons.iter().any(|reason| text.contains(reason)), "{way}: {text}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_answer_to_a_pattern_is_an_error() {
    join_all(["noise", "text", "messages"].map(async |way| {
        let (lab, _program) = lab(way);
        let text = block(&refused(soon(lab.host.get("/tree/*", target(&lab))).await, ErrorKind::File));
        assert!(text.contains("the host sent more than 16 MiB of text"), "{way}: {text}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_to_a_host_with_endless_output_is_an_error() {
    join_all(["noise", "record", "messages", "tree"].map(async |way| {
        let (lab, _program) = lab(way);
        refused(soon(lab.host.put(b"x".to_vec(), "/tree/new")).await, ErrorKind::File);
        let tree = lab.file("tree/a", "a").parent().expect("it is in a directory").to_owned();
        lab.file("tree/b", "b");
        refused(soon(lab.host.put(tree, "/tree")).await, ErrorKind::File);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_with_a_host_without_an_end_is_an_error() {
    let (lab, _program) = lab("sync");
    let tree = lab.file("tree/a", "a").parent().expect("it is in a directory").to_owned();
    let text = block(&refused(soon(lab.host.sync(tree, "/tree")).await, ErrorKind::File));
    assert!(text.contains("the listing of the host is larger than 32 MiB") || text.contains("24 MiB from"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_refused_and_then_silent_does_not_stall_the_run() {
    let (lab, _program) = lab("outside");
    let text = block(&refused(soon(lab.host.get("/tree/", target(&lab))).await, ErrorKind::File));
    assert!(text.contains("would be written outside of `"), "{text}");
    assert!(!fs::exists(lab.here.path().join("evil")).expect("the directory is ours"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_script_ends_at_the_timeout_of_commands() {
    let (lab, _program) = lab("silence");
    let settings = settings(&ssh_config(&lab.sshd, "")).command_timeout(Some(Duration::from_millis(300)));
    let client = Client::builder().settings(settings).build();
    let host = client.connect("host").expect("an alias is a host");
    refused(soon(host.get("/tree/", target(&lab))).await, ErrorKind::Timeout);
    refused(soon(host.put(b"x".to_vec(), "/tree/new")).await, ErrorKind::Timeout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sudo_that_prints_without_an_end_is_an_error() {
    let (lab, _program) = lab("sudo");
    let text = block(&refused(soon(lab.host.sudo("true; true")).await, ErrorKind::Sudo));
    assert!(text.contains("it printed more than 1 MiB before the start of the command"), "{text}");
}
