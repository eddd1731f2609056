//! Where a machine refuses namespaces, nothing is run.

use std::process::{Command, Output, Stdio};

use fabrs_core::ErrorKind;
use fabrs_demo::Demo;

use crate::fixtures::{PROGRAM, text};

/// Runs the program where the kernel gives no more namespaces of a kind: in one whose limit is zero.
fn without(kind: &str) -> Output {
    let script = format!("echo 0 > /proc/sys/user/max_{kind}_namespaces && exec \"$0\"");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount-proc", "--fork", "--pid", "--kill-child"]);
    command.args(["sh", "-c", &script, PROGRAM]).stdin(Stdio::null());
    command.output().expect("`unshare` is part of util-linux")
}

#[track_caller]
fn is_refused(output: &Output) {
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{output:?}");
    let stderr = text(&output.stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines[0], "error: `@demo` was not started: uncontained, its commands would run on this machine as root");
    assert_eq!(lines[1], "  caused by: could not make namespaces: No space left on device (os error 28)");
    assert!(lines[2].starts_with("hint: `unshare -Urm true` shows"), "{stderr}");
    assert_eq!(lines.len(), 3, "{stderr}");
}

#[test]
fn a_kernel_without_namespaces_for_users_is_refused() {
    is_refused(&without("user"));
}

#[test]
fn a_kernel_without_namespaces_for_mounts_is_refused() {
    is_refused(&without("mnt"));
}

#[test]
fn an_account_whose_name_is_none_is_refused_before_anything_starts() {
    for name in ["", "a:b", "Eve", "a\nroot::0:0::/:/bin/sh"] {
        let error = Demo::builder(["demo"]).program(PROGRAM).account(Some(name)).start().expect_err("it is no name");
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

#[test]
fn a_program_that_would_not_know_its_part_is_not_started_again() {
    let error = Demo::builder(["demo"]).start().expect_err("this is a test");
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.advice(), Some("call `fabrs_demo::run_helper()` first in `main`"));
}

#[test]
fn a_program_that_is_none_of_ours_is_an_error_and_no_hang() {
    for program in ["/bin/true", "/bin/cat", "/no/such/program"] {
        let error = Demo::builder(["demo"]).program(program).start().expect_err("it plays no part");
        assert_eq!(error.kind(), ErrorKind::Usage, "{program}");
    }
}
