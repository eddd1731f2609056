//! The state of a login: attempts so far, the server's answers and the errors.

use std::fmt::Write as _;

use russh::MethodKind;
use russh::client::{AuthResult, Handle};

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::ssh::algorithms::RsaHash;
use crate::ssh::handler::Handler;
use crate::ssh::host_key::changed_key_hint;
use crate::ssh::login::candidates::Candidates;
use crate::ssh::login::login_timer::{LoginTimeout, LoginTimer};
use crate::ssh::settings::SshSettings;
use crate::ssh::ssh_command::ssh_command;
use crate::ssh::target::{Method, Target};
use crate::transport::{NoPrompter, Prompter};

/// A login in progress.
pub(super) struct LoginAttempt<'a> {
    pub(super) handle: &'a mut Handle<Handler>,
    pub(super) target: &'a Target,
    pub(super) settings: &'a SshSettings,
    pub(super) timer: LoginTimer,
    /// True if `known_hosts` has another key for the host.
    pub(super) has_changed_key: bool,
    /// The attempts so far, as text for the error.
    pub(super) tried: Vec<String>,
    /// Attempts accepted by the server, which then required another method.
    pub(super) accepted: Vec<String>,
    /// The password of the settings, until it is used.
    pub(super) configured_password: Option<Secret>,
    /// True if the server rejected the configured password. No prompt follows then.
    pub(super) is_configured_password_rejected: bool,
    /// The method of each password prompt so far.
    pub(super) prompts: Vec<Method>,
    /// The texts of the server without a question, shown as warnings so far.
    pub(super) notices: Vec<String>,
    /// Keys and methods that could not be used, with the reason.
    pub(super) unusable: Vec<String>,
    /// The keys to offer, collected at the first use.
    pub(super) candidates: Option<Candidates>,
    /// The strongest RSA hash announced by the server, once known.
    pub(super) announced_rsa: Option<AnnouncedRsa>,
    /// The methods accepted by the server according to its last refusal. `None` before the first
    /// refusal.
    pub(super) methods: Option<Vec<MethodKind>>,
}

/// The answer of the server to a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MethodResult {
    LoggedIn,
    /// The method was accepted, and another method is required.
    Partial,
    Rejected,
}

/// The strongest RSA hash announced by a server, or `None` if the server announces no hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnnouncedRsa(pub(super) Option<RsaHash>);

impl<'a> LoginAttempt<'a> {
    /// Returns the prompter. In batch mode every prompt fails.
    pub(super) fn prompter(&self) -> &'a dyn Prompter {
        if self.target.login.can_prompt { &*self.settings.prompter } else { &NoPrompter }
    }

    /// Records the answer of the server.
    pub(super) fn record_answer(
        &mut self,
        answer: Result<Result<AuthResult, russh::Error>, LoginTimeout>,
    ) -> Result<MethodResult> {
        match answer.map_err(|timeout| self.timeout_error(timeout))? {
            Ok(AuthResult::Success) => Ok(MethodResult::LoggedIn),
            // russh reports a closed connection as a refusal without methods.
            Ok(AuthResult::Failure { .. }) if self.handle.is_closed() => Err(self.hangup_error()),
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                self.methods = Some(remaining_methods.iter().copied().collect());
                if partial_success {
                    self.accepted.extend(self.tried.pop());
                    return Ok(MethodResult::Partial);
                }
                Ok(MethodResult::Rejected)
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

    pub(super) fn timeout_error(&self, timeout: LoginTimeout) -> Error {
        let agent = self.target.login.agent.as_ref().filter(|_| timeout.is_agent());
        let error = self.error().caused_by(timeout);
        error.hint(match agent {
            Some(socket) => {
                format!("is the agent at {} running? to log in without it, set `IdentityAgent none`", socket.display())
            }
            None => "to wait longer, use `-t SECONDS`".to_owned(),
        })
    }

    pub(super) fn hangup_error(&self) -> Error {
        self.error()
            .caused_by(LoginRejected(format!("the server closed the connection after {}", self.tried_list())))
            .hint("the server may limit the tries: name the right key with `-i`, or set `IdentitiesOnly yes`")
    }

    pub(super) fn rejected_error(&self) -> Error {
        let mut text = match (self.accepted.as_slice(), self.tried.as_slice()) {
            ([], _) => format!("the server refused {}", self.tried_list()),
            (accepted, []) => format!("the server accepted {}, and requires another method", accepted.join(", ")),
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
        let error = self.error().caused_by(LoginRejected(text));
        let login = &self.target.login;
        let mut passwords = login.methods.iter().filter(|method| **method != Method::PublicKey);
        let accepts_password = passwords.any(|method| self.allows(method.kind()));
        if self.has_changed_key {
            return error.hint(changed_key_hint(self.target));
        }
        match (self.target.login.can_prompt, accepts_password && self.methods.is_some()) {
            (false, true) if self.settings.password.is_none() => error.hint(
                "the server accepts passwords, but fabrs cannot prompt: use a key, or run the program at a terminal",
            ),
            _ => {
                let command = ssh_command(&["-v"], self.target, self.settings);
                error.hint(format!("is this the right user and key? try `{command}`"))
            }
        }
    }

    pub(super) fn tried_list(&self) -> String {
        let has_keys = self.target.login.methods.contains(&Method::PublicKey);
        match (self.tried.is_empty(), has_keys) {
            (false, _) => self.tried.join(", "),
            (true, true) => "the login: there was no key to offer".to_owned(),
            (true, false) => "the login: the ssh config allows no key".to_owned(),
        }
    }
}

/// The cause of a failed login.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct LoginRejected(pub(super) String);

pub(super) fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
