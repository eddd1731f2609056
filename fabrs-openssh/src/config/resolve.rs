//! Resolves the settings of a host: evaluates the lines in order and expands the values.

use std::net::IpAddr;

use crate::error::Error;
use crate::location::{Location, Warning};
use crate::pattern;

use super::criteria::{self, Criterion, MatchContext};
use super::directive::HostPattern;
use super::expand_values::{expand_values, is_yes, unless_none};
use super::host_config::{HostConfig, RawValue};
use super::jump_host::JumpHost;
use super::keyword;
use super::load::{Content, ParsedFile, SshConfig};
use super::proxy_command::ProxyCommand;
use super::query::{Query, RunCommand};
use super::tokens::{self, Tokens};
use super::unexpanded_values::{UnexpandedValue, UnexpandedValues};

impl SshConfig {
    /// Returns the settings of a host.
    ///
    /// # Errors
    ///
    /// - [`Error::Expand`] if a value for this host cannot be expanded.
    /// - [`Error::UnknownKeyword`] for a keyword unknown to `ssh` and not listed in
    ///   `IgnoreUnknown`.
    /// - [`Error::MatchExec`] if the command of a `Match exec` cannot be started.
    pub fn resolve(&self, query: &Query<'_>) -> Result<HostConfig, Error> {
        let values = UnexpandedValues { user: query.user.clone(), port: query.port, ..UnexpandedValues::default() };
        let mut resolver = Resolver { query, values, warnings: Vec::new(), needs_second_pass: false, final_host: None };
        resolver.read_files(&self.files)?;
        if resolver.needs_second_pass {
            resolver.final_host = Some(normalize_host(resolver.current_host()?));
            resolver.read_files(&self.files)?;
        }
        resolver.finish()
    }
}

/// The state of a resolution. A second pass keeps the values of the first pass, and compares blocks
/// with the final host name.
struct Resolver<'q> {
    query: &'q Query<'q>,
    values: UnexpandedValues,
    warnings: Vec<Warning>,
    /// True after a `Match final`. All lines are then read a second time.
    needs_second_pass: bool,
    final_host: Option<String>,
}

