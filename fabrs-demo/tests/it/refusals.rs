//! Refused starts: on a machine without namespaces, no command runs.

use std::process::{Command, Output, Stdio};

use fabrs_core::ErrorKind;
use fabrs_demo::Demo;

use crate::fixtures::{PROGRAM, text};

/// Runs the program in a user namespace without the right to further namespaces of the given kind.
fn run_without_namespaces(kind: &str) -> Output {
    let script = format!("echo 0 > /proc/sys/user/max_{kind}_namespaces && exec \"$0\"");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount-proc", "--fork", "--pid", "--kill-child"]);
    command.args(["sh", "-c", &script, PROGRAM]).stdin(Stdio::null());
    command.output().expect("`unshare` is part of util-linux")
}

#[track_caller]
fn assert_refused(output: &Output) {
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{output:?}");
    let stderr = text(&output.stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(
        lines[0],
        "error: `@demo` was not started: without containment, its commands would run on this machine as root"
    );
    assert_eq!(lines[1], "  caused by: could not create namespaces: No space left on device (os error 28)");
    assert!(lines[2].starts_with("hint: run `unshare -Urm true` to test"), "{stderr}");
    assert_eq!(lines.len(), 3, "{stderr}");
}

#[test]
fn a_kernel_without_user_namespaces_is_refused() {
    assert_refused(&run_without_namespaces("user"));
}

#[test]
fn a_kernel_without_mount_namespaces_is_refused() {
    assert_refused(&run_without_namespaces("mnt"));
}

#[test]
fn an_invalid_account_name_is_refused_before_the_start() {
    for name in ["", "a:b", "Eve", "a\nroot::0:0::/:/bin/sh"] {
        let error = Demo::builder(["demo"]).program(PROGRAM).account(Some(name)).start().expect_err("an invalid name");
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

#[test]
fn a_program_without_helper_dispatch_is_not_restarted() {
    let error = Demo::builder(["demo"]).start().expect_err("a test has no helper dispatch");
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.hint_text(), Some("call `fabrs_demo::run_helper()` first in `main`"));
}

#[test]
fn a_foreign_program_is_an_error_without_a_hang() {
    for program in ["/bin/true", "/bin/cat", "/no/such/program"] {
        let error = Demo::builder(["demo"]).program(program).start().expect_err("a foreign program");
        assert_eq!(error.kind(), ErrorKind::Usage, "{program}");
    }
}
