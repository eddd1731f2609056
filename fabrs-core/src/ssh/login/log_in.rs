//! The login: authentication methods in order, all of them again after a partial success (RFC 4252
//! §5.1).

use russh::client::Handle;

use crate::error::Result;
use crate::ssh::handler::Handler;
use crate::ssh::login::attempt::{LoginAttempt, MethodResult};
use crate::ssh::login::login_timer::{CONFIRMATION_TIMEOUT, LoginTimer};
use crate::ssh::settings::SshSettings;
use crate::ssh::target::{Method, Target};

/// The maximum number of methods a server may require. The limit ends an endless login.
const MAX_PARTIAL: usize = 8;

/// Authenticates the user. The error lists the attempted methods and the methods accepted by the
/// server.
///
/// If the host key has changed (`has_changed_key`), no password is sent, as in ssh.
///
/// # Errors
///
/// [`ErrorKind::Auth`](crate::ErrorKind::Auth) if the server rejects all methods, or if the server
/// or the agent exceeds its time limit. Also the errors of the prompter.
pub(crate) async fn log_in(
    handle: &mut Handle<Handler>,
    target: &Target,
    settings: &SshSettings,
    has_changed_key: bool,
) -> Result<()> {
    let mut methods = target.login.methods.clone();
    let mut unusable = Vec::new();
    if has_changed_key {
        methods.retain(|method| *method == Method::PublicKey);
        unusable.push("a password (the host key differs from the one in known_hosts)".to_owned());
    }
    let signature_limit = if target.login.can_prompt { CONFIRMATION_TIMEOUT } else { target.login.answer_timeout };
    let mut attempt = LoginAttempt {
        handle,
        target,
        settings,
        timer: LoginTimer::new(target.login.answer_timeout, signature_limit),
        has_changed_key,
        tried: Vec::new(),
        accepted: Vec::new(),
        configured_password: settings.password.clone(),
        is_configured_password_rejected: false,
        prompts: Vec::new(),
        notices: Vec::new(),
        unusable,
        candidates: None,
        announced_rsa: None,
        methods: None,
    };
    attempt.try_methods(&methods).await
}

impl LoginAttempt<'_> {
    /// Tries the methods in order, and all of them again after each partial success.
    async fn try_methods(&mut self, methods: &[Method]) -> Result<()> {
        let mut left = methods.to_vec();
        let mut partials = 0;
        while !left.is_empty() {
            // A key can be offered at once. For other methods, the server is first queried for its
            // methods.
            let is_first_key = left.len() == methods.len() && left[0] == Method::PublicKey;
            if self.methods.is_none() && !is_first_key && self.try_none().await? == MethodResult::LoggedIn {
                return Ok(());
            }
            let Some(at) = left.iter().position(|method| self.allows(method.kind())) else { break };
            let answer = match left[at] {
                Method::PublicKey => self.try_keys().await?,
                Method::KeyboardInteractive => self.try_keyboard_interactive().await?,
                Method::Password => self.try_password().await?,
            };
            match answer {
                MethodResult::LoggedIn => return Ok(()),
                MethodResult::Partial if partials == MAX_PARTIAL => break,
                MethodResult::Partial => {
                    partials += 1;
                    left = methods.to_vec();
                }
                MethodResult::Rejected => drop(left.remove(at)),
            }
        }
        if self.methods.is_none() && self.try_none().await? == MethodResult::LoggedIn {
            return Ok(());
        }
        Err(self.rejected_error())
    }

    /// Tries the method `none` (RFC 4252 §5.2). The refusal lists the methods of the server.
    async fn try_none(&mut self) -> Result<MethodResult> {
        let answer = self.timer.server(self.handle.authenticate_none(&self.target.user)).await;
        self.record_answer(answer)
    }
}
