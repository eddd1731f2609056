//! The server as a test sees it.

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

/// A real OpenSSH server on loopback; it and its sessions end when this is dropped.
///
/// Keep it in the test, not in a `static`: those are never dropped. With `FABRS_TEST_KEEP=1` in the
/// environment its files stay, and their directory is printed.
#[derive(Debug)]
pub struct Sshd {
    pub(super) settings: SshdBuilder,
    pub(super) child: Option<Child>,
    pub(super) mark: String,
    /// How many times it was given host keys.
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
    /// Returns the settings of a server, to be changed and started.
    pub fn builder() -> SshdBuilder {
        SshdBuilder::new()
    }

    /// Starts a server with the defaults.
    ///
    /// # Panics
    ///
    /// As [`SshdBuilder::start`].
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Returns the first address it listens on.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.settings.listen[0], self.port)
    }

    /// Returns the port, the same on all its addresses.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the first account: the one that its `ssh_config` and host string name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the password of every account.
    ///
    /// # Panics
    ///
    /// Without [`Capability::Password`].
    pub fn password(&self) -> &'static str {
        Self::account_password()
    }

    /// Returns the password of every account of the harness.
    ///
    /// # Panics
    ///
    /// Without [`Capability::Password`].
    pub fn account_password() -> &'static str {
        assert!(Capability::Password.is_present(), "can not be tested: {}", Capability::Password);
        accounts::password()
    }

    /// Returns the file with the user's private key.
    pub fn identity(&self) -> &Path {
        self.identity.path()
    }

    /// Returns the user's key.
    pub fn identity_key(&self) -> &Key {
        &self.identity
    }

    /// Returns the host keys, in the order of [`SshdBuilder::host_keys`].
    pub fn host_keys(&self) -> &[Key] {
        &self.host_keys
    }

    /// Returns the `known_hosts` file in which the server is trusted.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.path().join("known_hosts")
    }

    /// Returns a configuration for `ssh -F` that reaches the server under its aliases.
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.path().join("ssh_config")
    }

    /// Returns the name under which its `ssh_config` knows it: the first alias.
    pub fn alias(&self) -> &str {
        &self.settings.aliases[0]
    }

    /// Returns `user@address:port`.
    pub fn host_string(&self) -> String {
        config::host_string(&self.user, self.settings.listen[0], self.port)
    }

    /// Returns a command `ssh -F CONFIG`, which never asks and reads no stdin, to which the alias
    /// and the remote line are to be added.
    pub fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.ssh_config()).args(["-o", "BatchMode=yes"]).stdin(Stdio::null());
        command
    }

    /// Returns the directory of this server's files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns a directory that every account may write to, and that ends with the server.
    pub fn scratch(&self) -> PathBuf {
        self.dir.path().join("scratch")
    }

    /// Returns a copy of the [`probe`](crate::probe) that every account may run.
    ///
    /// # Panics
    ///
    /// If it can not be built or copied.
    pub fn probe(&self) -> PathBuf {
        let copy = self.dir.path().join("fabrs-probe");
        if !copy.exists() {
            // Not copied in place: a parallel caller may be running it already.
            let draft = tempfile::NamedTempFile::new_in(self.dir.path()).expect("the directory is ours");
            fs::copy(probe::path(), draft.path()).expect("the probe can be read");
            draft.persist(&copy).expect("a rename within one directory");
        }
        copy
    }

    /// Returns what the server has logged since it last started.
    pub fn log(&self) -> String {
        let log = self.whole_log();
        log.get(self.log_start..).unwrap_or_default().to_owned()
    }

    /// Ends the server and all its sessions; nobody listens on the port then.
    pub fn stop(&mut self) {
        self.end();
    }

    /// Writes the present host keys to `known_hosts`, and only these.
    ///
    /// # Panics
    ///
    /// If the file can not be written.
    pub fn trust_host_key(&self) {
        let keys: Vec<String> = self.host_keys.iter().map(Key::public).collect();
        self.write("known_hosts", &config::known_hosts(&self.settings, self.port, &keys));
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).expect("the directory is ours");
    }

    pub(super) fn whole_log(&self) -> String {
        let bytes = fs::read(self.dir.path().join("sshd.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.end();
        if std::env::var_os("FABRS_TEST_KEEP").is_some() {
            let _lost = writeln!(io::stderr(), "the files of sshd are kept in {}", self.dir.path().display());
        }
    }
}