impl Resolver<'_> {
    fn read_files(&mut self, files: &[ParsedFile]) -> Result<(), Error> {
        for file in files {
            self.read_file(file, true)?;
        }
        Ok(())
    }

    /// Reads a file. `is_reachable` is false in a file included from a block that does not match.
    /// No line of such a file applies, but its keywords are still checked.
    fn read_file(&mut self, file: &ParsedFile, is_reachable: bool) -> Result<(), Error> {
        let mut is_active = is_reachable;
        for line in &file.lines {
            match &line.content {
                Content::Host(patterns) => {
                    let host = self.final_host.as_ref().unwrap_or(&self.query.host);
                    is_active = is_reachable && host_matches(host, patterns);
                }
                Content::Match(criteria) => is_active = self.matches(criteria, &line.at, is_reachable)? && is_reachable,
                // The blocks of an included file end with the file.
                Content::Included(files) => {
                    for file in files {
                        self.read_file(file, is_active)?;
                    }
                }
                Content::Set(setting) if is_active => self.values.set(setting, &line.at, file.origin),
                Content::Set(_) => {}
                Content::Unknown(name) => {
                    let ignored = self.values.ignore_unknown.as_ref();
                    if !ignored.is_some_and(|list| pattern::list_matches(name, &list.to_ascii_lowercase())) {
                        let suggestion = keyword::did_you_mean(name);
                        return Err(Error::UnknownKeyword { at: line.at.clone(), keyword: name.clone(), suggestion });
                    }
                }
                Content::Ignored(text) => self.warn(&line.at, text.clone()),
            }
        }
        Ok(())
    }

    fn matches(&mut self, criteria: &[Criterion], at: &Location, is_reachable: bool) -> Result<bool, Error> {
        let host = self.current_host()?;
        let tag = self.values.other.get("tag").and_then(|tag| tag.arguments().into_iter().next()).unwrap_or_default();
        let context = MatchContext {
            host: &host,
            original_host: &self.query.host,
            user: self.values.user.as_ref().unwrap_or(&self.query.local_user),
            local_user: &self.query.local_user,
            tag: &tag,
            is_second_pass: self.final_host.is_some(),
        };
        let values = &self.values;
        let mut exec = |command: &str| match self.query.exec.filter(|_| is_reachable) {
            Some(run) => run_exec(command, at, &host, values, self.query, run).map(Some),
            None => Ok(None),
        };
        let result = criteria::evaluate(criteria, &context, &mut exec)?;
        self.needs_second_pass |= result.requests_second_pass;
        if let Some(criterion) = result.unsupported.filter(|_| is_reachable) {
            self.warn(at, format!("`Match {criterion}` is not supported: the block is ignored"));
        }
        Ok(result.is_match)
    }

    /// Returns the host to connect to, according to the lines above.
    fn current_host(&self) -> Result<String, Error> {
        match (&self.final_host, &self.values.hostname) {
            (Some(host), _) => Ok(host.clone()),
            (None, Some(UnexpandedValue { value, at })) => {
                tokens::expand_hostname(value, &self.query.host).map_err(|problem| Error::expand(at, value, problem))
            }
            (None, None) => Ok(self.query.host.clone()),
        }
    }

    /// Adds a warning once. Both passes read every line, so most warnings occur twice.
    fn warn(&mut self, at: &Location, text: String) {
        let warning = Warning { at: at.clone(), text };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn finish(mut self) -> Result<HostConfig, Error> {
        let hostname = normalize_host(self.current_host()?);
        if let Some(RawValue { text, at }) = self.values.other.get("canonicalizehostname").cloned()
            && !matches!(text.to_ascii_lowercase().as_str(), "no" | "false" | "none")
        {
            self.warn(&at, "`CanonicalizeHostname` is ignored: host names are not canonicalized".to_owned());
        }
        let proxy_jump = match self.values.proxy_jump.take() {
            Some((chain, at)) => {
                let chain = self.expand_jump_hosts(chain, &at, &hostname)?;
                Some(self.remove_jump_loop(chain, &at, &hostname))
            }
            None => None,
        };
        let proxy_command = unless_none(self.values.proxy_command.as_ref()).cloned();
        let host_key_alias = self.values.host_key_alias.take().map(|alias| alias.to_ascii_lowercase());
        let tokens = Tokens {
            query: self.query,
            hostname: &hostname,
            user: self.values.user.as_ref().unwrap_or(&self.query.local_user),
            port: self.values.port.unwrap_or(22),
            host_key_alias: host_key_alias.as_deref(),
            last_jump: proxy_jump.as_ref().and_then(|chain| chain.last()).map_or("", |jump| jump.host.as_str()),
        };
        let mut config = expand_values(&self.values, &tokens)?;
        config.host_key_alias = host_key_alias;
        config.proxy_jump = proxy_jump;
        config.proxy_command = proxy_command.map(|UnexpandedValue { value, at }| ProxyCommand {
            text: value,
            at,
            host: self.query.host.clone(),
            hostname: hostname.clone(),
            host_key_alias: config.host_key_alias.clone().unwrap_or_else(|| self.query.host.clone()),
            uses_fdpass: config.other.get("proxyusefdpass").is_some_and(is_yes),
        });
        config.hostname = hostname;
        config.warnings = self.warnings;
        Ok(config)
    }

    /// Expands the tokens of a `ProxyJump` chain. `ssh` converts the chain to a `ProxyCommand`, so
    /// the same tokens apply.
    fn expand_jump_hosts(&self, chain: Vec<JumpHost>, at: &Location, hostname: &str) -> Result<Vec<JumpHost>, Error> {
        let token = |token| match token {
            'h' => Ok(hostname.to_owned()),
            'n' => Ok(self.query.host.clone()),
            'p' => Ok(self.values.port.unwrap_or(22).to_string()),
            'r' => Ok(self.values.user.as_ref().unwrap_or(&self.query.local_user).clone()),
            _ => Err(format!("unknown token `%{token}`")),
        };
        let expanded =
            |text: &str| tokens::expand_tokens(text, &token).map_err(|problem| Error::expand(at, text, problem));
        let expand = |jump: JumpHost| {
            let user = jump.user.as_deref().map(expanded).transpose()?;
            Ok(JumpHost { user, host: expanded(&jump.host)?, port: jump.port })
        };
        chain.into_iter().map(expand).collect()
    }

    /// Returns an empty chain if the host is one of its own jump hosts.
    fn remove_jump_loop(&mut self, chain: Vec<JumpHost>, at: &Location, hostname: &str) -> Vec<JumpHost> {
        let user = self.values.user.as_ref().unwrap_or(&self.query.local_user);
        let port = self.values.port.unwrap_or(22);
        let is_this_host = |jump: &JumpHost| {
            // A jump host with the same name shares this host's configuration, including the port.
            // A jump host with the same address may be another server on another port, such as a
            // virtual machine behind its gateway.
            let is_same_name = jump.host.eq_ignore_ascii_case(&self.query.host);
            let is_same_address = jump.host.eq_ignore_ascii_case(hostname);
            let jump_port = jump.port.unwrap_or(if is_same_name { port } else { 22 });
            (is_same_name || is_same_address) && jump_port == port && jump.user.as_ref().is_none_or(|name| name == user)
        };
        if !chain.iter().any(is_this_host) {
            return chain;
        }
        let host = &self.query.host;
        self.warn(at, format!("`ProxyJump` is ignored for `{host}`: the host is one of its own jump hosts"));
        Vec::new()
    }
}

/// Runs the command of a `Match exec`. The tokens have the values set by the lines above.
fn run_exec(
    command: &str,
    at: &Location,
    host: &str,
    values: &UnexpandedValues,
    query: &Query<'_>,
    run: &RunCommand<'_>,
) -> Result<bool, Error> {
    let tokens = Tokens {
        query,
        hostname: host,
        user: values.user.as_ref().unwrap_or(&query.local_user),
        port: values.port.unwrap_or(22),
        host_key_alias: Some(values.host_key_alias.as_deref().unwrap_or(host)),
        last_jump: "",
    };
    let command = tokens.expand_text(command).map_err(|problem| Error::expand(at, command, problem))?;
    run(&command).map_err(|source| Error::MatchExec { at: at.clone(), command, source })
}

fn host_matches(host: &str, patterns: &[HostPattern]) -> bool {
    let mut found = false;
    for HostPattern { is_negated, pattern } in patterns {
        if pattern::matches(host, pattern) {
            if *is_negated {
                return false;
            }
            found = true;
        }
    }
    found
}

/// Converts a host name to lower case, and an address to its shortest form.
fn normalize_host(host: String) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        // A host with a colon is an address with a zone. Names of interfaces may have capital
        // letters.
        Err(_) if host.contains(':') => host,
        Err(_) => host.to_ascii_lowercase(),
    }
}
