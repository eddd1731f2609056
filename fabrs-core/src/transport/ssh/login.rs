//! Logging in: with which keys, in which order, and what to ask for where none is taken.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::PublicKey;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use tokio::net::UnixStream;

use super::handler::Handler;
use super::keys::{FileSigner, KeyFile, SignError, hash_for};
use super::settings::SshSettings;
use super::target::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::transport::{Ask, NoInput};

/// How often a person is asked for a password.
const TRIES: usize = 3;

/// One login in progress.
pub(super) struct LoginAttempt<'a> {
    handle: &'a mut Handle<Handler>,
    target: &'a Target,
    settings: &'a SshSettings,
    /// What was offered, in words, for the error.
    tried: Vec<String>,
    /// The password that was given, until it is used.
    given: Option<Secret>,
    /// What could not be offered, and why.
    unusable: Vec<String>,
    /// What the server would take, as its last refusal said; nothing known before the first.
    methods: Option<Vec<MethodKind>>,
}

/// A key to offer: from a file, from the agent, or from both.
enum Candidate {
    File(Arc<KeyFile>, String),
    Agent(PublicKey, String),
}

/// Logs in, or says what was tried and what the server would take.
///
/// To a server that is `mistrusted` no password is sent, as by ssh: another key is on record for it.
pub(super) async fn log_in(
    handle: &mut Handle<Handler>,
    target: &Target,
    settings: &SshSettings,
    mistrusted: bool,
) -> Result<()> {
    let mut attempt = LoginAttempt {
        handle,
        target,
        settings,
        tried: Vec::new(),
        given: settings.password.clone(),
        unusable: Vec::new(),
        methods: None,
    };
    if target.login.publickey && attempt.by_keys().await? {
        return Ok(());
    }
    if attempt.methods.is_none() {
        let result = attempt.handle.authenticate_none(&target.user).await;
        if attempt.took(result)? {
            return Ok(());
        }
    }
    if mistrusted {
        attempt.unusable.push("a password (another key is on record for the host)".to_owned());
    } else if attempt.by_password().await? {
        return Ok(());
    }
    Err(attempt.refused())
}

