//! A real `ssh-agent` that ends with the test.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use fabrs_testing::{Key, Sshd, wait_until};

use crate::support::LIMIT;

/// The process and the socket of an agent.
pub(super) struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    /// Starts an agent that holds `keys`, in the directory of a server.
    pub(super) fn holding(keys: &[&Key], sshd: &Sshd) -> Self {
        let socket = sshd.dir().join("agent");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("`ssh-agent` comes with openssh-client");
        let agent = Self { child, socket };
        wait_until("the agent listens", LIMIT, || UnixStream::connect(&agent.socket).is_ok());
        for key in keys {
            let mut add = Command::new("ssh-add");
            let added = add.arg("-q").arg(key.path()).env("SSH_AUTH_SOCK", &agent.socket).status();
            assert!(added.expect("`ssh-add` comes with openssh-client").success());
        }
        agent
    }

    pub(super) fn line(&self) -> String {
        format!("IdentityAgent {}\n", self.socket.display())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
