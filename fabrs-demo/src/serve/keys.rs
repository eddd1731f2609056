//! Keys that live as long as a host.

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, key::safe_rng};

use crate::step_error::{Context, StepError};

/// Makes a key that lives as long as the host.
pub(crate) fn generate() -> Result<PrivateKey, StepError> {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).context("make a key")
}

/// Writes a private key as `ssh` reads it.
pub(crate) fn to_openssh(key: &PrivateKey) -> Result<String, StepError> {
    key.to_openssh(LineEnding::LF).map(|text| text.to_string()).context("write a key")
}
