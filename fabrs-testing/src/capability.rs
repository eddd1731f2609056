//! Capabilities of the machine: features testable on some machines only.

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::accounts;
use crate::login_shell;
use crate::machine;

/// A feature testable on some machines only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Password logins. sshd must be able to read `/etc/shadow`.
    Password,
    /// Accounts besides the current user.
    Accounts,
    /// Commands under sudo.
    Sudo,
    /// Commands under doas.
    Doas,
    /// The address `::1`.
    Ipv6,
    /// Servers with another login shell for their accounts. Needs mount namespaces.
    LoginShells,
    /// Booted machines, see [`MachineNetwork`](crate::MachineNetwork). Needs root, systemd-nspawn
    /// and control groups.
    Machines,
    /// Terminals on the server. An sshd started by a plain user cannot set the group of a terminal.
    Terminal,
    /// Virtualenvs created by uv.
    Uv,
}

impl Capability {
    /// Returns `true` if this machine and user have the capability. Otherwise prints a note to
    /// stderr, so the test can return early.
    pub fn is_available(self) -> bool {
        let is_present = self.is_present();
        if !is_present {
            let _ = writeln!(io::stderr(), "NOT TESTED HERE: {self}");
        }
        is_present
    }

    /// Checks the capability in a complete set of tests, which must not skip a test.
    ///
    /// # Panics
    ///
    /// If this machine or user lacks the capability. The message has a remedy.
    #[track_caller]
    pub fn require(self) {
        if self == Self::Machines {
            machine::require();
        }
        assert!(self.is_present(), "not testable on this machine: {self}");
    }

    /// Returns `true` if this machine and user have the capability. Prints nothing.
    pub(crate) fn is_present(self) -> bool {
        match self {
            Self::Password | Self::Accounts => accounts::is_root(),
            Self::Sudo => accounts::is_root() && Path::new("/usr/bin/sudo").exists(),
            Self::Doas => accounts::is_root() && Path::new("/usr/bin/doas").exists(),
            Self::LoginShells => accounts::is_root() && login_shell::has_mount_namespaces(),
            Self::Ipv6 => TcpListener::bind("[::1]:0").is_ok(),
            Self::Machines => machine::missing().is_none(),
            Self::Terminal => accounts::is_root() || terminals_have_a_group(),
            Self::Uv => uv().is_some(),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "login with a password (run as root)",
            Self::Accounts => "several accounts (run as root)",
            Self::Sudo => "sudo (run as root, `apt-get install sudo`)",
            Self::Doas => "doas (run as root, `apt-get install opendoas`)",
            Self::LoginShells => "other login shells (run as root; `unshare --mount true` must work)",
            Self::Machines => {
                "booted machines (run as root; `apt-get install systemd-container debootstrap iproute2`; cgroup 2)"
            }
            Self::Ipv6 => "IPv6 (`::1` is not configured)",
            Self::Terminal => "terminals on the server (run as root; `/dev/pts` is mounted without `gid=`)",
            Self::Uv => "virtualenvs of uv (`pip install uv`, or run `scripts/test`)",
        })
    }
}

/// Returns the path of `uv`, if `PATH` contains it.
pub fn uv() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join("uv")).find(|program| program.is_file())
}

/// Returns `true` if new terminals get the group expected by sshd.
fn terminals_have_a_group() -> bool {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.starts_with("devpts ") && line.contains("gid="))
}
