//! Candidate keys and certificates for the login.

use std::path::Path;
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, PublicKey};
use tokio::net::UnixStream;

use crate::ssh::keys::KeyFile;
use crate::ssh::untrusted_text;
use crate::ssh::user_certificate::likely_flaw;

/// A key to offer to the server.
pub(super) struct CandidateKey {
    /// The path of the file, or the comment of the agent's key.
    pub(super) name: String,
    /// The certificate of the key, if any.
    pub(super) certificate: Option<Certificate>,
    pub(super) key: PublicKey,
    pub(super) source: KeySource,
}

/// The source of the private key.
#[derive(Clone)]
pub(super) enum KeySource {
    File(Arc<KeyFile>),
    /// The agent, with this identity.
    Agent(Box<AgentIdentity>),
}

impl CandidateKey {
    /// Returns a description for errors, with a likely flaw of the certificate.
    pub(super) fn description(&self, user: &str) -> String {
        let name = untrusted_text::single_line(&self.name);
        let of = match &self.source {
            KeySource::File(_) => "",
            KeySource::Agent(_) => " of the agent",
        };
        match self.certificate.as_ref().map(|certificate| likely_flaw(certificate, user)) {
            None => format!("`{name}`{of}"),
            Some(None) => format!("the certificate `{name}`{of}"),
            Some(Some(flaw)) => format!("the certificate `{name}`{of} ({flaw})"),
        }
    }
}

/// The candidates in the order of attempts, and the agent that signs for some of them.
#[derive(Default)]
pub(super) struct Candidates {
    pub(super) agent: Option<AgentClient<UnixStream>>,
    /// The identities of the agent not yet matched by a file.
    pub(super) agent_identities: Vec<AgentIdentity>,
    pub(super) found: Vec<Candidate>,
}

/// The state of a candidate.
pub(super) enum Candidate {
    Ready(Box<CandidateKey>),
    /// A file with an unknown public key. It must be unlocked first.
    Locked {
        name: String,
        file: Arc<KeyFile>,
    },
    /// Not offered again: the server has accepted the key and required another method, or the file
    /// could not be unlocked.
    Done,
}

impl Candidate {
    /// Returns the rank of the candidate's class in the order of ssh.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Ready(candidate) if candidate.certificate.is_some() => 0,
            Self::Ready(candidate) => match candidate.source {
                KeySource::Agent(_) => 1,
                KeySource::File(_) => 2,
            },
            Self::Locked { .. } | Self::Done => 2,
        }
    }
}

impl Candidates {
    /// Adds a certificate, unless it is already a candidate.
    pub(super) fn add_certificate(&mut self, path: &Path, certificate: Certificate, source: KeySource) {
        let is_same = |candidate: &Candidate| match candidate {
            Candidate::Ready(candidate) => {
                candidate.certificate.as_ref().is_some_and(|known| same(known, &certificate))
            }
            Candidate::Locked { .. } | Candidate::Done => false,
        };
        if !self.found.iter().any(is_same) {
            let (name, key) = (path.display().to_string(), PublicKey::from(certificate.public_key().clone()));
            self.found.push(Candidate::Ready(Box::new(CandidateKey {
                name,
                certificate: Some(certificate),
                key,
                source,
            })));
        }
    }

    /// Returns the agent identity that can sign for a certificate: the certificate itself, or its
    /// plain key.
    pub(super) fn agent_for(&mut self, certificate: &Certificate) -> Option<AgentIdentity> {
        let is_same = |identity: &AgentIdentity| match identity {
            AgentIdentity::Certificate { certificate: agent_certificate, .. } => same(agent_certificate, certificate),
            AgentIdentity::PublicKey { .. } => false,
        };
        if let Some(at) = self.agent_identities.iter().position(is_same) {
            return Some(self.agent_identities.remove(at));
        }
        let has_same_key = |identity: &&AgentIdentity| is_key(identity, certificate.public_key());
        self.agent_identities.iter().find(has_same_key).cloned()
    }

    /// Removes a plain key from the identities of the agent.
    pub(super) fn take_key(&mut self, key: &KeyData) -> Option<AgentIdentity> {
        let at = self.agent_identities.iter().position(|identity| is_key(identity, key))?;
        Some(self.agent_identities.remove(at))
    }

    /// Adds the remaining identities of the agent.
    pub(super) fn add_agent_identities(&mut self) {
        for identity in std::mem::take(&mut self.agent_identities) {
            let (name, certificate) = match &identity {
                AgentIdentity::PublicKey { comment, .. } => (comment.clone(), None),
                AgentIdentity::Certificate { comment, certificate } => (comment.clone(), Some(certificate.clone())),
            };
            let key = identity.public_key().into_owned();
            self.found.push(Candidate::Ready(Box::new(CandidateKey {
                name,
                certificate,
                key,
                source: KeySource::Agent(Box::new(identity)),
            })));
        }
    }
}

fn is_key(identity: &AgentIdentity, key: &KeyData) -> bool {
    matches!(identity, AgentIdentity::PublicKey { key: agent_key, .. } if agent_key.key_data() == key)
}

/// Compares two certificates, ignoring comments.
fn same(one: &Certificate, other: &Certificate) -> bool {
    one.signature() == other.signature() && one.nonce() == other.nonce() && one.public_key() == other.public_key()
}
