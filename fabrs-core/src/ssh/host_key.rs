//! Host key verification: `known_hosts`, certificates, revoked keys and prompts.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fabrs_openssh::config::StrictHostKeyChecking;
use fabrs_openssh::known_hosts::{self, HostKey, HostKeyStatus, KnownHosts, SALT_LEN};
use russh::keys::PublicKeyOrCertificate;

use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::event::Event;
use crate::shell::quote;
use crate::ssh::host_certificate::{self, CertificateVerdict, IgnoredCertificate};
use crate::ssh::revoked_keys::PresentedKey;
use crate::ssh::settings::SshSettings;
use crate::ssh::ssh_command::ssh_command;
use crate::ssh::target::Target;
use crate::transport::random_bytes;

/// The state of a host key check, shared with the handshake.
#[derive(Debug, Default)]
pub(super) struct KeyCheckState {
    /// True while a prompt is open. The time limit of the handshake is suspended meanwhile.
    pub(super) is_prompting: AtomicBool,
    /// True if `known_hosts` has another key. The connection continues only because checking is
    /// off.
    pub(super) has_changed_key: AtomicBool,
}

/// The verifier of a server's key.
pub(super) struct HostKeyVerifier {
    target: Arc<Target>,
    settings: Arc<SshSettings>,
    check: Arc<KeyCheckState>,
}

impl HostKeyVerifier {
    pub(super) fn new(target: Arc<Target>, settings: Arc<SshSettings>, check: Arc<KeyCheckState>) -> Self {
        Self { target, settings, check }
    }

    /// Checks a key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HostKey`] if the key is not accepted, with the reason.
    pub(super) async fn check(&self, presented: &PublicKeyOrCertificate) -> Result<()> {
        let (key, is_certificate) = (presented.public_key(), presented.certificate().is_some());
        if !self.target.algorithms.accepts_host_key(&key.algorithm(), is_certificate) {
            let kind = if is_certificate { "certificate" } else { "key" };
            let cause = format!("`HostKeyAlgorithms` does not list {} {kind}s", key.algorithm());
            return Err(self
                .refuse(format!("the host presents a {kind} of a type that was not requested"))
                .caused_by(CauseText(cause)));
        }
        if let Some((bits, required)) = self.target.algorithms.too_small(presented.public_key().key_data()) {
            let cause = format!("it has {bits} bits, and `RequiredRSASize` is {required}");
            return Err(self.refuse("the host's RSA key is too small".to_owned()).caused_by(CauseText(cause)));
        }
        let blob = presented.public_key().to_bytes().map_err(|source| self.unreadable().caused_by(source))?;
        let key = HostKey::from_blob(blob).map_err(|source| self.unreadable().caused_by(source))?;
        let ignored = match presented.certificate() {
            Some(certificate) => {
                let content = host_certificate::read(certificate).map_err(|problem| {
                    self.refuse("the host's certificate can't be read".to_owned()).caused_by(CauseText(problem))
                })?;
                self.check_revoked(&PresentedKey::Certificate(&content))?;
                match host_certificate::judge(certificate, &content, &*self.known()?, &self.target.host_key_policy) {
                    CertificateVerdict::Trusted => return Ok(()),
                    CertificateVerdict::Rejected { text, cause } => {
                        return Err(self.refuse(text.to_owned()).caused_by(CauseText(cause)));
                    }
                    CertificateVerdict::Ignored(ignored) => Some(ignored),
                }
            }
            None => {
                self.check_revoked(&PresentedKey::Key(&key))?;
                None
            }
        };
        if self.is_accepted(&key, ignored.as_ref())? {
            self.warn_about(ignored.as_ref());
            return Ok(());
        }
        // Waiting for another host's prompt does not count towards the timeout of this host.
        self.check.is_prompting.store(true, Ordering::Relaxed);
        let mut declined = self.settings.known_hosts.declined.lock().await;
        self.check.is_prompting.store(false, Ordering::Relaxed);
        // The prompt for another connection to the same name may have been answered meanwhile.
        if !self.is_accepted(&key, ignored.as_ref())? {
            self.decide_unknown(&key, ignored.as_ref(), &mut declined).await?;
        }
        self.warn_about(ignored.as_ref());
        Ok(())
    }

