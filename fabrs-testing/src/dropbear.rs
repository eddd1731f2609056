//! A real server that is not OpenSSH's: dropbear, as routers and small systems have it.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::wait::poll;
use crate::{Account, Capability, Sshd};

/// It is found by its whole path, since a user's search path lacks it.
const PROGRAM: &str = "/usr/sbin/dropbear";
/// How long it may take to listen.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A dropbear on loopback which [`Account::Plain`] logs in to with [`Sshd::account_password`]; it ends when this is dropped.
#[derive(Debug)]
pub struct Dropbear {
    child: Child,
    dir: TempDir,
    port: u16,
}

impl Dropbear {
    /// Starts one, unless who runs the test can have none, which is told.
    ///
    /// # Panics
    ///
    /// If dropbear is not installed, or does not start.
    #[track_caller]
    pub fn start() -> Option<Self> {
        if !Sshd::can(Capability::Accounts) {
            return None;
        }
        assert!(
            Path::new(PROGRAM).exists(),
            "`{PROGRAM}` is missing: `apt-get install dropbear-bin`, or run `scripts/test`"
        );
        Account::Plain.make(crate::sshd::MARK);
        let dir = tempfile::Builder::new().prefix("fabrs-dropbear-").tempdir().expect("a temporary directory");
        let key = dir.path().join("host_key");
        let made = Command::new("dropbearkey").args(["-t", "ed25519", "-f"]).arg(&key).output();
        let public = String::from_utf8_lossy(&made.expect("dropbearkey comes with it").stdout).into_owned();
        let public =
            public.lines().find(|line| line.starts_with("ssh-ed25519 ")).expect("it prints the key").to_owned();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(PROGRAM)
            .args(["-F", "-E", "-p", &address, "-r"])
            .arg(&key)
            .arg("-P")
            .arg(dir.path().join("pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dropbear is executable");
        let server = Self { child, dir, port };
        fs::write(server.dir.path().join("known_hosts"), format!("[127.0.0.1]:{port} {public}\n"))
            .expect("the directory is ours");
        let scratch = server.scratch();
        fs::create_dir(&scratch).expect("the directory is ours");
        for (path, mode) in [(server.dir.path(), 0o755), (&scratch, 0o1777)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("the directory is ours");
        }
        let listens = poll(START_LIMIT, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        assert!(listens.is_some(), "dropbear does not listen");
        Some(server)
    }

    /// Returns the lines for `ssh -F` that reach it as `host`.
    pub fn ssh_config(&self) -> String {
        format!(
            "Host host\n    HostName 127.0.0.1\n    Port {}\n    User {}\n    UserKnownHostsFile {}\n    \
             GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n    IdentityFile none\n    IdentitiesOnly yes\n",
            self.port,
            Account::Plain.name(),
            self.dir.path().join("known_hosts").display(),
        )
    }

    /// Returns a folder that everybody may write to.
    pub fn scratch(&self) -> PathBuf {
        self.dir.path().join("scratch")
    }
}

impl Drop for Dropbear {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
