//! [`Passwords`]: the sudo passwords of a run. A typed password serves all hosts with the same
//! login user. A host never receives a rejected password again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{OnceCell, OwnedMutexGuard};

use super::line::SudoChild;
use super::password_source::{host_password, run_password};
use super::refusal::SudoRefusal;
use crate::config::SudoProgram;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::mutex::lock;
use crate::secret::Secret;
use crate::state::RunState;

/// The maximum number of prompts for one host.
const MAX_PROMPTS: usize = 3;

/// The passwords of a run.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    state: Mutex<PasswordState>,
    /// Held during a prompt, and while an unverified password is tried. The next host then uses the
    /// result: a typing error causes a single failed login, not a failed login on every host.
    prompt_lock: Arc<tokio::sync::Mutex<()>>,
    /// The hosts with a password read from `fabrs.toml`.
    configured: Mutex<HashMap<Host, Arc<OnceCell<()>>>>,
}

#[derive(Debug, Default)]
struct PasswordState {
    /// The first password given or typed for a login user. It is tried on every host.
    shared: HashMap<Option<String>, SharedPassword>,
    /// The passwords of single hosts: configured, or typed after the shared password was rejected.
    own: HashMap<Host, Secret>,
    wrong: HashMap<Host, Vec<Secret>>,
    /// The error of the first failed prompt. No further prompt appears in the run.
    prompt_error: Option<Error>,
    /// The hosts and plain commands for which sudo has required a password.
    needed: HashSet<(Host, Option<String>)>,
}

#[derive(Debug, Clone)]
struct SharedPassword {
    password: Secret,
    /// True if sudo has accepted the password on any host.
    is_accepted: bool,
}

/// The host and the command for which sudo requires a password.
#[derive(Debug, Clone, Copy)]
pub(super) struct PasswordRequest<'a> {
    pub(super) program: SudoProgram,
    pub(super) host: &'a Host,
    /// The command for messages.
    pub(super) command: &'a str,
    /// The process started by sudo. A sudo rule may allow a command without a password, and an
    /// unrequested password must not be sent.
    pub(super) child: SudoChild,
}

impl PasswordRequest<'_> {
    fn key(self) -> (Host, Option<String>) {
        (self.host.clone(), (self.child == SudoChild::Command).then(|| self.command.to_owned()))
    }

    fn user(self) -> Option<String> {
        self.host.user().map(str::to_owned)
    }
}

/// A password to try.
#[derive(Debug)]
pub(super) struct PasswordCandidate {
    pub(super) password: Secret,
    /// The permit to try an unverified password, held until sudo has accepted or rejected the
    /// password.
    pub(super) permit: Option<OwnedMutexGuard<()>>,
}

impl Passwords {
    /// Returns the password if sudo has required a password for this host and command before.
    pub(super) async fn needed(&self, request: PasswordRequest<'_>) -> Option<PasswordCandidate> {
        let needed = self.state().needed.contains(&request.key());
        if needed { self.untried(request.host).await } else { None }
    }

    /// Records that sudo has accepted a password.
    pub(super) fn mark_accepted(&self, host: &Host, password: &Secret) {
        let user = host.user().map(str::to_owned);
        if let Some(shared) = self.state().shared.get_mut(&user)
            && shared.password.expose() == password.expose()
        {
            shared.is_accepted = true;
        }
    }

    /// Returns the next password to try, after sudo has required a password or rejected `wrong`.
    pub(super) async fn next(
        &self,
        run: &RunState,
        request: PasswordRequest<'_>,
        wrong: Option<PasswordCandidate>,
        refusal: SudoRefusal,
    ) -> Result<PasswordCandidate> {
        let PasswordRequest { host, command, .. } = request;
        self.record(request, wrong);
        self.load_host_password(run, host).await?;
        if let Some(candidate) = self.untried(host).await {
            return Ok(candidate);
        }
        let permit = Arc::clone(&self.prompt_lock).lock_owned().await;
        // The prompt for another host may have been answered in the meantime.
        if let Some(password) = self.state().untried(host) {
            return Ok(PasswordCandidate { password, permit: Some(permit) });
        }
        let (is_first, tries) = {
            let state = self.state();
            (!state.shared.contains_key(&request.user()), state.wrong.get(host).map_or(0, Vec::len))
        };
        // An earlier password was rejected on this host, even if this command only reported a
        // missing password.
        let refusal = if tries > 0 { SudoRefusal::PasswordWrong } else { refusal };
        if is_first && let Some(password) = run_password(run).await? {
            self.state().share(request.user(), &password);
            return Ok(PasswordCandidate { password, permit: Some(permit) });
        }
        let mut question = question(request.program, host, tries);
        for _ in tries..if run.prompter().is_available() { MAX_PROMPTS } else { 0 } {
            if let Some(error) = &self.state().prompt_error {
                return Err(error.clone());
            }
            let answer = run.prompter().secret(&question).await;
            let password = answer.inspect_err(|error| self.state().prompt_error = Some(error.clone()))?;
            let mut state = self.state();
            if !state.is_wrong(host, &password) {
                state.keep(request, &password);
                return Ok(PasswordCandidate { password, permit: Some(permit) });
            }
            // sudo would reject the password again, and count the failure for the account.
            state.wrong.entry(host.clone()).or_default().push(password);
            question = format!("{}: this password was rejected already. Another password: ", host.label());
        }
        Err(refusal.into_error(request.program, host, command))
    }

