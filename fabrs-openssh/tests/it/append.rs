//! Tests of appending to `known_hosts` files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use fabrs_openssh::Error;
use fabrs_openssh::known_hosts::append_entry;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file is there").permissions().mode() & 0o777
}

#[test]
fn new_files_and_directories_are_private() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("home/.ssh/known_hosts");
    append_entry(&path, "web1 key").expect("the file can be created");
    append_entry(&path, "web2 key").expect("the file can be appended to");
    assert_eq!(fs::read_to_string(&path).expect("the file can be read"), "web1 key\nweb2 key\n");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("the file is in a directory")), 0o700);
}

#[test]
fn an_unterminated_last_line_is_completed_and_the_mode_is_kept() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("known_hosts");
    fs::write(&path, "web1 key").expect("the test writes its file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("the test sets modes");
    append_entry(&path, "web2 key").expect("the file can be appended to");
    assert_eq!(fs::read_to_string(&path).expect("the file can be read"), "web1 key\nweb2 key\n");
    assert_eq!(mode(&path), 0o644);
}

#[test]
fn lines_appended_at_once_do_not_mix() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("known_hosts");
    fs::write(&path, "first").expect("the test writes its file");
    thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for line in 0..25 {
                    append_entry(path, &format!("host-{writer}-{line} key")).expect("the file can be appended to");
                }
            });
        }
    });
    let text = fs::read_to_string(&path).expect("the file can be read");
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.remove(0), "first");
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 200);
    assert!(lines.iter().all(|line| line.starts_with("host-") && line.ends_with(" key")));
}

#[test]
fn an_unwritable_path_is_an_error_with_the_path() {
    let error = append_entry("/dev/null/known_hosts", "web1 key").expect_err("a device has no files in it");
    assert!(matches!(error, Error::Write { .. }), "{error}");
    assert_eq!(error.to_string(), "/dev/null/known_hosts: cannot be written");
}
