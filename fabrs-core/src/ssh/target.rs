//! Resolution of a host as by `ssh`: address, user, keys, host key policy and route.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fabrs_openssh::config::{ForwardAgent, HostConfig, IdentityAgent, JumpHost, ProxyCommand, StrictHostKeyChecking};
use fabrs_openssh::known_hosts::HostName;
use russh::MethodKind;

use crate::config::{Gateway, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::ssh::algorithms::Algorithms;
use crate::ssh::route_settings::RouteSettings;
use crate::ssh::settings::SshSettings;
use crate::ssh::unsupported_keywords;

/// The default `ServerAliveInterval`: the idle time before a keepalive is sent to the server.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// The default `ServerAliveCountMax`: the maximum number of unanswered keepalives.
const KEEPALIVE_MAX: usize = 3;

/// The default `NumberOfPasswordPrompts`: the maximum number of prompts for each method.
const PASSWORD_PROMPTS: usize = 3;
/// The default time limit for an answer of the server or the agent during a login. Replaced by a
/// connect timeout from the command line or `fabrs.toml`. Checking a password may take longer than
/// the handshake. `ConnectTimeout` of the ssh config does not limit logins.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A resolved host.
#[derive(Debug)]
pub(super) struct Target {
    /// The host as written by the user, for messages.
    pub(super) host: Host,
    pub(super) purpose: Purpose,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) connect_timeout: Duration,
    /// The settings of the host, or of the host behind the gateway.
    pub(super) route_settings: RouteSettings,
    pub(super) keepalive: Option<Duration>,
    pub(super) keepalive_max: usize,
    pub(super) algorithms: Algorithms,
    pub(super) host_key_policy: HostKeyPolicy,
    pub(super) login: LoginSettings,
    /// The socket of the agent that the host may use.
    pub(super) forwarded_agent: Option<PathBuf>,
}

/// The policy for checking the host key.
#[derive(Debug)]
pub(super) struct HostKeyPolicy {
    pub(super) name: HostName,
    pub(super) strict: StrictHostKeyChecking,
    /// The `known_hosts` files in lookup order.
    pub(super) files: Vec<PathBuf>,
    /// The user's file for new keys.
    pub(super) record_file: Option<PathBuf>,
    pub(super) hash_names: bool,
    /// The file of revoked keys.
    pub(super) revoked: Option<PathBuf>,
    /// The signature algorithms allowed for host certificates.
    pub(super) ca_signatures: Vec<String>,
    /// True if prompts are possible.
    pub(super) can_prompt: bool,
}

/// The settings of the login.
#[derive(Debug)]
pub(super) struct LoginSettings {
    /// Key files in the order of attempts.
    pub(super) identities: Vec<PathBuf>,
    /// Certificate files in the order of attempts. `None` means the files beside the keys.
    pub(super) certificates: Option<Vec<PathBuf>>,
    /// True if the user named the key files. The error of the login then lists missing files.
    pub(super) has_named_identities: bool,
    pub(super) agent: Option<PathBuf>,
    pub(super) identities_only: bool,
    /// Authentication methods in the order of attempts.
    pub(super) methods: Vec<Method>,
    /// The maximum number of password prompts for each method.
    pub(super) password_prompts: usize,
    /// The time limit for an answer of the server or the agent.
    pub(super) answer_timeout: Duration,
    pub(super) can_prompt: bool,
}

/// An authentication method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    PublicKey,
    KeyboardInteractive,
    Password,
}

impl Method {
    /// All methods in OpenSSH's order of preference.
    const ALL: [Self; 3] = [Self::PublicKey, Self::KeyboardInteractive, Self::Password];

    /// Returns the method as a russh value.
    pub(super) fn kind(self) -> MethodKind {
        match self {
            Self::PublicKey => MethodKind::PublicKey,
            Self::KeyboardInteractive => MethodKind::KeyboardInteractive,
            Self::Password => MethodKind::Password,
        }
    }

    /// Returns the preferred methods, without disabled ones. Unknown names are skipped, as in ssh.
    fn preferred(config: &HostConfig) -> Vec<Self> {
        let named = |name: &String| Self::ALL.into_iter().find(|method| <&str>::from(&method.kind()) == name);
        let preferred = config.preferred_authentications.as_ref();
        let mut methods: Vec<Self> =
            preferred.map_or(Self::ALL.to_vec(), |names| names.iter().filter_map(named).collect());
        methods.retain(|method| {
            let switch = match method {
                Self::PublicKey => config.pubkey_authentication,
                Self::KeyboardInteractive => config.kbd_interactive_authentication,
                Self::Password => config.password_authentication,
            };
            switch.unwrap_or(true)
        });
        methods
    }
}