    /// Warns about a flaw of a certificate, after the plain key was accepted.
    fn warn_about(&self, ignored: Option<&IgnoredCertificate>) {
        if let Some(ignored) = ignored.filter(|ignored| ignored.hint.is_some()) {
            let text = format!("its certificate {}: its key was checked instead", ignored.text);
            self.settings.sink.event(&Event::Warning { host: Some(&self.target.host), text: &text });
        }
    }

    fn check_revoked(&self, presented: &PresentedKey<'_>) -> Result<()> {
        let Some(file) = &self.target.host_key_policy.revoked else { return Ok(()) };
        self.settings.revoked.check(file, presented).map_err(|error| error.on(&self.target.host))
    }

    fn known(&self) -> Result<Arc<KnownHosts>> {
        self.settings.known_hosts(&self.target.host_key_policy.files).map_err(|error| error.on(&self.target.host))
    }

    /// Compares the key with `known_hosts`. Returns false if the host is unknown.
    fn is_accepted(&self, key: &HostKey, ignored: Option<&IgnoredCertificate>) -> Result<bool> {
        let policy = &self.target.host_key_policy;
        match self.known()?.lookup(&policy.name, key) {
            HostKeyStatus::Known { .. } => Ok(true),
            HostKeyStatus::Unknown => Ok(false),
            HostKeyStatus::Revoked { at } => Err(self
                .refuse(format!("the host's {} key is revoked", key.algorithm()))
                .caused_by(CauseText(format!("revoked in {at}; the host shows {}", key.fingerprint())))),
            HostKeyStatus::Changed { at, algorithm } => {
                self.changed(key, ignored, &at.to_string(), &algorithm).map(|()| true)
            }
            // As in ssh: the recorded key types were offered first, so the server has none of them.
            HostKeyStatus::OtherType { recorded } => {
                let types: Vec<String> = recorded.iter().map(|(name, at)| format!("{at} ({name})")).collect();
                self.changed(key, ignored, &types.join(", "), key.algorithm()).map(|()| true)
            }
        }
    }

    fn changed(&self, key: &HostKey, ignored: Option<&IgnoredCertificate>, at: &str, algorithm: &str) -> Result<()> {
        if self.target.host_key_policy.strict == StrictHostKeyChecking::No {
            let text = format!(
                "the host's {algorithm} key differs from the one in {at}: `StrictHostKeyChecking no` allows it"
            );
            self.check.has_changed_key.store(true, Ordering::Relaxed);
            self.settings.sink.event(&Event::Warning { host: Some(&self.target.host), text: &text });
            return Ok(());
        }
        let mut cause = format!("another key is on record in {at}; the host shows {}", key.fingerprint());
        if let Some(ignored) = ignored {
            let _ = write!(cause, "; its certificate {}", ignored.text);
        }
        Err(self.refuse(format!("the host's {algorithm} key has changed")).caused_by(CauseText(cause)).hint(format!(
            "if the new host key is genuine, remove the old one: `{}`",
            removal_command(&self.target.host_key_policy.name.to_string(), at)
        )))
    }

    /// Accepts or rejects the key of an unknown host.
    async fn decide_unknown(
        &self,
        key: &HostKey,
        ignored: Option<&IgnoredCertificate>,
        declined: &mut HashSet<(String, String)>,
    ) -> Result<()> {
        let policy = &self.target.host_key_policy;
        match policy.strict {
            StrictHostKeyChecking::No | StrictHostKeyChecking::AcceptNew => self.record_key(key),
            StrictHostKeyChecking::Ask if policy.can_prompt => {
                let shown = (policy.name.to_string(), key.fingerprint());
                if declined.contains(&shown) || !self.prompt(key, ignored).await? {
                    declined.insert(shown);
                    return Err(self.refuse("the host's key was not accepted".to_owned()));
                }
                self.record_key(key)
            }
            StrictHostKeyChecking::Ask | StrictHostKeyChecking::Yes => {
                let mut text = format!("the host's {} key is not known", key.algorithm());
                let mut cause = format!("it shows {}", key.fingerprint());
                // With `StrictHostKeyChecking yes`, `ssh` would refuse the key too.
                let asking: &[&str] = match policy.strict {
                    StrictHostKeyChecking::Yes => &["-o", "StrictHostKeyChecking=ask"],
                    _ => &[],
                };
                let mut hint = format!(
                    "compare the fingerprint, then connect once with `{}`, or set `StrictHostKeyChecking accept-new`",
                    ssh_command(asking, &self.target, &self.settings)
                );
                if let Some(ignored) = ignored {
                    cause = format!("its certificate {}; its key {} is not known", ignored.text, key.fingerprint());
                    if let Some(advice) = ignored.hint {
                        "the host's certificate is not accepted".clone_into(&mut text);
                        advice.clone_into(&mut hint);
                    }
                }
                Err(self.refuse(text).caused_by(CauseText(cause)).hint(hint))
            }
        }
    }

