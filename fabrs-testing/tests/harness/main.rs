//! Tests of the test harness itself, with the real `ssh` client.

mod fab;
mod faults;
mod login_shells;
mod machines;
mod probe;
mod pty;
mod sessions;
mod sshd;

use std::process::{Command, Output};
use std::time::Duration;

/// The time limit that ends a broken test. No correct test reaches the limit.
const LIMIT: Duration = Duration::from_mins(1);

/// Runs a command to its end and returns its exit code, stdout and stderr.
fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the program is installed");
    let text = |bytes| String::from_utf8(bytes).expect("the output is text");
    (status.code(), text(stdout), text(stderr))
}
