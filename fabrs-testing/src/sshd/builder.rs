//! Settings of an OpenSSH server: [`SshdBuilder`].

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::accounts::Account;
use crate::keys::{Key, KeyType};

/// The settings of an [`Sshd`](crate::Sshd). Created by [`Sshd::builder`](crate::Sshd::builder).
#[derive(Debug, Clone)]
#[must_use = "no server runs until `.start()`"]
pub struct SshdBuilder {
    pub(super) accounts: Vec<Account>,
    pub(super) aliases: Vec<String>,
    pub(super) authorized: Vec<String>,
    pub(super) host_ca: Option<Key>,
    pub(super) certificate_args: Vec<String>,
    pub(super) host_keys: Vec<KeyType>,
    pub(super) identity_type: KeyType,
    pub(super) key_options: String,
    pub(super) config_end: String,
    pub(super) listen: Vec<IpAddr>,
    pub(super) login_shell: Option<PathBuf>,
    pub(super) options: Vec<(String, String)>,
    pub(super) passphrase: String,
    pub(super) password_login: bool,
    pub(super) set_env: Vec<String>,
}

impl SshdBuilder {
    pub(super) fn new() -> Self {
        Self {
            accounts: vec![Account::Plain],
            aliases: vec!["host".to_owned()],
            authorized: Vec::new(),
            host_ca: None,
            certificate_args: Vec::new(),
            host_keys: vec![KeyType::Ed25519],
            identity_type: KeyType::Ed25519,
            key_options: String::new(),
            config_end: String::new(),
            listen: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            login_shell: None,
            options: Vec::new(),
            passphrase: String::new(),
            password_login: false,
            set_env: Vec::new(),
        }
    }

    /// Sets the aliases of the server in [`Sshd::ssh_config`](crate::Sshd::ssh_config). Defaults to
    /// `host`.
    ///
    /// The first alias has the first address of [`SshdBuilder::listen`], and so on. If there are
    /// more aliases than addresses, the addresses repeat.
    pub fn aliases<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.aliases = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// Authorizes a key besides the identity of the server.
    pub fn authorize(self, key: &Key) -> Self {
        self.authorized_keys_line(key.public())
    }

    /// Adds a line to `authorized_keys`, for example with options or `cert-authority`.
    pub fn authorized_keys_line(mut self, line: impl Into<String>) -> Self {
        self.authorized.push(line.into());
        self
    }

    /// Signs the host keys with an authority. `known_hosts` then trusts only the authority.
    pub fn host_ca(mut self, authority: &Key) -> Self {
        self.host_ca = Some(authority.clone());
        self
    }

    /// Sets the `ssh-keygen` arguments for the certificate of [`SshdBuilder::host_ca`], for example
    /// `-h -n NAME -V FROM:UNTIL -O OPTION`. Defaults to a host certificate for the addresses.
    pub fn host_certificate_args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.certificate_args = arguments.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sets the types of the host keys. Defaults to one Ed25519 key.
    pub fn host_keys(mut self, kinds: impl IntoIterator<Item = KeyType>) -> Self {
        self.host_keys = kinds.into_iter().collect();
        self
    }

    /// Sets the type of the user's key. Defaults to Ed25519.
    pub fn identity_type(mut self, kind: KeyType) -> Self {
        self.identity_type = kind;
        self
    }

    /// Sets the options of the user's key in `authorized_keys`, for example `command="true"`.
    pub fn key_options(mut self, options: impl Into<String>) -> Self {
        self.key_options = options.into();
        self
    }

    /// Appends text to `sshd_config`, for example `Match` blocks.
    pub fn append_config(mut self, text: &str) -> Self {
        self.config_end.push_str(text);
        self
    }

    /// Sets the addresses of the server. All have the same port. Defaults to 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If the list is empty or has an address outside loopback. Tests must not be reachable from
    /// the network.
    pub fn listen(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.listen = addresses.into_iter().collect();
        assert!(!self.listen.is_empty(), "a server listens on at least one address");
        assert!(self.listen.iter().all(IpAddr::is_loopback), "tests listen on loopback only");
        self
    }

    /// Sets another login shell and an empty home for all accounts of the server:
    /// `login_shell("/usr/bin/fish")`.
    ///
    /// The server runs in a mount namespace with its own `/etc`, so the machine's accounts do not
    /// change. Needs [`Capability::LoginShells`](crate::Capability::LoginShells).
    pub fn login_shell(mut self, shell: impl Into<PathBuf>) -> Self {
        self.login_shell = Some(shell.into());
        self
    }

    /// Sets the maximum number of sessions of a connection (`MaxSessions`).
    pub fn max_sessions(self, count: usize) -> Self {
        self.option("MaxSessions", count.to_string())
    }

    /// Sets a keyword of `sshd_config`. Overrides the default of the harness.
    pub fn option(mut self, keyword: &str, value: impl Into<String>) -> Self {
        // sshd reads only the first SetEnv line, and the harness adds a variable to this line.
        if keyword.eq_ignore_ascii_case("SetEnv") {
            self.set_env.push(value.into());
        } else {
            self.options.push((keyword.to_owned(), value.into()));
        }
        self
    }

    /// Encrypts the user's key with a passphrase.
    pub fn passphrase(mut self, passphrase: &str) -> Self {
        passphrase.clone_into(&mut self.passphrase);
        self
    }

    /// Allows password logins with [`Sshd::password`](crate::Sshd::password), besides the key.
    ///
    /// Needs [`Capability::Password`](crate::Capability::Password).
    pub fn password_login(mut self) -> Self {
        self.password_login = true;
        self
    }

    /// Sets the accounts. The first is [`Sshd::user`](crate::Sshd::user). Defaults to
    /// [`Account::Plain`].
    ///
    /// Without root, the setting has no effect: the only account is the current user.
    pub fn users(mut self, accounts: impl IntoIterator<Item = Account>) -> Self {
        self.accounts = accounts.into_iter().collect();
        self
    }
}
