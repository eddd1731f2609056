//! The passwords that sudo is given: one for all hosts, asked for once, proven on one, and none twice where it was wrong.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OnceCell, OwnedMutexGuard};

use super::line::Starts;
use super::refusal::SudoRefusal;
use super::source::{configured, given};
use crate::config::SudoProgram;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::secret::Secret;
use crate::state::RunState;

/// How often a person is asked on behalf of one host.
const TRIES: usize = 3;

/// The passwords of a run.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    known: Mutex<Known>,
    /// Held while a question is asked, and while a password that nobody has proven is tried: what comes of it is known to
    /// the next, and a slip of a finger is one failed login and not one on each of a hundred hosts.
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
    /// The hosts for which `fabrs.toml` was looked at.
    configured: Mutex<HashMap<Host, Arc<OnceCell<()>>>>,
}

#[derive(Debug, Default)]
struct Known {
    /// What was given or typed first, by the user who logs in: it is tried on every host.
    shared: HashMap<Option<String>, Shared>,
    /// What is configured for one host alone, or was typed for it after the shared one was wrong there.
    own: HashMap<Host, Secret>,
    wrong: HashMap<Host, Vec<Secret>>,
    /// Why a person gave no answer: nobody is asked again in this run.
    gave_up: Option<Error>,
    /// Where sudo has asked: hosts, and commands that were given to it as plain words.
    needed: HashSet<(Host, Option<String>)>,
}

#[derive(Debug, Clone)]
struct Shared {
    password: Secret,
    /// Whether sudo has taken it somewhere.
    is_proven: bool,
}

/// For what a password is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) program: SudoProgram,
    pub(super) host: &'a Host,
    /// The command as it is shown.
    pub(super) command: &'a str,
    /// What sudo starts. A command may be allowed without a password by a rule of its own, and sudo must not be left with
    /// one that it did not ask for.
    pub(super) starts: Starts,
}

impl Wanted<'_> {
    fn key(self) -> (Host, Option<String>) {
        (self.host.clone(), (self.starts == Starts::Command).then(|| self.command.to_owned()))
    }

    fn user(self) -> Option<String> {
        self.host.user().map(str::to_owned)
    }
}

/// A password to try.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) password: Secret,
    /// Held until it is known whether sudo takes it, where that is not known yet.
    pub(super) turn: Option<OwnedMutexGuard<()>>,
}

impl Passwords {
    /// Returns the password, where sudo has wanted one for this before.
    pub(super) async fn known_to_be_needed(&self, wanted: Wanted<'_>) -> Option<Candidate> {
        let needed = self.known().needed.contains(&wanted.key());
        if needed { self.untried(wanted.host).await } else { None }
    }

    /// Notes that sudo has taken a password.
    pub(super) fn proven(&self, host: &Host, password: &Secret) {
        let user = host.user().map(str::to_owned);
        if let Some(shared) = self.known().shared.get_mut(&user)
            && shared.password.expose() == password.expose()
        {
            shared.is_proven = true;
        }
    }

