//! The keys and certificates that may be offered to log in.

use std::path::Path;
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, PublicKey};
use tokio::net::UnixStream;

use crate::transport::ssh::keys::KeyFile;
use crate::transport::ssh::untrusted_text;
use crate::transport::ssh::user_certificate::doubt;

/// A key to offer.
pub(super) struct Offer {
    /// The file that names it, or what the agent calls it.
    pub(super) name: String,
    /// What vouches for it, where something does.
    pub(super) certificate: Option<Certificate>,
    pub(super) key: PublicKey,
    pub(super) holder: Holder,
}

/// Who has the private half.
#[derive(Clone)]
pub(super) enum Holder {
    File(Arc<KeyFile>),
    /// The agent, under this identity.
    Agent(Box<AgentIdentity>),
}

impl Offer {
    /// Returns it in words, with what a server may dislike about its certificate.
    pub(super) fn in_words(&self, user: &str) -> String {
        let name = untrusted_text::line(&self.name);
        let of = match &self.holder {
            Holder::File(_) => "",
            Holder::Agent(_) => " of the agent",
        };
        match self.certificate.as_ref().map(|certificate| doubt(certificate, user)) {
            None => format!("`{name}`{of}"),
            Some(None) => format!("the certificate `{name}`{of}"),
            Some(Some(flaw)) => format!("the certificate `{name}`{of} ({flaw})"),
        }
    }
}

/// The keys and certificates to offer, in order, and the agent that signs for some.
#[derive(Default)]
pub(super) struct Offers {
    pub(super) agent: Option<AgentClient<UnixStream>>,
    /// The identities of the agent that no file has named so far.
    pub(super) held: Vec<AgentIdentity>,
    pub(super) found: Vec<Candidate>,
}

/// One key to offer.
pub(super) enum Candidate {
    Ready(Box<Offer>),
    /// A file whose public key is known only after it is unlocked.
    Sealed {
        name: String,
        file: Arc<KeyFile>,
    },
    /// It is not offered again: the server has accepted it and required another method, or it can't be unlocked.
    Settled,
}

impl Candidate {
    /// Returns the place of its class in the order of ssh.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Ready(offer) if offer.certificate.is_some() => 0,
            Self::Ready(offer) => match offer.holder {
                Holder::Agent(_) => 1,
                Holder::File(_) => 2,
            },
            Self::Sealed { .. } | Self::Settled => 2,
        }
    }
}

impl Offers {
    /// Adds a certificate, once.
    pub(super) fn add_certificate(&mut self, path: &Path, certificate: Certificate, holder: Holder) {
        let is_same = |candidate: &Candidate| match candidate {
            Candidate::Ready(offer) => offer.certificate.as_ref().is_some_and(|known| same(known, &certificate)),
            Candidate::Sealed { .. } | Candidate::Settled => false,
        };
        if !self.found.iter().any(is_same) {
            let (name, key) = (path.display().to_string(), PublicKey::from(certificate.public_key().clone()));
            self.found.push(Candidate::Ready(Box::new(Offer { name, certificate: Some(certificate), key, holder })));
        }
    }

    /// Returns the identity by which the agent can sign for a certificate: the very certificate, or its plain key.
    pub(super) fn agent_for(&mut self, certificate: &Certificate) -> Option<AgentIdentity> {
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

    /// Takes a plain key out of the identities of the agent.
    pub(super) fn take_key(&mut self, key: &KeyData) -> Option<AgentIdentity> {
        let at = self.held.iter().position(|identity| is_key(identity, key))?;
        Some(self.held.remove(at))
    }

    /// Adds the identities of the agent that no file has named.
    pub(super) fn add_rest(&mut self) {
        for identity in std::mem::take(&mut self.held) {
            let (name, certificate) = match &identity {
                AgentIdentity::PublicKey { comment, .. } => (comment.clone(), None),
                AgentIdentity::Certificate { comment, certificate } => (comment.clone(), Some(certificate.clone())),
            };
            let key = identity.public_key().into_owned();
            self.found.push(Candidate::Ready(Box::new(Offer {
                name,
                certificate,
                key,
                holder: Holder::Agent(Box::new(identity)),
            })));
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
