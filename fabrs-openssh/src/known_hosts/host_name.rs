//! The name of a host in `known_hosts`.

use std::fmt;

/// The name of a host in `known_hosts`. Displays as `host`, or `[host]:port` for a port other than
/// 22.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName {
    host: String,
    port: Option<u16>,
}

impl HostName {
    /// Creates the name of a host from its address and port. The name is converted to lower case.
    ///
    /// ```
    /// use fabrs_openssh::known_hosts::HostName;
    ///
    /// assert_eq!(HostName::new("Web1", 22).to_string(), "web1");
    /// assert_eq!(HostName::new("Web1", 2222).to_string(), "[web1]:2222");
    /// ```
    pub fn new(host: impl AsRef<str>, port: u16) -> Self {
        Self { host: host.as_ref().to_ascii_lowercase(), port: Some(port) }
    }

    /// Creates the name of a host from its `HostKeyAlias`, valid for every port.
    ///
    /// ```
    /// use fabrs_openssh::known_hosts::HostName;
    ///
    /// assert_eq!(HostName::alias("Shop").to_string(), "shop");
    /// ```
    pub fn alias(alias: impl AsRef<str>) -> Self {
        Self { host: alias.as_ref().to_ascii_lowercase(), port: None }
    }

    /// Returns the fallback name of a host on a port other than 22: the same host on port 22.
    ///
    /// `ssh` uses the fallback for files written before `ssh` recorded ports, but only to find an
    /// equal key.
    pub(super) fn without_port(&self) -> Option<Self> {
        match self.port {
            None | Some(22) => None,
            Some(_) => Some(Self { host: self.host.clone(), port: Some(22) }),
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None | Some(22) => f.write_str(&self.host),
            Some(port) => write!(f, "[{}]:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostName;

    #[test]
    fn only_an_unusual_port_is_part_of_the_name() {
        assert_eq!(HostName::new("Web1", 22).to_string(), "web1");
        assert_eq!(HostName::new("web1", 2222).to_string(), "[web1]:2222");
        assert_eq!(HostName::new("::1", 2222).to_string(), "[::1]:2222");
        assert_eq!(HostName::alias("Shop").to_string(), "shop");
    }
}
