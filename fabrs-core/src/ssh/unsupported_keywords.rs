//! Unsupported keywords of the ssh config: a warning if users would miss the effect, an error if
//! the keyword would make `ssh` stricter.

use fabrs_openssh::config::{HostConfig, RawValue};

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::ssh::settings::SshSettings;

/// Keywords causing a warning, with their harmless values. Other unsupported keywords, such as
/// `SendEnv`, `ControlMaster`, `GSSAPIAuthentication` and `LogLevel`, do not matter for commands
/// and files.
const WARNED: [(&str, &[&str]); 18] = [
    ("AddressFamily", &["any"]),
    ("BindAddress", &[]),
    ("BindInterface", &[]),
    ("ConnectionAttempts", &["1"]),
    ("DynamicForward", &[]),
    ("HostbasedAuthentication", &["no", "false"]),
    ("LocalForward", &[]),
    ("NoHostAuthenticationForLocalhost", &["no", "false"]),
    ("PermitLocalCommand", &["no", "false"]),
    ("PKCS11Provider", &["none"]),
    ("RekeyLimit", &["default"]),
    ("RemoteCommand", &["none"]),
    ("RemoteForward", &[]),
    ("RequestTTY", &["no", "false", "auto"]),
    ("SessionType", &["default"]),
    ("SetEnv", &[]),
    ("Tunnel", &["no", "false"]),
    ("VerifyHostKeyDNS", &["no", "false"]),
];

/// Keywords making `ssh` refuse hosts, with their harmless values.
const REJECTED: [(&str, &[&str]); 3] =
    [("CheckHostIP", &["no", "false"]), ("KnownHostsCommand", &["none"]), ("RefuseConnection", &[])];

/// Warns about unsupported keywords, once in a run.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a keyword making `ssh` stricter.
pub(super) fn check(host: &Host, config: &HostConfig, settings: &SshSettings) -> Result<()> {
    // As in ssh, the address of a host behind a proxy is not checked.
    let has_proxy = config.proxy_command.is_some() || config.proxy_jump.as_ref().is_some_and(|chain| !chain.is_empty());
    let mut rejected = set(config, &REJECTED).filter(|(keyword, _)| !(has_proxy && *keyword == "CheckHostIP"));
    if let Some((keyword, value)) = rejected.next() {
        let text = format!("`{keyword} {}` ({}) is not supported", value.text, value.at);
        let error = Error::new(ErrorKind::Config, text).on(host);
        return Err(error.hint("`ssh` can refuse a host because of this keyword: remove the line, or move it to a `Host` block of other hosts"));
    }
    for (keyword, value) in set(config, &WARNED) {
        settings.warn_once(&format!("{}: `{keyword}` has no effect", value.at));
    }
    Ok(())
}

/// Returns the keywords of a table with a value that is not harmless.
fn set<'a>(
    config: &'a HostConfig,
    keywords: &'a [(&'static str, &'static [&'static str])],
) -> impl Iterator<Item = (&'static str, &'a RawValue)> {
    keywords.iter().filter_map(|(keyword, harmless)| {
        let value = config.other.get(&keyword.to_ascii_lowercase())?;
        let word = value.arguments().into_iter().next().unwrap_or_default();
        (!harmless.iter().any(|harmless| harmless.eq_ignore_ascii_case(&word))).then_some((*keyword, value))
    })
}
