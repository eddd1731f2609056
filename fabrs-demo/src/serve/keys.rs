//! Keys of a demo: generation and serialization.

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, key::safe_rng};

use crate::step_error::{StepContext, StepError};

/// Generates an Ed25519 key.
pub(crate) fn generate() -> Result<PrivateKey, StepError> {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).context("generate a key")
}

/// Serializes a private key in the OpenSSH format.
pub(crate) fn to_openssh(key: &PrivateKey) -> Result<String, StepError> {
    key.to_openssh(LineEnding::LF).map(|text| text.to_string()).context("serialize a key")
}
