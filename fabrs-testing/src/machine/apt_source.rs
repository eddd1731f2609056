//! Debian mirror of this machine, read from the configuration of apt.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// The Debian release of all machines.
pub(super) const RELEASE: &str = "bookworm";

/// The server of a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirror {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Mirror {
    /// Returns the server of the mirror used by apt on this machine.
    ///
    /// # Panics
    ///
    /// As [`mirror`].
    #[track_caller]
    pub(super) fn of_this_machine() -> Self {
        let url = mirror();
        Self::of_url(&url).unwrap_or_else(|| panic!("`{url}` is not a URL of a Debian mirror"))
    }

    fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority = rest.split('/').next()?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, default_port),
        };
        Some(Self { host: host.to_owned(), port })
    }

    /// Resolves the name of the server.
    ///
    /// # Panics
    ///
    /// If the name has no address.
    #[track_caller]
    pub(super) fn addr(&self) -> SocketAddr {
        let found = (self.host.as_str(), self.port).to_socket_addrs().ok().and_then(|mut addrs| addrs.next());
        found.unwrap_or_else(|| panic!("the Debian mirror `{}` has no address", self.host))
    }
}

/// Returns the URL of the mirror used by apt on this machine.
///
/// # Panics
///
/// If apt has no source for [`RELEASE`].
#[track_caller]
pub(super) fn mirror() -> String {
    let dir = Path::new("/etc/apt/sources.list.d");
    let mut files: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.insert(0, "/etc/apt/sources.list".into());
    let found = files.iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        let is_deb822 = file.extension().is_some_and(|extension| extension == "sources");
        if is_deb822 { url_in_stanzas(&text) } else { url_in_lines(&text) }
    });
    found.unwrap_or_else(|| panic!("no source for {RELEASE} in /etc/apt/sources.list or {}", dir.display()))
}

/// Returns the URL in a file with `deb URL SUITE COMPONENT...` lines.
fn url_in_lines(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let entry = line.trim().strip_prefix("deb ")?.trim_start();
        // Options are in brackets, for example `[signed-by=/usr/share/keyrings/a.gpg arch=amd64]`.
        let entry = if entry.starts_with('[') { entry.split_once(']')?.1 } else { entry };
        let mut fields = entry.split_whitespace();
        let url = fields.next()?;
        (fields.next() == Some(RELEASE)).then(|| url.to_owned())
    })
}

/// Returns the URL in a file with deb822 stanzas: `URIs: URL`, `Suites: SUITE...`.
fn url_in_stanzas(text: &str) -> Option<String> {
    text.split("\n\n").find_map(|stanza| {
        let values = |name: &str| {
            let line = stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.split_whitespace().collect::<Vec<_>>()).unwrap_or_default()
        };
        let is_disabled = values("Enabled") == ["no"];
        let is_release = values("Suites").contains(&RELEASE) && values("Types").contains(&"deb");
        (is_release && !is_disabled).then(|| values("URIs").first().map(|url| (*url).to_owned()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_mirror_follows_from_its_url() {
        let mirror = |host: &str, port| Some(Mirror { host: host.to_owned(), port });
        assert_eq!(Mirror::of_url("http://a/debian"), mirror("a", 80));
        assert_eq!(Mirror::of_url("https://a/debian"), mirror("a", 443));
        assert_eq!(Mirror::of_url("http://a:3142/debian"), mirror("a", 3142));
        assert_eq!(Mirror::of_url("file:///srv/debian"), None);
    }

    #[test]
    fn options_and_other_suites_are_skipped() {
        let text = "# deb http://a bookworm main\n\
                    deb http://b stable main\n\
                    deb [signed-by=/k.gpg arch=amd64] http://c bookworm main\n";
        assert_eq!(url_in_lines(text).as_deref(), Some("http://c"));
    }

    #[test]
    fn a_stanza_of_another_suite_or_a_disabled_stanza_is_skipped() {
        let text = "Types: deb\nURIs: http://a\nSuites: bookworm-security\n\n\
                    Types: deb\nURIs: http://b\nSuites: bookworm\nEnabled: no\n\n\
                    Types: deb\n# a comment\nURIs: http://c http://d\nSuites: bookworm bookworm-updates\n";
        assert_eq!(url_in_stanzas(text).as_deref(), Some("http://c"));
    }
}
