//! [`Secret`]: a text that cannot be formatted.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// What stands where a secret was.
pub(crate) const REDACTED: &str = "[redacted]";

/// A text that cannot be formatted: a password, a token, a key.
///
/// It reaches a command by its standard input ([`Command::stdin`](crate::Command::stdin)), as a variable of its
/// environment ([`Connection::env`](crate::Connection::env)) or as a file ([`Connection::put`](crate::Connection::put)),
/// and never as an argument, which everybody on the host could read. From then on it is `[redacted]` in all that the run
/// shows: whatever a command prints, errors, events. What a command has printed is to the program as it was.
///
/// Values of six bytes or more are found: plain, quoted for a shell, escaped as in JSON or HTML, percent-encoded as in URLs and
/// forms, and in hexadecimal, base64 and base32. Secrets that overlap in a text are replaced together.
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

    /// Returns the text; the one place where it can be read.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Serialises as `[redacted]`: a value of a run may be one, and what is kept of the run must not have it.
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