    /// Prompts a person for the decision.
    async fn prompt(&self, key: &HostKey, ignored: Option<&IgnoredCertificate>) -> Result<bool> {
        let name = &self.target.host_key_policy.name;
        let mut question = format!(
            "the host `{name}` shows a {} key that is not known.\n{}fingerprint: {}\naccept and record it? [yes/no] ",
            key.algorithm(),
            ignored.map_or_else(String::new, |ignored| format!("its certificate {}.\n", ignored.text)),
            key.fingerprint()
        );
        self.check.is_prompting.store(true, Ordering::Relaxed);
        let answer = loop {
            let answer = self.settings.prompter.line(&question).await;
            match answer.as_deref().map(str::trim) {
                Ok("yes" | "no") | Err(_) => break answer,
                Ok(typed) if typed == key.fingerprint() => break answer,
                Ok(_) => "type `yes`, `no` or the fingerprint: ".clone_into(&mut question),
            }
        };
        self.check.is_prompting.store(false, Ordering::Relaxed);
        answer.map(|answer| answer.trim() != "no").map_err(|error| error.on(&self.target.host))
    }

    /// Records a key in the first file of the user.
    fn record_key(&self, key: &HostKey) -> Result<()> {
        let policy = &self.target.host_key_policy;
        let Some(file) = policy.record_file.as_ref().filter(|_| self.settings.records_host_keys) else { return Ok(()) };
        let salt = policy
            .hash_names
            .then(random_bytes::<SALT_LEN>)
            .transpose()
            .map_err(|error| error.on(&self.target.host))?;
        let written = known_hosts::format_entry(&policy.name, key, salt.as_ref())
            .and_then(|line| known_hosts::append_entry(file, &line));
        let text = match written {
            Ok(()) => format!("recorded its {} key {} in {}", key.algorithm(), key.fingerprint(), file.display()),
            // As in ssh, an accepted key stays accepted even if the file is not writable.
            Err(source) => format!("accepted its {} key, but could not record it: {source}", key.algorithm()),
        };
        self.settings.sink.event(&Event::Warning { host: Some(&self.target.host), text: &text });
        self.settings.known_hosts.forget();
        Ok(())
    }

    fn refuse(&self, text: String) -> Error {
        Error::new(ErrorKind::HostKey, text).on(&self.target.host)
    }

    fn unreadable(&self) -> Error {
        self.refuse("the host's key can't be read".to_owned())
    }
}

/// Returns the hint for a host with a changed key, allowed by `StrictHostKeyChecking no`.
pub(super) fn changed_key_hint(target: &Target) -> String {
    let file = target
        .host_key_policy
        .record_file
        .as_ref()
        .or(target.host_key_policy.files.first())
        .map(|file| file.display().to_string());
    let command = removal_command(&target.host_key_policy.name.to_string(), &format!("{}:", file.unwrap_or_default()));
    format!("if the new host key is genuine, remove the old one: `{command}`")
}

/// Returns the command that removes a name from its file.
fn removal_command(name: &str, at: &str) -> String {
    let file = at.split(", ").next().and_then(|at| at.rsplit_once(':')).map_or(at, |(file, _)| file);
    let quoted = quote(file).map_or_else(|_| file.into(), std::borrow::Cow::into_owned);
    format!("ssh-keygen -R '{name}' -f {quoted}")
}
