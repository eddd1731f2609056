//! What a host's text means: address, user, keys and trust, as `ssh` would have it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fabrs_openssh::config::{HostConfig, IdentityAgent, JumpHost, ProxyCommand, StrictHostKeyChecking};
use fabrs_openssh::known_hosts::HostName;
use russh::MethodKind;

use crate::config::{Gateway, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::transport::ssh::algorithms::Algorithms;
use crate::transport::ssh::settings::SshSettings;
use crate::transport::ssh::unsupported_keywords;

/// How often an idle server is asked whether it is there (`ServerAliveInterval`), where nothing else is configured.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How many such questions may stay unanswered (`ServerAliveCountMax`).
const KEEPALIVE_MAX: usize = 3;

/// How often each method asks for a password (`NumberOfPasswordPrompts`).
const PASSWORD_PROMPTS: usize = 3;
/// How long the server or the agent may take for one answer of the login, where no connect timeout is given. Checking
/// a password may take longer than the greeting. `ConnectTimeout` of the ssh config does not bound logins.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Everything that is needed to connect to one host.
#[derive(Debug)]
pub(super) struct Target {
    /// The host as it was named; what is shown.
    pub(super) host: Host,
    pub(super) purpose: Purpose,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) connect_timeout: Duration,
    pub(super) keepalive: Option<Duration>,
    pub(super) keepalive_max: usize,
    pub(super) algorithms: Algorithms,
    pub(super) trust: Trust,
    pub(super) login: Login,
}

/// How the host's key is judged.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) name: HostName,
    pub(super) strict: StrictHostKeyChecking,
    /// The files in the order in which they are looked through.
    pub(super) files: Vec<PathBuf>,
    /// The user's file that a new key goes into.
    pub(super) record: Option<PathBuf>,
    pub(super) hash: bool,
    /// The file of revoked keys.
    pub(super) revoked: Option<PathBuf>,
    /// The algorithms by which an authority may sign a host's certificate.
    pub(super) ca_signatures: Vec<String>,
    /// Whether a question may be asked.
    pub(super) may_ask: bool,
}

/// With what one logs in.
#[derive(Debug)]
pub(super) struct Login {
    /// Key files in the order in which they are tried.
    pub(super) identities: Vec<PathBuf>,
    /// Certificate files in the order in which they are tried; where none is named, those beside the keys.
    pub(super) certificates: Option<Vec<PathBuf>>,
    /// Whether the files were named, so that a missing one is worth a word.
    pub(super) named: bool,
    pub(super) agent: Option<PathBuf>,
    pub(super) identities_only: bool,
    /// The methods to try, in order.
    pub(super) methods: Vec<Method>,
    /// How often each method may ask for a password.
    pub(super) password_prompts: usize,
    /// How long the server or the agent may take for one answer.
    pub(super) answer_limit: Duration,
    pub(super) may_ask: bool,
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

    /// Returns the method as russh names it.
    pub(super) fn kind(self) -> MethodKind {
        match self {
            Self::PublicKey => MethodKind::PublicKey,
            Self::KeyboardInteractive => MethodKind::KeyboardInteractive,
            Self::Password => MethodKind::Password,
        }
    }

    /// Returns the methods to try: the preferred ones, but for those that are switched off. Unknown names are skipped, as by
    /// ssh.
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

/// What a host is in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One that is worked on.
    Work,
    /// One that is only passed through.
    Gateway,
}

/// What is said of how a host is reached.
#[derive(Debug)]
pub(super) enum Route {
    /// Through these, first to last; through none, directly.
    Gateways(Vec<Host>),
    /// By a command of this machine.
    Command(ProxyCommand),
}

/// Resolves a host, and returns how it is reached.
pub(super) fn resolve(host: &Host, purpose: Purpose, settings: &SshSettings) -> Result<(Target, Route)> {
    // As for ssh, what was said of the run's hosts says nothing of the gateways to them.
    let (user, port) = match purpose {
        Purpose::Work => (settings.user_for(host), settings.port_for(host)),
        Purpose::Gateway => (None, None),
    };
    let config = settings.config_for(host)?;
    config.warnings.iter().for_each(|warning| settings.warn_once(&warning.to_string()));
    unsupported_keywords::check(host, &config, settings)?;
    let user = host.user().map(str::to_owned).or_else(|| config.user.clone()).or(user);
    let user = user.unwrap_or_else(|| settings.local_user().to_owned());
    let port = host.port().or(config.port).or(port).unwrap_or(Settings::PORT);
    let route = route(host, purpose, &config, settings)?;
    let may_ask = !config.batch_mode.unwrap_or(false) && settings.ask.available();
    let keepalive = config.server_alive_interval.unwrap_or(KEEPALIVE);
    let target = Target {
        host: host.clone(),
        purpose,
        address: config.hostname.clone(),
        port,
        user,
        connect_timeout: settings.connect_timeout.resolve(config.connect_timeout, Settings::CONNECT_TIMEOUT),
        keepalive: (!keepalive.is_zero()).then_some(keepalive),
        keepalive_max: config.server_alive_count_max.map_or(KEEPALIVE_MAX, |max| max as usize),
        algorithms: Algorithms::new(&config),
        trust: trust(&config, port, settings, may_ask),
        login: login(config, settings, may_ask),
    };
    Ok((target, route))
}

