//! Dropbear server: a real SSH server other than OpenSSH, common on routers.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::accounts::{Account, MARK};
use crate::capability::Capability;
use crate::keys::{Key, KeyType};
use crate::login_shell::LoginShell;
use crate::process::{Process, related_processes};
use crate::wait::poll;

/// The full path, because the search path of a plain user lacks `/usr/sbin`.
const PROGRAM: &str = "/usr/sbin/dropbear";
/// The search path of the server.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// The time limit for the start.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The time limit for the end of killed processes.
const END_LIMIT: Duration = Duration::from_secs(10);

/// The settings of a [`Dropbear`]. Created by [`Dropbear::builder`].
#[derive(Debug, Clone)]
#[must_use = "no server runs until `.start()`"]
pub struct DropbearBuilder {
    account: Account,
    login_shell: Option<PathBuf>,
}

impl DropbearBuilder {
    /// Sets the login account. Defaults to [`Account::Plain`].
    pub fn user(mut self, account: Account) -> Self {
        self.account = account;
        self
    }

    /// Sets another login shell and an empty home for the account: `login_shell("/usr/bin/fish")`.
    ///
    /// The account then logs in by key. The machine's own account does not change. Needs
    /// [`Capability::LoginShells`].
    pub fn login_shell(mut self, shell: impl Into<PathBuf>) -> Self {
        self.login_shell = Some(shell.into());
        self
    }

    /// Starts the server and waits until it listens.
    ///
    /// # Panics
    ///
    /// If the test does not run as root, dropbear is not installed, or the start fails.
    #[track_caller]
    pub fn start(self) -> Dropbear {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(Capability::Accounts.is_present(), "dropbear needs {}", Capability::Accounts);
        assert!(
            Path::new(PROGRAM).exists(),
            "`{PROGRAM}` is missing: `apt-get install dropbear-bin`, or run `scripts/test`"
        );
        self.account.create();
        let dir = tempfile::Builder::new().prefix("fabrs-dropbear-").tempdir().expect("a temporary directory");
        let identity = Key::generate(dir.path().join("identity"), KeyType::Ed25519, "");
        let shell = self.login_shell.as_deref();
        let shell = shell.map(|shell| LoginShell::write(dir.path(), &[self.account], shell, &identity.public()));
        let scratch = dir.path().join("scratch");
        fs::create_dir(&scratch).expect("a writable directory");
        for (path, mode) in [(dir.path(), 0o755), (&scratch, 0o1777)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("a writable directory");
        }
        let key = dir.path().join("host_key");
        let made = Command::new("dropbearkey").args(["-t", "ed25519", "-f"]).arg(&key).output();
        let public = String::from_utf8_lossy(&made.expect("`dropbearkey` is installed").stdout).into_owned();
        let public = public.lines().find(|line| line.starts_with("ssh-ed25519 ")).expect("dropbearkey prints the key");

        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = free.local_addr().expect("the socket is bound").port();
        drop(free);
        let known_hosts = format!("[127.0.0.1]:{port} {public}\n");
        fs::write(dir.path().join("known_hosts"), known_hosts).expect("a writable directory");
        let mut command = shell.as_ref().map_or_else(|| Command::new(PROGRAM), |shell| shell.command(PROGRAM));
        let mark = format!("dropbear-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let child = command
            // `-e` passes the environment to commands, so the environment holds only the mark.
            .env_clear()
            .env("PATH", PATH)
            .env(MARK, &mark)
            .args(["-F", "-E", "-e", "-p", &format!("127.0.0.1:{port}"), "-r"])
            .arg(&key)
            .arg("-P")
            .arg(dir.path().join("pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dropbear is executable");
        let server = Dropbear { account: self.account, child, dir, has_key: shell.is_some(), mark, port };
        let listens = poll(START_LIMIT, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        assert!(listens.is_some(), "dropbear does not listen");
        server
    }
}

/// A dropbear server on loopback with one login account. The server and its sessions end on drop.
///
/// The account logs in with [`Sshd::account_password`](crate::Sshd::account_password). With
/// [`DropbearBuilder::login_shell`], the account logs in by key.
#[derive(Debug)]
pub struct Dropbear {
    account: Account,
    child: Child,
    dir: TempDir,
    has_key: bool,
    mark: String,
    port: u16,
}

impl Dropbear {
    /// Returns a builder with the default settings.
    pub fn builder() -> DropbearBuilder {
        DropbearBuilder { account: Account::Plain, login_shell: None }
    }

    /// Starts a server with the default settings. Prints a note and returns `None` without root.
    ///
    /// # Panics
    ///
    /// If dropbear is not installed, or the start fails.
    #[track_caller]
    pub fn start() -> Option<Self> {
        Capability::Accounts.is_available().then(|| Self::builder().start())
    }

    /// Returns the text of an `ssh_config` with the server under the alias `host`.
    pub fn ssh_config(&self) -> String {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let identity = if self.has_key { path("identity") } else { "none".to_owned() };
        format!(
            "Host host\n    HostName 127.0.0.1\n    Port {}\n    User {}\n    UserKnownHostsFile {}\n    \
             GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n    IdentityFile {identity}\n    \
             IdentitiesOnly yes\n",
            self.port,
            self.account.name(),
            path("known_hosts"),
        )
    }

    /// Returns a world-writable directory, removed with the server.
    pub fn scratch(&self) -> PathBuf {
        self.dir.path().join("scratch")
    }

    /// Returns all processes started by the server, without the processes of dropbear itself.
    pub fn session_processes(&self) -> Vec<Process> {
        self.processes().into_iter().filter(|process| !process.cmdline.starts_with(PROGRAM)).collect()
    }

    fn processes(&self) -> Vec<Process> {
        let own = i32::try_from(std::process::id()).ok().and_then(Process::find);
        let entry = format!("{MARK}={}", self.mark);
        related_processes(&Process::all(), own.map_or(0, |own| own.sid), |process| process.has_env(&entry))
    }
}

impl Drop for Dropbear {
    fn drop(&mut self) {
        let ended = poll(END_LIMIT, || {
            let left = self.processes();
            left.iter().for_each(Process::kill);
            // The child is reaped only after the loop, so no other process gets its PID.
            left.is_empty().then_some(())
        });
        let _ = self.child.kill();
        let _ = self.child.wait();
        if ended.is_none() {
            let _ = writeln!(io::stderr(), "processes could not be killed: {:?}", self.processes());
        }
    }
}
