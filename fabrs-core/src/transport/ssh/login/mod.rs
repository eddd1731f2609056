//! Logging in: by keys and certificates (`offers`, in their order; `offer`, one of them), then by answers (`questions`).

mod offer;
mod offers;
mod questions;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use russh::MethodKind;
use russh::client::{AuthResult, Handle};

use super::handler::Handler;
use super::settings::SshSettings;
use super::ssh_command::ssh_command;
use super::target::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::transport::{Ask, NoInput};

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
    /// Returns whom to ask: nobody in batch mode.
    fn ask(&self) -> &'a dyn Ask {
        if self.target.login.may_ask { &*self.settings.ask } else { &NoInput }
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
            _ => {
                let command = ssh_command(&["-v"], self.target, self.settings);
                error.hint(format!("is this the right user and key? try `{command}`"))
            }
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

fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
