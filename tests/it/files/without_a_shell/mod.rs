//! Files to and from hosts that give no shell: the same promises, kept by SFTP.

mod faults;
mod get;
mod hostile;
mod logins;
mod put;

use std::path::Path;

use fabrs_testing::{Account, Capability, Sshd, SshdBuilder};

use super::Lab;

/// Returns a server that gives nobody a shell, whatever is asked of it.
pub(super) fn files_only() -> SshdBuilder {
    Sshd::builder().option("ForceCommand", "internal-sftp")
}

/// Returns a server that starts OpenSSH's program for SFTP, whatever is asked of it: that waits for requests.
fn program_only() -> SshdBuilder {
    Sshd::builder().option("ForceCommand", sftp_server())
}

/// Returns the ways in which a host has files and no shell.
pub(super) fn kinds() -> Vec<(&'static str, SshdBuilder)> {
    let mut kinds = vec![("internal-sftp", files_only()), ("sftp-server", program_only())];
    if Capability::Accounts.is_available() {
        kinds.push(("nologin", Sshd::builder().users([Account::NoShell])));
    }
    kinds
}

pub(super) fn lab() -> Lab {
    Lab::of(files_only().start())
}

/// Returns OpenSSH's program for SFTP, which is part of its server.
fn sftp_server() -> &'static str {
    let places = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"];
    places.into_iter().find(|place| Path::new(place).exists()).expect("`sftp-server` comes with sshd")
}
