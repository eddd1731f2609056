//! One thing that is offered to log in: a key, perhaps with a certificate, and who signs with it.

use std::sync::Arc;

use russh::Signer;
use russh::client::AuthResult;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PublicKey};
use tokio::net::UnixStream;

use super::super::foreign;
use super::super::keys::{FileSigner, KeyFile, SignError, hash_for};
use super::super::user_certificate::doubt;
use super::LoginAttempt;
use crate::error::{Error, ErrorKind, Result};

/// A key to offer.
pub(super) struct Offer {
    /// The file that names it, or what the agent calls it.
    pub(super) name: String,
    /// What vouches for it, where something does.
    pub(super) certificate: Option<Certificate>,
    pub(super) holder: Holder,
}

/// Who has the private half.
#[derive(Clone)]
pub(super) enum Holder {
    File(Arc<KeyFile>),
    /// The agent, under this identity.
    Agent(Box<AgentIdentity>),
}

impl Holder {
    fn public(&self) -> PublicKey {
        match self {
            Self::File(file) => file.public().clone(),
            Self::Agent(identity) => identity.public_key().into_owned(),
        }
    }
}

impl Offer {
    /// Returns it in words, with what a server may dislike about its certificate.
    fn in_words(&self, user: &str) -> String {
        let name = foreign::line(&self.name);
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

impl LoginAttempt<'_> {
    /// Offers one key or certificate.
    pub(super) async fn by_offer(&mut self, offer: Offer, agent: Option<&mut AgentClient<UnixStream>>) -> Result<bool> {
        let words = offer.in_words(&self.target.user);
        self.tried.push(words.clone());
        let result = match (&offer.holder, agent) {
            (Holder::File(file), _) => {
                let mut signer = FileSigner { file, ask: self.ask() };
                self.send(&offer, &mut signer).await
            }
            (Holder::Agent(identity), Some(agent)) => self.send(&offer, &mut AgentSigner { agent, identity }).await,
            (Holder::Agent(_), None) => Err(SignError::Key(Error::new(ErrorKind::Auth, "the agent is gone"))),
        };
        match result {
            Ok(result) => self.took(Ok(result)),
            Err(SignError::Key(error)) => {
                self.tried.pop();
                self.unusable.push(format!("{words} ({error})"));
                Ok(false)
            }
            Err(SignError::Gone) => Err(self.closed()),
        }
    }

    async fn send<S: Signer<Error = SignError>>(
        &mut self,
        offer: &Offer,
        signer: &mut S,
    ) -> Result<AuthResult, SignError> {
        let (user, key) = (self.target.user.as_str(), offer.holder.public());
        let hash = hash_for(&key);
        match offer.certificate.clone() {
            Some(certificate) => self.handle.authenticate_certificate_with(user, certificate, hash, signer).await,
            None => self.handle.authenticate_publickey_with(user, key, hash, signer).await,
        }
    }
}

/// Has the agent sign, by an identity that it holds: for a certificate in a file that is its plain key.
struct AgentSigner<'a> {
    agent: &'a mut AgentClient<UnixStream>,
    identity: &'a AgentIdentity,
}

impl Signer for AgentSigner<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let signed = self.agent.sign_request(self.identity, hash, data).await;
        signed.map_err(|error| SignError::Key(Error::new(ErrorKind::Auth, format!("the agent did not sign: {error}"))))
    }
}
