//! Keys, certificates and revocation lists created by `ssh-keygen`, and the checks of `ssh-keygen`.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fabrs_openssh::certificate::{HostCertificate, Validity};
use fabrs_openssh::known_hosts::{HostKey, HostName, KnownHosts};
use fabrs_openssh::revoked::{Revocation, RevokedKeys};

use crate::openssh::run;

/// A directory with keys.
pub(crate) struct Keyring {
    directory: tempfile::TempDir,
    certificates: Cell<usize>,
}

/// A file with a public key or certificate.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) path: PathBuf,
    pub(crate) key: HostKey,
    pub(crate) certificate: Option<HostCertificate>,
}

impl Subject {
    /// Looks up the key or certificate in a list.
    pub(crate) fn lookup(&self, revoked: &RevokedKeys) -> Option<Revocation> {
        match &self.certificate {
            Some(certificate) => revoked.lookup_certificate(certificate),
            None => revoked.lookup_key(&self.key),
        }
    }

    /// Returns the line of the file, without a comment.
    pub(crate) fn line(&self) -> String {
        let text = fs::read_to_string(&self.path).expect("ssh-keygen wrote the file");
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }
}

impl Keyring {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory, certificates: Cell::new(0) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).expect("the test writes its file");
        path
    }

    /// Creates a key of a type supported by every `ssh-keygen`.
    pub(crate) fn key(&self, name: &str, kind: &[&str]) -> Subject {
        self.try_key(name, kind).expect("ssh-keygen makes a key")
    }

    /// Creates a key, or returns `None` if `ssh-keygen` does not support the type.
    pub(crate) fn try_key(&self, name: &str, kind: &[&str]) -> Option<Subject> {
        let path = self.path(name);
        let arguments = ["-q", "-N", "", "-C", "test", "-f", text(&path), "-t"];
        let is_made = run("ssh-keygen", arguments.iter().chain(kind)).status.success();
        is_made.then(|| subject(self.path(&format!("{name}.pub"))))
    }

    /// Writes a public key without a private key.
    pub(crate) fn public_key(&self, name: &str, key: &HostKey) -> Subject {
        subject(self.write(&format!("{name}.pub"), format!("{key} test\n")))
    }

    /// Creates a certificate for the host `web`, or for a user of the same name.
    pub(crate) fn certify(&self, key: &Subject, authority: &Subject, serial: u64, key_id: &str, host: bool) -> Subject {
        let number = self.certificates.replace(self.certificates.get() + 1);
        let name = key.path.file_stem().and_then(|stem| stem.to_str()).expect("keys have plain names");
        let copy = self.path(&format!("{name}-{number}.pub"));
        fs::copy(&key.path, &copy).expect("the test copies a key");
        let authority_file = authority.path.with_extension("");
        let serial_text = serial.to_string();
        let mut arguments = vec!["-q", "-s", text(&authority_file), "-I", key_id, "-n", "web", "-z", &serial_text];
        arguments.extend(host.then_some("-h"));
        arguments.push(text(&copy));
        succeed(&arguments);
        let certificate = HostCertificate {
            key: key.key.clone(),
            authority: authority.key.clone(),
            serial,
            key_id: key_id.to_owned(),
            is_for_host: host,
            principals: vec!["web".to_owned()],
            validity: Validity { from: 0, until: u64::MAX },
            critical_options: Vec::new(),
            signature_algorithm: authority.key.algorithm().to_owned(),
        };
        let path = self.path(&format!("{name}-{number}-cert.pub"));
        Subject { path, key: key.key.clone(), certificate: Some(certificate) }
    }

    /// Creates a KRL from a specification, or updates the existing KRL.
    pub(crate) fn krl(&self, name: &str, authority: Option<&str>, specification: &str, update: bool) -> PathBuf {
        let krl = self.path(name);
        let specification = self.write("specification", specification);
        let mut arguments = vec!["-q", "-k", "-f", text(&krl)];
        arguments.extend(authority.iter().flat_map(|authority| ["-s", authority]));
        arguments.extend(update.then_some("-u"));
        arguments.push(text(&specification));
        succeed(&arguments);
        krl
    }
}

/// Returns the keys revoked according to `ssh-keygen`, or `None` if `ssh-keygen` rejects the KRL.
pub(crate) fn revoked_by_ssh_keygen(krl: &Path, subjects: &[Subject]) -> Option<Vec<bool>> {
    let mut arguments = vec!["-Q", "-f", text(krl)];
    arguments.extend(subjects.iter().map(|subject| text(&subject.path)));
    let output = run("ssh-keygen", &arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let revoked: Vec<bool> = printed.lines().map(|line| line.ends_with(": REVOKED")).collect();
    let is_complete = revoked.len() == subjects.len() && matches!(output.status.code(), Some(0 | 1));
    assert!(is_complete || revoked.is_empty(), "{printed}");
    is_complete.then_some(revoked)
}

/// A signed file. `ssh-keygen` decides if the signature is accepted with a given revocation list,
/// and reads lists of both forms with the same function as `ssh`.
pub(crate) struct Signature<'a> {
    keyring: &'a Keyring,
    file: PathBuf,
    signers: PathBuf,
}

impl<'a> Signature<'a> {
    /// Signs a file with a key next to its private key, or with a certificate for the key.
    pub(crate) fn new(keyring: &'a Keyring, name: &str, private: &Path, subject: &Subject) -> Self {
        let message = keyring.write(name, "message\n");
        // `ssh-keygen` expects the private key next to the certificate.
        let copy = keyring.path(&format!("{name}-key"));
        fs::copy(private, &copy).expect("the test copies a key");
        let suffix = if subject.certificate.is_some() { "-cert.pub" } else { ".pub" };
        let public = keyring.path(&format!("{name}-key{suffix}"));
        fs::copy(&subject.path, &public).expect("the test copies a key");
        succeed(&["-q", "-Y", "sign", "-f", text(&public), "-n", "test", text(&message)]);
        let signer = match &subject.certificate {
            Some(certificate) => format!("web cert-authority {}\n", certificate.authority),
            None => format!("web {}\n", subject.key),
        };
        let signers = keyring.write(&format!("{name}.signers"), signer);
        Self { keyring, file: keyring.path(&format!("{name}.sig")), signers }
    }

    pub(crate) fn is_accepted(&self, revoked: &Path) -> bool {
        let message = self.keyring.write("verified", "message\n");
        let signers = text(&self.signers);
        let arguments = ["-Y", "verify", "-f", signers, "-I", "web", "-n", "test", "-s", text(&self.file), "-r"];
        let output = Command::new("ssh-keygen")
            .args(arguments)
            .arg(revoked)
            .stdin(fs::File::open(message).expect("the test wrote the message"))
            .stderr(Stdio::null())
            .output()
            .expect("`ssh-keygen` is required: install `openssh-client`");
        output.status.success()
    }
}

/// Formats lines of a specification that revoke serial numbers.
pub(crate) fn serials(serials: impl Iterator<Item = u64>) -> String {
    serials.map(|serial| format!("serial: {serial}")).collect::<Vec<_>>().join("\n")
}

fn subject(path: PathBuf) -> Subject {
    let line = fs::read_to_string(&path).expect("the public key was written");
    let known = KnownHosts::parse(&format!("host {line}"), "key");
    let entry = known.entries_for(&HostName::new("host", 22)).next().expect("the key can be read");
    Subject { key: entry.key().clone(), path, certificate: None }
}

#[track_caller]
fn succeed(arguments: &[&str]) {
    let output = run("ssh-keygen", arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("test directories have plain names")
}
