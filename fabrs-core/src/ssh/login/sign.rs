//! Offering one candidate key to the server, and signing with the agent.

use russh::Signer;
use russh::client::{AuthResult, Handle};
use russh::keys::HashAlg;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use tokio::net::UnixStream;

use crate::error::{Error, ErrorKind, Result};
use crate::ssh::algorithms::{LoginSignature, RsaHash};
use crate::ssh::handler::Handler;
use crate::ssh::login::attempt::{AnnouncedRsa, LoginAttempt, MethodResult};
use crate::ssh::login::candidates::{CandidateKey, KeySource};
use crate::ssh::login::file_signer::{FileSigner, SignError};
use crate::ssh::login::login_timer::{LoginTimeout, LoginTimer};

impl LoginAttempt<'_> {
    /// Offers a candidate to the server. An unusable candidate is recorded and counts as rejected.
    pub(super) async fn try_candidate(
        &mut self,
        candidate: &CandidateKey,
        agent: Option<&mut AgentClient<UnixStream>>,
    ) -> Result<MethodResult> {
        let description = candidate.description(&self.target.user);
        let algorithms = &self.target.algorithms;
        if let Some((bits, required)) = algorithms.too_small(candidate.key.key_data()) {
            self.unusable.push(format!("{description} ({bits} bits, and `RequiredRSASize` is {required})"));
            return Ok(MethodResult::Rejected);
        }
        let announced = if candidate.key.algorithm().is_rsa() { self.announced_rsa().await? } else { None };
        let is_certificate = candidate.certificate.is_some();
        let Some(signature) = algorithms.login_signature(&candidate.key.algorithm(), is_certificate, announced) else {
            self.unusable.push(format!("{description} (its algorithm is not in `PubkeyAcceptedAlgorithms`)"));
            return Ok(MethodResult::Rejected);
        };
        self.tried.push(description.clone());
        let result = match (&candidate.source, agent) {
            (KeySource::File(file), _) => {
                let mut signer = FileSigner { file, prompter: self.prompter(), timer: &self.timer };
                send(self.handle, &self.target.user, candidate, signature, &mut signer, &self.timer).await
            }
            (KeySource::Agent(identity), Some(agent)) => {
                let mut signer = AgentSigner { agent, identity, timer: &self.timer };
                send(self.handle, &self.target.user, candidate, signature, &mut signer, &self.timer).await
            }
            (KeySource::Agent(_), None) => {
                Ok(Err(SignError::Key(Error::new(ErrorKind::Auth, "the connection to the agent is lost"))))
            }
        };
        match result {
            Ok(Ok(result)) => self.record_answer(Ok(Ok(result))),
            Ok(Err(SignError::Key(error))) => {
                self.tried.pop();
                self.unusable.push(format!("{description} ({error})"));
                Ok(MethodResult::Rejected)
            }
            Ok(Err(SignError::Gone)) => Err(self.hangup_error()),
            Err(timeout) => Err(self.timeout_error(timeout)),
        }
    }

    /// Returns the strongest RSA hash announced by the server (RFC 8308 §3.1).
    async fn announced_rsa(&mut self) -> Result<Option<RsaHash>> {
        if let Some(announced) = self.announced_rsa {
            return Ok(announced.0);
        }
        // russh waits up to one second for the announcement.
        let answer = self.timer.confirmed_server(self.handle.best_supported_rsa_hash()).await;
        // A closed session is reported by the next request.
        let answer = answer.map_err(|timeout| self.timeout_error(timeout))?;
        let announced = answer.unwrap_or(None).map(RsaHash::from_russh);
        self.announced_rsa = Some(AnnouncedRsa(announced));
        Ok(announced)
    }
}

async fn send<S: Signer<Error = SignError>>(
    handle: &mut Handle<Handler>,
    user: &str,
    candidate: &CandidateKey,
    signature: LoginSignature,
    signer: &mut S,
    timer: &LoginTimer,
) -> Result<Result<AuthResult, SignError>, LoginTimeout> {
    let hash = signature.hash();
    match candidate.certificate.clone() {
        Some(certificate) => timer.server(handle.authenticate_certificate_with(user, certificate, hash, signer)).await,
        None => timer.server(handle.authenticate_publickey_with(user, candidate.key.clone(), hash, signer)).await,
    }
}

/// A signer with an identity of the agent. For a certificate in a file, the identity is its plain
/// key.
struct AgentSigner<'a> {
    agent: &'a mut AgentClient<UnixStream>,
    identity: &'a AgentIdentity,
    timer: &'a LoginTimer,
}

impl Signer for AgentSigner<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let signed = self.timer.while_signing(self.agent.sign_request(self.identity, hash, data)).await;
        signed.map_err(|error| SignError::Key(Error::new(ErrorKind::Auth, format!("the agent did not sign: {error}"))))
    }
}
