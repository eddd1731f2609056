//! [`Secret`]: a password, token or key, never formatted.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// The replacement of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// A password, token or key. Its value is never formatted.
///
/// A command receives a secret through its standard input
/// ([`Command::stdin`](crate::Command::stdin)), an environment variable
/// ([`Connection::env`](crate::Connection::env)) or a file
/// ([`Connection::put`](crate::Connection::put)). A secret can't be an argument, because all users
/// of the host can read arguments.
///
/// As soon as a command receives the secret, `[redacted]` replaces the value in everything shown by
/// the run: output, errors and events. The program itself reads the output of commands unchanged.
///
/// Values of six bytes or more are redacted: plain, quoted for a shell, escaped for JSON or HTML,
/// percent-encoded for URLs and forms, and in hexadecimal, base64 and base32. Overlapping secrets
/// have one replacement.
///
/// ```
/// use fabrs_core::Secret;
///
/// assert_eq!(format!("{:?}", Secret::new("hunter2")), "[redacted]");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// Returns the text. No other method reads the value.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Serializes as `[redacted]`, so that no saved value of a run contains a secret.
impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl From<&Self> for Secret {
    fn from(secret: &Self) -> Self {
        secret.clone()
    }
}
