//! File transfers by SFTP with OpenSSH's client.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Output};

use fabrs_demo::Demo;

use crate::fixtures::{demo, stdout_of, text};

fn sftp(demo: &Demo, batch: &str) -> Output {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("batch");
    fs::write(&file, batch).expect("the test owns the file");
    let mut command = Command::new("sftp");
    command.arg("-q").arg("-F").arg(demo.ssh_config()).arg("-b").arg(&file).arg("demo");
    command.output().expect("`sftp` is installed")
}

#[track_caller]
fn assert_success(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_file_survives_a_round_trip_unchanged() {
    let demo = demo(&["demo"]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let bytes: Vec<u8> =
        (0..5_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(5_000_000).collect();
    fs::write(at("sent"), &bytes).expect("the test owns the file");
    fs::set_permissions(at("sent"), fs::Permissions::from_mode(0o640)).expect("the test owns the file");
    assert_success(&sftp(&demo, &format!("put -p {} there\nget -p there {}\n", at("sent"), at("got"))));
    assert!(fs::read(at("got")).expect("the file was downloaded") == bytes, "the bytes differ");
    let [sent, got] = ["sent", "got"].map(|name| fs::metadata(at(name)).expect("the file exists"));
    assert_eq!((got.mode(), got.mtime()), (sent.mode(), sent.mtime()));
    // The file belongs to the login account and is in its home.
    assert_eq!(stdout_of(&demo, "demo", "stat -c '%U %a %s' ~/there"), "demo 640 5000000\n");
}

#[test]
fn directories_links_names_and_modes_can_be_changed() {
    let demo = demo(&["demo"]);
    let batch = "mkdir a\nmkdir a/b\nput /etc/hostname a/one\nrename a/one a/two\nln -s two a/link\nln a/two a/hard\n\
                 chmod 600 a/two\nput /etc/hostname a/b/gone\nrm a/b/gone\nrmdir a/b\n";
    assert_success(&sftp(&demo, batch));
    let line = "cd a; ls; readlink link; stat -c '%a %h' two";
    assert_eq!(stdout_of(&demo, "demo", line), "hard\nlink\ntwo\ntwo\n600 2\n");
    // `posix-rename@openssh.com` replaces an existing target.
    assert_success(&sftp(&demo, "put /etc/hostname x\nput /etc/hostname y\nrename x y\n"));
    assert_eq!(stdout_of(&demo, "demo", "ls ~ | tr '\\n' ' '"), "a y ");
}

#[test]
fn a_listing_of_several_replies_is_complete() {
    let demo = demo(&["demo"]);
    stdout_of(&demo, "demo", "mkdir many; cd many; touch $(seq 250)");
    let output = sftp(&demo, "ls -1 many\n");
    let listed = text(&output.stdout).lines().filter(|line| line.starts_with("many/")).count();
    assert_eq!(listed, 250, "{output:?}");
}

#[test]
fn forbidden_and_missing_files_are_errors() {
    let demo = demo(&["demo"]);
    let refused = sftp(&demo, "put /etc/hostname /etc/x\n");
    assert!(text(&refused.stderr).contains("Permission denied"), "{refused:?}");
    let missing = sftp(&demo, "get /no/such/file\n");
    assert!(text(&missing.stderr).contains("not found"), "{missing:?}");
    let outside = sftp(&demo, &format!("get {}\n", env!("CARGO_BIN_EXE_fabrs-demo")));
    assert!(text(&outside.stderr).contains("not found"), "{outside:?}");
}
