//! Handle of a running OpenSSH server: [`Sshd`].

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::builder::SshdBuilder;
use super::config;
use crate::accounts;
use crate::capability::Capability;
use crate::keys::Key;
use crate::login_shell::LoginShell;
use crate::probe;

/// A real OpenSSH server on loopback. The server and its sessions end on drop.
///
/// Keep the value in a local variable of the test, because a `static` is never dropped. With
/// `FABRS_TEST_KEEP=1` in the environment, the files of the server are kept and their directory is
/// printed.
///
/// # Examples
///
/// ```
/// use fabrs_testing::Sshd;
///
/// let sshd = Sshd::start();
/// let output = sshd.ssh().args(["host", "echo hello"]).output().expect("`ssh` is installed");
/// assert_eq!(output.stdout, b"hello\n");
/// ```
#[derive(Debug)]
pub struct Sshd {
    pub(super) settings: SshdBuilder,
    pub(super) child: Option<Child>,
    pub(super) mark: String,
    /// The number of host key generations, part of the key file names.
    pub(super) generation: u32,
    pub(super) dir: TempDir,
    pub(super) host_keys: Vec<Key>,
    pub(super) identity: Key,
    pub(super) login_shell: Option<LoginShell>,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) log_start: usize,
}

impl Sshd {
    /// Returns a builder with the default settings.
    pub fn builder() -> SshdBuilder {
        SshdBuilder::new()
    }

    /// Starts a server with the default settings.
    ///
    /// # Panics
    ///
    /// See [`SshdBuilder::start`].
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Returns the first address of the server.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.settings.listen[0], self.port)
    }

    /// Returns the port, the same on all addresses.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the first account, also the user in `ssh_config` and in the host string.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the password of all accounts.
    ///
    /// # Panics
    ///
    /// Without [`Capability::Password`].
    pub fn password(&self) -> &'static str {
        Self::account_password()
    }

    /// Returns the password of all accounts. Needs no running server.
    ///
    /// # Panics
    ///
    /// Without [`Capability::Password`].
    pub fn account_password() -> &'static str {
        assert!(Capability::Password.is_present(), "not testable on this machine: {}", Capability::Password);
        accounts::password()
    }

    /// Returns the path of the user's private key.
    pub fn identity(&self) -> &Path {
        self.identity.path()
    }

    /// Returns the user's key pair.
    pub fn identity_key(&self) -> &Key {
        &self.identity
    }

    /// Returns the host keys, in the order of [`SshdBuilder::host_keys`].
    pub fn host_keys(&self) -> &[Key] {
        &self.host_keys
    }

    /// Returns the path of a `known_hosts` file that trusts the server.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.path().join("known_hosts")
    }

    /// Returns the path of an `ssh_config` with all aliases of the server.
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.path().join("ssh_config")
    }

    /// Returns the first alias of the server.
    pub fn alias(&self) -> &str {
        &self.settings.aliases[0]
    }

    /// Returns `user@address:port`.
    pub fn host_string(&self) -> String {
        config::host_string(&self.user, self.settings.listen[0], self.port)
    }

    /// Returns the command `ssh -F CONFIG` in batch mode, with an empty stdin. Add an alias and a
    /// command line.
    pub fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.ssh_config()).args(["-o", "BatchMode=yes"]).stdin(Stdio::null());
        command
    }

    /// Returns the directory with the files of the server.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns a world-writable directory, removed with the server.
    pub fn scratch(&self) -> PathBuf {
        self.dir.path().join("scratch")
    }

    /// Returns a copy of the [`probe`](crate::probe) that is executable by every account.
    ///
    /// # Panics
    ///
    /// If the probe cannot be built or copied.
    pub fn probe(&self) -> PathBuf {
        let copy = self.dir.path().join("fabrs-probe");
        if !copy.exists() {
            // The copy is renamed into place, because a parallel caller may execute an older copy.
            let temporary = tempfile::NamedTempFile::new_in(self.dir.path()).expect("a writable directory");
            fs::copy(probe::path(), temporary.path()).expect("a readable probe");
            temporary.persist(&copy).expect("a rename within one directory");
        }
        copy
    }

    /// Returns the log of the server since its last start.
    pub fn log(&self) -> String {
        let log = self.whole_log();
        log.get(self.log_start..).unwrap_or_default().to_owned()
    }

    /// Stops the server and all its sessions. The port then refuses connections.
    pub fn stop(&mut self) {
        self.kill_all();
    }

    /// Replaces the content of `known_hosts` with the current host keys.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn trust_host_key(&self) {
        let keys: Vec<String> = self.host_keys.iter().map(Key::public).collect();
        self.write("known_hosts", &config::known_hosts(&self.settings, self.port, &keys));
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).expect("a writable directory");
    }

    pub(super) fn whole_log(&self) -> String {
        let bytes = fs::read(self.dir.path().join("sshd.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill_all();
        if std::env::var_os("FABRS_TEST_KEEP").is_some() {
            let _ = writeln!(io::stderr(), "the files of sshd are kept in {}", self.dir.path().display());
        }
    }
}
