//! What a command is given that may be a secret: its input, and values of its environment.

use std::fmt;

use bytes::Bytes;

use crate::secret::Secret;

/// The value of an environment variable: a text, or a [`Secret`].
///
/// A text becomes part of the command line, which whoever can list processes on the host can read. A secret is read from
/// the command's standard input, in front of what the command itself is given to read, and is in no line.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EnvValue {
    /// It may be read by everybody on the host.
    Text(String),
    /// It is for the command alone.
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

/// What a command reads on its standard input, or is answered: bytes, or a [`Secret`].
#[derive(Clone)]
#[non_exhaustive]
pub enum StdinBytes {
    /// These bytes.
    Bytes(Bytes),
    /// A secret, as it is.
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

/// Shows how much it is and not what: input is where passwords travel.
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
    /// Returns the bytes, and the secret that they are.
    pub(super) fn into_parts(self) -> (Bytes, Option<Secret>) {
        match self {
            Self::Bytes(bytes) => (bytes, None),
            Self::Secret(secret) => (Bytes::copy_from_slice(secret.expose().as_bytes()), Some(secret)),
        }
    }
}
