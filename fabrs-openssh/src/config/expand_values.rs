//! Expansion of the values of a host into a [`HostConfig`].

use std::path::PathBuf;

use crate::error::Error;

use super::host_config::{ForwardAgent, HostConfig, IdentityAgent, RawValue};
use super::load::Origin;
use super::tokens::{self, Tokens};
use super::unexpanded_values::{UnexpandedValue, UnexpandedValues};
use super::value;

/// Expands the values of a host.
///
/// # Errors
///
/// [`Error::Expand`] if a value cannot be expanded.
pub(super) fn expand_values(values: &UnexpandedValues, tokens: &Tokens<'_>) -> Result<HostConfig, Error> {
    let path = |raw: &UnexpandedValue| {
        tokens.expand_path(&raw.value).map_err(|problem| Error::expand(&raw.at, &raw.value, problem))
    };
    let home = |raw: &UnexpandedValue| {
        tokens::expand_tilde(&raw.value, &tokens.query.home)
            .map_err(|problem| Error::expand(&raw.at, &raw.value, problem))
    };
    let file_list = |files: &Option<Vec<UnexpandedValue>>,
                     expand: &dyn Fn(&UnexpandedValue) -> Result<PathBuf, Error>| {
        files.as_ref().map(|files| files.iter().map(expand).collect::<Result<Vec<_>, _>>()).transpose()
    };
    let paths_of = |files: &[(UnexpandedValue, Origin)]| {
        let paths = files.iter().filter_map(|(raw, _)| unless_none(Some(raw))).map(path).collect::<Result<Vec<_>, _>>();
        paths.map(|paths| (!files.is_empty()).then_some(paths))
    };
    let forward_agent = match (values.forward_agent, &values.forward_agent_socket) {
        (None, _) => None,
        (Some(false), _) => Some(ForwardAgent::No),
        (Some(true), None) => Some(ForwardAgent::Yes),
        (Some(true), Some(raw)) => Some(match socket_path(raw, tokens)? {
            Some(path) => ForwardAgent::Socket(path),
            None => ForwardAgent::No,
        }),
    };
    Ok(HostConfig {
        user: values.user.clone(),
        port: values.port,
        certificate_files: paths_of(&values.certificate_files)?,
        identity_files: paths_of(&values.identity_files)?,
        identities_only: values.identities_only,
        identity_agent: values.identity_agent.as_ref().map(|raw| identity_agent(raw, tokens)).transpose()?,
        user_known_hosts_files: file_list(&values.user_known_hosts_files, &path)?,
        global_known_hosts_files: file_list(&values.global_known_hosts_files, &home)?,
        strict_host_key_checking: values.strict_host_key_checking,
        ca_signature_algorithms: values.ca_signature_algorithms.clone(),
        hash_known_hosts: values.hash_known_hosts,
        connect_timeout: values.connect_timeout,
        server_alive_interval: values.server_alive_interval,
        server_alive_count_max: values.server_alive_count_max,
        batch_mode: values.batch_mode,
        password_authentication: values.password_authentication,
        pubkey_authentication: values.pubkey_authentication,
        kbd_interactive_authentication: values.kbd_interactive_authentication,
        forward_agent,
        tcp_keep_alive: values.tcp_keep_alive,
        ciphers: values.ciphers.clone(),
        macs: values.macs.clone(),
        kex_algorithms: values.kex_algorithms.clone(),
        host_key_algorithms: values.host_key_algorithms.clone(),
        pubkey_accepted_algorithms: values.pubkey_accepted_algorithms.clone(),
        required_rsa_size: values.required_rsa_size,
        revoked_host_keys: unless_none(values.revoked_host_keys.as_ref()).map(path).transpose()?,
        preferred_authentications: values.preferred_authentications.clone(),
        number_of_password_prompts: values.number_of_password_prompts,
        other: values.other.clone(),
        ..HostConfig::default()
    })
}

/// Returns the value, or `None` for the value `none`.
pub(super) fn unless_none(raw: Option<&UnexpandedValue>) -> Option<&UnexpandedValue> {
    raw.filter(|raw| !raw.value.eq_ignore_ascii_case("none"))
}

/// Returns true if the first argument of the value is `yes`.
pub(super) fn is_yes(value: &RawValue) -> bool {
    value.arguments().first().is_some_and(|word| value::parse_bool(word) == Ok(true))
}

fn identity_agent(raw: &UnexpandedValue, tokens: &Tokens<'_>) -> Result<IdentityAgent, Error> {
    Ok(match raw.value.as_str() {
        "none" => IdentityAgent::None,
        "SSH_AUTH_SOCK" => IdentityAgent::Environment,
        _ => socket_path(raw, tokens)?.map_or(IdentityAgent::None, IdentityAgent::Socket),
    })
}

/// Returns the socket for a path, or for a variable in the old syntax `$NAME`.
fn socket_path(raw: &UnexpandedValue, tokens: &Tokens<'_>) -> Result<Option<PathBuf>, Error> {
    match raw.value.strip_prefix('$') {
        Some(name) if !name.starts_with('{') => Ok((tokens.query.env)(name).map(PathBuf::from)),
        _ => tokens.expand_path(&raw.value).map(Some).map_err(|problem| Error::expand(&raw.at, &raw.value, problem)),
    }
}
