//! What can not be tested on every machine.

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::accounts;
use crate::login_shell;

/// Something that can be tested on some machines only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Login with a password: sshd must read the shadow file.
    Password,
    /// Accounts other than the one that runs the test.
    Accounts,
    /// Commands under sudo.
    Sudo,
    /// Commands under doas.
    Doas,
    /// The address `::1`.
    Ipv6,
    /// Servers whose accounts have another login shell: mount namespaces.
    LoginShells,
    /// Terminals on the server: a plain user's sshd can not make the group of one right.
    Terminal,
    /// Vagrant itself; its machines are not needed.
    Vagrant,
    /// Virtualenvs made by uv.
    Uv,
}

impl Capability {
    /// Whether it can be tested here; if not, prints so to stderr.
    pub fn is_available(self) -> bool {
        let is_present = self.is_present();
        if !is_present {
            let _lost = writeln!(io::stderr(), "NOT TESTED HERE: {self}");
        }
        is_present
    }

    /// Whether this machine and user have it.
    pub(crate) fn is_present(self) -> bool {
        match self {
            Self::Password | Self::Accounts => accounts::is_root(),
            Self::Sudo => accounts::is_root() && Path::new("/usr/bin/sudo").exists(),
            Self::Doas => accounts::is_root() && Path::new("/usr/bin/doas").exists(),
            Self::LoginShells => accounts::is_root() && login_shell::is_possible(),
            Self::Ipv6 => TcpListener::bind("[::1]:0").is_ok(),
            Self::Terminal => accounts::is_root() || terminals_have_a_group(),
            Self::Vagrant => Path::new("/usr/bin/vagrant").exists(),
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
            Self::LoginShells => "other login shells (run as root, where `unshare --mount true` works)",
            Self::Ipv6 => "IPv6 (`::1` is not configured)",
            Self::Terminal => "terminals on the server (run as root; `/dev/pts` is mounted without `gid=`)",
            Self::Uv => "virtualenvs of uv (`pip install uv`, or run `scripts/test`)",
            Self::Vagrant => "what the real Vagrant prints (`apt-get install vagrant`)",
        })
    }
}

/// Returns where uv is, if it is in the `PATH`.
pub fn uv() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join("uv")).find(|program| program.is_file())
}

/// Whether the system gives new terminals the group that sshd wants for them.
fn terminals_have_a_group() -> bool {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.starts_with("devpts ") && line.contains("gid="))
}
