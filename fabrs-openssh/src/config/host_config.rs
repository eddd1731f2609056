//! The resolved settings of a host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::location::{Location, Warning};

use super::algorithm_list::AlgorithmList;
use super::jump_host::JumpHost;
use super::known_algorithms::DEFAULT_CA_SIGNATURES;
use super::line;
use super::proxy_command::ProxyCommand;
use super::value::StrictHostKeyChecking;

/// The resolved settings of a host, with all values expanded.
///
/// `None` means that no line sets the keyword. The caller then uses a default. Each field documents
/// the default of `ssh`. Functions such as [`Self::default_identity_files`] return the default file
/// lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostConfig {
    /// The name or address to connect to, in lower case: the `HostName`, or the host as typed.
    pub hostname: String,
    /// The user to log in as. `ssh` defaults to the local user.
    pub user: Option<String>,
    /// The port. `ssh` defaults to 22.
    pub port: Option<u16>,
    /// The keys to offer, in order. Empty after `IdentityFile none`. See
    /// [`Self::default_identity_files`].
    pub identity_files: Option<Vec<PathBuf>>,
    /// The certificates to log in with, in order. By default, `ssh` looks for a certificate next to
    /// each key, with the suffix `-cert.pub`.
    pub certificate_files: Option<Vec<PathBuf>>,
    /// True to offer only `identity_files`, and no other keys of the agent. `ssh` defaults to `no`.
    pub identities_only: Option<bool>,
    /// The agent that holds the keys. `ssh` defaults to [`IdentityAgent::Environment`].
    pub identity_agent: Option<IdentityAgent>,
    /// The `known_hosts` files of the user. The first file receives new keys. Empty after `none`.
    /// See [`Self::default_user_known_hosts_files`].
    pub user_known_hosts_files: Option<Vec<PathBuf>>,
    /// The `known_hosts` files of the system. Empty after `none`. See
    /// [`Self::default_global_known_hosts_files`].
    pub global_known_hosts_files: Option<Vec<PathBuf>>,
    /// The handling of hosts without a recorded key. `ssh` defaults to `ask`.
    pub strict_host_key_checking: Option<StrictHostKeyChecking>,
    /// The signature algorithms accepted in host certificates. See
    /// [`Self::default_ca_signature_algorithms`].
    pub ca_signature_algorithms: Option<Vec<String>>,
    /// The ciphers.
    pub ciphers: Option<AlgorithmList>,
    /// The message authentication codes (MACs).
    pub macs: Option<AlgorithmList>,
    /// The key exchange algorithms.
    pub kex_algorithms: Option<AlgorithmList>,
    /// The signature algorithms for host keys. `ssh` prefers the types of recorded keys, unless a
    /// list changes the order of the default list ([`AlgorithmList::keeps_default_order`]).
    pub host_key_algorithms: Option<AlgorithmList>,
    /// The signature algorithms for public key authentication.
    pub pubkey_accepted_algorithms: Option<AlgorithmList>,
    /// The minimum size in bits of RSA host keys and RSA login keys. `ssh` defaults to 1024.
    pub required_rsa_size: Option<u32>,
    /// The file of revoked host keys: a key revocation list or a text list. If the file is
    /// unreadable, `ssh` rejects all hosts.
    pub revoked_host_keys: Option<PathBuf>,
    /// The name for the recorded host key, in lower case, independent of the address and port.
    pub host_key_alias: Option<String>,
    /// True to hash the host names of new `known_hosts` lines. `ssh` defaults to `no`.
    pub hash_known_hosts: Option<bool>,
    /// The jump hosts, in order. Empty after `ProxyJump none`.
    ///
    /// `ssh` connects to the first jump host with the settings of that host, including its own
    /// `ProxyJump`. Each following jump host is reached through the previous jump host.
    ///
    /// Under `Host *`, the chain would also apply to its own jump hosts. `ssh` rejects such a loop
    /// (`jumphost loop`) or recurses without end. In this crate, a host that is one of its own jump
    /// hosts has an empty chain and a warning. Resolving the jump hosts one by one therefore always
    /// ends.
    pub proxy_jump: Option<Vec<JumpHost>>,
    /// The command that connects to the host.
    pub proxy_command: Option<ProxyCommand>,
    /// The timeout of the connection attempt. Zero, the default of `ssh`, means the timeout of the
    /// system.
    pub connect_timeout: Option<Duration>,
    /// The interval between keepalive requests to a silent server. Zero, the default of `ssh`,
    /// means no requests.
    pub server_alive_interval: Option<Duration>,
    /// The maximum number of unanswered keepalive requests. `ssh` defaults to 3.
    pub server_alive_count_max: Option<u32>,
    /// True to disable all prompts. `ssh` defaults to `no`.
    pub batch_mode: Option<bool>,
    /// True to allow password authentication. `ssh` defaults to `yes`.
    pub password_authentication: Option<bool>,
    /// True to allow public key authentication. `ssh` defaults to `yes`.
    pub pubkey_authentication: Option<bool>,
    /// True to allow keyboard-interactive authentication. `ssh` defaults to `yes`.
    pub kbd_interactive_authentication: Option<bool>,
    /// The names of the authentication methods, in order. `ssh` defaults to `gssapi-with-mic`,
    /// `hostbased`, `publickey`, `keyboard-interactive`, `password`.
    pub preferred_authentications: Option<Vec<String>>,
    /// The number of password prompts. `ssh` defaults to 3.
    pub number_of_password_prompts: Option<u32>,
    /// The agent to forward to the host. `ssh` defaults to `no`.
    pub forward_agent: Option<ForwardAgent>,
    /// True to send TCP keepalives. `ssh` defaults to `yes`.
    pub tcp_keep_alive: Option<bool>,
    /// The first value of each other keyword known to `ssh`, by its name in lower case.
    pub other: BTreeMap<String, RawValue>,
    /// Warnings about ignored lines.
    pub warnings: Vec<Warning>,
}

