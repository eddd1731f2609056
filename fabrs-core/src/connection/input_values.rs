//! Values passed to a command, possibly secret: stdin and environment variables.

use std::fmt;

use bytes::Bytes;

use crate::secret::Secret;

/// The value of an environment variable: a text, or a [`Secret`].
///
/// A text becomes part of the command line, visible to other users of the host in the process list.
/// A secret is sent on stdin, before other input, and is not part of any command line.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EnvValue {
    /// The value is visible to other users of the host (in `ps`).
    Text(String),
    /// The value is visible only to the command.
    Secret(Secret),
}

macro_rules! env_value {
    ($variant:ident($($type:ty),*)) => {$(
        impl From<$type> for EnvValue {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

env_value!(Text(String, &String, &str, char, Box<str>, std::borrow::Cow<'_, str>));
env_value!(Secret(Secret, &Secret));

/// Bytes or a [`Secret`] for the stdin of a command, or for an answer to a prompt.
#[derive(Clone)]
#[non_exhaustive]
pub enum StdinBytes {
    /// The bytes, unchanged.
    Bytes(Bytes),
    /// A secret, without a line end.
    Secret(Secret),
}

macro_rules! stdin_bytes {
    ($($type:ty),*) => {$(
        impl From<$type> for StdinBytes {
            fn from(value: $type) -> Self {
                Self::Bytes(value.into())
            }
        }
    )*};
}

stdin_bytes!(Bytes, bytes::BytesMut, Vec<u8>, &'static [u8], Box<[u8]>, String, &'static str);

/// Shows the length only: passwords are passed as input.
impl fmt::Debug for StdinBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Secret(secret) => secret.fmt(f),
        }
    }
}

impl From<Secret> for StdinBytes {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

impl From<&Secret> for StdinBytes {
    fn from(secret: &Secret) -> Self {
        Self::Secret(secret.clone())
    }
}

impl StdinBytes {
    /// Returns the bytes, and the secret for redaction.
    pub(super) fn into_parts(self) -> (Bytes, Option<Secret>) {
        match self {
            Self::Bytes(bytes) => (bytes, None),
            Self::Secret(secret) => (Bytes::copy_from_slice(secret.expose().as_bytes()), Some(secret)),
        }
    }
}
