//! Logging in: the authentication methods in their order, each again after a partial success (RFC 4252 §5.1).
//!
//! Keys and certificates are offered by `offers` and `offer`; passwords and the server's questions are answered by
//! `questions`.

mod offer;
mod offers;
mod questions;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use russh::MethodKind;
use russh::client::{AuthResult, Handle};

use self::offer::AnnouncedRsa;
use self::offers::Offers;
use super::answer_clock::{AnswerClock, CONFIRMATION, Silent};
use super::handler::Handler;
use super::host_key::changed_key_hint;
use super::settings::SshSettings;
use super::ssh_command::ssh_command;
use super::target::{Method, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::transport::{Ask, NoInput};

/// How many methods a server may require. One that requires more would never let us in.
const MAX_PARTIAL: usize = 8;

/// One login in progress.
pub(super) struct LoginAttempt<'a> {
    handle: &'a mut Handle<Handler>,
    target: &'a Target,
    settings: &'a SshSettings,
    clock: AnswerClock,
    /// Whether another key is on record for the host.
    is_mistrusted: bool,
    /// What was offered, in words, for the error.
    tried: Vec<String>,
    /// What the server has accepted, and required another method.
    accepted: Vec<String>,
    /// The password that was given, until it is used.
    given: Option<Secret>,
    /// Whether the server refused the given password. No prompt follows then.
    refused_given: bool,
    /// The method of each password prompt so far.
    prompts: Vec<Method>,
    /// The texts without a question that were shown.
    notices: Vec<String>,
    /// What could not be offered, and why.
    unusable: Vec<String>,
    /// The keys to offer, found at the first use.
    offers: Option<Offers>,
    /// The best hash for RSA that the server has announced, once it is known.
    announced_rsa: Option<AnnouncedRsa>,
    /// The methods that the server accepts, from its last refusal. `None` before the first.
    methods: Option<Vec<MethodKind>>,
}

/// The server's answer to one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    LoggedIn,
    /// The method was accepted, and another one is required.
    Partial,
    Refused,
}

/// Logs in. The error lists the methods tried and the methods that the server accepts.
///
/// If the host key has changed (`mistrusted`), no password is sent, as in ssh.
///
/// # Errors
///
/// [`ErrorKind::Auth`] if the server refuses all methods, or a side does not answer in time. Also the errors of the prompts.
pub(super) async fn log_in(
    handle: &mut Handle<Handler>,
    target: &Target,
    settings: &SshSettings,
    mistrusted: bool,
) -> Result<()> {
    let mut methods = target.login.methods.clone();
    let mut unusable = Vec::new();
    if mistrusted {
        methods.retain(|method| *method == Method::PublicKey);
        unusable.push("a password (the host key differs from the one in known_hosts)".to_owned());
    }
    let signature_limit = if target.login.may_ask { CONFIRMATION } else { target.login.answer_limit };
    let mut attempt = LoginAttempt {
        handle,
        target,
        settings,
        clock: AnswerClock::new(target.login.answer_limit, signature_limit),
        is_mistrusted: mistrusted,
        tried: Vec::new(),
        accepted: Vec::new(),
        given: settings.password.clone(),
        refused_given: false,
        prompts: Vec::new(),
        notices: Vec::new(),
        unusable,
        offers: None,
        announced_rsa: None,
        methods: None,
    };
    attempt.by(&methods).await
}

impl<'a> LoginAttempt<'a> {
    /// Tries methods in their order, all of them again after each partial success.
    async fn by(&mut self, methods: &[Method]) -> Result<()> {
        let mut left = methods.to_vec();
        let mut partials = 0;
        while !left.is_empty() {
            // A key can be offered at once; for all else, the server is first asked which methods it takes.
            let is_first_key = left.len() == methods.len() && left[0] == Method::PublicKey;
            if self.methods.is_none() && !is_first_key && self.by_none().await? == Answer::LoggedIn {
                return Ok(());
            }
            let Some(at) = left.iter().position(|method| self.allows(method.kind())) else { break };
            let answer = match left[at] {
                Method::PublicKey => self.by_keys().await?,
                Method::KeyboardInteractive => self.by_keyboard().await?,
                Method::Password => self.by_password().await?,
            };
            match answer {
                Answer::LoggedIn => return Ok(()),
                Answer::Partial if partials == MAX_PARTIAL => break,
                Answer::Partial => {
                    partials += 1;
                    left = methods.to_vec();
                }
                Answer::Refused => drop(left.remove(at)),
            }
        }
        if self.methods.is_none() && self.by_none().await? == Answer::LoggedIn {
            return Ok(());
        }
        Err(self.refused())
    }

