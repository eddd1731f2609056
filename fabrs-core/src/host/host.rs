//! [`Host`]: the address of a machine.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::host::error::HostError;
use crate::host::range::is_range;

/// The address of a machine: a name, and optionally a user and a port.
///
/// Two hosts are equal if name, user and port are equal. The text form is `web1`,
/// `deploy@web1:2222` or `[::1]:2222`. The last `@` ends the user, so `me@corp.com@web1` logs in as
/// `me@corp.com`.
///
/// ```
/// use fabrs_core::Host;
///
/// let host: Host = "deploy@[2001:db8::1]:1222".parse()?;
/// assert_eq!(host.user(), Some("deploy"));
/// assert_eq!(host.name(), "2001:db8::1");
/// assert_eq!(host.port(), Some(1222));
/// # Ok::<(), fabrs_core::HostError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host {
    name: String,
    user: Option<String>,
    port: Option<u16>,
}

/// The name of this machine.
const LOCAL: &str = "@local";

impl Host {
    /// Returns this machine, written `@local`.
    pub fn local() -> Self {
        Self { name: LOCAL.to_owned(), user: None, port: None }
    }

    /// Returns the name or the address, without brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the user, if the address has one.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Returns the port, if the address has one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns whether the host is this machine, `@local`.
    pub fn is_local(&self) -> bool {
        self.name == LOCAL
    }

    /// Sets the user if the host has none. Has no effect on `@local`.
    ///
    /// ```
    /// use fabrs_core::Host;
    ///
    /// let host: Host = "web1".parse()?;
    /// assert_eq!(host.clone().or_user(Some("deploy")).user(), Some("deploy"));
    /// assert_eq!("ann@web1".parse::<Host>()?.or_user(Some("deploy")).user(), Some("ann"));
    /// # Ok::<(), fabrs_core::HostError>(())
    /// ```
    pub fn or_user(mut self, user: Option<&str>) -> Self {
        if self.user.is_none() && !self.is_local() {
            self.user = user.map(str::to_owned);
        }
        self
    }

    /// Sets the port if the host has none. Has no effect on `@local`.
    ///
    /// ```
    /// use fabrs_core::Host;
    ///
    /// assert_eq!("web1".parse::<Host>()?.or_port(Some(2222)).port(), Some(2222));
    /// assert_eq!("web1:22".parse::<Host>()?.or_port(Some(2222)).port(), Some(22));
    /// # Ok::<(), fabrs_core::HostError>(())
    /// ```
    pub fn or_port(mut self, port: Option<u16>) -> Self {
        if !self.is_local() {
            self.port = self.port.or(port);
        }
        self
    }

    /// Returns whether this host covers `other`: the names are equal, and so are the user and the
    /// port if this host has them.
    ///
    /// `web1` covers `deploy@web1:2222`, but `root@web1` does not.
    pub fn covers(&self, other: &Self) -> bool {
        self.name == other.name
            && (self.user.is_none() || self.user == other.user)
            && (self.port.is_none() || self.port == other.port)
    }

    /// Returns the host covered by both hosts, if any: the names are equal, and user and port do
    /// not differ.
    ///
    /// The intersection of `web1` and `deploy@web1` is `deploy@web1`. `root@web1` and `deploy@web1`
    /// have no intersection.
    pub(crate) fn intersection(&self, other: &Self) -> Option<Self> {
        let common = self.clone().or_user(other.user()).or_port(other.port());
        other.covers(&common).then_some(common)
    }

    /// Returns the short form for output: the name, and the port if the host has one.
    pub fn label(&self) -> HostLabel<'_> {
        HostLabel(self)
    }
}

/// The display of a host without its user.
#[derive(Debug, Clone, Copy)]
pub struct HostLabel<'a>(&'a Host);

