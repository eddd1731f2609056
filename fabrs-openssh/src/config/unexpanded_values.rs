//! The first value of each keyword for a host, before the expansion.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::location::Location;

use super::algorithm_list::AlgorithmList;
use super::directive::Setting;
use super::host_config::RawValue;
use super::jump_host::JumpHost;
use super::load::Origin;
use super::value::StrictHostKeyChecking;

/// An unexpanded value with its location, for the error of a failed expansion.
#[derive(Clone, Debug)]
pub(super) struct UnexpandedValue {
    pub(super) value: String,
    pub(super) at: Location,
}

/// The first value of each keyword, unexpanded.
#[derive(Clone, Debug, Default)]
pub(super) struct UnexpandedValues {
    pub(super) hostname: Option<UnexpandedValue>,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) ca_signature_algorithms: Option<Vec<String>>,
    pub(super) certificate_files: Vec<(UnexpandedValue, Origin)>,
    pub(super) ciphers: Option<AlgorithmList>,
    pub(super) macs: Option<AlgorithmList>,
    pub(super) kex_algorithms: Option<AlgorithmList>,
    pub(super) host_key_algorithms: Option<AlgorithmList>,
    pub(super) pubkey_accepted_algorithms: Option<AlgorithmList>,
    pub(super) required_rsa_size: Option<u32>,
    pub(super) revoked_host_keys: Option<UnexpandedValue>,
    pub(super) preferred_authentications: Option<Vec<String>>,
    pub(super) number_of_password_prompts: Option<u32>,
    pub(super) identity_files: Vec<(UnexpandedValue, Origin)>,
    pub(super) identities_only: Option<bool>,
    pub(super) identity_agent: Option<UnexpandedValue>,
    pub(super) user_known_hosts_files: Option<Vec<UnexpandedValue>>,
    pub(super) global_known_hosts_files: Option<Vec<UnexpandedValue>>,
    pub(super) strict_host_key_checking: Option<StrictHostKeyChecking>,
    pub(super) host_key_alias: Option<String>,
    pub(super) hash_known_hosts: Option<bool>,
    pub(super) proxy_jump: Option<(Vec<JumpHost>, Location)>,
    pub(super) proxy_command: Option<UnexpandedValue>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) server_alive_interval: Option<Duration>,
    pub(super) server_alive_count_max: Option<u32>,
    pub(super) batch_mode: Option<bool>,
    pub(super) password_authentication: Option<bool>,
    pub(super) pubkey_authentication: Option<bool>,
    pub(super) kbd_interactive_authentication: Option<bool>,
    pub(super) forward_agent: Option<bool>,
    pub(super) forward_agent_socket: Option<UnexpandedValue>,
    pub(super) tcp_keep_alive: Option<bool>,
    pub(super) ignore_unknown: Option<String>,
    pub(super) other: BTreeMap<String, RawValue>,
}

