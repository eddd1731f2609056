//! What a test may say about its server before it starts.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::accounts::Account;
use crate::keys::{Key, KeyType};

/// The settings of an [`Sshd`](crate::Sshd); made by [`Sshd::builder`](crate::Sshd::builder).
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

    /// Sets the names under which [`Sshd::ssh_config`](crate::Sshd::ssh_config) knows the server. Defaults to `host`.
    ///
    /// The first stands for the first address that is listened on, and so on, from the start again
    /// when there are more names than addresses.
    pub fn aliases<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.aliases = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// Lets another key in, beside the server's own identity.
    pub fn authorize(self, key: &Key) -> Self {
        self.authorized_keys_line(key.public())
    }

    /// Adds a line to `authorized_keys`: options, key, `cert-authority`.
    pub fn authorized_keys_line(mut self, line: impl Into<String>) -> Self {
        self.authorized.push(line.into());
        self
    }

    /// Signs the host key with this authority; `known_hosts` then trusts only the authority.
    pub fn host_ca(mut self, authority: &Key) -> Self {
        self.host_ca = Some(authority.clone());
        self
    }

    /// Makes the certificate that [`SshdBuilder::host_ca`] asks for with these arguments of `ssh-keygen`, rather than as one
    /// of a host for its addresses: `-h -n NAME -V FROM:UNTIL -O OPTION`.
    pub fn host_certificate_args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.certificate_args = arguments.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sets the kinds of host keys. Defaults to one Ed25519 key.
    pub fn host_keys(mut self, kinds: impl IntoIterator<Item = KeyType>) -> Self {
        self.host_keys = kinds.into_iter().collect();
        self
    }

    /// Sets the kind of the user's key. Defaults to Ed25519.
    pub fn identity_type(mut self, kind: KeyType) -> Self {
        self.identity_type = kind;
        self
    }

    /// Sets the options that `authorized_keys` has for the user's key, such as `command="true"`.
    pub fn key_options(mut self, options: impl Into<String>) -> Self {
        self.key_options = options.into();
        self
    }

    /// Adds text to the end of `sshd_config`: the place for `Match` blocks.
    pub fn append_config(mut self, text: &str) -> Self {
        self.config_end.push_str(text);
        self
    }

    /// Sets the addresses to listen on, all at one port. Defaults to 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If there is none, or one is not of loopback: a test offers nothing to the network.
    pub fn listen(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.listen = addresses.into_iter().collect();
        assert!(!self.listen.is_empty(), "a server listens on at least one address");
        assert!(self.listen.iter().all(IpAddr::is_loopback), "tests listen on loopback only");
        self
    }

    /// Gives all accounts of this server another login shell, and an empty home: `login_shell("/usr/bin/fish")`.
    ///
    /// The server runs in a mount namespace with an `/etc` of its own, so the machine's accounts, root among them,
    /// stay as they are. Needs [`Capability::LoginShells`](crate::Capability::LoginShells).
    pub fn login_shell(mut self, shell: impl Into<PathBuf>) -> Self {
        self.login_shell = Some(shell.into());
        self
    }

    /// Sets how many sessions one connection may have (`MaxSessions`).
    pub fn max_sessions(self, count: usize) -> Self {
        self.option("MaxSessions", count.to_string())
    }

    /// Sets a keyword of `sshd_config`, before the harness's own line for it, and so instead of it.
    pub fn option(mut self, keyword: &str, value: impl Into<String>) -> Self {
        // sshd obeys only the first SetEnv line, and the harness needs one for itself.
        if keyword.eq_ignore_ascii_case("SetEnv") {
            self.set_env.push(value.into());
        } else {
            self.options.push((keyword.to_owned(), value.into()));
        }
        self
    }

    /// Protects the user's key with a passphrase.
    pub fn passphrase(mut self, passphrase: &str) -> Self {
        passphrase.clone_into(&mut self.passphrase);
        self
    }

    /// Allows login with [`Sshd::password`](crate::Sshd::password), beside the key.
    ///
    /// Works where [`Capability::Password`](crate::Capability::Password) is.
    pub fn password_login(mut self) -> Self {
        self.password_login = true;
        self
    }

    /// Sets the accounts that exist; the first is [`Sshd::user`](crate::Sshd::user). Defaults to [`Account::Plain`].
    ///
    /// Without root it says nothing: the server then knows the user who runs the test.
    pub fn users(mut self, accounts: impl IntoIterator<Item = Account>) -> Self {
        self.accounts = accounts.into_iter().collect();
        self
    }
}
