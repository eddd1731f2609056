//! Keys that live as long as a host.

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, key::safe_rng};

use crate::step_error::{Failure, While};

/// Makes a key that lives as long as the host.
pub(crate) fn new_key() -> Result<PrivateKey, Failure> {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).when("make a key")
}

/// Writes a private key as `ssh` reads it.
pub(crate) fn private_text(key: &PrivateKey) -> Result<String, Failure> {
    key.to_openssh(LineEnding::LF).map(|text| text.to_string()).when("write a key")
}
