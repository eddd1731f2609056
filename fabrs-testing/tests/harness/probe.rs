//! Tests of `fabrs-probe`.

use std::process::{Command, Stdio};

use fabrs_testing::{Sshd, probe};

use crate::output;

fn run(arguments: &[&str]) -> (String, String) {
    let (code, stdout, stderr) = output(Command::new(probe::path()).args(arguments).stdin(Stdio::null()));
    assert_eq!(code, Some(0), "{stderr}");
    (stdout, stderr)
}

#[test]
fn arguments_are_reported_unchanged() {
    let sshd = Sshd::start();
    let line = format!("cd /tmp && COLOUR='a\"b' {} report 'one two' \"it's\" ''", sshd.probe().display());
    let (code, stdout, stderr) = output(sshd.ssh().args(["host", &line]));
    assert_eq!(code, Some(0), "{stderr}");
    let report = probe::parse(stdout);
    assert_eq!(report["argv"], serde_json::json!(["one two", "it's", ""]));
    assert_eq!(report["env"]["COLOUR"], "a\"b");
    assert_eq!(report["cwd"], "/tmp");
    assert_eq!(report["tty"], serde_json::json!([false, false, false]));
    assert_eq!(report["pgid"], report["sid"], "sshd made the session");
}

#[test]
fn the_probe_works_with_a_session_outside_the_container() {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--pid", "--mount-proc", "--fork"]).arg(probe::path()).arg("report");
    let (code, stdout, stderr) = output(command.stdin(Stdio::null()));
    if code != Some(0) && stderr.contains("unshare failed") {
        eprintln!("NOT TESTED HERE: namespaces ({})", stderr.trim_end());
        return;
    }
    assert_eq!(code, Some(0), "{stderr}");
    let report = probe::parse(stdout);
    assert_eq!((&report["pid"], &report["sid"]), (&1.into(), &0.into()));
}

#[test]
fn stdin_is_reported_with_length_and_checksum() {
    let sshd = Sshd::start();
    let line = format!("printf abc | {} stdin", sshd.probe().display());
    let stdin = probe::parse(output(sshd.ssh().args(["host", &line])).1)["stdin"].clone();
    let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(stdin, serde_json::json!({ "bytes": 3, "sha256": sum, "text": "abc" }));
}

#[test]
fn chunks_form_the_complete_text() {
    let text = "grüße, 世界: one long line of several pieces";
    assert_eq!(run(&["chunks", text]).0, text);
}

#[test]
fn both_streams_have_separate_lines() {
    assert_eq!(run(&["both", "2"]), ("out 1\nout 2\n".to_owned(), "err 1\nerr 2\n".to_owned()));
}

#[test]
fn bytes_writes_the_given_number_of_bytes() {
    let bytes = Command::new(probe::path()).args(["bytes", "100000"]).output().expect("the probe starts").stdout;
    assert_eq!(bytes.len(), 100_000);
    assert_eq!(
        (bytes[0], bytes[250], bytes[251], bytes[99_999]),
        (0, 250, 0, 99_999_u32.rem_euclid(251).try_into().unwrap())
    );
}

#[test]
fn an_unknown_mode_is_a_usage_error() {
    let (code, stdout, stderr) = output(Command::new(probe::path()).arg("dance"));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.starts_with("usage: fabrs-probe "), "{stderr}");
}
