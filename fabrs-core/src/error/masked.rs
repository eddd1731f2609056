//! Placeholders for hosts in the texts of errors, to find equal errors.

use std::net::{IpAddr, SocketAddr};

use crate::error::error::Error;
use crate::error::kind::ErrorKind;
use crate::host::Host;

/// The placeholder for the name or the address of a host.
pub(super) const HOST: &str = "HOST";
/// The placeholder for a port.
const PORT: &str = "PORT";

/// The replaced parts of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mask {
    Hosts,
    HostsAndPorts,
}

/// Replaces the name and the addresses of `host` with placeholders. `text` is a text of the host's
/// error.
pub(super) fn masked(host: &Host, error: &Error, text: &str, mask: Mask) -> String {
    let is_part = |c: char| c.is_alphanumeric() || "._-:[]%".contains(c);
    let mut masked = String::with_capacity(text.len());
    let (mut rest, mut before) = (text, "");
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let bare = word.trim_end_matches([':', '.']);
        let replaced = replaced(host, error, before, bare, mask);
        masked += replaced.as_deref().unwrap_or(bare);
        masked += word.get(bare.len()..).unwrap_or_default();
        before = bare;
        let mut characters = after.chars();
        masked.extend(characters.next());
        rest = characters.as_str();
    }
    masked
}

/// Returns the replacement of a word: a placeholder for the name, the address or the port of the
/// host.
fn replaced(host: &Host, error: &Error, before: &str, word: &str, mask: Mask) -> Option<String> {
    // In errors of these kinds every address belongs to the host. The text of a failed command can
    // contain any other address.
    let is_connecting = matches!(error.kind(), ErrorKind::Connect | ErrorKind::HostKey | ErrorKind::Auth);
    let is_host = |name: &str| name == host.name() || error.address() == Some(name);
    let with_port = |port: &str| match mask {
        Mask::Hosts => format!("{HOST}:{port}"),
        Mask::HostsAndPorts => format!("{HOST}:{PORT}"),
    };
    if is_host(word) || (is_connecting && word.parse::<IpAddr>().is_ok()) {
        return Some(HOST.to_owned());
    }
    if is_connecting && ["port", "-p"].contains(&before) && word.parse::<u16>().is_ok() {
        return (mask == Mask::HostsAndPorts).then(|| PORT.to_owned());
    }
    if let Ok(address) = word.parse::<SocketAddr>() {
        let is_own = is_connecting || is_host(&address.ip().to_string());
        return is_own.then(|| with_port(&address.port().to_string()));
    }
    let (name, port) = word.rsplit_once(':')?;
    is_host(name.trim_matches(['[', ']'])).then(|| with_port(port))
}
