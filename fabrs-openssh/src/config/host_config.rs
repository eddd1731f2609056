//! What the configuration says about one host.

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

/// What the configuration says about one host, expanded and ready for use.
///
/// `None` means that no line said anything, so that the caller's own default holds; `ssh`'s defaults are given with
/// each field, and for files by the functions below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostConfig {
    /// The name or address to connect to, in lower case: `HostName`, or else the host as it was typed.
    pub hostname: String,
    /// The user to log in as. `ssh` takes the local user's name.
    pub user: Option<String>,
    /// The port. `ssh` takes 22.
    pub port: Option<u16>,
    /// The keys to offer, in order; empty after `IdentityFile none`. See [`Self::default_identity_files`].
    pub identity_files: Option<Vec<PathBuf>>,
    /// The certificates to log in with, in order. Where none is set, `ssh` looks for one beside each key, with
    /// `-cert.pub` at the end of its name.
    pub certificate_files: Option<Vec<PathBuf>>,
    /// Whether only `identity_files` are offered, and not whatever else the agent holds. `ssh` takes no.
    pub identities_only: Option<bool>,
    /// Which agent to ask. `ssh` takes [`IdentityAgent::Environment`].
    pub identity_agent: Option<IdentityAgent>,
    /// The user's records of host keys; new ones go to the first. Empty after `none`. See
    /// [`Self::default_user_known_hosts_files`].
    pub user_known_hosts_files: Option<Vec<PathBuf>>,
    /// The system's records of host keys; empty after `none`. See [`Self::default_global_known_hosts_files`].
    pub global_known_hosts_files: Option<Vec<PathBuf>>,
    /// What to do with a host key that is not on record. `ssh` asks.
    pub strict_host_key_checking: Option<StrictHostKeyChecking>,
    /// The algorithms by which an authority may sign a host's certificate. See
    /// [`Self::default_ca_signature_algorithms`].
    pub ca_signature_algorithms: Option<Vec<String>>,
    /// The ciphers.
    pub ciphers: Option<AlgorithmList>,
    /// The message authentication codes.
    pub macs: Option<AlgorithmList>,
    /// The key exchanges.
    pub kex_algorithms: Option<AlgorithmList>,
    /// The signature algorithms of the host's key. `ssh` prefers the types on record, unless a list replaces its default
    /// or changes its front ([`AlgorithmList::keeps_default_order`]).
    pub host_key_algorithms: Option<AlgorithmList>,
    /// The signature algorithms to log in with.
    pub pubkey_accepted_algorithms: Option<AlgorithmList>,
    /// The minimum size in bits of RSA host keys and RSA login keys. `ssh` defaults to 1024.
    pub required_rsa_size: Option<u32>,
    /// The file of revoked host keys: a key revocation list or a text list. `ssh` refuses all hosts if it is unreadable.
    pub revoked_host_keys: Option<PathBuf>,
    /// The name, in lower case, under which the host's key is recorded, whatever its address and port.
    pub host_key_alias: Option<String>,
    /// Whether names are hashed when they are recorded. `ssh` takes no.
    pub hash_known_hosts: Option<bool>,
    /// The hosts to go through, in order; empty where it is said that there are none (`none`).
    ///
    /// `ssh` reaches the first of them by that host's own configuration, a `ProxyJump` included, and the others
    /// through the one before. Under `Host *` the chain would then apply to its own hosts, which `ssh` refuses
    /// (`jumphost loop`) or never comes to the end of. Here it is left empty, with a warning, for every host that the
    /// chain itself names, so resolving jump by jump always ends.
    pub proxy_jump: Option<Vec<JumpHost>>,
    /// The command that makes the connection.
    pub proxy_command: Option<ProxyCommand>,
    /// How long to wait for the connection; zero for as long as the system does, which is what `ssh` takes.
    pub connect_timeout: Option<Duration>,
    /// How long to wait before asking a silent server whether it is there; zero for never, which is what `ssh` takes.
    pub server_alive_interval: Option<Duration>,
    /// How many such questions may go unanswered. `ssh` takes 3.
    pub server_alive_count_max: Option<u32>,
    /// Whether the user is asked nothing. `ssh` takes no.
    pub batch_mode: Option<bool>,
    /// Whether passwords are tried. `ssh` takes yes.
    pub password_authentication: Option<bool>,
    /// Whether keys are tried. `ssh` takes yes.
    pub pubkey_authentication: Option<bool>,
    /// Whether the server's questions are answered. `ssh` takes yes.
    pub kbd_interactive_authentication: Option<bool>,
    /// The names of the authentication methods to use, in order. `ssh` takes `gssapi-with-mic`, `hostbased`, `publickey`,
    /// `keyboard-interactive`, `password`.
    pub preferred_authentications: Option<Vec<String>>,
    /// The number of password prompts. `ssh` defaults to 3.
    pub number_of_password_prompts: Option<u32>,
    /// Whether the host may use the agent, and which. `ssh` takes no.
    pub forward_agent: Option<ForwardAgent>,
    /// Whether TCP keepalives are sent. `ssh` takes yes.
    pub tcp_keep_alive: Option<bool>,
    /// The first value of each other keyword that `ssh` knows, by its name in lower case.
    pub other: BTreeMap<String, RawValue>,
    /// What was passed over on the way here.
    pub warnings: Vec<Warning>,
}

/// A value as written in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawValue {
    /// The rest of the line after the keyword, quotes and comment included.
    pub text: String,
    /// The line.
    pub at: Location,
}

impl RawValue {
    /// Returns the arguments, unquoted and without a comment.
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
        // Lines with an open quote are refused when they are read.
        line::split_arguments(&self.text).unwrap_or_default()
    }
}

/// Which agent to ask for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityAgent {
    /// No agent (`none`, or a variable that is not set).
    None,
    /// The one that `SSH_AUTH_SOCK` names.
    Environment,
    /// The one that listens here.
    Socket(PathBuf),
}

/// Whether the host may use an agent of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardAgent {
    /// It may not.
    No,
    /// It may use the one that is asked for keys.
    Yes,
    /// It may use the one that listens here.
    Socket(PathBuf),
}

impl HostConfig {
    /// Lists the keys that `ssh` offers where no `IdentityFile` is set, in its order.
    pub fn default_identity_files(home: impl AsRef<Path>) -> Vec<PathBuf> {
        let names = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"];
        names.iter().map(|name| home.as_ref().join(".ssh").join(name)).collect()
    }

    /// Lists the algorithms that `ssh` accepts where no `CASignatureAlgorithms` is set.
    pub fn default_ca_signature_algorithms() -> Vec<String> {
        DEFAULT_CA_SIGNATURES.iter().copied().map(str::to_owned).collect()
    }

    /// Lists the files that `ssh` reads where no `UserKnownHostsFile` is set.
    pub fn default_user_known_hosts_files(home: impl AsRef<Path>) -> Vec<PathBuf> {
        ["known_hosts", "known_hosts2"].iter().map(|name| home.as_ref().join(".ssh").join(name)).collect()
    }

    /// Lists the files that `ssh` reads where no `GlobalKnownHostsFile` is set.
    pub fn default_global_known_hosts_files() -> Vec<PathBuf> {
        ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].iter().map(PathBuf::from).collect()
    }
}
