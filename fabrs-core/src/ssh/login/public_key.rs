//! Public key authentication: collects candidate keys and offers them in the order of ssh.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use russh::MethodKind;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::public::KeyData;
use tokio::net::UnixStream;

use crate::error::{Error, ErrorKind, Result};
use crate::open_files;
use crate::shell::quote;
use crate::ssh::keys::Availability;
use crate::ssh::login::attempt::{LoginAttempt, MethodResult, innermost};
use crate::ssh::login::candidates::{Candidate, CandidateKey, Candidates, KeySource};
use crate::ssh::user_certificate::{self, CertificateError};

impl LoginAttempt<'_> {
    /// Offers all candidates, except those already accepted by the server.
    pub(super) async fn try_keys(&mut self) -> Result<MethodResult> {
        let mut candidates = match self.candidates.take() {
            Some(candidates) => candidates,
            None => self.find_candidates().await?,
        };
        let mut answer = MethodResult::Rejected;
        for at in 0..candidates.found.len() {
            if !self.allows(MethodKind::PublicKey) {
                break;
            }
            self.unlock(&mut candidates.found[at]).await;
            let Candidate::Ready(candidate) = &candidates.found[at] else { continue };
            answer = self.try_candidate(candidate, candidates.agent.as_mut()).await?;
            if answer == MethodResult::Partial {
                candidates.found[at] = Candidate::Done;
            }
            if answer != MethodResult::Rejected {
                break;
            }
        }
        self.candidates = Some(candidates);
        Ok(answer)
    }

    /// Unlocks a key file with an unknown public key. A failure is recorded, and no further prompt
    /// follows.
    async fn unlock(&mut self, candidate: &mut Candidate) {
        let Candidate::Locked { name, file } = candidate else { return };
        let unlocked = file.unlocked(self.prompter()).await;
        *candidate = match unlocked {
            Ok(key) => {
                let (name, key) = (name.clone(), key.public_key().clone());
                Candidate::Ready(Box::new(CandidateKey {
                    name,
                    certificate: None,
                    key,
                    source: KeySource::File(Arc::clone(file)),
                }))
            }
            Err(error) => {
                self.unusable.push(format!("`{name}` ({error})"));
                Candidate::Done
            }
        };
    }

    /// Collects the candidates in the order of ssh:
    ///
    /// 1. Named certificates, and certificates beside key files.
    /// 2. Keys of the agent named by files.
    /// 3. Other keys of the agent.
    /// 4. Keys only in files.
    ///
    /// The agent signs with its own keys, so no passphrase is needed.
    async fn find_candidates(&mut self) -> Result<Candidates> {
        let mut candidates = Candidates { agent: self.agent().await?, ..Candidates::default() };
        if let Some(agent) = &mut candidates.agent {
            match self.timer.agent(agent.request_identities()).await {
                Ok(Ok(agent_identities)) => candidates.agent_identities = agent_identities,
                Ok(Err(error)) => self.unusable.push(format!("the keys of the agent ({error})")),
                Err(timeout) => return Err(self.timeout_error(timeout)),
            }
        }
        let login = &self.target.login;
        for path in login.certificates.iter().flatten() {
            self.add_certificate(path, &mut candidates).await;
        }
        for path in &login.identities {
            self.add_file(path, &mut candidates).await?;
        }
        if !login.identities_only {
            candidates.add_agent_identities();
        }
        // As in ssh, all keys of the agent come before the keys only in files. The sort is stable,
        // so each class keeps its order.
        candidates.found.sort_by_key(Candidate::rank);
        Ok(candidates)
    }

    /// Connects to the agent. Returns `None` without an agent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Auth`] if the open file limit is reached. Continuing without the agent would
    /// hide this reason behind a rejected login.
    async fn agent(&self) -> Result<Option<AgentClient<UnixStream>>> {
        let Some(socket) = self.target.login.agent.as_ref() else { return Ok(None) };
        match AgentClient::connect_uds(socket).await {
            Err(source) if open_files::is_exhausted(&source) => {
                let text = format!("could not connect to the agent at `{}`", socket.display());
                Err(Error::new(ErrorKind::Auth, text).on(&self.target.host).caused_by(source))
            }
            connected => Ok(connected.ok()),
        }
    }

    /// Adds a named certificate. Its private key is searched in the agent, then in the key files.
    async fn add_certificate(&mut self, path: &Path, candidates: &mut Candidates) {
        let certificate = match user_certificate::read(path) {
            Ok(certificate) => certificate,
            Err(problem) => return self.unusable.push(format!("`{}` ({problem})", path.display())),
        };
        let source = match candidates.agent_for(&certificate) {
            Some(identity) => Some(KeySource::Agent(Box::new(identity))),
            None => self.file_of(certificate.public_key()).await,
        };
        match source {
            Some(source) => candidates.add_certificate(path, certificate, source),
            None => {
                self.unusable.push(format!("`{}` (no private key in a file or the agent)", path.display()));
            }
        }
    }

    /// Returns the key file with the private key that belongs to `key`.
    async fn file_of(&self, key: &KeyData) -> Option<KeySource> {
        for path in &self.target.login.identities {
            if let Ok(Some(file)) = self.settings.keyring.load(path).await
                && file.public().is_some_and(|public| public.key_data() == key)
                && file.availability() == Availability::Available
            {
                return Some(KeySource::File(file));
            }
        }
        None
    }

    /// Adds the key of a file, after the certificate beside it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Auth`] if the open file limit is reached.
    async fn add_file(&mut self, path: &Path, candidates: &mut Candidates) -> Result<()> {
        let name = path.display().to_string();
        let file = match self.settings.keyring.load(path).await {
            Ok(Some(file)) => file,
            Ok(None) => {
                if self.target.login.has_named_identities {
                    self.unusable.push(format!("`{name}` (no such file)"));
                }
                return Ok(());
            }
            Err(error) if error.is_out_of_files() => return Err(error.on(&self.target.host)),
            // An invalid file must not prevent the use of the other files. The error of the login
            // lists it.
            Err(error) => {
                self.unusable.push(format!("`{name}` ({})", innermost(&error)));
                return Ok(());
            }
        };
        let source = (file.availability() == Availability::Available).then(|| KeySource::File(Arc::clone(&file)));
        let Some(key) = file.public().cloned() else {
            match file.availability() {
                Availability::Exposed(mode) => self.exposed(&name, mode),
                Availability::Available | Availability::PublicOnly => {
                    candidates.found.push(Candidate::Locked { name, file });
                }
            }
            return Ok(());
        };
        // As in ssh, named certificates replace those beside the keys.
        if self.target.login.certificates.is_none() {
            self.add_certificate_beside(path, key.key_data(), source.as_ref(), candidates);
        }
        let problem = file.problem();
        let agent_source = candidates.take_key(key.key_data()).map(|identity| KeySource::Agent(Box::new(identity)));
        match (agent_source.or(source), file.availability()) {
            (Some(source), _) => {
                candidates.found.push(Candidate::Ready(Box::new(CandidateKey {
                    name,
                    certificate: None,
                    key,
                    source,
                })));
            }
            (None, Availability::Exposed(mode)) => self.exposed(&name, mode),
            (None, Availability::Available | Availability::PublicOnly) => {
                let problem = problem.unwrap_or("no private key in the file or the agent");
                self.unusable.push(format!("`{name}` ({problem})"));
            }
        }
        Ok(())
    }

    /// Warns about a private key readable by other users. Like ssh, fabrs ignores the key.
    fn exposed(&mut self, name: &str, mode: u32) {
        self.unusable.push(format!("`{name}` (other users can read it: mode {mode:04o})"));
        let quoted = quote(name).map_or_else(|_| name.to_owned(), Cow::into_owned);
        let text = format!(
            "ignored the key `{name}`: other users can read it (mode {mode:04o}); fix with `chmod 600 {quoted}`"
        );
        self.settings.warn_once(&text);
    }

    fn add_certificate_beside(
        &mut self,
        path: &Path,
        key: &KeyData,
        file: Option<&KeySource>,
        candidates: &mut Candidates,
    ) {
        let path = user_certificate::certificate_path(path);
        match user_certificate::read(&path) {
            Ok(certificate) if certificate.public_key() == key => {
                let agent = candidates.agent_for(&certificate).map(|identity| KeySource::Agent(Box::new(identity)));
                // Without a private key, the plain key itself is reported as unusable.
                if let Some(source) = agent.or_else(|| file.cloned()) {
                    candidates.add_certificate(&path, certificate, source);
                }
            }
            Ok(_) => self.unusable.push(format!("`{}` (it is not for the key beside it)", path.display())),
            Err(CertificateError::Missing) => {}
            Err(problem) => self.unusable.push(format!("`{}` ({problem})", path.display())),
        }
    }
}
