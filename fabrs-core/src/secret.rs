//! Values that are never shown.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A text that cannot be formatted and is wiped from memory when dropped: a password or a passphrase.
///
/// ```
/// use fabrs_core::Secret;
///
/// assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "[redacted]");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text.
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// Returns the text; the one place where it can be read.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
