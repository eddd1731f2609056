//! A real `ssh-agent`: [`SshAgent`].

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::keys::Key;
use crate::wait::wait_until;

/// A running `ssh-agent`. The agent ends on drop.
#[derive(Debug)]
pub struct SshAgent {
    child: Child,
    socket: PathBuf,
}

impl SshAgent {
    /// Starts an agent that holds `keys`. The socket is `agent` in this directory.
    ///
    /// # Panics
    ///
    /// If OpenSSH is not installed, or refuses a key.
    #[track_caller]
    pub fn holding(keys: &[&Key], dir: &Path) -> Self {
        let socket = dir.join("agent");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("`ssh-agent` comes with openssh-client");
        let agent = Self { child, socket };
        wait_until("the agent listens", Duration::from_secs(30), || UnixStream::connect(&agent.socket).is_ok());
        for key in keys {
            agent.add(key, &[]);
        }
        agent
    }

    /// Adds a key with these options of `ssh-add`.
    ///
    /// # Panics
    ///
    /// If `ssh-add` refuses the key.
    #[track_caller]
    pub fn add(&self, key: &Key, options: &[&str]) {
        let mut add = Command::new("ssh-add");
        add.arg("-q").args(options).arg(key.path()).env("SSH_AUTH_SOCK", &self.socket);
        assert!(add.status().expect("`ssh-add` comes with openssh-client").success());
    }

    /// Returns the path of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the line `IdentityAgent SOCKET` for an ssh config.
    pub fn line(&self) -> String {
        format!("IdentityAgent {}\n", self.socket.display())
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
