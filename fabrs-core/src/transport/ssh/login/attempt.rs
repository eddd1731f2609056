//! One login in progress: what was tried, and the errors of a login.

use std::fmt::Write as _;

use russh::MethodKind;
use russh::client::{AuthResult, Handle};

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::transport::prompter::{Ask, NoInput};
use crate::transport::ssh::algorithms::RsaHash;
use crate::transport::ssh::handler::Handler;
use crate::transport::ssh::host_key::changed_key_hint;
use crate::transport::ssh::login::answer_clock::{AnswerClock, Silent};
use crate::transport::ssh::login::candidates::Offers;
use crate::transport::ssh::settings::SshSettings;
use crate::transport::ssh::ssh_command::ssh_command;
use crate::transport::ssh::target::{Method, Target};

/// One login in progress.
pub(super) struct LoginAttempt<'a> {
    pub(super) handle: &'a mut Handle<Handler>,
    pub(super) target: &'a Target,
    pub(super) settings: &'a SshSettings,
    pub(super) clock: AnswerClock,
    /// Whether another key is on record for the host.
    pub(super) is_mistrusted: bool,
    /// What was offered, in words, for the error.
    pub(super) tried: Vec<String>,
    /// What the server has accepted, and required another method.
    pub(super) accepted: Vec<String>,
    /// The password that was given, until it is used.
    pub(super) given: Option<Secret>,
    /// Whether the server refused the given password. No prompt follows then.
    pub(super) refused_given: bool,
    /// The method of each password prompt so far.
    pub(super) prompts: Vec<Method>,
    /// The texts without a question that were shown.
    pub(super) notices: Vec<String>,
    /// What could not be offered, and why.
    pub(super) unusable: Vec<String>,
    /// The keys to offer, found at the first use.
    pub(super) offers: Option<Offers>,
    /// The best hash for RSA that the server has announced, once it is known.
    pub(super) announced_rsa: Option<AnnouncedRsa>,
    /// The methods that the server accepts, from its last refusal. `None` before the first.
    pub(super) methods: Option<Vec<MethodKind>>,
}

/// The server's answer to one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    LoggedIn,
    /// The method was accepted, and another one is required.
    Partial,
    Refused,
}

/// The best hash for RSA that a server has announced, or that it announces none.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnnouncedRsa(pub(super) Option<RsaHash>);

impl<'a> LoginAttempt<'a> {
    /// Returns whom to ask: nobody in batch mode.
    pub(super) fn ask(&self) -> &'a dyn Ask {
        if self.target.login.may_ask { &*self.settings.ask } else { &NoInput }
    }

    /// Notes the server's answer.
    pub(super) fn record_answer(&mut self, answer: Result<Result<AuthResult, russh::Error>, Silent>) -> Result<Answer> {
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

    pub(super) fn allows(&self, method: MethodKind) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    pub(super) fn error(&self) -> Error {
        Error::new(ErrorKind::Auth, format!("could not log in as {}", self.target.user)).on(&self.target.host)
    }

    pub(super) fn silent(&self, silent: Silent) -> Error {
        let agent = self.target.login.agent.as_ref().filter(|_| silent.is_agent());
        let error = self.error().caused_by(silent);
        error.hint(match agent {
            Some(socket) => {
                format!("is the agent at {} running? to log in without it, set `IdentityAgent none`", socket.display())
            }
            None => "to wait longer, use `-t SECONDS`".to_owned(),
        })
    }

    pub(super) fn closed(&self) -> Error {
        self.error()
            .caused_by(Refused(format!("the server hung up after {}", self.list())))
            .hint("it may allow fewer tries: name the right key with `-i`, or set `IdentitiesOnly yes`")
    }

    pub(super) fn refused(&self) -> Error {
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

    pub(super) fn list(&self) -> String {
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
pub(super) struct Refused(pub(super) String);

pub(super) fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
