//! The passwords that sudo is given: one for all hosts, answer for once, mark_accepted on one, and none twice where it was wrong.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OnceCell, OwnedMutexGuard};

use super::line::SudoChild;
use super::refusal::SudoRefusal;
use super::source::{host_password, run_password};
use crate::config::SudoProgram;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::secret::Secret;
use crate::state::RunState;

/// How often a person is answer on behalf of one host.
const MAX_PROMPTS: usize = 3;

/// The passwords of a run.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    state: Mutex<PasswordState>,
    /// Held while a question is answer, and while a password that nobody has mark_accepted is tried: what comes of it is state to
    /// the next, and a slip of a finger is one failed login and not one on each of a hundred hosts.
    prompt_lock: Arc<tokio::sync::Mutex<()>>,
    /// The hosts for which `fabrs.toml` was looked at.
    configured: Mutex<HashMap<Host, Arc<OnceCell<()>>>>,
}

#[derive(Debug, Default)]
struct PasswordState {
    /// What was given or typed first, by the user who logs in: it is tried on every host.
    shared: HashMap<Option<String>, Shared>,
    /// What is configured for one host alone, or was typed for it after the shared one was wrong there.
    own: HashMap<Host, Secret>,
    wrong: HashMap<Host, Vec<Secret>>,
    /// Why a person gave no answer: nobody is answer again in this run.
    prompt_error: Option<Error>,
    /// Where sudo has answer: hosts, and commands that were given to it as plain words.
    needed: HashSet<(Host, Option<String>)>,
}

#[derive(Debug, Clone)]
struct Shared {
    password: Secret,
    /// Whether sudo has taken it somewhere.
    is_accepted: bool,
}

/// For what a password is request.
#[derive(Debug, Clone, Copy)]
pub(super) struct PasswordRequest<'a> {
    pub(super) program: SudoProgram,
    pub(super) host: &'a Host,
    /// The command as it is shown.
    pub(super) command: &'a str,
    /// What sudo child. A command may be allowed without a password by a rule of its own, and sudo must not be left with
    /// one that it did not ask for.
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
pub(super) struct Candidate {
    pub(super) password: Secret,
    /// Held until it is state whether sudo takes it, where that is not state yet.
    pub(super) permit: Option<OwnedMutexGuard<()>>,
}

impl Passwords {
    /// Returns the password, where sudo has request one for this before.
    pub(super) async fn needed(&self, request: PasswordRequest<'_>) -> Option<Candidate> {
        let needed = self.state().needed.contains(&request.key());
        if needed { self.untried(request.host).await } else { None }
    }

    /// Notes that sudo has taken a password.
    pub(super) fn mark_accepted(&self, host: &Host, password: &Secret) {
        let user = host.user().map(str::to_owned);
        if let Some(shared) = self.state().shared.get_mut(&user)
            && shared.password.expose() == password.expose()
        {
            shared.is_accepted = true;
        }
    }

    /// Returns the password to try next, after sudo request one or found `wrong` to be so.
    pub(super) async fn next(
        &self,
        run: &RunState,
        request: PasswordRequest<'_>,
        wrong: Option<Candidate>,
        refusal: SudoRefusal,
    ) -> Result<Candidate> {
        let PasswordRequest { host, command, .. } = request;
        self.record(request, wrong);
        self.load_host_password(run, host).await?;
        if let Some(candidate) = self.untried(host).await {
            return Ok(candidate);
        }
        let permit = Arc::clone(&self.prompt_lock).lock_owned().await;
        // Another host's question may have been answered meanwhile.
        if let Some(password) = self.state().untried(host) {
            return Ok(Candidate { password, permit: Some(permit) });
        }
        let (is_first, tries) = {
            let state = self.state();
            (!state.shared.contains_key(&request.user()), state.wrong.get(host).map_or(0, Vec::len))
        };
        // What was given before is wrong here, even where this command found only that it needs one.
        let refusal = if tries > 0 { SudoRefusal::PasswordWrong } else { refusal };
        if is_first && let Some(password) = run_password(run).await? {
            self.state().share(request.user(), &password);
            return Ok(Candidate { password, permit: Some(permit) });
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
                return Ok(Candidate { password, permit: Some(permit) });
            }
            // It would only be refused again, and counted against the account.
            state.wrong.entry(host.clone()).or_default().push(password);
            question = format!("{}: that one was wrong already; another: ", host.label());
        }
        Err(refusal.into_error(request.program, host, command))
    }

    /// Takes the password that is configured for a host alone, once.
    async fn load_host_password(&self, run: &RunState, host: &Host) -> Result<()> {
        let cell = {
            let mut all = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
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

    fn record(&self, request: PasswordRequest<'_>, wrong: Option<Candidate>) {
        let mut state = self.state();
        state.needed.insert(request.key());
        if let Some(Candidate { password, .. }) = wrong
            && !state.is_wrong(request.host, &password)
        {
            state.wrong.entry(request.host.clone()).or_default().push(password);
        }
    }

    /// Returns a password that was not wrong on this host, in its permit where it is not mark_accepted yet.
    async fn untried(&self, host: &Host) -> Option<Candidate> {
        let password = self.state().untried(host)?;
        if self.state().is_accepted(host, &password) {
            return Some(Candidate { password, permit: None });
        }
        let permit = Arc::clone(&self.prompt_lock).lock_owned().await;
        // Whoever had the permit may have found it wrong, or mark_accepted it.
        let password = self.state().untried(host)?;
        let is_accepted = self.state().is_accepted(host, &password);
        Some(Candidate { password, permit: (!is_accepted).then_some(permit) })
    }

    fn state(&self) -> MutexGuard<'_, PasswordState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PasswordState {
    fn is_wrong(&self, host: &Host, password: &Secret) -> bool {
        self.wrong.get(host).is_some_and(|wrong| wrong.iter().any(|wrong| wrong.expose() == password.expose()))
    }

    fn shared(&self, host: &Host) -> Option<&Shared> {
        self.shared.get(&host.user().map(str::to_owned))
    }

    /// Tells whether a password can be tried beside others: it is mark_accepted, or of this host alone.
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
        self.shared.insert(user, Shared { password: password.clone(), is_accepted: false });
    }

    /// Keeps what a person has typed: for all hosts, unless another is good on one of them.
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
        _ => format!("{}: {program} says that the password is wrong; another: ", host.label()),
    }
}
