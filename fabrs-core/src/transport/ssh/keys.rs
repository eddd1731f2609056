//! Private keys in files, read once for all hosts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::Signer;
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::Signature;
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::transport::Ask;

/// How often a passphrase is asked for.
const TRIES: usize = 3;

/// The private keys that were read from files, each once for all hosts of a client.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    files: Mutex<HashMap<PathBuf, Arc<KeyFile>>>,
}

/// A private key in a file; locked, where a passphrase protects it.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    public: PublicKey,
    elsewhere: bool,
    key: Mutex<KeyState>,
}

#[derive(Debug)]
enum KeyState {
    Unlocked(Arc<PrivateKey>),
    Locked(Box<PrivateKey>),
    /// Nobody knew its passphrase: it is not asked for again.
    Shut(Error),
    /// Only the public half is in the file: an agent has to hold the other.
    Elsewhere,
}

impl Keyring {
    /// Returns the key in a file, or its public half in the file beside it with `.pub`; `None` where there is neither.
    pub(super) async fn load(&self, path: &Path) -> Result<Option<Arc<KeyFile>>> {
        let mut files = self.files.lock().await;
        if let Some(key) = files.get(path) {
            return Ok(Some(Arc::clone(key)));
        }
        let Some((public, state)) = read(path)? else { return Ok(None) };
        let elsewhere = matches!(state, KeyState::Elsewhere);
        let file = Arc::new(KeyFile { path: path.to_owned(), public, elsewhere, key: Mutex::new(state) });
        files.insert(path.to_owned(), Arc::clone(&file));
        Ok(Some(file))
    }
}

fn read(path: &Path) -> Result<Option<(PublicKey, KeyState)>> {
    let unusable = |path: &Path| Error::new(ErrorKind::Auth, format!("the key `{}` can't be used", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            let beside = path.with_added_extension("pub");
            let public = std::fs::read_to_string(beside).ok().and_then(|text| PublicKey::from_openssh(&text).ok());
            return Ok(public.map(|public| (public, KeyState::Elsewhere)));
        }
        Err(source) => return Err(unusable(path).caused_by(source)),
    };
    if let Ok(public) = PublicKey::from_openssh(&text) {
        return Ok(Some((public, KeyState::Elsewhere)));
    }
    let key = match PrivateKey::from_openssh(&text) {
        Ok(key) => key,
        // PEM of other kinds (PKCS#1, PKCS#8, SEC1), which russh reads where they are not encrypted.
        Err(_) => russh::keys::decode_secret_key(&text, None).map_err(|source| unusable(path).caused_by(source))?,
    };
    let public = key.public_key().clone();
    let state = if key.is_encrypted() { KeyState::Locked(Box::new(key)) } else { KeyState::Unlocked(Arc::new(key)) };
    Ok(Some((public, state)))
}

impl KeyFile {
    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Tells whether only the public half is here, so that an agent has to hold the other.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// Returns the private key, asking for its passphrase where that is needed: once for all hosts.
    async fn unlocked(&self, ask: &dyn Ask) -> Result<Arc<PrivateKey>> {
        let mut state = self.key.lock().await;
        let locked = match &*state {
            KeyState::Unlocked(key) => return Ok(Arc::clone(key)),
            KeyState::Locked(key) => key,
            KeyState::Shut(error) => return Err(error.clone()),
            KeyState::Elsewhere => {
                let text = format!("the private half of `{}` is not in it", self.path.display());
                return Err(Error::new(ErrorKind::Auth, text));
            }
        };
        let question = format!("passphrase for `{}`: ", self.path.display());
        for _ in 0..TRIES {
            let passphrase = ask.secret(&question).await?;
            if let Ok(key) = locked.decrypt(passphrase.expose()) {
                let key = Arc::new(key);
                *state = KeyState::Unlocked(Arc::clone(&key));
                return Ok(key);
            }
        }
        let error = Error::new(ErrorKind::Auth, format!("the passphrase for `{}` was wrong", self.path.display()));
        *state = KeyState::Shut(error.clone());
        Err(error)
    }
}

/// Signs a login with the key of a file, unlocking it only when the server has said that it would take it.
pub(super) struct FileSigner<'a> {
    pub(super) file: &'a KeyFile,
    pub(super) ask: &'a dyn Ask,
}

/// Why a login could not be signed.
#[derive(Debug)]
pub(super) enum SignError {
    /// The session has ended.
    Gone,
    /// The key can't be used.
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
        _: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let key = self.file.unlocked(self.ask).await.map_err(SignError::Key)?;
        let signature = sign(&key, &data).map_err(SignError::Key)?;
        // RFC 4252 §7: the signature is a string that holds the algorithm's name and the bytes, each a string.
        let (name, bytes) = (signature.algorithm().as_str().to_owned(), signature.as_bytes().to_vec());
        put_length(&mut data, name.len() + bytes.len() + 8);
        put_length(&mut data, name.len());
        data.extend_from_slice(name.as_bytes());
        put_length(&mut data, bytes.len());
        data.extend_from_slice(&bytes);
        Ok(data)
    }
}

/// RSA keys sign with SHA-512 (RFC 8332), which every server since OpenSSH 7.2 takes; SHA-1 none should.
pub(super) fn hash_for(key: &PublicKey) -> Option<HashAlg> {
    key.algorithm().is_rsa().then_some(HashAlg::Sha512)
}

fn put_length(data: &mut Vec<u8>, length: usize) {
    data.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn sign(key: &PrivateKey, data: &[u8]) -> Result<Signature> {
    // An RSA key signs with SHA-512, which is also what the login announces.
    key.try_sign(data).map_err(|source| Error::new(ErrorKind::Auth, "could not sign the login").caused_by(source))
}
