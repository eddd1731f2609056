//! What is offered to log in, and in which order.

use std::path::Path;

use russh::MethodKind;
use russh::keys::Certificate;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::public::KeyData;
use tokio::net::UnixStream;

use super::super::user_certificate::{self, Unusable};
use super::offer::{Holder, Offer};
use super::{LoginAttempt, innermost};
use crate::error::Result;

impl LoginAttempt<'_> {
    /// Offers certificates that were named; then of each file, in their order, the certificate beside it and its key;
    /// then what else the agent holds. What the agent can sign is left to it, so that no passphrase is needed.
    pub(super) async fn by_keys(&mut self) -> Result<bool> {
        let mut agent = self.agent().await;
        let mut offers = Offers::default();
        if let Some(agent) = &mut agent {
            match agent.request_identities().await {
                Ok(held) => offers.held = held,
                Err(error) => self.unusable.push(format!("what the agent holds ({error})")),
            }
        }
        let login = &self.target.login;
        for path in login.certificates.iter().flatten() {
            self.add_certificate(path, &mut offers).await;
        }
        for path in &login.identities {
            self.add_file(path, &mut offers).await;
        }
        if !login.identities_only {
            offers.add_what_else_is_held();
        }
        for offer in offers.found {
            if self.allows(MethodKind::PublicKey) && self.by_offer(offer, agent.as_mut()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn agent(&self) -> Option<AgentClient<UnixStream>> {
        let socket = self.target.login.agent.as_ref()?;
        AgentClient::connect_uds(socket).await.ok()
    }

    /// Adds a certificate that was named. Its key is looked for in the agent, then among the files of keys.
    async fn add_certificate(&mut self, path: &Path, offers: &mut Offers) {
        let certificate = match user_certificate::read(path) {
            Ok(certificate) => certificate,
            Err(problem) => return self.unusable.push(format!("`{}` ({problem})", path.display())),
        };
        let holder = match offers.agent_for(&certificate) {
            Some(identity) => Some(Holder::Agent(Box::new(identity))),
            None => self.file_of(certificate.public_key()).await,
        };
        match holder {
            Some(holder) => offers.add_certificate(path, certificate, holder),
            None => {
                self.unusable.push(format!("`{}` (its key is neither in a file nor in the agent)", path.display()));
            }
        }
    }

    /// Returns the file with the private half of a key.
    async fn file_of(&self, key: &KeyData) -> Option<Holder> {
        for path in &self.target.login.identities {
            if let Ok(Some(file)) = self.settings.keyring.load(path).await
                && file.public().key_data() == key
                && !file.is_elsewhere()
            {
                return Some(Holder::File(file));
            }
        }
        None
    }

    /// Adds the key that a file names, after the certificate beside it.
    async fn add_file(&mut self, path: &Path, offers: &mut Offers) {
        let name = path.display().to_string();
        let file = match self.settings.keyring.load(path).await {
            Ok(Some(file)) => file,
            Ok(None) if self.target.login.named => return self.unusable.push(format!("`{name}` (no such file)")),
            Ok(None) => return,
            // One bad file must not hide the others; it is named if the login fails.
            Err(error) => return self.unusable.push(format!("`{name}` ({})", innermost(&error))),
        };
        let key = file.public().key_data().clone();
        let holder = (!file.is_elsewhere()).then_some(Holder::File(file));
        // As for ssh, those that were named stand for all.
        if self.target.login.certificates.is_none() {
            self.add_beside(path, &key, holder.as_ref(), offers);
        }
        match offers.take_key(&key).map(|identity| Holder::Agent(Box::new(identity))).or(holder) {
            Some(holder) => offers.found.push(Offer { name, certificate: None, holder }),
            None => self.unusable.push(format!("`{name}` (its private half is neither here nor in the agent)")),
        }
    }

    fn add_beside(&mut self, path: &Path, key: &KeyData, file: Option<&Holder>, offers: &mut Offers) {
        let path = user_certificate::beside(path);
        match user_certificate::read(&path) {
            Ok(certificate) if certificate.public_key() == key => {
                let agent = offers.agent_for(&certificate).map(|identity| Holder::Agent(Box::new(identity)));
                // Without its private half the key itself is named.
                if let Some(holder) = agent.or_else(|| file.cloned()) {
                    offers.add_certificate(&path, certificate, holder);
                }
            }
            Ok(_) => self.unusable.push(format!("`{}` (it is not for the key beside it)", path.display())),
            Err(Unusable::Missing) => {}
            Err(problem) => self.unusable.push(format!("`{}` ({problem})", path.display())),
        }
    }
}

/// What is to be offered, and what an agent holds besides.
#[derive(Default)]
struct Offers {
    found: Vec<Offer>,
    held: Vec<AgentIdentity>,
}

impl Offers {
    /// Adds a certificate, once.
    fn add_certificate(&mut self, path: &Path, certificate: Certificate, holder: Holder) {
        let is_same = |offer: &Offer| offer.certificate.as_ref().is_some_and(|known| same(known, &certificate));
        if !self.found.iter().any(is_same) {
            let name = path.display().to_string();
            self.found.push(Offer { name, certificate: Some(certificate), holder });
        }
    }

    /// Returns the identity by which the agent can sign for a certificate: the very certificate, or its plain key.
    fn agent_for(&mut self, certificate: &Certificate) -> Option<AgentIdentity> {
        let is_it = |identity: &AgentIdentity| match identity {
            AgentIdentity::Certificate { certificate: held, .. } => same(held, certificate),
            AgentIdentity::PublicKey { .. } => false,
        };
        if let Some(at) = self.held.iter().position(is_it) {
            return Some(self.held.remove(at));
        }
        let is_its_key = |identity: &&AgentIdentity| is_key(identity, certificate.public_key());
        self.held.iter().find(is_its_key).cloned()
    }

    /// Takes a plain key out of what the agent holds.
    fn take_key(&mut self, key: &KeyData) -> Option<AgentIdentity> {
        let at = self.held.iter().position(|identity| is_key(identity, key))?;
        Some(self.held.remove(at))
    }

    fn add_what_else_is_held(&mut self) {
        for identity in std::mem::take(&mut self.held) {
            let (name, certificate) = match &identity {
                AgentIdentity::PublicKey { comment, .. } => (comment.clone(), None),
                AgentIdentity::Certificate { comment, certificate } => (comment.clone(), Some(certificate.clone())),
            };
            self.found.push(Offer { name, certificate, holder: Holder::Agent(Box::new(identity)) });
        }
    }
}

fn is_key(identity: &AgentIdentity, key: &KeyData) -> bool {
    matches!(identity, AgentIdentity::PublicKey { key: held, .. } if held.key_data() == key)
}

/// Compares two certificates but for what their files say beside them.
fn same(one: &Certificate, other: &Certificate) -> bool {
    one.signature() == other.signature() && one.nonce() == other.nonce() && one.public_key() == other.public_key()
}