impl fmt::Display for HostLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.port, self.0.name.contains(':')) {
            (None, _) => f.write_str(&self.0.name),
            (Some(port), true) => write!(f, "[{}]:{port}", self.0.name),
            (Some(port), false) => write!(f, "{}:{port}", self.0.name),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        self.label().fmt(f)
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == LOCAL {
            return Ok(Self::local());
        }
        let (user, address) = match text.rsplit_once('@') {
            Some(("", _)) => return Err(HostError::User(text.to_owned())),
            Some((user, address)) => (Some(user), address),
            None => (None, text),
        };
        let (name, port) = split_port(text, address)?;
        if name.is_empty() {
            return Err(HostError::Empty(text.to_owned()));
        }
        // A program would read a name with a leading `-` as an option. A blank is never part of a
        // name: a text with blanks is often a list without commas.
        let odd = |c: char| c.is_whitespace() || c.is_control() || ",;'\"`$\\|&<>(){}!*?[]/".contains(c);
        // `.` and `..` are directories, and `get` uses the name as a directory.
        if name.starts_with('-') || name.contains(odd) || matches!(name, "." | "..") {
            return Err(if is_range(text) {
                HostError::UnexpectedRange(text.to_owned())
            } else {
                HostError::Name(name.to_owned())
            });
        }
        Ok(Self { name: name.to_owned(), user: user.map(str::to_owned), port })
    }
}

/// Splits `address` into name and port. An IPv6 address without brackets has no port.
fn split_port<'a>(text: &str, address: &'a str) -> Result<(&'a str, Option<u16>), HostError> {
    let parse = |port: &str| match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err(HostError::Port { text: text.to_owned(), port: port.to_owned() }),
    };
    if let Some(rest) = address.strip_prefix('[') {
        let (name, after) = rest.split_once(']').ok_or_else(|| HostError::Brackets(text.to_owned()))?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((name, parse(port)?)),
            None if after.is_empty() => Ok((name, None)),
            None => Err(HostError::Brackets(text.to_owned())),
        };
    }
    match address.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Ok((address, None)),
        Some((name, port)) => Ok((name, parse(port)?)),
        None => Ok((address, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(text: &str, user: Option<&str>, name: &str, port: Option<u16>) {
        let host: Host = text.parse().unwrap();
        assert_eq!((host.user(), host.name(), host.port()), (user, name, port), "{text}");
    }

    #[test]
    fn all_forms_of_a_host_are_parsed() {
        case("user@host:2222", Some("user"), "host", Some(2222));
        case("host", None, "host", None);
        case(" host:22 ", None, "host", Some(22));
        case("a@b.c@host", Some("a@b.c"), "host", None);
        case("::1", None, "::1", None);
        case("[::1]:2222", None, "::1", Some(2222));
        case("[::1]", None, "::1", None);
        case("u@2001:db8::1", Some("u"), "2001:db8::1", None);
        case("u@[2001:db8::1]:1222", Some("u"), "2001:db8::1", Some(1222));
        case("fe80::1%eth0", None, "fe80::1%eth0", None);
        case("@local", None, "@local", None);
    }

    #[test]
    fn a_displayed_host_parses_to_the_same_host() {
        for text in ["web1", "deploy@web1:2222", "u@[2001:db8::1]:1222", "::1", "@local"] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), text);
        }
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        assert_eq!(text.parse::<Host>().unwrap_err().to_string(), why);
    }

    #[test]
    fn an_invalid_host_is_reported_with_its_reason() {
        refused("", "the host name is empty in ``");
        refused("u@", "the host name is empty in `u@`");
        refused("@host", "the user before `@` is empty in `@host`");
        refused("web:0", "`0` is not a port (1 to 65535) in `web:0`");
        refused("web:ssh", "`ssh` is not a port (1 to 65535) in `web:ssh`");
        refused("[::1", "the brackets in `[::1` do not enclose an address: write `[::1]:22`");
        refused("-oProxyCommand=x", "`-oProxyCommand=x` is not a valid host name");
        refused("a b", "`a b` is not a valid host name");
        refused("deploy@..", "`..` is not a valid host name");
        refused(".:22", "`.` is not a valid host name");
    }

    #[test]
    fn a_host_covers_hosts_with_more_parts() {
        let covers = |one: &str, other: &str| one.parse::<Host>().unwrap().covers(&other.parse().unwrap());
        assert!(covers("web1", "web1") && covers("web1", "deploy@web1:22") && covers("deploy@web1", "deploy@web1:22"));
        assert!(!covers("web1", "web2") && !covers("root@web1", "web1") && !covers("web1:22", "web1:2222"));
    }

    #[test]
    fn the_label_has_no_user() {
        let host: Host = "deploy@web1:2222".parse().unwrap();
        assert_eq!(host.label().to_string(), "web1:2222");
    }
}