    async fn by_none(&mut self) -> Result<Answer> {
        let answer = self.clock.server(self.handle.authenticate_none(&self.target.user)).await;
        self.record_answer(answer)
    }

    /// Returns whom to ask: nobody in batch mode.
    fn ask(&self) -> &'a dyn Ask {
        if self.target.login.may_ask { &*self.settings.ask } else { &NoInput }
    }

    /// Notes the server's answer.
    fn record_answer(&mut self, answer: Result<Result<AuthResult, russh::Error>, Silent>) -> Result<Answer> {
        match answer.map_err(|silent| self.silent(silent))? {
            Ok(AuthResult::Success) => Ok(Answer::LoggedIn),
            // russh reports a server that hung up as a refusal without methods.
            Ok(AuthResult::Failure { .. }) if self.handle.is_closed() => Err(self.closed()),
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                self.methods = Some(remaining_methods.iter().copied().collect());
                if partial_success {
                    self.accepted.extend(self.tried.pop());
                    return Ok(Answer::Partial);
                }
                Ok(Answer::Refused)
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

    fn silent(&self, silent: Silent) -> Error {
        let agent = self.target.login.agent.as_ref().filter(|_| silent.is_agent());
        let error = self.error().caused_by(silent);
        error.hint(match agent {
            Some(socket) => {
                format!("is the agent at {} running? to log in without it, set `IdentityAgent none`", socket.display())
            }
            None => "to wait longer, use `-t SECONDS`".to_owned(),
        })
    }

    fn closed(&self) -> Error {
        self.error()
            .caused_by(Refused(format!("the server hung up after {}", self.list())))
            .hint("it may allow fewer tries: name the right key with `-i`, or set `IdentitiesOnly yes`")
    }

    fn refused(&self) -> Error {
        let mut text = match (self.accepted.as_slice(), self.tried.as_slice()) {
            ([], _) => format!("the server refused {}", self.list()),
            (accepted, []) => format!("the server accepted {}, and requires more", accepted.join(", ")),
            (accepted, tried) => {
                format!("the server accepted {}, and refused {}", accepted.join(", "), tried.join(", "))
            }
        };
        if !self.unusable.is_empty() {
            let _ = write!(text, "; could not be used: {}", self.unusable.join(", "));
        }
        if let Some(methods) = self.methods.as_ref().filter(|methods| !methods.is_empty()) {
            let names: Vec<String> = methods.iter().map(|method| <&str>::from(method).to_owned()).collect();
            let _ = write!(text, "; it accepts {}", names.join(", "));
        }
        let error = self.error().caused_by(Refused(text));
        let login = &self.target.login;
        let mut passwords = login.methods.iter().filter(|method| **method != Method::PublicKey);
        let asks = passwords.any(|method| self.allows(method.kind()));
        if self.is_mistrusted {
            return error.hint(changed_key_hint(self.target));
        }
        match (self.target.login.may_ask, asks && self.methods.is_some()) {
            (false, true) if self.settings.password.is_none() => {
                error.hint("it would take a password, but nobody can be asked: use a key, or a terminal")
            }
            _ => {
                let command = ssh_command(&["-v"], self.target, self.settings);
                error.hint(format!("is this the right user and key? try `{command}`"))
            }
        }
    }

    fn list(&self) -> String {
        let has_keys = self.target.login.methods.contains(&Method::PublicKey);
        match (self.tried.is_empty(), has_keys) {
            (false, _) => self.tried.join(", "),
            (true, true) => "to let us in: there was no key to offer".to_owned(),
            (true, false) => "to let us in: the ssh config allows no key".to_owned(),
        }
    }
}

/// Why the server did not let us in.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
