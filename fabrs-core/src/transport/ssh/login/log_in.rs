//! Logging in: the authentication methods in their order, each again after a partial success (RFC 4252 §5.1).

use russh::client::Handle;

use crate::error::Result;
use crate::transport::ssh::handler::Handler;
use crate::transport::ssh::login::answer_clock::{AnswerClock, CONFIRMATION};
use crate::transport::ssh::login::attempt::{Answer, LoginAttempt};
use crate::transport::ssh::settings::SshSettings;
use crate::transport::ssh::target::{Method, Target};

/// How many methods a server may require. One that requires more would never let us in.
const MAX_PARTIAL: usize = 8;

/// Logs in. The error lists the methods tried and the methods that the server accepts.
///
/// If the host key has changed (`mistrusted`), no password is sent, as in ssh.
///
/// # Errors
///
/// [`ErrorKind::Auth`] if the server refuses all methods, or a side does not answer in time. Also the errors of the prompts.
pub(crate) async fn log_in(
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

impl LoginAttempt<'_> {
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
}