/// A value as written in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawValue {
    /// The rest of the line after the keyword, including quotes and a comment.
    pub text: String,
    /// The line.
    pub at: Location,
}

impl RawValue {
    /// Returns the arguments without quotes and without a comment.
    ///
    /// ```
    /// use fabrs_openssh::config::{Query, SshConfig};
    ///
    /// let config = SshConfig::parse("SetEnv \"A=1 2\" B=3 # both\n", "config")?;
    /// let web1 = config.resolve(&Query::new("web1", "alice", "/home/alice"))?;
    /// assert_eq!(web1.other["setenv"].arguments(), ["A=1 2", "B=3"]);
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    pub fn arguments(&self) -> Vec<String> {
        // The parser has rejected lines with an unclosed quote.
        line::split_arguments(&self.text).unwrap_or_default()
    }
}

/// The agent that holds the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityAgent {
    /// No agent, for `none` or an unset variable.
    None,
    /// The agent at the socket in `SSH_AUTH_SOCK`.
    Environment,
    /// The agent at this socket.
    Socket(PathBuf),
}

/// The agent to forward to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardAgent {
    /// No agent.
    No,
    /// The agent that holds the keys.
    Yes,
    /// The agent at this socket.
    Socket(PathBuf),
}

impl HostConfig {
    /// Returns the key files that `ssh` offers without `IdentityFile`, in order.
    pub fn default_identity_files(home: impl AsRef<Path>) -> Vec<PathBuf> {
        let names = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"];
        names.iter().map(|name| home.as_ref().join(".ssh").join(name)).collect()
    }

    /// Returns the algorithms that `ssh` accepts without `CASignatureAlgorithms`.
    pub fn default_ca_signature_algorithms() -> Vec<String> {
        DEFAULT_CA_SIGNATURES.iter().copied().map(str::to_owned).collect()
    }

    /// Returns the files that `ssh` reads without `UserKnownHostsFile`.
    pub fn default_user_known_hosts_files(home: impl AsRef<Path>) -> Vec<PathBuf> {
        ["known_hosts", "known_hosts2"].iter().map(|name| home.as_ref().join(".ssh").join(name)).collect()
    }

    /// Returns the files that `ssh` reads without `GlobalKnownHostsFile`.
    pub fn default_global_known_hosts_files() -> Vec<PathBuf> {
        ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].iter().map(PathBuf::from).collect()
    }
}
