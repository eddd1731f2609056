//! Whether the key a server shows is the one on record.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fabrs_openssh::config::StrictHostKeyChecking;
use fabrs_openssh::known_hosts::{self, HostKey, HostKeyStatus, KnownHosts, SALT_LEN};
use russh::keys::PublicKeyOrCertificate;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::shell::quote;
use crate::transport::random::bytes_by_chance;
use crate::transport::ssh::host_certificate::{self, Aside, Credit};
use crate::transport::ssh::revoked_keys::Shown;
use crate::transport::ssh::settings::SshSettings;
use crate::transport::ssh::ssh_command::ssh_command;
use crate::transport::ssh::target::Target;

/// How the check of one server's key stands.
#[derive(Debug, Default)]
pub(super) struct KeyCheck {
    /// Whether a person is being asked right now; the clock of the handshake stands still meanwhile.
    pub(super) asking: AtomicBool,
    /// Whether another key is on record, and the server is only spoken to because checking is off.
    pub(super) mistrusted: AtomicBool,
}

/// Judges the key of one server.
pub(super) struct HostKeys {
    target: Arc<Target>,
    settings: Arc<SshSettings>,
    check: Arc<KeyCheck>,
}

impl HostKeys {
    pub(super) fn new(target: Arc<Target>, settings: Arc<SshSettings>, check: Arc<KeyCheck>) -> Self {
        Self { target, settings, check }
    }

    /// Accepts the key or says why not.
    pub(super) async fn check(&self, shown: &PublicKeyOrCertificate) -> Result<()> {
        let (key, is_certificate) = (shown.public_key(), shown.certificate().is_some());
        if !self.target.algorithms.accepts_host_key(&key.algorithm(), is_certificate) {
            let what = if is_certificate { "certificate" } else { "key" };
            let cause = format!("`HostKeyAlgorithms` does not have {} {what}s", key.algorithm());
            return Err(self
                .refuse(format!("the host shows a {what} of a type that was not asked for"))
                .caused_by(Cause(cause)));
        }
        if let Some((bits, required)) = self.target.algorithms.too_small(shown.public_key().key_data()) {
            let cause = format!("it has {bits} bits, and `RequiredRSASize` is {required}");
            return Err(self.refuse("the host's RSA key is too small".to_owned()).caused_by(Cause(cause)));
        }
        let blob = shown.public_key().to_bytes().map_err(|source| self.unreadable().caused_by(source))?;
        let key = HostKey::from_blob(blob).map_err(|source| self.unreadable().caused_by(source))?;
        let aside = match shown.certificate() {
            Some(certificate) => {
                let content = host_certificate::read(certificate).map_err(|problem| {
                    self.refuse("the host's certificate can't be read".to_owned()).caused_by(Cause(problem))
                })?;
                self.check_revoked(&Shown::Certificate(&content))?;
                match host_certificate::judge(certificate, &content, &*self.known()?, &self.target.trust) {
                    Credit::Vouched => return Ok(()),
                    Credit::Refused { what, cause } => {
                        return Err(self.refuse(what.to_owned()).caused_by(Cause(cause)));
                    }
                    Credit::Aside(aside) => Some(aside),
                }
            }
            None => {
                self.check_revoked(&Shown::Key(&key))?;
                None
            }
        };
        if self.is_accepted(&key, aside.as_ref())? {
            self.tell_of(aside.as_ref());
            return Ok(());
        }
        // Waiting for the answer to another host's question is no silence of this server.
        self.check.asking.store(true, Ordering::Relaxed);
        let mut declined = self.settings.known_hosts.asking.lock().await;
        self.check.asking.store(false, Ordering::Relaxed);
        // Another connection to the same name may have been answered while this one waited.
        if !self.is_accepted(&key, aside.as_ref())? {
            self.unknown(&key, aside.as_ref(), &mut declined).await?;
        }
        self.tell_of(aside.as_ref());
        Ok(())
    }

