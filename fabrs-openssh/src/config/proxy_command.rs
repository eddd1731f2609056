//! The `ProxyCommand` of a host, and the expansion of its tokens.

use std::fmt;

use crate::error::Error;
use crate::location::Location;

use super::tokens;
use super::value::Problem;

/// The command that connects to a host (`ProxyCommand`).
///
/// Displays as written in the file, with unexpanded tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyCommand {
    pub(super) text: String,
    pub(super) at: Location,
    pub(super) host: String,
    pub(super) hostname: String,
    pub(super) host_key_alias: String,
    pub(super) uses_fdpass: bool,
}

/// Characters with a meaning to a shell. `ssh` rejects most of them in typed names, because `sh`
/// would execute the text after them.
const SHELL_METACHARACTERS: &str = "'\"`$\\;&<>|(){}*?[]!#~";

impl ProxyCommand {
    /// Returns the command as written in the file.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns true if the command passes a connected socket to `ssh` (`ProxyUseFdpass`). Otherwise
    /// the command relays the data of the connection.
    pub fn uses_fdpass(&self) -> bool {
        self.uses_fdpass
    }

    /// Expands the tokens of the command for a shell. `ssh` runs the result as `exec RESULT`.
    ///
    /// `user` and `port` are the values used for the connection. The tokens are `%%`, `%h`, `%k`,
    /// `%n`, `%p` and `%r`.
    ///
    /// ```
    /// use fabrs_openssh::config::{Query, SshConfig};
    ///
    /// let config = SshConfig::parse("ProxyCommand nc %h %p\n", "config")?;
    /// let web1 = config.resolve(&Query::new("web1", "alice", "/home/alice"))?;
    /// let command = web1.proxy_command.expect("a proxy command is set");
    /// assert_eq!(command.expand("deploy", 2222)?, "nc web1 2222");
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Expand`] for an unknown token, or for a name with special characters of a shell.
    /// `ssh` before 9.6 passes such names to the shell.
    pub fn expand(&self, user: &str, port: u16) -> Result<String, Error> {
        let token = |token| match token {
            'h' => shell_word(&self.hostname),
            'k' => shell_word(&self.host_key_alias),
            'n' => shell_word(&self.host),
            'p' => Ok(port.to_string()),
            'r' => shell_word(user),
            _ => Err(format!("unknown token `%{token}`")),
        };
        tokens::expand_tokens(&self.text, &token).map_err(|problem| Error::expand(&self.at, &self.text, problem))
    }
}

impl fmt::Display for ProxyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns the name if every shell reads it as one word, and no command reads it as an option.
fn shell_word(name: &str) -> Result<String, Problem> {
    let is_special = |c: char| c.is_whitespace() || c.is_control() || SHELL_METACHARACTERS.contains(c);
    if name.is_empty() || name.starts_with('-') || name.contains(is_special) {
        return Err(format!("`{}` contains special characters of a shell, or starts with `-`", name.escape_debug()));
    }
    Ok(name.to_owned())
}
