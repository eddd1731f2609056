//! The keys and certificates that are offered to log in, and their order.

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
use crate::transport::ssh::keys::Availability;
use crate::transport::ssh::login::attempt::{Answer, LoginAttempt, innermost};
use crate::transport::ssh::login::candidates::{Candidate, Holder, Offer, Offers};
use crate::transport::ssh::user_certificate::{self, Unusable};

impl LoginAttempt<'_> {
    /// Offers keys and certificates, except those that the server has already accepted.
    pub(super) async fn by_keys(&mut self) -> Result<Answer> {
        let mut offers = match self.offers.take() {
            Some(offers) => offers,
            None => self.find_offers().await?,
        };
        let mut answer = Answer::Refused;
        for at in 0..offers.found.len() {
            if !self.allows(MethodKind::PublicKey) {
                break;
            }
            self.unseal(&mut offers.found[at]).await;
            let Candidate::Ready(offer) = &offers.found[at] else { continue };
            answer = self.by_offer(offer, offers.agent.as_mut()).await?;
            if answer == Answer::Partial {
                offers.found[at] = Candidate::Settled;
            }
            if answer != Answer::Refused {
                break;
            }
        }
        self.offers = Some(offers);
        Ok(answer)
    }

    /// Unlocks a key file without a known public key. A failure is recorded, and the passphrase is not requested again.
    async fn unseal(&mut self, candidate: &mut Candidate) {
        let Candidate::Sealed { name, file } = candidate else { return };
        let unlocked = file.unlocked(self.ask()).await;
        *candidate = match unlocked {
            Ok(key) => {
                let (name, key) = (name.clone(), key.public_key().clone());
                Candidate::Ready(Box::new(Offer {
                    name,
                    certificate: None,
                    key,
                    holder: Holder::File(Arc::clone(file)),
                }))
            }
            Err(error) => {
                self.unusable.push(format!("`{name}` ({error})"));
                Candidate::Settled
            }
        };
    }

    /// Collects the offers in the order of ssh: named certificates, and those beside key files; the agent's keys that files name;
    /// the other keys of the agent; keys that are only in files. The agent signs for the keys that it holds, so that no
    /// passphrase is needed.
    async fn find_offers(&mut self) -> Result<Offers> {
        let mut offers = Offers { agent: self.agent().await?, ..Offers::default() };
        if let Some(agent) = &mut offers.agent {
            match self.clock.agent(agent.request_identities()).await {
                Ok(Ok(held)) => offers.held = held,
                Ok(Err(error)) => self.unusable.push(format!("the keys of the agent ({error})")),
                Err(silent) => return Err(self.silent(silent)),
            }
        }
        let login = &self.target.login;
        for path in login.certificates.iter().flatten() {
            self.add_certificate(path, &mut offers).await;
        }
        for path in &login.identities {
            self.add_file(path, &mut offers).await?;
        }
        if !login.identities_only {
            offers.add_rest();
        }
        // As ssh: each key of the agent before all that are only in files. Stable, so the order of each class is kept.
        offers.found.sort_by_key(Candidate::rank);
        Ok(offers)
    }

    /// Connects to the agent, if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Auth`] if the open file limit is reached. Without the agent, the error would be a refused login.
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
                self.unusable.push(format!("`{}` (no private key in a file or the agent)", path.display()));
            }
        }
    }

    /// Returns the file with the private half of a key.
    async fn file_of(&self, key: &KeyData) -> Option<Holder> {
        for path in &self.target.login.identities {
            if let Ok(Some(file)) = self.settings.keyring.load(path).await
                && file.public().is_some_and(|public| public.key_data() == key)
                && file.availability() == Availability::Available
            {
                return Some(Holder::File(file));
            }
        }
        None
    }

    /// Adds the key that a file names, after the certificate beside it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Auth`] if the open file limit is reached.
    async fn add_file(&mut self, path: &Path, offers: &mut Offers) -> Result<()> {
        let name = path.display().to_string();
        let file = match self.settings.keyring.load(path).await {
            Ok(Some(file)) => file,
            Ok(None) => {
                if self.target.login.named {
                    self.unusable.push(format!("`{name}` (no such file)"));
                }
                return Ok(());
            }
            Err(error) if error.is_out_of_files() => return Err(error.on(&self.target.host)),
            // One bad file must not hide the others; it is named if the login fails.
            Err(error) => {
                self.unusable.push(format!("`{name}` ({})", innermost(&error)));
                return Ok(());
            }
        };
        let holder = (file.availability() == Availability::Available).then(|| Holder::File(Arc::clone(&file)));
        let Some(key) = file.public().cloned() else {
            match file.availability() {
                Availability::Exposed(mode) => self.exposed(&name, mode),
                Availability::Available | Availability::PublicOnly => {
                    offers.found.push(Candidate::Sealed { name, file });
                }
            }
            return Ok(());
        };
        // As for ssh, those that were named stand for all.
        if self.target.login.certificates.is_none() {
            self.add_beside(path, key.key_data(), holder.as_ref(), offers);
        }
        let problem = file.problem();
        let held = offers.take_key(key.key_data()).map(|identity| Holder::Agent(Box::new(identity)));
        match (held.or(holder), file.availability()) {
            (Some(holder), _) => {
                offers.found.push(Candidate::Ready(Box::new(Offer { name, certificate: None, key, holder })));
            }
            (None, Availability::Exposed(mode)) => self.exposed(&name, mode),
            (None, Availability::Available | Availability::PublicOnly) => {
                let problem = problem.unwrap_or("no private key in the file or the agent");
                self.unusable.push(format!("`{name}` ({problem})"));
            }
        }
        Ok(())
    }

    /// Warns of a private key that other users can read. Like ssh, we don't use it.
    fn exposed(&mut self, name: &str, mode: u32) {
        self.unusable.push(format!("`{name}` (other users can read it: mode {mode:04o})"));
        let quoted = quote(name).map_or_else(|_| name.to_owned(), Cow::into_owned);
        let text = format!(
            "ignored the key `{name}`: other users can read it (mode {mode:04o}); fix with `chmod 600 {quoted}`"
        );
        self.settings.warn_once(&text);
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
