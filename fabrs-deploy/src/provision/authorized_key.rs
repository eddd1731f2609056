//! [`AuthorizedKey`]: a public key for logins as a user.

use fabrs::{Command, Connection, Error, ErrorKind};

use super::account_name::check_account;
use super::resource::ProbedResource;
use crate::remote_script::with_arguments;

/// Looks for the line in `authorized_keys`.
const PROBE: &str = include_str!("authorized_key_probe.sh");

/// Adds a key to `authorized_keys`.
const CHANGE: &str = include_str!("authorized_key_change.sh");

/// A public key for logins as a user: see
/// [`Provision::ensure_authorized_key`](super::Provision::ensure_authorized_key).
#[derive(Debug, Clone)]
pub struct AuthorizedKey {
    user: String,
    line: String,
}

impl AuthorizedKey {
    pub(super) fn new(user: String, line: &str) -> Self {
        Self { user, line: line.trim().to_owned() }
    }

    /// Returns the Base64 text of the key. Options may precede the key type, and may contain quoted
    /// spaces (section `AUTHORIZED_KEYS FILE FORMAT` of `sshd(8)`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the line has no key, or several lines.
    fn key(&self) -> Result<&str, Error> {
        let words: Vec<&str> = self.line.split_whitespace().collect();
        // All keys begin with the length of their type in 4 bytes: `AAAA` in Base64.
        let key = words.windows(2).find(|pair| is_key_type(pair[0]) && pair[1].starts_with("AAAA")).map(|pair| pair[1]);
        match key {
            Some(key) if !self.line.contains('\n') && !self.line.starts_with('#') => Ok(key),
            _ => {
                let error = Error::new(
                    ErrorKind::Usage,
                    format!("invalid public key for {}: expected one line with a key type and a Base64 key", self.user),
                );
                Err(error.hint("use one line of a .pub file: `ssh-ed25519 AAAA... comment`"))
            }
        }
    }
}

/// Returns true for `ssh-ed25519`, `ecdsa-sha2-nistp256`, `sk-ssh-ed25519@openssh.com` and similar
/// types.
fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| word.starts_with(prefix))
}

impl ProbedResource for AuthorizedKey {
    fn label(&self) -> String {
        format!("authorized key of {}", self.user)
    }

    fn check(&self) -> Result<(), Error> {
        check_account("user", &self.user)?;
        self.key().map(drop)
    }

    fn probe(&self, connection: &Connection) -> Command {
        // Only root and the user can read the file.
        connection.sudo(with_arguments([&self.user, &self.line], PROBE)).probe()
    }

    fn change(&self, connection: &Connection, _differences: &[String]) -> Command {
        let key = self.key().unwrap_or_default();
        // The user writes the file, so a symlink of the user cannot redirect a write of root.
        connection.sudo(with_arguments([key, &self.line], CHANGE)).user(&self.user)
    }

    fn change_label(&self, _differences: &[String]) -> String {
        format!("add an authorized key of {}", self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(line: &str) -> Result<String, Error> {
        AuthorizedKey::new("ann".to_owned(), line).key().map(str::to_owned)
    }

    #[test]
    fn the_key_follows_options_and_its_type() {
        assert_eq!(key("ssh-ed25519 AAAAC3Nz+/= ann@laptop\n").unwrap(), "AAAAC3Nz+/=");
        assert_eq!(key(r#"command="ls -l",restrict ecdsa-sha2-nistp256 AAAAE2"#).unwrap(), "AAAAE2");
    }

    #[test]
    fn a_line_without_a_key_or_two_lines_are_rejected() {
        for line in [
            "",
            "ssh-ed25519",
            "AAAAC3",
            "# ssh-ed25519 AAAAC3",
            "/home/ann/.ssh/id_ed25519.pub",
            "ssh-rsa AAAA1\nssh-rsa AAAA2",
        ] {
            assert_eq!(key(line).unwrap_err().kind(), ErrorKind::Usage, "{line}");
        }
    }
}