    /// Tells of a certificate that should have counted, though its key was accepted.
    fn tell_of(&self, aside: Option<&Aside>) {
        if let Some(aside) = aside.filter(|aside| aside.hint.is_some()) {
            let text = format!("its certificate {}: its key was checked instead", aside.text);
            self.settings.sink.event(&Event::Warning { host: Some(&self.target.host), text: &text });
        }
    }

    fn check_revoked(&self, shown: &Shown<'_>) -> Result<()> {
        let Some(file) = &self.target.trust.revoked else { return Ok(()) };
        self.settings.revoked.check(file, shown).map_err(|error| error.on(&self.target.host))
    }

    fn known(&self) -> Result<Arc<KnownHosts>> {
        self.settings.known_hosts(&self.target.trust.files).map_err(|error| error.on(&self.target.host))
    }

    /// Judges the key by what is on record; false where that says nothing.
    fn is_accepted(&self, key: &HostKey, aside: Option<&Aside>) -> Result<bool> {
        let trust = &self.target.trust;
        match self.known()?.lookup(&trust.name, key) {
            HostKeyStatus::Known { .. } => Ok(true),
            HostKeyStatus::Unknown => Ok(false),
            HostKeyStatus::Revoked { at } => Err(self
                .refuse(format!("the host's {} key is revoked", key.algorithm()))
                .caused_by(Cause(format!("revoked in {at}; the host shows {}", key.fingerprint())))),
            HostKeyStatus::Changed { at, algorithm } => {
                self.changed(key, aside, &at.to_string(), &algorithm).map(|()| true)
            }
            // As for ssh: we asked for the types on record first, so a server that shows another has none of them.
            HostKeyStatus::OtherType { recorded } => {
                let types: Vec<String> = recorded.iter().map(|(name, at)| format!("{at} ({name})")).collect();
                self.changed(key, aside, &types.join(", "), key.algorithm()).map(|()| true)
            }
        }
    }

    fn changed(&self, key: &HostKey, aside: Option<&Aside>, at: &str, algorithm: &str) -> Result<()> {
        if self.target.trust.strict == StrictHostKeyChecking::No {
            let text = format!(
                "the host's {algorithm} key differs from the one in {at}: `StrictHostKeyChecking no` lets it in"
            );
            self.check.mistrusted.store(true, Ordering::Relaxed);
            self.settings.sink.event(&Event::Warning { host: Some(&self.target.host), text: &text });
            return Ok(());
        }
        let mut cause = format!("another key is on record in {at}; the host shows {}", key.fingerprint());
        if let Some(aside) = aside {
            let _ = write!(cause, "; its certificate {}", aside.text);
        }
        Err(self.refuse(format!("the host's {algorithm} key has changed")).caused_by(Cause(cause)).hint(format!(
            "if the change is known to be right: `{}`",
            forgetting(&self.target.trust.name.to_string(), at)
        )))
    }

    /// Decides about a key that is on no record.
    async fn unknown(
        &self,
        key: &HostKey,
        aside: Option<&Aside>,
        declined: &mut HashSet<(String, String)>,
    ) -> Result<()> {
        let trust = &self.target.trust;
        match trust.strict {
            StrictHostKeyChecking::No | StrictHostKeyChecking::AcceptNew => self.record(key),
            StrictHostKeyChecking::Ask if trust.may_ask => {
                let shown = (trust.name.to_string(), key.fingerprint());
                if declined.contains(&shown) || !self.ask(key, aside).await? {
                    declined.insert(shown);
                    return Err(self.refuse("the host's key was not accepted".to_owned()));
                }
                self.record(key)
            }
            StrictHostKeyChecking::Ask | StrictHostKeyChecking::Yes => {
                let mut what = format!("the host's {} key is not known", key.algorithm());
                let mut cause = format!("it shows {}", key.fingerprint());
                // As it is, `ssh` would refuse the key too.
                let asking: &[&str] = match trust.strict {
                    StrictHostKeyChecking::Yes => &["-o", "StrictHostKeyChecking=ask"],
                    _ => &[],
                };
                let mut hint = format!(
                    "compare the fingerprint, then connect once with `{}`, or set `StrictHostKeyChecking accept-new`",
                    ssh_command(asking, &self.target, &self.settings)
                );
                if let Some(aside) = aside {
                    cause = format!("its certificate {}; its key, {}, is on no record", aside.text, key.fingerprint());
                    if let Some(advice) = aside.hint {
                        "the host's certificate does not count".clone_into(&mut what);
                        advice.clone_into(&mut hint);
                    }
                }
                Err(self.refuse(what).caused_by(Cause(cause)).hint(hint))
            }
        }
    }

