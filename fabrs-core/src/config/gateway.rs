//! [`Gateway`]: a direct connection, or a host to connect through.

use std::fmt;
use std::str::FromStr;

use crate::host::{Host, HostError};

/// The route to a host: a direct connection, or a connection through another host.
///
/// ```
/// use fabrs_core::config::{Layered, Gateway, Settings};
///
/// let through: Gateway = "bastion.example.com".parse()?;
/// assert_eq!(through.host().unwrap().name(), "bastion.example.com");
/// assert_eq!("none".parse(), Ok(Gateway::Direct));
///
/// // Like `fab -g none`: a direct connection, regardless of the configuration.
/// let settings = Settings::default().gateway(Layered::argument(Gateway::Direct));
/// assert_eq!(settings.gateway.argument, Some(Gateway::Direct));
/// # Ok::<(), fabrs_core::HostError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[doc(alias = "jump host")]
#[doc(alias = "proxy_jump")]
#[non_exhaustive]
pub enum Gateway {
    /// A direct connection, even if `ssh_config` has a `ProxyJump` or a `ProxyCommand`
    /// (`ssh -J none`).
    Direct,
    /// A connection through this host (`ssh -J HOST`).
    Host(Host),
}

impl Gateway {
    /// Returns the host to connect through, if any.
    pub fn host(&self) -> Option<&Host> {
        match self {
            Self::Direct => None,
            Self::Host(host) => Some(host),
        }
    }
}

impl From<Host> for Gateway {
    fn from(host: Host) -> Self {
        Self::Host(host)
    }
}

impl FromStr for Gateway {
    type Err = HostError;

    /// Parses a host, or `none` in any case, as `ssh -J` does.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().eq_ignore_ascii_case("none") { Ok(Self::Direct) } else { text.parse().map(Self::Host) }
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("none"),
            Self::Host(host) => host.fmt(f),
        }
    }
}
