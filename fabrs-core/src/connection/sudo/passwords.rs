//! The passwords that sudo is given: one for all hosts, asked for once, and none twice where it was wrong.

use std::collections::{HashMap, HashSet};

use tokio::sync::Mutex;

use super::refusal::SudoRefusal;
use crate::client::Client;
use crate::config::PasswordFrom;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;
use crate::secret::Secret;

/// How often a person is asked on behalf of one host.
const TRIES: usize = 3;

/// The passwords of a run.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    /// Held while a question is asked, so that the answer for one host is there for the next.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What was given or typed first, by the user who logs in: it is tried on every host.
    shared: HashMap<Option<String>, Secret>,
    /// What was typed for one host alone, after the shared one was wrong there.
    own: HashMap<Host, Secret>,
    wrong: HashMap<Host, Vec<Secret>>,
    /// Where sudo has asked: hosts, and commands that were given to it as plain words.
    needed: HashSet<(Host, Option<String>)>,
}

/// For what a password is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) host: &'a Host,
    /// The command as it is shown.
    pub(super) command: &'a str,
    /// Whether it runs in a shell of ours, which tells when it begins. Otherwise a rule of its own may allow it without a
    /// password, and sudo must not be left waiting for one.
    pub(super) in_shell: bool,
}

impl Wanted<'_> {
    fn key(self) -> (Host, Option<String>) {
        (self.host.clone(), (!self.in_shell).then(|| self.command.to_owned()))
    }
}

impl Passwords {
    /// Returns the password, where sudo has wanted one for this before.
    pub(super) async fn known_to_be_needed(&self, client: &Client, wanted: Wanted<'_>) -> Option<Secret> {
        let known = self.known.lock().await;
        let needed = known.needed.contains(&wanted.key()) && client.settings().mode == crate::config::Mode::Run;
        needed.then(|| known.untried(wanted.host)).flatten()
    }

    /// Returns the password to try next, after sudo wanted one or found `wrong` to be so.
    pub(super) async fn next(
        &self,
        client: &Client,
        wanted: Wanted<'_>,
        wrong: Option<Secret>,
        refusal: SudoRefusal,
    ) -> Result<Secret> {
        let Wanted { host, command, .. } = wanted;
        let mut known = self.known.lock().await;
        known.needed.insert(wanted.key());
        if let Some(wrong) = wrong {
            known.wrong.entry(host.clone()).or_default().push(wrong);
        }
        if let Some(password) = known.untried(host) {
            return Ok(password);
        }
        let user = host.user().map(str::to_owned);
        let is_first = !known.shared.contains_key(&user);
        if is_first && let Some(given) = given(client).await? {
            known.shared.insert(user, given.clone());
            // What was given for all hosts is wrong here already where it was tried under another user's name.
            return known.untried(host).ok_or_else(|| refusal.into_error(host, command));
        }
        let tries = known.wrong.get(host).map_or(0, Vec::len);
        if tries >= TRIES || !client.ask().available() {
            return Err(refusal.into_error(host, command));
        }
        let password = client.ask().secret(&question(host, tries)).await.map_err(|error| error.on(host))?;
        if is_first {
            known.shared.insert(user, password.clone());
        } else {
            known.own.insert(host.clone(), password.clone());
        }
        Ok(password)
    }
}

impl Known {
    /// Returns a password that was not wrong on this host.
    fn untried(&self, host: &Host) -> Option<Secret> {
        let wrong = self.wrong.get(host).map(Vec::as_slice).unwrap_or_default();
        let is_wrong = |password: &Secret| wrong.iter().any(|wrong| wrong.expose() == password.expose());
        let user = host.user().map(str::to_owned);
        [self.own.get(host), self.shared.get(&user)].into_iter().flatten().find(|known| !is_wrong(known)).cloned()
    }
}

fn question(host: &Host, tries: usize) -> String {
    match (tries, host.user()) {
        (0, Some(user)) => format!("sudo password of {user}: "),
        (0, None) => "sudo password: ".to_owned(),
        _ => format!("{}: sudo says that the password is wrong; its own: ", host.label()),
    }
}

/// Returns the password that was given to the run, where one was.
async fn given(client: &Client) -> Result<Option<Secret>> {
    if let Some(password) = client.sudo_password() {
        return Ok(Some(password.clone()));
    }
    match client.settings().sudo_password.clone() {
        PasswordFrom::Person => Ok(None),
        PasswordFrom::Variable(name) => Ok(crate::config::Variables::look_up(&name).map(Secret::new)),
        PasswordFrom::File(path) => {
            use std::os::unix::fs::PermissionsExt;

            let read = || Ok((std::fs::metadata(&path)?.permissions().mode(), std::fs::read_to_string(&path)?));
            let (mode, text) = read().map_err(|source: std::io::Error| {
                let text = format!("could not read the file with the sudo password, `{}`", path.display());
                Error::new(ErrorKind::Usage, text).caused_by(source)
            })?;
            if mode & 0o077 != 0 {
                let text = format!("others can read the sudo password in `{}`: `chmod 600` it", path.display());
                client.sink().event(&Event::Warning { host: None, text: &text });
            }
            first_line(&text, &path.display().to_string()).map(Some)
        }
        PasswordFrom::Command(line) => {
            let mut command = tokio::process::Command::new("sh");
            command.arg("-c").arg(&line).stdin(std::process::Stdio::null()).kill_on_drop(true);
            let failed =
                || Error::new(ErrorKind::Local, format!("`{line}`, which is to print the sudo password, failed"));
            let output = command.output().await.map_err(|source| failed().caused_by(source))?;
            if !output.status.success() {
                return Err(failed().caused_by(Ended(output.status)));
            }
            first_line(&String::from_utf8_lossy(&output.stdout), &line).map(Some)
        }
    }
}

/// How a command ended that was to print the password.
#[derive(Debug, thiserror::Error)]
#[error("it ended with {0}")]
struct Ended(std::process::ExitStatus);

fn first_line(text: &str, from: &str) -> Result<Secret> {
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Secret::new(line.to_owned())),
        None => Err(Error::new(ErrorKind::Usage, format!("there is no sudo password in `{from}`"))),
    }
}