    /// Reads the configured password of a single host, once.
    async fn load_host_password(&self, run: &RunState, host: &Host) -> Result<()> {
        let cell = {
            let mut all = lock(&self.configured);
            Arc::clone(all.entry(host.clone()).or_default())
        };
        let load = async {
            if let Some(password) = host_password(run, host).await? {
                self.state().own.insert(host.clone(), password);
            }
            Ok(())
        };
        cell.get_or_try_init(|| load).await.map(drop)
    }

    fn record(&self, request: PasswordRequest<'_>, wrong: Option<PasswordCandidate>) {
        let mut state = self.state();
        state.needed.insert(request.key());
        if let Some(PasswordCandidate { password, .. }) = wrong
            && !state.is_wrong(request.host, &password)
        {
            state.wrong.entry(request.host.clone()).or_default().push(password);
        }
    }

    /// Returns a password not yet rejected on this host. An unverified password comes with a
    /// permit.
    async fn untried(&self, host: &Host) -> Option<PasswordCandidate> {
        let password = self.state().untried(host)?;
        if self.state().is_accepted(host, &password) {
            return Some(PasswordCandidate { password, permit: None });
        }
        let permit = Arc::clone(&self.prompt_lock).lock_owned().await;
        // The previous holder of the permit may have verified or rejected the password.
        let password = self.state().untried(host)?;
        let is_accepted = self.state().is_accepted(host, &password);
        Some(PasswordCandidate { password, permit: (!is_accepted).then_some(permit) })
    }

    fn state(&self) -> MutexGuard<'_, PasswordState> {
        lock(&self.state)
    }
}

impl PasswordState {
    fn is_wrong(&self, host: &Host, password: &Secret) -> bool {
        self.wrong.get(host).is_some_and(|wrong| wrong.iter().any(|wrong| wrong.expose() == password.expose()))
    }

    fn shared(&self, host: &Host) -> Option<&SharedPassword> {
        self.shared.get(&host.user().map(str::to_owned))
    }

    /// Returns `true` if hosts may try a password concurrently: a verified password, or the
    /// password of a single host.
    fn is_accepted(&self, host: &Host, password: &Secret) -> bool {
        let is_own = self.own.get(host).is_some_and(|own| own.expose() == password.expose());
        is_own
            || self
                .shared(host)
                .is_some_and(|shared| shared.is_accepted && shared.password.expose() == password.expose())
    }

    fn untried(&self, host: &Host) -> Option<Secret> {
        let shared = self.shared(host).map(|shared| &shared.password);
        let mut all = self.own.get(host).into_iter().chain(shared);
        all.find(|password| !self.is_wrong(host, password)).cloned()
    }

    fn share(&mut self, user: Option<String>, password: &Secret) {
        self.shared.insert(user, SharedPassword { password: password.clone(), is_accepted: false });
    }

    /// Stores a typed password: for all hosts, or for this host if another password is verified for
    /// the others.
    fn keep(&mut self, request: PasswordRequest<'_>, password: &Secret) {
        if self.shared(request.host).is_some_and(|shared| shared.is_accepted) {
            self.own.insert(request.host.clone(), password.clone());
        } else {
            self.share(request.user(), password);
        }
    }
}

fn question(program: SudoProgram, host: &Host, tries: usize) -> String {
    let program = program.name();
    match (tries, host.user()) {
        (0, Some(user)) => format!("{program} password of {user}: "),
        (0, None) => format!("{program} password: "),
        _ => format!("{}: {program} rejected the password. Another password: ", host.label()),
    }
}
