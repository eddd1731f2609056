//! Keys, made by `ssh-keygen` for one test and never kept.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The kind of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// Ed25519.
    Ed25519,
    /// ECDSA on the curve nistp256.
    Ecdsa,
    /// RSA with 2048 bits: takes a noticeable moment to make.
    Rsa,
}

impl KeyType {
    /// Returns its name in files: `id_ed25519`, `ssh_host_ed25519_key`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }
}

/// A key pair in two files.
#[derive(Debug, Clone)]
pub struct Key {
    path: PathBuf,
}

impl Key {
    /// Makes a new key pair: `path`, and `path` with `.pub`; an empty passphrase leaves it open.
    ///
    /// # Panics
    ///
    /// If `ssh-keygen` is missing or refuses.
    pub fn generate(path: impl Into<PathBuf>, kind: KeyType, passphrase: &str) -> Self {
        let path = path.into();
        let bits: &[&str] = match kind {
            KeyType::Ed25519 => &[],
            KeyType::Ecdsa => &["-b", "256"],
            KeyType::Rsa => &["-b", "2048"],
        };
        // `-a 1`: the rounds protect a real passphrase; here they only cost time.
        keygen(
            Command::new("ssh-keygen")
                .args(["-q", "-a", "1", "-C", "fabrs-testing", "-t", kind.name()])
                .args(bits)
                .args(["-N", passphrase, "-f"])
                .arg(&path),
        );
        Self { path }
    }

    /// Returns the file with the private half.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file with the public half.
    pub fn public_path(&self) -> PathBuf {
        self.path.with_added_extension("pub")
    }

    /// Returns the public half as one line: kind, key, comment.
    ///
    /// # Panics
    ///
    /// If the file is gone.
    pub fn public(&self) -> String {
        std::fs::read_to_string(self.public_path()).expect("the public half was written").trim_end().to_owned()
    }

    /// Returns the fingerprint as OpenSSH shows it: `SHA256:…`.
    ///
    /// # Panics
    ///
    /// If the file is gone.
    pub fn fingerprint(&self) -> String {
        let shown = keygen(Command::new("ssh-keygen").arg("-lf").arg(self.public_path()));
        shown.split_whitespace().nth(1).expect("bits, fingerprint, comment").to_owned()
    }

    /// Signs this host key with a certificate authority, for these names; returns the file of the certificate.
    ///
    /// # Panics
    ///
    /// If `ssh-keygen` refuses, as it does for an authority with a passphrase.
    pub fn certify_host(&self, authority: &Self, names: &[&str]) -> PathBuf {
        self.certify(authority, &["-h", "-n", &names.join(",")])
    }

    /// Signs this key with a certificate authority, as arguments of `ssh-keygen` say; returns the file of the
    /// certificate: beside the key, with `-cert.pub`. Without `-h` it is one of a user.
    ///
    /// # Panics
    ///
    /// As [`Key::certify_host`].
    pub fn certify(&self, authority: &Self, arguments: &[&str]) -> PathBuf {
        keygen(
            Command::new("ssh-keygen")
                .args(["-q", "-I", "fabrs-testing"])
                .args(arguments)
                .arg("-s")
                .arg(&authority.path)
                .arg(self.public_path()),
        );
        let mut certificate = self.path.clone().into_os_string();
        certificate.push("-cert.pub");
        certificate.into()
    }
}

/// Runs `ssh-keygen` and returns what it printed.
fn keygen(command: &mut Command) -> String {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            panic!("`ssh-keygen` does not start ({error}): `apt-get install openssh-client`, or run `scripts/test`")
        }
    };
    assert!(output.status.success(), "`{command:?}` failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("ssh-keygen prints text")
}
