//! The values that hold so far, while lines are read in order: the first one of each keyword.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::location::Location;

use super::algorithms::AlgorithmList;
use super::directive::Setting;
use super::host_config::RawValue;
use super::jump::Jump;
use super::load::Origin;
use super::value::StrictHostKeyChecking;

/// A value that is yet to be expanded, with its line, so that an error can name it.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) value: String,
    pub(super) at: Location,
}

/// The first value of each keyword, unexpanded.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub(super) hostname: Option<Raw>,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) ca_signature_algorithms: Option<Vec<String>>,
    pub(super) certificate_files: Vec<(Raw, Origin)>,
    pub(super) ciphers: Option<AlgorithmList>,
    pub(super) macs: Option<AlgorithmList>,
    pub(super) kex_algorithms: Option<AlgorithmList>,
    pub(super) host_key_algorithms: Option<AlgorithmList>,
    pub(super) pubkey_accepted_algorithms: Option<AlgorithmList>,
    pub(super) required_rsa_size: Option<u32>,
    pub(super) revoked_host_keys: Option<Raw>,
    pub(super) preferred_authentications: Option<Vec<String>>,
    pub(super) number_of_password_prompts: Option<u32>,
    pub(super) identity_files: Vec<(Raw, Origin)>,
    pub(super) identities_only: Option<bool>,
    pub(super) identity_agent: Option<Raw>,
    pub(super) user_known_hosts_files: Option<Vec<Raw>>,
    pub(super) global_known_hosts_files: Option<Vec<Raw>>,
    pub(super) strict_host_key_checking: Option<StrictHostKeyChecking>,
    pub(super) host_key_alias: Option<String>,
    pub(super) hash_known_hosts: Option<bool>,
    pub(super) proxy_jump: Option<(Vec<Jump>, Location)>,
    pub(super) proxy_command: Option<Raw>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) server_alive_interval: Option<Duration>,
    pub(super) server_alive_count_max: Option<u32>,
    pub(super) batch_mode: Option<bool>,
    pub(super) password_authentication: Option<bool>,
    pub(super) pubkey_authentication: Option<bool>,
    pub(super) kbd_interactive_authentication: Option<bool>,
    pub(super) forward_agent: Option<bool>,
    pub(super) forward_agent_socket: Option<Raw>,
    pub(super) tcp_keep_alive: Option<bool>,
    pub(super) ignore_unknown: Option<String>,
    pub(super) other: BTreeMap<String, RawValue>,
}

impl Values {
    /// Takes a line into account, unless an earlier one has already settled the matter.
    pub(super) fn set(&mut self, setting: &Setting, at: &Location, origin: Origin) {
        let raw = |value: &String| Raw { value: value.clone(), at: at.clone() };
        match setting {
            Setting::BatchMode(flag) => first(&mut self.batch_mode, flag),
            Setting::CaSignatureAlgorithms(names) => first(&mut self.ca_signature_algorithms, names),
            Setting::CertificateFile(file) => add(&mut self.certificate_files, raw(file), origin),
            Setting::Ciphers(list) => first(&mut self.ciphers, list),
            // `none` leaves a time unset, so that a later line can still set it.
            Setting::ConnectTimeout(time) => self.connect_timeout = self.connect_timeout.or(*time),
            Setting::ServerAliveInterval(time) => self.server_alive_interval = self.server_alive_interval.or(*time),
            Setting::ForwardAgent(flag) => first(&mut self.forward_agent, flag),
            // A path also says `yes`; after a `yes` a path still counts, as it does for `ssh`.
            Setting::ForwardAgentSocket(path) => {
                first(&mut self.forward_agent, &true);
                first(&mut self.forward_agent_socket, &raw(path));
            }
            Setting::GlobalKnownHostsFiles(files) => {
                first(&mut self.global_known_hosts_files, &files.iter().map(raw).collect());
            }
            Setting::UserKnownHostsFiles(files) => {
                first(&mut self.user_known_hosts_files, &files.iter().map(raw).collect());
            }
            Setting::HashKnownHosts(flag) => first(&mut self.hash_known_hosts, flag),
            Setting::HostKeyAlgorithms(list) => first(&mut self.host_key_algorithms, list),
            Setting::HostKeyAlias(alias) => first(&mut self.host_key_alias, alias),
            Setting::Hostname(name) => first(&mut self.hostname, &raw(name)),
            Setting::IdentitiesOnly(flag) => first(&mut self.identities_only, flag),
            Setting::IdentityAgent(agent) => first(&mut self.identity_agent, &raw(agent)),
            Setting::IdentityFile(file) => add(&mut self.identity_files, raw(file), origin),
            Setting::IgnoreUnknown(list) => first(&mut self.ignore_unknown, list),
            Setting::KbdInteractiveAuthentication(flag) => first(&mut self.kbd_interactive_authentication, flag),
            Setting::KexAlgorithms(list) => first(&mut self.kex_algorithms, list),
            Setting::Macs(list) => first(&mut self.macs, list),
            Setting::NumberOfPasswordPrompts(count) => first(&mut self.number_of_password_prompts, count),
            Setting::PasswordAuthentication(flag) => first(&mut self.password_authentication, flag),
            Setting::Port(port) => first(&mut self.port, port),
            Setting::PreferredAuthentications(names) => first(&mut self.preferred_authentications, names),
            Setting::ProxyCommand(command) => first(&mut self.proxy_command, &raw(command)),
            Setting::ProxyJump(chain) => self.set_proxy_jump(chain, at),
            Setting::PubkeyAcceptedAlgorithms(list) => first(&mut self.pubkey_accepted_algorithms, list),
            Setting::PubkeyAuthentication(flag) => first(&mut self.pubkey_authentication, flag),
            Setting::RequiredRsaSize(bits) => first(&mut self.required_rsa_size, bits),
            Setting::RevokedHostKeys(file) => first(&mut self.revoked_host_keys, &raw(file)),
            Setting::ServerAliveCountMax(count) => first(&mut self.server_alive_count_max, count),
            Setting::StrictHostKeyChecking(word) => first(&mut self.strict_host_key_checking, word),
            Setting::TcpKeepAlive(flag) => first(&mut self.tcp_keep_alive, flag),
            Setting::User(user) => first(&mut self.user, user),
            Setting::Other(name, text) => {
                self.other.entry(name.clone()).or_insert_with(|| RawValue { text: text.clone(), at: at.clone() });
            }
        }
    }

    /// A chain and a `ProxyCommand` compete, and whichever comes first shuts the other out; `ProxyJump none` only
    /// shuts out later chains.
    fn set_proxy_jump(&mut self, chain: &[Jump], at: &Location) {
        if chain.is_empty() || self.proxy_command.is_none() {
            first(&mut self.proxy_jump, &(chain.to_vec(), at.clone()));
        }
        if self.proxy_jump.as_ref().is_some_and(|(chain, _)| !chain.is_empty()) {
            first(&mut self.proxy_command, &Raw { value: "none".to_owned(), at: at.clone() });
        }
    }
}

/// Adds a file to those that accumulate, each once.
fn add(files: &mut Vec<(Raw, Origin)>, file: Raw, origin: Origin) {
    let known = |(other, from): &(Raw, Origin)| other.value == file.value && *from == origin;
    if !files.iter().any(known) {
        files.push((file, origin));
    }
}

fn first<T: Clone>(slot: &mut Option<T>, value: &T) {
    if slot.is_none() {
        *slot = Some(value.clone());
    }
}
