//! A cache of private keys in files, shared by all hosts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use russh::keys::{PrivateKey, PublicKey};
use tokio::sync::Mutex;

use crate::blocking::block;
use crate::error::{Error, ErrorKind, Result};
use crate::ssh::private_key::{self, KeyContent, LockedKey, ReadKey};
use crate::transport::Prompter;

/// The maximum number of prompts for a passphrase.
const MAX_PASSPHRASE_ATTEMPTS: usize = 3;

/// The private keys read so far. Each file is read once for all hosts of a client.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    files: Mutex<HashMap<PathBuf, Arc<KeyFile>>>,
}

/// A key file.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    /// The public key. Unknown for an encrypted file without a `.pub` file, until the file is
    /// unlocked.
    public: OnceLock<PublicKey>,
    availability: Availability,
    /// The reason why the private key of the file can't be used.
    problem: Option<String>,
    key: Mutex<KeyState>,
}

/// The usability of the private key in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability {
    Available,
    /// The file has only a public key. The private key must be in the agent.
    PublicOnly,
    /// Other users can read the file, which has this mode. Like ssh, fabrs ignores the private key.
    Exposed(u32),
}

#[derive(Debug)]
enum KeyState {
    Unlocked(Arc<PrivateKey>),
    Locked(LockedKey),
    /// Every passphrase was wrong. No further prompt follows.
    Refused(Error),
    Unusable,
}

impl Keyring {
    /// Returns the key in a file, or the public key in the `.pub` file beside it. Returns `None` if
    /// neither file exists.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Auth`] if the file has no key.
    pub(super) async fn load(&self, path: &Path) -> Result<Option<Arc<KeyFile>>> {
        let mut files = self.files.lock().await;
        if let Some(key) = files.get(path) {
            return Ok(Some(Arc::clone(key)));
        }
        let read = private_key::read(path).map_err(|source| {
            Error::new(ErrorKind::Auth, format!("the key `{}` can't be used", path.display())).caused_by(source)
        })?;
        let Some(read) = read else { return Ok(None) };
        let file = Arc::new(KeyFile::new(path, read));
        files.insert(path.to_owned(), Arc::clone(&file));
        Ok(Some(file))
    }
}

impl KeyFile {
    fn new(path: &Path, read: ReadKey) -> Self {
        let public = match &read.content {
            KeyContent::Open(key) => Some(key.public_key().clone()),
            KeyContent::Locked(key) => key.public().or_else(|| private_key::public_beside(path)),
            KeyContent::Public(key) => Some(key.clone()),
        };
        let (availability, state) = match (read.content, read.exposed) {
            (KeyContent::Public(_), _) => (Availability::PublicOnly, KeyState::Unusable),
            (_, Some(mode)) => (Availability::Exposed(mode), KeyState::Unusable),
            (KeyContent::Open(key), None) => (Availability::Available, KeyState::Unlocked(Arc::from(key))),
            (KeyContent::Locked(key), None) => (Availability::Available, KeyState::Locked(key)),
        };
        let public = public.map_or_else(OnceLock::new, OnceLock::from);
        let problem = read.problem.map(|problem| problem.to_string());
        Self { path: path.to_owned(), public, availability, problem, key: Mutex::new(state) }
    }

    /// Returns the public key, if known without a passphrase.
    pub(super) fn public(&self) -> Option<&PublicKey> {
        self.public.get()
    }

    pub(super) fn availability(&self) -> Availability {
        self.availability
    }

    /// Returns the reason why the private key of the file can't be used, if any.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Returns the private key. The prompt for its passphrase appears once for all hosts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Auth`] if every passphrase was wrong. Also the errors of the prompter.
    pub(super) async fn unlocked(&self, prompter: &dyn Prompter) -> Result<Arc<PrivateKey>> {
        let mut state = self.key.lock().await;
        let path = self.path.display();
        let locked = match &*state {
            KeyState::Unlocked(key) => return Ok(Arc::clone(key)),
            KeyState::Locked(key) => key,
            KeyState::Refused(error) => return Err(error.clone()),
            KeyState::Unusable => {
                return Err(Error::new(ErrorKind::Auth, format!("the private key of `{path}` can't be used")));
            }
        };
        let question = format!("passphrase for `{path}`: ");
        for _ in 0..MAX_PASSPHRASE_ATTEMPTS {
            let passphrase = prompter.secret(&question).await.map_err(|error| match error.kind() {
                ErrorKind::Prompt if !prompter.is_available() => {
                    let text = "cannot prompt for the passphrase: add the key to an agent with `ssh-add`";
                    Error::new(ErrorKind::Auth, text)
                }
                _ => error,
            })?;
            if let Some(key) = block(|| locked.unlock(passphrase.expose())) {
                let key = Arc::new(key);
                self.public.get_or_init(|| key.public_key().clone());
                *state = KeyState::Unlocked(Arc::clone(&key));
                return Ok(key);
            }
        }
        let error = Error::new(ErrorKind::Auth, format!("the passphrase for `{path}` was wrong"));
        *state = KeyState::Refused(error.clone());
        Err(error)
    }
}