/// Returns how a host is reached: as was typed, else as the ssh config says by whichever of `ProxyJump` and `ProxyCommand`
/// holds, else as `fabrs.toml` does. `ProxyJump none` is an answer too. `gateway = false` in `fabrs.toml` beats the ssh
/// config: it would switch off nothing else.
///
/// As for `ssh -J`, a gateway is reached as its own configuration says, and by nothing that was said of the run's hosts.
fn route(host: &Host, purpose: Purpose, config: &HostConfig, settings: &SshSettings) -> Result<Route> {
    let of_run = Some(&settings.gateway).filter(|_| purpose == Purpose::Work);
    let by_argument = of_run.and_then(|gateway| gateway.argument.as_ref());
    let by_file = of_run.and_then(|_| settings.gateway_for(host));
    match (by_argument, by_file) {
        // A gateway that is also a host of the run is reached directly. `ssh -J gw gw` is an error, but a run has
        // several hosts.
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
                Error::new(ErrorKind::Config, format!("`ProxyJump {jump}` names no host")).on(host).caused_by(source)
            })
        };
        return chain.iter().map(parse).collect::<Result<_>>().map(Route::Gateways);
    }
    // A gateway that is worked on as well is not its own gateway.
    let by_file = by_file.and_then(Gateway::host).filter(|gateway| gateway.name() != host.name());
    Ok(Route::Gateways(by_file.into_iter().cloned().collect()))
}

fn trust(config: &HostConfig, port: u16, settings: &SshSettings, may_ask: bool) -> Trust {
    let name = match &config.host_key_alias {
        Some(alias) => HostName::alias(alias),
        None => HostName::new(&config.hostname, port),
    };
    let user = config.user_known_hosts_files.clone();
    let global = config.global_known_hosts_files.clone();
    let mut files = user.unwrap_or_else(|| HostConfig::default_user_known_hosts_files(settings.home()));
    // Where keys are thrown away, none is recorded, and nothing of it told.
    let record = files.first().filter(|file| file.as_path() != Path::new("/dev/null")).cloned();
    files.extend(global.unwrap_or_else(HostConfig::default_global_known_hosts_files));
    Trust {
        name,
        strict: config.strict_host_key_checking.unwrap_or(StrictHostKeyChecking::Ask),
        files,
        record,
        hash: config.hash_known_hosts.unwrap_or(false),
        revoked: config.revoked_host_keys.clone(),
        ca_signatures: config
            .ca_signature_algorithms
            .clone()
            .unwrap_or_else(HostConfig::default_ca_signature_algorithms),
        may_ask,
    }
}

fn login(config: HostConfig, settings: &SshSettings, may_ask: bool) -> Login {
    let methods = Method::preferred(&config);
    let agent = match config.identity_agent {
        Some(IdentityAgent::None) => None,
        Some(IdentityAgent::Socket(path)) => Some(path),
        Some(IdentityAgent::Environment) | None => settings.variables.agent.clone(),
    };
    let named = !settings.identities.is_empty() || config.identity_files.is_some();
    let mut identities = settings.identities.clone();
    let configured = config.identity_files;
    match configured {
        Some(files) => identities.extend(files),
        None if identities.is_empty() => identities = HostConfig::default_identity_files(settings.home()),
        None => {}
    }
    let timeout = settings.connect_timeout;
    let mut seen = std::collections::HashSet::new();
    identities.retain(|path| seen.insert(path.clone()));
    Login {
        identities,
        certificates: config.certificate_files,
        named,
        agent,
        identities_only: config.identities_only.unwrap_or(false),
        methods,
        password_prompts: config.number_of_password_prompts.map_or(PASSWORD_PROMPTS, |count| count as usize),
        answer_limit: timeout.argument.or(timeout.config).unwrap_or(ANSWER_LIMIT),
        may_ask,
    }
}
