//! The command that makes the connection to a host, and what its tokens stand for.

use std::fmt;

use crate::error::Error;
use crate::location::Location;

use super::tokens;
use super::value::Problem;

/// The command that makes the connection to a host: `ProxyCommand`.
///
/// Displays as it stands in the file, tokens unexpanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyCommand {
    pub(super) text: String,
    pub(super) at: Location,
    pub(super) host: String,
    pub(super) hostname: String,
    pub(super) host_key_alias: String,
    pub(super) uses_fdpass: bool,
}

/// What a shell may act on. `ssh` refuses most of it in names that are typed; `sh` would run what is behind it.
const SHELL_METACHARACTERS: &str = "'\"`$\\;&<>|(){}*?[]!#~";

impl ProxyCommand {
    /// Returns the command as it stands in the file.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether the command makes a socket and hands it over, rather than carrying what is said:
    /// `ProxyUseFdpass`.
    pub fn uses_fdpass(&self) -> bool {
        self.uses_fdpass
    }

    /// Returns the command for a shell, `%%`, `%h`, `%k`, `%n`, `%p` and `%r` expanded, with the user and the port that
    /// the connection is for in the end. `ssh` puts `exec` before it.
    ///
    /// # Errors
    ///
    /// [`Error::Expand`] if there is another token, or one stands for a name that a shell would not take as one word,
    /// which `ssh` passes on where its version is older than 9.6.
    pub fn expand(&self, user: &str, port: u16) -> Result<String, Error> {
        let token = |token| match token {
            'h' => shell_word(&self.hostname),
            'k' => shell_word(&self.host_key_alias),
            'n' => shell_word(&self.host),
            'p' => Ok(port.to_string()),
            'r' => shell_word(user),
            _ => Err(format!("`%{token}` is not known here")),
        };
        tokens::expand_tokens(&self.text, &token).map_err(|problem| Error::expand(&self.at, &self.text, problem))
    }
}

impl fmt::Display for ProxyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns a name that is one plain word, and no option, to any shell.
fn shell_word(name: &str) -> Result<String, Problem> {
    let is_special = |c: char| c.is_whitespace() || c.is_control() || SHELL_METACHARACTERS.contains(c);
    if name.is_empty() || name.starts_with('-') || name.contains(is_special) {
        return Err(format!("`{}` is no plain word to a shell", name.escape_debug()));
    }
    Ok(name.to_owned())
}