impl<'a> LoginAttempt<'a> {
    /// Offers keys: those of the agent that files name, the files, then what else the agent holds.
    async fn by_keys(&mut self) -> Result<bool> {
        let mut agent = self.agent().await;
        let mut held = match &mut agent {
            Some(agent) => identities(agent).await,
            None => Vec::new(),
        };
        let mut candidates = Vec::new();
        let login = &self.target.login;
        for path in &login.identities {
            self.add_file(path, &mut held, &mut candidates).await?;
        }
        if !login.identities_only {
            candidates.extend(held.into_iter().map(|(key, comment)| Candidate::Agent(key, comment)));
        }
        for candidate in candidates {
            if self.allows(MethodKind::PublicKey) && self.by_key(candidate, agent.as_mut()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds the key that a file names: by the agent where it holds it, so that no passphrase is needed.
    async fn add_file(
        &mut self,
        path: &Path,
        held: &mut Vec<(PublicKey, String)>,
        candidates: &mut Vec<Candidate>,
    ) -> Result<()> {
        let name = path.display().to_string();
        match self.settings.keyring.load(path).await {
            Ok(Some(file)) => {
                let known = held.iter().position(|(key, _)| key.key_data() == file.public().key_data());
                match known {
                    Some(at) => candidates.push(Candidate::Agent(held.remove(at).0, name)),
                    None if file.is_elsewhere() => {
                        self.unusable.push(format!("`{name}` (its private half is neither here nor in the agent)"));
                    }
                    None => candidates.push(Candidate::File(file, name)),
                }
            }
            Ok(None) if self.target.login.named => self.unusable.push(format!("`{name}` (no such file)")),
            Ok(None) => {}
            // One bad file must not hide the others; it is named if the login fails.
            Err(error) => self.unusable.push(format!("`{name}` ({})", innermost(&error))),
        }
        Ok(())
    }

    async fn agent(&self) -> Option<AgentClient<UnixStream>> {
        let socket = self.target.login.agent.as_ref()?;
        AgentClient::connect_uds(socket).await.ok()
    }

    async fn by_key(&mut self, candidate: Candidate, agent: Option<&mut AgentClient<UnixStream>>) -> Result<bool> {
        let user = self.target.user.as_str();
        match (candidate, agent) {
            (Candidate::File(file, name), _) => {
                self.tried.push(format!("`{name}`"));
                let mut signer = FileSigner { file: &file, ask: self.ask() };
                let (key, hash) = (file.public().clone(), hash_for(file.public()));
                match self.handle.authenticate_publickey_with(user, key, hash, &mut signer).await {
                    Ok(result) => self.took(Ok(result)),
                    Err(SignError::Key(error)) => {
                        self.tried.pop();
                        self.unusable.push(format!("`{name}` ({error})"));
                        Ok(false)
                    }
                    Err(SignError::Gone) => Err(self.closed()),
                }
            }
            (Candidate::Agent(key, name), Some(agent)) => {
                self.tried.push(format!("`{name}` of the agent"));
                let hash = hash_for(&key);
                match self.handle.authenticate_publickey_with(user, key, hash, agent).await {
                    Ok(result) => self.took(Ok(result)),
                    Err(error) => {
                        self.tried.pop();
                        self.unusable.push(format!("`{name}` (the agent did not sign: {error})"));
                        Ok(false)
                    }
                }
            }
            (Candidate::Agent(..), None) => Ok(false),
        }
    }

    /// Tries a password: the one that was given, once; otherwise a person's, a few times.
    async fn by_password(&mut self) -> Result<bool> {
        let login = &self.target.login;
        let (given, may_ask) = (self.settings.password.is_some(), login.may_ask);
        if !given && !may_ask {
            return Ok(false);
        }
        for _ in 0..if given { 1 } else { TRIES } {
            let done = if login.keyboard_interactive && self.allows(MethodKind::KeyboardInteractive) {
                self.by_keyboard().await?
            } else if login.password && self.allows(MethodKind::Password) {
                let question = format!("{}@{}'s password: ", self.target.user, self.target.host.label());
                let password = self.secret(&question).await?;
                self.tried.push("a password".to_owned());
                let user = self.target.user.as_str();
                let result = self.handle.authenticate_password(user, password.expose()).await;
                self.took(result)?
            } else {
                return Ok(false);
            };
            if done {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Answers what the server asks (RFC 4256). No question at all is legal, and the answers must be as many.
    async fn by_keyboard(&mut self) -> Result<bool> {
        self.tried.push("keyboard-interactive".to_owned());
        let user = self.target.user.clone();
        let mut response = self.handle.authenticate_keyboard_interactive_start(user, None).await;
        loop {
            let prompts = match response {
                Ok(KeyboardInteractiveAuthResponse::Success) => return Ok(true),
                Ok(KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success }) => {
                    return self.took(Ok(AuthResult::Failure { remaining_methods, partial_success }));
                }
                Ok(KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. }) => prompts,
                Err(error) => return self.took(Err(error)),
            };
            let mut answers = Vec::new();
            for prompt in prompts {
                let question = format!("{}: {}", self.target.host.label(), prompt.prompt);
                let answer = if prompt.echo {
                    self.ask().line(&question).await.map_err(|error| error.on(&self.target.host))?
                } else {
                    self.secret(&question).await?.expose().to_owned()
                };
                answers.push(answer);
            }
            response = self.handle.authenticate_keyboard_interactive_respond(answers).await;
        }
    }

    /// Returns whom to ask: nobody in batch mode.
    fn ask(&self) -> &'a dyn Ask {
        if self.target.login.may_ask { &*self.settings.ask } else { &NoInput }
    }

    /// Returns the password that was given, once: a server that asks again has said that it is wrong.
    async fn secret(&mut self, question: &str) -> Result<Secret> {
        match self.given.take() {
            Some(password) => Ok(password),
            None => self.ask().secret(question).await.map_err(|error| error.on(&self.target.host)),
        }
    }

    /// Notes the server's answer; true where the login is done.
    fn took(&mut self, result: Result<AuthResult, russh::Error>) -> Result<bool> {
        match result {
            Ok(AuthResult::Success) => Ok(true),
            // russh tells of a server that hung up as of a refusal without methods.
            Ok(AuthResult::Failure { .. }) if self.handle.is_closed() => Err(self.closed()),
            Ok(AuthResult::Failure { remaining_methods, .. }) => {
                self.methods = Some(remaining_methods.iter().copied().collect());
                Ok(false)
            }
            Err(source) => Err(self.error().caused_by(source)),
        }
    }

    fn allows(&self, method: MethodKind) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    fn error(&self) -> Error {
        Error::new(ErrorKind::Auth, format!("could not log in as {}", self.target.user)).on(&self.target.host)
    }

    fn closed(&self) -> Error {
        self.error()
            .caused_by(Refused(format!("the server hung up after {}", self.list())))
            .hint("it may allow fewer tries: name the right key with `-i`, or set `IdentitiesOnly yes`")
    }

    fn refused(&self) -> Error {
        let mut text = format!("the server refused {}", self.list());
        if !self.unusable.is_empty() {
            let _ = write!(text, "; could not be used: {}", self.unusable.join(", "));
        }
        if let Some(methods) = self.methods.as_ref().filter(|methods| !methods.is_empty()) {
            let names: Vec<String> = methods.iter().map(|method| <&str>::from(method).to_owned()).collect();
            let _ = write!(text, "; it accepts {}", names.join(", "));
        }
        let error = self.error().caused_by(Refused(text));
        let asks = self.allows(MethodKind::Password) || self.allows(MethodKind::KeyboardInteractive);
        match (self.target.login.may_ask, asks && self.methods.is_some()) {
            (false, true) if self.settings.password.is_none() => {
                error.hint("it would take a password, but nobody can be asked: use a key, or a terminal")
            }
            _ => error.hint(format!("is this the right user and key? try `ssh -v {}`", self.target.host)),
        }
    }

    fn list(&self) -> String {
        if self.tried.is_empty() { "to let us in: there was no key to offer".to_owned() } else { self.tried.join(", ") }
    }
}

/// Why the server did not let us in.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

async fn identities(agent: &mut AgentClient<UnixStream>) -> Vec<(PublicKey, String)> {
    let identities = agent.request_identities().await.unwrap_or_default();
    let keys = identities.into_iter().filter_map(|identity| match identity {
        AgentIdentity::PublicKey { key, comment } => Some((key, comment)),
        AgentIdentity::Certificate { .. } => None,
    });
    keys.collect()
}

fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
