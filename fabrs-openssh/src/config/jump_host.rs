//! Jump hosts, as written in `ProxyJump`.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

use super::value::{self, Problem};

/// A host of a `ProxyJump` chain. Displays as `user@host:port`.
///
/// ```
/// use fabrs_openssh::config::JumpHost;
///
/// let jump: JumpHost = "deploy@gateway:2222".parse()?;
/// assert_eq!((jump.host.as_str(), jump.port), ("gateway", Some(2222)));
/// # Ok::<(), fabrs_openssh::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JumpHost {
    /// The user. If `None`, the settings of the jump host apply.
    pub user: Option<String>,
    /// The host, without the brackets of an IPv6 address.
    pub host: String,
    /// The port. If `None`, the settings of the jump host apply.
    pub port: Option<u16>,
}

/// Parses a comma-separated chain, in connection order. `none` is the empty chain.
pub(super) fn parse_chain(text: &str) -> Result<Vec<JumpHost>, Problem> {
    let text = text.split('#').next().unwrap_or_default().trim_end();
    if text.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    text.split(',').map(|jump| jump.parse().map_err(|error: Error| error.to_string())).collect()
}

impl FromStr for JumpHost {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || Error::JumpHost { text: text.to_owned() };
        let is_uri = text.starts_with("ssh://");
        let address = text.strip_prefix("ssh://").unwrap_or(text);
        let (user, address) = match if is_uri { address.split_once('@') } else { address.rsplit_once('@') } {
            // In a URI, connection parameters may follow the user after a semicolon. They are
            // ignored.
            Some((user, rest)) if is_uri => (Some(user.split(';').next().unwrap_or_default()), rest),
            Some((user, rest)) => (Some(user), rest),
            None => (None, address),
        };
        let address = if is_uri { address.strip_suffix('/').unwrap_or(address) } else { address };
        let (host, port) = match address.strip_prefix('[') {
            Some(bracketed) => {
                let (host, rest) = bracketed.split_once(']').ok_or_else(bad)?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(bad)?) })
            }
            None => match address.split_once(':') {
                // Without brackets, several colons are part of an IPv6 address without a port.
                Some((_, port)) if port.contains(':') => (address, None),
                Some((host, port)) => (host, Some(port)),
                None => (address, None),
            },
        };
        let blank = |part: &str| part.is_empty() || part.contains(|c: char| c.is_whitespace() || c.is_control());
        if blank(host) || host.contains('/') || user.is_some_and(blank) {
            return Err(bad());
        }
        let port = port.filter(|port| !port.is_empty()).map(value::parse_port).transpose().map_err(|_| bad())?;
        Ok(Self { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

impl fmt::Display for JumpHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_chain;

    #[test]
    fn chains_are_read_in_order() {
        #[track_caller]
        fn case(text: &str, expected: &[&str]) {
            let shown: Vec<String> =
                parse_chain(text).expect("the chain is well formed").iter().map(ToString::to_string).collect();
            assert_eq!(shown, expected, "{text:?}");
        }
        case("none", &[]);
        case("NONE # for now", &[]);
        case("jump", &["jump"]);
        case("a@jump:2222,b", &["a@jump:2222", "b"]);
        case("a@b@jump", &["a@b@jump"]);
        case("[::1]:22", &["[::1]:22"]);
        case("fe80::1", &["[fe80::1]"]);
        case("ssh://a@jump:2222/", &["a@jump:2222"]);
        case("jump # the bastion", &["jump"]);
    }

    #[test]
    fn invalid_jump_hosts_are_rejected() {
        for text in ["", "a,,b", "@jump", "jump:0", "jump:abc", "[::1", "[::1]22", "ssh://jump/path", "a b"] {
            assert!(parse_chain(text).is_err(), "{text:?}");
        }
    }
}
