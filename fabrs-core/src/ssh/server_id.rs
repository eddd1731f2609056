//! The identification string of a server (`SSH-2.0-…`), and the capabilities derived from it.

use std::sync::{Arc, OnceLock};

/// The maximum number of bytes searched. The identification has at most 255 bytes (RFC 4253 §4.2),
/// but other lines may precede it.
const MAX_BANNER_BYTES: usize = 8 << 10;

/// The identification of a server, once received.
pub(super) type SharedServerId = Arc<OnceLock<ServerId>>;

/// The `SSH-2.0-…` line of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerId(String);

impl ServerId {
    /// Returns true if the server forwards the `signal` request of RFC 4254 §6.9 to the process
    /// group of a command. True for OpenSSH 7.9 and later, and for the demo server of fabrs. Not
    /// assumed for other servers.
    pub(super) fn forwards_signals(&self) -> bool {
        if self.is_fabrs() {
            return true;
        }
        let version = self.openssh_version().unwrap_or_default();
        // OpenSSH for Windows has no process groups.
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
        let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        version >= (7, 9) && !self.0.contains("Windows")
    }

    /// Returns true if an idle channel stays open, as with OpenSSH and the demo server of fabrs.
    /// Not assumed for other servers.
    pub(super) fn keeps_idle_channels(&self) -> bool {
        self.is_fabrs() || self.openssh_version().is_some()
    }

    /// Returns true if the server closes idle channels when a command on another channel ends, as
    /// dropbear does. dropbear even closes a channel whose start request is still in transit.
    pub(super) fn closes_idle_channels(&self) -> bool {
        self.0.starts_with("SSH-2.0-dropbear")
    }

    /// Returns true if each command leads a process group, as with OpenSSH and the demo server of
    /// fabrs. False for dropbear.
    pub(super) fn makes_process_groups(&self) -> bool {
        self.is_fabrs() || self.openssh_version().is_some()
    }

    fn is_fabrs(&self) -> bool {
        self.0.starts_with("SSH-2.0-fabrs_")
    }

    /// Returns the version of an OpenSSH server.
    fn openssh_version(&self) -> Option<&str> {
        self.0.strip_prefix("SSH-2.0-OpenSSH_")
    }
}

/// Finds the identification in the first bytes of a server. Returns `None` while it is incomplete.
fn parse_server_id(bytes: &[u8]) -> Option<ServerId> {
    let whole = bytes.get(..=bytes.iter().rposition(|byte| *byte == b'\n')?)?;
    let line = whole.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"SSH-"))?;
    Some(ServerId(String::from_utf8_lossy(line).trim_end().to_owned()))
}

/// Returns a function that inspects received bytes and stores the identification in `server`.
pub(super) fn server_id_reader(server: SharedServerId) -> impl FnMut(&[u8]) + Send {
    // `None` after the identification.
    let mut banner = Some(Vec::new());
    move |bytes| {
        let Some(received) = &mut banner else { return };
        received.extend_from_slice(bytes);
        let found = parse_server_id(received);
        if found.is_some() || received.len() > MAX_BANNER_BYTES {
            banner = None;
        }
        if let Some(found) = found {
            // A retry with the same server finds the cell already set.
            let _ = server.set(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(line: &str, expected: bool) {
        assert_eq!(ServerId(line.to_owned()).forwards_signals(), expected, "{line}");
    }

    #[test]
    fn signals_are_requested_only_from_servers_known_to_forward_them() {
        case("SSH-2.0-OpenSSH_7.9", true);
        case("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7", true);
        case("SSH-2.0-OpenSSH_10.0", true);
        case("SSH-2.0-fabrs_0.1.0", true);
        case("SSH-2.0-OpenSSH_7.8p1", false);
        case("SSH-2.0-OpenSSH_6.6.1p1 Ubuntu-2ubuntu2", false);
        case("SSH-2.0-OpenSSH_for_Windows_9.5", false);
        case("SSH-2.0-dropbear_2022.83", false);
        case("SSH-2.0-", false);
    }

    #[test]
    fn channels_are_prefetched_only_on_servers_known_to_keep_them() {
        let lines = [
            ("OpenSSH_6.6", true, false),
            ("fabrs_0.1.0", true, false),
            ("dropbear_2022.83", false, true),
            ("x", false, false),
        ];
        for (line, keeps, closes) in lines {
            let server = ServerId(format!("SSH-2.0-{line}"));
            assert_eq!((server.keeps_idle_channels(), server.closes_idle_channels()), (keeps, closes), "{line}");
        }
    }

    #[test]
    fn a_complete_identification_is_found_after_other_lines() {
        assert_eq!(parse_server_id(b"SSH-2.0-Open"), None);
        assert_eq!(parse_server_id(b"notice\r\nSSH-2.0-x y\r\n\0\0"), Some(ServerId("SSH-2.0-x y".to_owned())));
        assert_eq!(parse_server_id(b"\xff\n\n"), None);
    }
}
