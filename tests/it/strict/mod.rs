//! Settings that make `ssh` stricter: fabrs and `ssh` accept and refuse the same hosts.

mod algorithms;
mod logins;
mod mistrusted;
mod others;
mod revoked;
mod silent;

use fabrs::{Error, ErrorKind, Result};
use fabrs_testing::Sshd;

use crate::support::{client_of, ssh_config};

/// Connects with these lines of config, and asserts that `ssh` comes to the same verdict with the same file.
async fn as_ssh(sshd: &Sshd, lines: &str) -> Result<()> {
    let connect = async { client_of(sshd, lines).allow_local_programs().build().connect("host")?.connect().await };
    let ours = connect.await;
    assert_as_ssh(sshd, lines, &ours);
    ours
}

/// Connects with these lines of config.
async fn connect_with(sshd: &Sshd, lines: &str) -> Result<()> {
    client_of(sshd, lines).build().connect("host")?.connect().await
}

/// Asserts that `ssh` comes to the same verdict.
fn assert_as_ssh(sshd: &Sshd, lines: &str, ours: &Result<()>) {
    let mut ssh = sshd.ssh();
    // The last file named counts.
    ssh.arg("-F").arg(ssh_config(sshd, lines)).args(["-o", "BatchMode=yes", "host", "true"]);
    let output = ssh.output().expect("`ssh` comes with openssh-client");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(ours.is_ok(), output.status.success(), "ours: {ours:?}, ssh: {words}, with\n{lines}");
}

/// Asserts that both refuse the host, and returns our reason.
async fn refusal(sshd: &Sshd, lines: &str, kind: ErrorKind) -> Error {
    crate::support::refused(as_ssh(sshd, lines).await, kind)
}