/// The purpose of a host in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The host runs commands.
    Work,
    /// The host only forwards connections.
    Gateway,
}

/// The configured route to a host.
#[derive(Debug)]
pub(super) enum Route {
    /// Through these gateways, first to last. Direct if empty.
    Gateways(Vec<Host>),
    /// By a local command.
    Command(ProxyCommand),
}

/// Resolves a host that runs commands, and returns its route.
pub(super) fn resolve_host(host: &Host, settings: &SshSettings) -> Result<(Target, Route)> {
    resolve(host, Purpose::Work, &settings.route_settings(host), settings)
}

/// Resolves a host or a gateway, and returns its route. `route_settings` belongs to the host behind
/// the gateways.
pub(super) fn resolve(
    host: &Host,
    purpose: Purpose,
    route_settings: &RouteSettings,
    settings: &SshSettings,
) -> Result<(Target, Route)> {
    // As in ssh, user and port of the run's hosts do not apply to their gateways.
    let (user, port) = match purpose {
        Purpose::Work => (settings.user_for(host), settings.port_for(host)),
        Purpose::Gateway => (None, None),
    };
    let config = settings.config_for(host, &route_settings.ssh_config)?;
    config.warnings.iter().for_each(|warning| settings.warn_once(&warning.to_string()));
    unsupported_keywords::check(host, &config, settings)?;
    let user = host.user().map(str::to_owned).or_else(|| config.user.clone()).or(user);
    let user = user.unwrap_or_else(|| settings.local_user().to_owned());
    let port = host.port().or(config.port).or(port).unwrap_or(Settings::PORT);
    let route = route(host, purpose, &config, settings)?;
    let can_prompt = !config.batch_mode.unwrap_or(false) && settings.prompter.is_available();
    let keepalive = config.server_alive_interval.unwrap_or(KEEPALIVE_INTERVAL);
    let target = Target {
        host: host.clone(),
        purpose,
        address: config.hostname.clone(),
        port,
        user,
        connect_timeout: route_settings.connect_timeout.resolve(config.connect_timeout, Settings::CONNECT_TIMEOUT),
        route_settings: route_settings.clone(),
        keepalive: (!keepalive.is_zero()).then_some(keepalive),
        keepalive_max: config.server_alive_count_max.map_or(KEEPALIVE_MAX, |max| max as usize),
        algorithms: Algorithms::new(&config),
        host_key_policy: host_key_policy(&config, port, settings, can_prompt),
        forwarded_agent: match purpose {
            Purpose::Work => forwarded_agent(host, &config, settings),
            // A gateway runs no commands.
            Purpose::Gateway => None,
        },
        login: login(config, route_settings, settings, can_prompt),
    };
    Ok((target, route))
}

/// Returns the route to a host. The command line has precedence, then `ProxyJump` or `ProxyCommand`
/// of the ssh config, then `fabrs.toml`. `ProxyJump none` counts as a setting. `gateway = false` in
/// `fabrs.toml` has precedence over the ssh config, because it would otherwise have no effect.
///
/// As with `ssh -J`, a gateway is reached by its own configuration. Settings of the run's hosts do
/// not apply.
fn route(host: &Host, purpose: Purpose, config: &HostConfig, settings: &SshSettings) -> Result<Route> {
    let of_run = Some(&settings.gateway).filter(|_| purpose == Purpose::Work);
    let by_argument = of_run.and_then(|gateway| gateway.argument.as_ref());
    let by_file = of_run.and_then(|_| settings.gateway_for(host));
    match (by_argument, by_file) {
        // A gateway that is also a host of the run is reached directly. `ssh -J gw gw` is an error,
        // but a run has several hosts.
        (Some(gateway), _) => {
            let gateway = gateway.host().filter(|gateway| *gateway != host);
            return Ok(Route::Gateways(gateway.into_iter().cloned().collect()));
        }
        (None, Some(Gateway::Direct)) => return Ok(Route::Gateways(Vec::new())),
        (None, _) => {}
    }
    if let Some(command) = &config.proxy_command {
        return Ok(Route::Command(command.clone()));
    }
    if let Some(chain) = &config.proxy_jump {
        let parse = |jump: &JumpHost| {
            jump.to_string().parse().map_err(|source| {
                Error::new(ErrorKind::Config, format!("invalid host in `ProxyJump {jump}`")).on(host).caused_by(source)
            })
        };
        return chain.iter().map(parse).collect::<Result<_>>().map(Route::Gateways);
    }
    // A gateway that is also a host of the run does not use itself as gateway.
    let by_file = by_file.and_then(Gateway::host).filter(|gateway| gateway.name() != host.name());
    Ok(Route::Gateways(by_file.into_iter().cloned().collect()))
}