    /// Asks a person whether the key is the host's.
    async fn ask(&self, key: &HostKey, aside: Option<&Aside>) -> Result<bool> {
        let name = &self.target.trust.name;
        let mut question = format!(
            "the host `{name}` shows a {} key that is not known.\n{}fingerprint: {}\naccept and record it? [yes/no] ",
            key.algorithm(),
            aside.map_or_else(String::new, |aside| format!("its certificate {}.\n", aside.text)),
            key.fingerprint()
        );
        self.check.asking.store(true, Ordering::Relaxed);
        let answer = loop {
            let answer = self.settings.ask.line(&question).await;
            match answer.as_deref().map(str::trim) {
                Ok("yes" | "no") | Err(_) => break answer,
                Ok(typed) if typed == key.fingerprint() => break answer,
                Ok(_) => "please say `yes`, `no`, or the fingerprint: ".clone_into(&mut question),
            }
        };
        self.check.asking.store(false, Ordering::Relaxed);
        answer.map(|answer| answer.trim() != "no").map_err(|error| error.on(&self.target.host))
    }

    /// Writes a key down, in the first of the user's files.
    fn record(&self, key: &HostKey) -> Result<()> {
        let trust = &self.target.trust;
        let Some(file) = trust.record.as_ref().filter(|_| self.settings.records_host_keys) else { return Ok(()) };
        let salt =
            trust.hash.then(bytes_by_chance::<SALT_LEN>).transpose().map_err(|error| error.on(&self.target.host))?;
        let written = known_hosts::format_entry(&trust.name, key, salt.as_ref())
            .and_then(|line| known_hosts::append_entry(file, &line));
        let text = match written {
            Ok(()) => format!("recorded its {} key {} in {}", key.algorithm(), key.fingerprint(), file.display()),
            // As for ssh, a file that can't be written is no reason to refuse a key that was accepted.
            Err(source) => format!("accepted its {} key, but could not record it: {source}", key.algorithm()),
        };
        self.settings.sink.event(&Event::Warning { host: Some(&self.target.host), text: &text });
        self.settings.known_hosts.forget();
        Ok(())
    }

    fn refuse(&self, what: String) -> Error {
        Error::new(ErrorKind::HostKey, what).on(&self.target.host)
    }

    fn unreadable(&self) -> Error {
        self.refuse("the host's key can't be read".to_owned())
    }
}

/// Why a host is not trusted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

/// Returns the hint for a host whose key has changed, and that `StrictHostKeyChecking no` lets in.
pub(super) fn changed_key_hint(target: &Target) -> String {
    let file = target.trust.record.as_ref().or(target.trust.files.first()).map(|file| file.display().to_string());
    let command = forgetting(&target.trust.name.to_string(), &format!("{}:", file.unwrap_or_default()));
    format!("if the new host key is genuine, remove the old one: `{command}`")
}

/// Returns the command that takes a name out of the file that has it.
fn forgetting(name: &str, at: &str) -> String {
    let file = at.split(", ").next().and_then(|at| at.rsplit_once(':')).map_or(at, |(file, _)| file);
    let quoted = quote(file).map_or_else(|_| file.into(), std::borrow::Cow::into_owned);
    format!("ssh-keygen -R '{name}' -f {quoted}")
}
