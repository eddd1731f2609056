//! File transfers on hosts without a shell: SFTP keeps the same promises.

mod faults;
mod get;
mod hostile;
mod logins;
mod put;

use std::path::Path;

use fabrs_testing::{Account, Capability, Sshd, SshdBuilder};

use super::FileFixture;

/// Returns a server with the internal SFTP server for every request.
pub(super) fn internal_sftp() -> SshdBuilder {
    Sshd::builder().option("ForceCommand", "internal-sftp")
}

/// Returns a server that starts OpenSSH's SFTP program for every request. The program waits for
/// SFTP packets.
fn external_sftp() -> SshdBuilder {
    Sshd::builder().option("ForceCommand", sftp_server_path())
}

/// Returns the kinds of hosts with files and without a shell.
pub(super) fn server_kinds() -> Vec<(&'static str, SshdBuilder)> {
    let mut kinds = vec![("internal-sftp", internal_sftp()), ("sftp-server", external_sftp())];
    if Capability::Accounts.is_available() {
        kinds.push(("nologin", Sshd::builder().users([Account::NoShell])));
    }
    kinds
}

pub(super) fn fixture() -> FileFixture {
    FileFixture::of(internal_sftp().start())
}

/// Returns the path of OpenSSH's SFTP program, a part of the OpenSSH server.
fn sftp_server_path() -> &'static str {
    let places = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"];
    places.into_iter().find(|place| Path::new(place).exists()).expect("`sftp-server` comes with sshd")
}
