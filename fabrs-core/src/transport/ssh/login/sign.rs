//! One thing that is offered to log in: a key, perhaps with a certificate, and who signs with it.

use russh::Signer;
use russh::client::{AuthResult, Handle};
use russh::keys::HashAlg;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use tokio::net::UnixStream;

use crate::error::{Error, ErrorKind, Result};
use crate::transport::ssh::algorithms::{LoginSignature, RsaHash};
use crate::transport::ssh::handler::Handler;
use crate::transport::ssh::login::answer_clock::{AnswerClock, Silent};
use crate::transport::ssh::login::attempt::{AnnouncedRsa, Answer, LoginAttempt};
use crate::transport::ssh::login::candidates::{Holder, Offer};
use crate::transport::ssh::login::file_signer::{FileSigner, SignError};

impl LoginAttempt<'_> {
    /// Offers one key or certificate. One that can't be used is noted, and counts as refused.
    pub(super) async fn by_offer(
        &mut self,
        offer: &Offer,
        agent: Option<&mut AgentClient<UnixStream>>,
    ) -> Result<Answer> {
        let words = offer.in_words(&self.target.user);
        let algorithms = &self.target.algorithms;
        if let Some((bits, required)) = algorithms.too_small(offer.key.key_data()) {
            self.unusable.push(format!("{words} ({bits} bits, and `RequiredRSASize` is {required})"));
            return Ok(Answer::Refused);
        }
        let announced = if offer.key.algorithm().is_rsa() { self.announced_rsa().await? } else { None };
        let is_certificate = offer.certificate.is_some();
        let Some(signature) = algorithms.login_signature(&offer.key.algorithm(), is_certificate, announced) else {
            self.unusable.push(format!("{words} (its algorithm is not in `PubkeyAcceptedAlgorithms`)"));
            return Ok(Answer::Refused);
        };
        self.tried.push(words.clone());
        let result = match (&offer.holder, agent) {
            (Holder::File(file), _) => {
                let mut signer = FileSigner { file, ask: self.ask(), clock: &self.clock };
                send(self.handle, &self.target.user, offer, signature, &mut signer, &self.clock).await
            }
            (Holder::Agent(identity), Some(agent)) => {
                let mut signer = AgentSigner { agent, identity, clock: &self.clock };
                send(self.handle, &self.target.user, offer, signature, &mut signer, &self.clock).await
            }
            (Holder::Agent(_), None) => Ok(Err(SignError::Key(Error::new(ErrorKind::Auth, "the agent is gone")))),
        };
        match result {
            Ok(Ok(result)) => self.record_answer(Ok(Ok(result))),
            Ok(Err(SignError::Key(error))) => {
                self.tried.pop();
                self.unusable.push(format!("{words} ({error})"));
                Ok(Answer::Refused)
            }
            Ok(Err(SignError::Gone)) => Err(self.closed()),
            Err(silent) => Err(self.silent(silent)),
        }
    }

    /// Returns the best RSA hash that the server has announced (RFC 8308 §3.1).
    async fn announced_rsa(&mut self) -> Result<Option<RsaHash>> {
        if let Some(announced) = self.announced_rsa {
            return Ok(announced.0);
        }
        // It waits up to a second by itself for a server that announces nothing.
        let answer = self.clock.confirmed_server(self.handle.best_supported_rsa_hash()).await;
        // A session that has ended says so at the next request.
        let answer = answer.map_err(|silent| self.silent(silent))?;
        let announced = answer.unwrap_or(None).map(RsaHash::from_russh);
        self.announced_rsa = Some(AnnouncedRsa(announced));
        Ok(announced)
    }
}

async fn send<S: Signer<Error = SignError>>(
    handle: &mut Handle<Handler>,
    user: &str,
    offer: &Offer,
    signature: LoginSignature,
    signer: &mut S,
    clock: &AnswerClock,
) -> Result<Result<AuthResult, SignError>, Silent> {
    let hash = signature.hash();
    match offer.certificate.clone() {
        Some(certificate) => clock.server(handle.authenticate_certificate_with(user, certificate, hash, signer)).await,
        None => clock.server(handle.authenticate_publickey_with(user, offer.key.clone(), hash, signer)).await,
    }
}

/// Has the agent sign, by an identity that it holds: for a certificate in a file that is its plain key.
struct AgentSigner<'a> {
    agent: &'a mut AgentClient<UnixStream>,
    identity: &'a AgentIdentity,
    clock: &'a AnswerClock,
}

impl Signer for AgentSigner<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let signed = self.clock.while_signing(self.agent.sign_request(self.identity, hash, data)).await;
        signed.map_err(|error| SignError::Key(Error::new(ErrorKind::Auth, format!("the agent did not sign: {error}"))))
    }
}