impl UnexpandedValues {
    /// Sets the value of a line, unless an earlier line has set the value.
    pub(super) fn set(&mut self, setting: &Setting, at: &Location, origin: Origin) {
        let raw = |value: &String| UnexpandedValue { value: value.clone(), at: at.clone() };
        match setting {
            Setting::BatchMode(flag) => set_once(&mut self.batch_mode, flag),
            Setting::CaSignatureAlgorithms(names) => set_once(&mut self.ca_signature_algorithms, names),
            Setting::CertificateFile(file) => add_file(&mut self.certificate_files, raw(file), origin),
            Setting::Ciphers(list) => set_once(&mut self.ciphers, list),
            // `none` leaves a time unset. A later line can still set the time.
            Setting::ConnectTimeout(time) => self.connect_timeout = self.connect_timeout.or(*time),
            Setting::ServerAliveInterval(time) => self.server_alive_interval = self.server_alive_interval.or(*time),
            Setting::ForwardAgent(flag) => set_once(&mut self.forward_agent, flag),
            // A path implies `yes`. Like `ssh`, accept a path after a `yes`.
            Setting::ForwardAgentSocket(path) => {
                set_once(&mut self.forward_agent, &true);
                set_once(&mut self.forward_agent_socket, &raw(path));
            }
            Setting::GlobalKnownHostsFiles(files) => {
                set_once(&mut self.global_known_hosts_files, &files.iter().map(raw).collect());
            }
            Setting::UserKnownHostsFiles(files) => {
                set_once(&mut self.user_known_hosts_files, &files.iter().map(raw).collect());
            }
            Setting::HashKnownHosts(flag) => set_once(&mut self.hash_known_hosts, flag),
            Setting::HostKeyAlgorithms(list) => set_once(&mut self.host_key_algorithms, list),
            Setting::HostKeyAlias(alias) => set_once(&mut self.host_key_alias, alias),
            Setting::Hostname(name) => set_once(&mut self.hostname, &raw(name)),
            Setting::IdentitiesOnly(flag) => set_once(&mut self.identities_only, flag),
            Setting::IdentityAgent(agent) => set_once(&mut self.identity_agent, &raw(agent)),
            Setting::IdentityFile(file) => add_file(&mut self.identity_files, raw(file), origin),
            Setting::IgnoreUnknown(list) => set_once(&mut self.ignore_unknown, list),
            Setting::KbdInteractiveAuthentication(flag) => set_once(&mut self.kbd_interactive_authentication, flag),
            Setting::KexAlgorithms(list) => set_once(&mut self.kex_algorithms, list),
            Setting::Macs(list) => set_once(&mut self.macs, list),
            Setting::NumberOfPasswordPrompts(count) => set_once(&mut self.number_of_password_prompts, count),
            Setting::PasswordAuthentication(flag) => set_once(&mut self.password_authentication, flag),
            Setting::Port(port) => set_once(&mut self.port, port),
            Setting::PreferredAuthentications(names) => set_once(&mut self.preferred_authentications, names),
            Setting::ProxyCommand(command) => set_once(&mut self.proxy_command, &raw(command)),
            Setting::ProxyJump(chain) => self.set_proxy_jump(chain, at),
            Setting::PubkeyAcceptedAlgorithms(list) => set_once(&mut self.pubkey_accepted_algorithms, list),
            Setting::PubkeyAuthentication(flag) => set_once(&mut self.pubkey_authentication, flag),
            Setting::RequiredRsaSize(bits) => set_once(&mut self.required_rsa_size, bits),
            Setting::RevokedHostKeys(file) => set_once(&mut self.revoked_host_keys, &raw(file)),
            Setting::ServerAliveCountMax(count) => set_once(&mut self.server_alive_count_max, count),
            Setting::StrictHostKeyChecking(word) => set_once(&mut self.strict_host_key_checking, word),
            Setting::TcpKeepAlive(flag) => set_once(&mut self.tcp_keep_alive, flag),
            Setting::User(user) => set_once(&mut self.user, user),
            Setting::Other(name, text) => {
                self.other.entry(name.clone()).or_insert_with(|| RawValue { text: text.clone(), at: at.clone() });
            }
        }
    }

    /// Sets the `ProxyJump` chain. Only the first of `ProxyJump` and `ProxyCommand` applies.
    /// `ProxyJump none` disables later chains, but not a `ProxyCommand`.
    fn set_proxy_jump(&mut self, chain: &[JumpHost], at: &Location) {
        if chain.is_empty() || self.proxy_command.is_none() {
            set_once(&mut self.proxy_jump, &(chain.to_vec(), at.clone()));
        }
        if self.proxy_jump.as_ref().is_some_and(|(chain, _)| !chain.is_empty()) {
            set_once(&mut self.proxy_command, &UnexpandedValue { value: "none".to_owned(), at: at.clone() });
        }
    }
}

/// Adds a file to an accumulated list, without duplicates.
fn add_file(files: &mut Vec<(UnexpandedValue, Origin)>, file: UnexpandedValue, origin: Origin) {
    let known = |(other, from): &(UnexpandedValue, Origin)| other.value == file.value && *from == origin;
    if !files.iter().any(known) {
        files.push((file, origin));
    }
}

fn set_once<T: Clone>(slot: &mut Option<T>, value: &T) {
    if slot.is_none() {
        *slot = Some(value.clone());
    }
}
