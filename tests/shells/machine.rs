//! A server of the matrix: OpenSSH or dropbear, for an ordinary user or root, with a login shell.

use std::fs;
use std::path::{Path, PathBuf};

use fabrs_testing::{Account, Dropbear, Process, Sshd};
use tempfile::TempDir;

/// A kind of server, with the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    OpensshUser,
    OpensshRoot,
    DropbearUser,
    DropbearRoot,
}

impl Server {
    pub(crate) const ALL: [Self; 4] = [Self::OpensshUser, Self::OpensshRoot, Self::DropbearUser, Self::DropbearRoot];

    /// Returns the name of the server in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpensshUser => "openssh user",
            Self::OpensshRoot => "openssh root",
            Self::DropbearUser => "dropbear user",
            Self::DropbearRoot => "dropbear root",
        }
    }

    fn account(self) -> Account {
        match self {
            Self::OpensshUser | Self::DropbearUser => Account::SudoNopasswd,
            Self::OpensshRoot | Self::DropbearRoot => Account::Root,
        }
    }
}

#[derive(Debug)]
enum Running {
    Openssh(Box<Sshd>),
    Dropbear(Dropbear),
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Machine {
    running: Running,
    ssh_config: PathBuf,
    _folder: TempDir,
}

impl Machine {
    /// Starts the server with this login shell.
    pub(crate) fn start(server: Server, shell: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let ssh_config = folder.path().join("ssh_config");
        let (running, text) = match server {
            Server::OpensshUser | Server::OpensshRoot => {
                let sshd = Sshd::builder().users([server.account()]).login_shell(shell).start();
                let text = fs::read_to_string(sshd.ssh_config()).expect("the harness wrote the config");
                (Running::Openssh(Box::new(sshd)), text)
            }
            Server::DropbearUser | Server::DropbearRoot => {
                let dropbear = Dropbear::builder().user(server.account()).login_shell(shell).start();
                let text = dropbear.ssh_config();
                (Running::Dropbear(dropbear), text)
            }
        };
        fs::write(&ssh_config, text).expect("the test owns the directory");
        Self { running, ssh_config, _folder: folder }
    }

    /// Returns the file for `ssh -F` that resolves `host` to this server.
    pub(crate) fn ssh_config(&self) -> &Path {
        &self.ssh_config
    }

    /// Returns a directory writable by all users.
    pub(crate) fn scratch(&self) -> PathBuf {
        match &self.running {
            Running::Openssh(sshd) => sshd.scratch(),
            Running::Dropbear(dropbear) => dropbear.scratch(),
        }
    }

    /// Returns the processes started by commands.
    pub(crate) fn session_processes(&self) -> Vec<Process> {
        match &self.running {
            Running::Openssh(sshd) => sshd.session_processes(),
            Running::Dropbear(dropbear) => dropbear.session_processes(),
        }
    }
}