    /// Returns the password to try next, after sudo wanted one or found `wrong` to be so.
    pub(super) async fn next(
        &self,
        run: &RunState,
        wanted: Wanted<'_>,
        wrong: Option<Candidate>,
        refusal: SudoRefusal,
    ) -> Result<Candidate> {
        let Wanted { host, command, .. } = wanted;
        self.note(wanted, wrong);
        self.configure(run, host).await?;
        if let Some(candidate) = self.untried(host).await {
            return Ok(candidate);
        }
        let turn = Arc::clone(&self.one_at_a_time).lock_owned().await;
        // Another host's question may have been answered meanwhile.
        if let Some(password) = self.known().untried(host) {
            return Ok(Candidate { password, turn: Some(turn) });
        }
        let (is_first, tries) = {
            let known = self.known();
            (!known.shared.contains_key(&wanted.user()), known.wrong.get(host).map_or(0, Vec::len))
        };
        // What was given before is wrong here, even where this command found only that it needs one.
        let refusal = if tries > 0 { SudoRefusal::PasswordWrong } else { refusal };
        if is_first && let Some(password) = given(run).await? {
            self.known().share(wanted.user(), &password);
            return Ok(Candidate { password, turn: Some(turn) });
        }
        let mut question = question(wanted.program, host, tries);
        for _ in tries..if run.ask().is_available() { TRIES } else { 0 } {
            if let Some(error) = &self.known().gave_up {
                return Err(error.clone());
            }
            let asked = run.ask().secret(&question).await;
            let password = asked.inspect_err(|error| self.known().gave_up = Some(error.clone()))?;
            let mut known = self.known();
            if !known.is_wrong(host, &password) {
                known.keep(wanted, &password);
                return Ok(Candidate { password, turn: Some(turn) });
            }
            // It would only be refused again, and counted against the account.
            known.wrong.entry(host.clone()).or_default().push(password);
            question = format!("{}: that one was wrong already; another: ", host.label());
        }
        Err(refusal.into_error(wanted.program, host, command))
    }

    /// Takes the password that is configured for a host alone, once.
    async fn configure(&self, run: &RunState, host: &Host) -> Result<()> {
        let cell = {
            let mut all = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(host.clone()).or_default())
        };
        let look = async {
            if let Some(password) = configured(run, host).await? {
                self.known().own.insert(host.clone(), password);
            }
            Ok(())
        };
        cell.get_or_try_init(|| look).await.map(drop)
    }

    fn note(&self, wanted: Wanted<'_>, wrong: Option<Candidate>) {
        let mut known = self.known();
        known.needed.insert(wanted.key());
        if let Some(Candidate { password, .. }) = wrong
            && !known.is_wrong(wanted.host, &password)
        {
            known.wrong.entry(wanted.host.clone()).or_default().push(password);
        }
    }

    /// Returns a password that was not wrong on this host, in its turn where it is not proven yet.
    async fn untried(&self, host: &Host) -> Option<Candidate> {
        let password = self.known().untried(host)?;
        if self.known().is_proven(host, &password) {
            return Some(Candidate { password, turn: None });
        }
        let turn = Arc::clone(&self.one_at_a_time).lock_owned().await;
        // Whoever had the turn may have found it wrong, or proven it.
        let password = self.known().untried(host)?;
        let is_proven = self.known().is_proven(host, &password);
        Some(Candidate { password, turn: (!is_proven).then_some(turn) })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_wrong(&self, host: &Host, password: &Secret) -> bool {
        self.wrong.get(host).is_some_and(|wrong| wrong.iter().any(|wrong| wrong.expose() == password.expose()))
    }

    fn shared(&self, host: &Host) -> Option<&Shared> {
        self.shared.get(&host.user().map(str::to_owned))
    }

    /// Tells whether a password can be tried beside others: it is proven, or of this host alone.
    fn is_proven(&self, host: &Host, password: &Secret) -> bool {
        let is_own = self.own.get(host).is_some_and(|own| own.expose() == password.expose());
        is_own
            || self.shared(host).is_some_and(|shared| shared.is_proven && shared.password.expose() == password.expose())
    }

    fn untried(&self, host: &Host) -> Option<Secret> {
        let shared = self.shared(host).map(|shared| &shared.password);
        let mut all = self.own.get(host).into_iter().chain(shared);
        all.find(|password| !self.is_wrong(host, password)).cloned()
    }

    fn share(&mut self, user: Option<String>, password: &Secret) {
        self.shared.insert(user, Shared { password: password.clone(), is_proven: false });
    }

    /// Keeps what a person has typed: for all hosts, unless another is good on one of them.
    fn keep(&mut self, wanted: Wanted<'_>, password: &Secret) {
        if self.shared(wanted.host).is_some_and(|shared| shared.is_proven) {
            self.own.insert(wanted.host.clone(), password.clone());
        } else {
            self.share(wanted.user(), password);
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