fn host_key_policy(config: &HostConfig, port: u16, settings: &SshSettings, can_prompt: bool) -> HostKeyPolicy {
    let name = match &config.host_key_alias {
        Some(alias) => HostName::alias(alias),
        None => HostName::new(&config.hostname, port),
    };
    let user = config.user_known_hosts_files.clone();
    let global = config.global_known_hosts_files.clone();
    let mut files = user.unwrap_or_else(|| HostConfig::default_user_known_hosts_files(settings.home()));
    // With `/dev/null` as file, new keys are not recorded, and no warning is emitted.
    let record = files.first().filter(|file| file.as_path() != Path::new("/dev/null")).cloned();
    files.extend(global.unwrap_or_else(HostConfig::default_global_known_hosts_files));
    HostKeyPolicy {
        name,
        strict: config.strict_host_key_checking.unwrap_or(StrictHostKeyChecking::Ask),
        files,
        record_file: record,
        hash_names: config.hash_known_hosts.unwrap_or(false),
        revoked: config.revoked_host_keys.clone(),
        ca_signatures: config
            .ca_signature_algorithms
            .clone()
            .unwrap_or_else(HostConfig::default_ca_signature_algorithms),
        can_prompt,
    }
}

/// Returns the socket of the agent with the keys for the login.
fn login_agent(config: &HostConfig, settings: &SshSettings) -> Option<PathBuf> {
    match &config.identity_agent {
        Some(IdentityAgent::None) => None,
        Some(IdentityAgent::Socket(path)) => Some(path.clone()),
        Some(IdentityAgent::Environment) | None => settings.variables.agent.clone(),
    }
}

/// Returns the socket of the agent that a host may use. The command line has precedence, then
/// `ForwardAgent` of the ssh config, then `fabrs.toml`.
fn forwarded_agent(host: &Host, config: &HostConfig, settings: &SshSettings) -> Option<PathBuf> {
    let is_on = match (settings.forward_agent.argument, &config.forward_agent) {
        (None, Some(ForwardAgent::Socket(path))) => return Some(path.clone()),
        (Some(is_on), _) => is_on,
        (None, Some(ForwardAgent::Yes)) => true,
        (None, Some(ForwardAgent::No)) => false,
        (None, None) => settings.forward_agent_for(host).unwrap_or(false),
    };
    let agent = login_agent(config, settings);
    if is_on && agent.is_none() {
        settings.warn_once(
            "agent forwarding is off: `SSH_AUTH_SOCK` is not set, or the ssh config has `IdentityAgent none`",
        );
    }
    agent.filter(|_| is_on)
}

fn login(
    config: HostConfig,
    route_settings: &RouteSettings,
    settings: &SshSettings,
    can_prompt: bool,
) -> LoginSettings {
    let methods = Method::preferred(&config);
    let agent = login_agent(&config, settings);
    let has_named_identities = !route_settings.identities.is_empty() || config.identity_files.is_some();
    let mut identities = route_settings.identities.clone();
    let configured = config.identity_files;
    match configured {
        Some(files) => identities.extend(files),
        None if identities.is_empty() => identities = HostConfig::default_identity_files(settings.home()),
        None => {}
    }
    let timeout = route_settings.connect_timeout;
    let mut seen = std::collections::HashSet::new();
    identities.retain(|path| seen.insert(path.clone()));
    LoginSettings {
        identities,
        certificates: config.certificate_files,
        has_named_identities,
        agent,
        identities_only: config.identities_only.unwrap_or(false),
        methods,
        password_prompts: config.number_of_password_prompts.map_or(PASSWORD_PROMPTS, |count| count as usize),
        answer_timeout: timeout.argument.or(timeout.config).unwrap_or(ANSWER_TIMEOUT),
        can_prompt,
    }
}
