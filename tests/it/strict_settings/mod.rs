//! Strict ssh settings: fabrs and `ssh` accept and refuse the same hosts.

mod algorithms;
mod changed_host_keys;
mod keywords;
mod logins;
mod revoked_host_keys;
mod stalled_logins;

use fabrs::{Error, ErrorKind, Result};
use fabrs_testing::Sshd;

use crate::support::{client_of, ssh_config};

/// Connects with these config lines, and asserts that `ssh` reaches the same verdict with the same
/// file.
async fn connect_like_ssh(sshd: &Sshd, lines: &str) -> Result<()> {
    let connect = async { client_of(sshd, lines).allow_local_programs().build().connect("host")?.connect().await };
    let ours = connect.await;
    assert_same_verdict(sshd, lines, &ours);
    ours
}

/// Connects with these config lines.
async fn connect_with(sshd: &Sshd, lines: &str) -> Result<()> {
    client_of(sshd, lines).build().connect("host")?.connect().await
}

/// Asserts that `ssh` reaches the same verdict.
fn assert_same_verdict(sshd: &Sshd, lines: &str, ours: &Result<()>) {
    let mut ssh = sshd.ssh();
    // `ssh` uses the last `-F` option.
    ssh.arg("-F").arg(ssh_config(sshd, lines)).args(["-o", "BatchMode=yes", "host", "true"]);
    let output = ssh.output().expect("`ssh` comes with openssh-client");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(ours.is_ok(), output.status.success(), "ours: {ours:?}, ssh: {words}, with\n{lines}");
}

/// Asserts that fabrs and `ssh` refuse the host. Returns the error of fabrs.
async fn refusal(sshd: &Sshd, lines: &str, kind: ErrorKind) -> Error {
    crate::support::expect_error(connect_like_ssh(sshd, lines).await, kind)
}
