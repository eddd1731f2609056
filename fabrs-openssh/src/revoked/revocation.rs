//! The result of a lookup in a revocation list.

use std::fmt;

/// The revoked part of a key or certificate. Displays as a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The host's key, alone or in a certificate.
    Key,
    /// The key of the authority.
    Authority,
    /// The serial number of the certificate.
    Serial(u64),
    /// The key ID of the certificate.
    KeyId(String),
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("the host's key is revoked"),
            Self::Authority => f.write_str("the authority that signed the host's certificate is revoked"),
            Self::Serial(serial) => write!(f, "the host's certificate is revoked by its serial number {serial}"),
            Self::KeyId(id) => write!(f, "the host's certificate is revoked by its key ID `{}`", id.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Revocation;

    #[test]
    fn key_ids_are_shown_without_control_characters() {
        let text = Revocation::KeyId("web1\x1b[2J".to_owned()).to_string();
        assert_eq!(text, "the host's certificate is revoked by its key ID `web1\\u{1b}[2J`");
    }
}
