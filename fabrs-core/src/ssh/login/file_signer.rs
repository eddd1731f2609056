//! Signing of a login with the key in a file.

use russh::Signer;
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::Signature;
use russh::keys::{HashAlg, PrivateKey};

use crate::error::{Error, ErrorKind, Result};
use crate::ssh::keys::KeyFile;
use crate::ssh::login::login_timer::LoginTimer;
use crate::transport::Prompter;

/// A signer with the key of a file. The file is unlocked only after the server has accepted the
/// public key.
pub(super) struct FileSigner<'a> {
    pub(super) file: &'a KeyFile,
    pub(super) prompter: &'a dyn Prompter,
    pub(super) timer: &'a LoginTimer,
}

/// The error of a signature.
#[derive(Debug)]
pub(super) enum SignError {
    /// The session has ended.
    Gone,
    /// The key cannot be used.
    Key(Error),
}

impl From<russh::SendError> for SignError {
    fn from(_: russh::SendError) -> Self {
        Self::Gone
    }
}

impl Signer for FileSigner<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let key = self.timer.while_asking(self.file.unlocked(self.prompter)).await.map_err(SignError::Key)?;
        let signature = sign(&key, hash, &data).map_err(SignError::Key)?;
        // RFC 4252 §7: the signature is a string of two strings, the name of the algorithm and the
        // bytes.
        let (name, bytes) = (signature.algorithm().as_str().to_owned(), signature.as_bytes().to_vec());
        put_length(&mut data, name.len() + bytes.len() + 8);
        put_length(&mut data, name.len());
        data.extend_from_slice(name.as_bytes());
        put_length(&mut data, bytes.len());
        data.extend_from_slice(&bytes);
        Ok(data)
    }
}

fn put_length(data: &mut Vec<u8>, length: usize) {
    data.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// Signs data with the algorithm of the key. `hash` is for RSA keys (RFC 8332).
fn sign(key: &PrivateKey, hash: Option<HashAlg>, data: &[u8]) -> Result<Signature> {
    let signed = match key.key_data().rsa() {
        Some(rsa) => (rsa, hash).try_sign(data),
        None => key.try_sign(data),
    };
    signed.map_err(|source| {
        let is_security_key = key.algorithm().as_str().starts_with("sk-");
        let text = if is_security_key {
            "a security key signs only through an agent: add the key with `ssh-add`"
        } else {
            "could not sign the login"
        };
        Error::new(ErrorKind::Auth, text).caused_by(source)
    })
}
