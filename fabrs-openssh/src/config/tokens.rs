//! Expansion of `~`, `%` tokens and `${NAME}`.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha1::{Digest as _, Sha1};

use super::query::{LookUpVariable, Query};
use super::value::Problem;

/// The values of the tokens for a host.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    pub(super) query: &'a Query<'a>,
    pub(super) hostname: &'a str,
    pub(super) user: &'a str,
    pub(super) port: u16,
    pub(super) host_key_alias: Option<&'a str>,
    pub(super) last_jump: &'a str,
}

impl Tokens<'_> {
    /// Expands `~`, tokens and variables, as in `IdentityFile` and `UserKnownHostsFile`.
    pub(super) fn expand_path(&self, value: &str) -> Result<PathBuf, Problem> {
        let (home, rest) = split_home(value, &self.query.home)?;
        let rest = expand(rest, &|token| self.value_of(token), Some(self.query.env))?;
        Ok(match home {
            Some(home) => home.join(rest),
            None => PathBuf::from(rest),
        })
    }

    /// Expands tokens only, as in `Match exec`. The shell expands the variables.
    pub(super) fn expand_text(&self, value: &str) -> Result<String, Problem> {
        expand(value, &|token| self.value_of(token), None)
    }

    fn value_of(&self, token: char) -> Result<String, Problem> {
        let local_hostname = || {
            self.query.local_hostname.as_deref().ok_or_else(|| "the host name of this machine is unknown".to_owned())
        };
        Ok(match token {
            'C' => {
                let text = format!("{}{}{}{}", local_hostname()?, self.hostname, self.port, self.user);
                HEXLOWER.encode(&Sha1::digest(text + self.last_jump))
            }
            'd' => self.query.home.to_string_lossy().into_owned(),
            'h' => self.hostname.to_owned(),
            'i' => self.query.uid.ok_or("the ID of the local user is unknown")?.to_string(),
            'j' => self.last_jump.to_owned(),
            'k' => self.host_key_alias.unwrap_or(&self.query.host).to_owned(),
            'L' => local_hostname()?.split('.').next().unwrap_or_default().to_owned(),
            'l' => local_hostname()?.to_owned(),
            'n' => self.query.host.clone(),
            'p' => self.port.to_string(),
            'r' => self.user.to_owned(),
            'u' => self.query.local_user.clone(),
            _ => return Err(format!("unknown token `%{token}`")),
        })
    }
}

/// Expands the tokens of `HostName`. `%h` is the host as typed.
pub(super) fn expand_hostname(value: &str, typed: &str) -> Result<String, Problem> {
    let token = |token| match token {
        'h' => Ok(typed.to_owned()),
        _ => Err(format!("unknown token `%{token}`")),
    };
    expand(value, &token, None)
}

/// Expands the given tokens only, as in `ProxyCommand`. The shell expands the rest.
pub(super) fn expand_tokens(value: &str, token: &dyn Fn(char) -> Result<String, Problem>) -> Result<String, Problem> {
    expand(value, token, None)
}

/// Expands `~` only, as in `GlobalKnownHostsFile`.
pub(super) fn expand_tilde(value: &str, home: &Path) -> Result<PathBuf, Problem> {
    let (home, rest) = split_home(value, home)?;
    Ok(home.map_or_else(|| PathBuf::from(rest), |home| home.join(rest)))
}

/// Splits off `~/`. A `%` or `$` in the path of the home directory must not be expanded.
fn split_home<'a, 'h>(value: &'a str, home: &'h Path) -> Result<(Option<&'h Path>, &'a str), Problem> {
    match value.strip_prefix('~') {
        None => Ok((None, value)),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Ok((Some(home), rest.trim_start_matches('/'))),
        Some(_) => Err("the home directory of another user is not supported".to_owned()),
    }
}

fn expand(
    value: &str,
    token: &dyn Fn(char) -> Result<String, Problem>,
    env: Option<&LookUpVariable<'_>>,
) -> Result<String, Problem> {
    let mut expanded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find(['%', '$']) {
        expanded.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some((env, after)) = env.zip(rest.strip_prefix("${")) {
            let (name, after) = after.split_once('}').ok_or("`${` is not closed")?;
            expanded.push_str(&env(name).ok_or_else(|| format!("`${{{name}}}` is not set"))?);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('%') {
            let name = after.chars().next().ok_or("`%` at the end of the value")?;
            if name == '%' {
                expanded.push('%');
            } else {
                expanded.push_str(&token(name)?);
            }
            rest = &after[name.len_utf8()..];
        } else {
            expanded.push('$');
            rest = &rest[1..];
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Query, Tokens, expand_hostname, expand_tilde};

    fn env(name: &str) -> Option<String> {
        (name == "KEYS").then(|| "/keys/%h".to_owned())
    }

    #[track_caller]
    fn expanded(value: &str) -> Result<String, String> {
        let query = Query::new("web", "alice", "/home/%h").env(&env).local_hostname("here.example.com").uid(1000);
        let tokens = Tokens {
            query: &query,
            hostname: "web.example.com",
            user: "deploy",
            port: 2222,
            host_key_alias: None,
            last_jump: "",
        };
        tokens.expand_path(value).map(|path| path.to_string_lossy().into_owned())
    }

    #[test]
    fn paths_expand_once_and_from_left_to_right() {
        #[track_caller]
        fn case(value: &str, expected: &str) {
            assert_eq!(expanded(value).as_deref(), Ok(expected), "{value}");
        }
        case("/k/id", "/k/id");
        case("~", "/home/%h/");
        case("~/.ssh/id", "/home/%h/.ssh/id");
        case("~//id", "/home/%h/id");
        case("%d/%u", "/home/%h/alice");
        case(
            "/k/%n-%h-%p-%r-%%-%k-%i-%L-%l-%j",
            "/k/web-web.example.com-2222-deploy-%-web-1000-here-here.example.com-",
        );
        case("${KEYS}/id", "/keys/%h/id");
        case("$KEYS/$", "$KEYS/$");
        case("a~", "a~");
        // The expected value is from `printf %s here.example.comweb.example.com2222deploy |
        // sha1sum`.
        case("%C", "1b0f5ee132bd1ccfc3ca5ca2eebe87c76036d1cb");
    }

    #[test]
    fn invalid_expansions_are_rejected() {
        for value in ["%", "%x", "a%ü", "${KEYS", "${NONE}", "${}", "~bob/id"] {
            assert!(expanded(value).is_err(), "{value}");
        }
    }

    #[test]
    fn host_names_have_a_single_token() {
        assert_eq!(expand_hostname("%h.example.com", "web").as_deref(), Ok("web.example.com"));
        assert_eq!(expand_hostname("100%%", "web").as_deref(), Ok("100%"));
        assert_eq!(expand_hostname("${KEYS}", "web").as_deref(), Ok("${KEYS}"));
        assert!(expand_hostname("%n", "web").is_err());
    }

    #[test]
    fn global_known_hosts_files_expand_only_the_home() {
        assert_eq!(expand_tilde("~/%h", Path::new("/home/a")).as_deref(), Ok(Path::new("/home/a/%h")));
    }
}
