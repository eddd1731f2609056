//! Reading the lines in order for one host, and expanding what came of it.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::{Error, Location, Warning, pattern};

use super::criteria::{self, Criterion, Subject};
use super::directive::HostPattern;
use super::expand::{self, Tokens};
use super::host_config::{ForwardAgent, HostConfig, IdentityAgent};
use super::jump::Jump;
use super::load::{Content, Origin, ParsedFile, SshConfig};
use super::proxy_command::ProxyCommand;
use super::query::Query;
use super::value;
use super::values::{Raw, Values};

impl SshConfig {
    /// Says what the configuration has for one host.
    ///
    /// # Errors
    ///
    /// [`Error::Expand`] if a value that holds for this host cannot be expanded.
    pub fn resolve(&self, query: &Query<'_>) -> Result<HostConfig, Error> {
        let values = Values { user: query.user.clone(), port: query.port, ..Values::default() };
        let mut pass = Pass { query, values, warnings: Vec::new(), again: false, final_host: None };
        pass.run_all(&self.files)?;
        if pass.again {
            pass.final_host = Some(settled(pass.host()?));
            pass.run_all(&self.files)?;
        }
        pass.finish()
    }
}

/// One reading of all lines. A second one keeps the values of the first and sees the host as it was settled there.
struct Pass<'q> {
    query: &'q Query<'q>,
    values: Values,
    warnings: Vec<Warning>,
    /// A `Match final` was met, so there is to be a second reading.
    again: bool,
    final_host: Option<String>,
}

impl Pass<'_> {
    fn run_all(&mut self, files: &[ParsedFile]) -> Result<(), Error> {
        for file in files {
            self.run(file, true)?;
        }
        Ok(())
    }

    /// Reads one file. What is included from a block that does not hold is not `reachable`: none of it holds, whatever
    /// blocks it has, though its keywords are still looked at.
    fn run(&mut self, file: &ParsedFile, reachable: bool) -> Result<(), Error> {
        let mut active = reachable;
        for line in &file.lines {
            match &line.content {
                Content::Host(patterns) => {
                    let host = self.final_host.as_ref().unwrap_or(&self.query.host);
                    active = reachable && host_matches(host, patterns);
                }
                Content::Match(criteria) => active = self.matches(criteria, &line.at, reachable)? && reachable,
                // The blocks of an included file end with that file.
                Content::Included(files) => {
                    for file in files {
                        self.run(file, active)?;
                    }
                }
                Content::Set(setting) if active => self.values.set(setting, &line.at, file.origin),
                Content::Set(_) => {}
                Content::Unknown(name) => {
                    let ignored = self.values.ignore_unknown.as_ref();
                    if !ignored.is_some_and(|list| pattern::list_matches(name, &list.to_ascii_lowercase())) {
                        self.warn(&line.at, format!("unknown keyword `{name}` is passed over"));
                    }
                }
                Content::PassedOver(text) => self.warn(&line.at, text.clone()),
            }
        }
        Ok(())
    }

    fn matches(&mut self, criteria: &[Criterion], at: &Location, reachable: bool) -> Result<bool, Error> {
        let host = self.host()?;
        let subject = Subject {
            host: &host,
            original_host: &self.query.host,
            user: self.values.user.as_ref().unwrap_or(&self.query.local_user),
            local_user: &self.query.local_user,
            second_pass: self.final_host.is_some(),
        };
        let verdict = criteria::evaluate(criteria, &subject);
        self.again |= verdict.wants_second_pass;
        if let Some(criterion) = verdict.unsupported.filter(|_| reachable) {
            self.warn(at, format!("`Match {criterion}` is not evaluated: the block is taken not to match"));
        }
        Ok(verdict.matched)
    }

    /// The host to connect to, by what has been read so far.
    fn host(&self) -> Result<String, Error> {
        match (&self.final_host, &self.values.hostname) {
            (Some(host), _) => Ok(host.clone()),
            (None, Some(Raw { value, at })) => {
                expand::hostname(value, &self.query.host).map_err(|problem| Error::expand(at, value, problem))
            }
            (None, None) => Ok(self.query.host.clone()),
        }
    }

    /// Both passes come by every line, and say the same of most.
    fn warn(&mut self, at: &Location, text: String) {
        let warning = Warning { at: at.clone(), text };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn finish(mut self) -> Result<HostConfig, Error> {
        let hostname = settled(self.host()?);
        if let Some((text, at)) = self.values.other.get("canonicalizehostname").cloned()
            && !matches!(text.to_ascii_lowercase().as_str(), "no" | "false")
        {
            self.warn(&at, "`CanonicalizeHostname` is passed over: names are taken as they are".to_owned());
        }
        let proxy_jump = self.values.proxy_jump.take();
        let proxy_jump = proxy_jump.map(|(chain, at)| self.without_loop(chain, &at, &hostname));
        let proxy_command =
            self.values.proxy_command.take().filter(|command| !command.value.eq_ignore_ascii_case("none"));
        let host_key_alias = self.values.host_key_alias.take().map(|alias| alias.to_ascii_lowercase());
        let tokens = Tokens {
            query: self.query,
            hostname: &hostname,
            user: self.values.user.as_ref().unwrap_or(&self.query.local_user),
            port: self.values.port.unwrap_or(22),
            host_key_alias: host_key_alias.as_deref(),
            last_jump: proxy_jump.as_ref().and_then(|chain| chain.last()).map_or("", |jump| jump.host.as_str()),
        };
        let mut config = expanded(&self.values, &tokens)?;
        config.host_key_alias = host_key_alias;
        config.proxy_jump = proxy_jump;
        config.proxy_command = proxy_command.map(|Raw { value, at }| ProxyCommand {
            text: value,
            at,
            host: self.query.host.clone(),
            hostname: hostname.clone(),
            key_name: config.host_key_alias.clone().unwrap_or_else(|| self.query.host.clone()),
            passes_socket: config.other.get("proxyusefdpass").is_some_and(|word| value::is_yes(word)),
        });
        config.hostname = hostname;
        config.warnings = self.warnings;
        Ok(config)
    }

    /// Empties a chain that leads through the very host that it is for.
    fn without_loop(&mut self, chain: Vec<Jump>, at: &Location, hostname: &str) -> Vec<Jump> {
        let user = self.values.user.as_ref().unwrap_or(&self.query.local_user);
        let port = self.values.port.unwrap_or(22);
        let is_this_host = |jump: &Jump| {
            (jump.host.eq_ignore_ascii_case(&self.query.host) || jump.host.eq_ignore_ascii_case(hostname))
                && jump.user.as_ref().is_none_or(|name| name == user)
                && jump.port.is_none_or(|number| number == port)
        };
        if !chain.iter().any(is_this_host) {
            return chain;
        }
        let host = &self.query.host;
        self.warn(at, format!("`ProxyJump` is passed over for `{host}`, which is one of its jump hosts"));
        Vec::new()
    }
}

fn host_matches(host: &str, patterns: &[HostPattern]) -> bool {
    let mut found = false;
    for HostPattern { negated, pattern } in patterns {
        if pattern::matches(host, pattern) {
            if *negated {
                return false;
            }
            found = true;
        }
    }
    found
}

/// Names are compared in lower case from here on, and addresses in their shortest form.
fn settled(host: String) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        // A colon makes an address with a zone, and interfaces have names with capital letters.
        Err(_) if host.contains(':') => host,
        Err(_) => host.to_ascii_lowercase(),
    }
}

fn expanded(values: &Values, tokens: &Tokens<'_>) -> Result<HostConfig, Error> {
    let path = |raw: &Raw| tokens.path(&raw.value).map_err(|problem| Error::expand(&raw.at, &raw.value, problem));
    let home = |raw: &Raw| {
        expand::tilde(&raw.value, &tokens.query.home).map_err(|problem| Error::expand(&raw.at, &raw.value, problem))
    };
    let all = |files: &Option<Vec<Raw>>, expand: &dyn Fn(&Raw) -> Result<PathBuf, Error>| {
        files.as_ref().map(|files| files.iter().map(expand).collect::<Result<Vec<_>, _>>()).transpose()
    };
    let accumulated = |files: &[(Raw, Origin)]| {
        let named = files.iter().filter(|(raw, _)| !raw.value.eq_ignore_ascii_case("none"));
        let paths = named.map(|(raw, _)| path(raw)).collect::<Result<Vec<_>, _>>();
        paths.map(|paths| (!files.is_empty()).then_some(paths))
    };
    let forward_agent = match (values.forward_agent, &values.forward_agent_socket) {
        (None, _) => None,
        (Some(false), _) => Some(ForwardAgent::No),
        (Some(true), None) => Some(ForwardAgent::Yes),
        (Some(true), Some(raw)) => Some(match socket(raw, tokens)? {
            Some(path) => ForwardAgent::Socket(path),
            None => ForwardAgent::No,
        }),
    };
    Ok(HostConfig {
        user: values.user.clone(),
        port: values.port,
        certificate_files: accumulated(&values.certificate_files)?,
        identity_files: accumulated(&values.identity_files)?,
        identities_only: values.identities_only,
        identity_agent: values.identity_agent.as_ref().map(|raw| identity_agent(raw, tokens)).transpose()?,
        user_known_hosts_files: all(&values.user_known_hosts_files, &path)?,
        global_known_hosts_files: all(&values.global_known_hosts_files, &home)?,
        strict_host_key_checking: values.strict_host_key_checking,
        ca_signature_algorithms: values.ca_signature_algorithms.clone(),
        hash_known_hosts: values.hash_known_hosts,
        connect_timeout: values.connect_timeout,
        server_alive_interval: values.server_alive_interval,
        server_alive_count_max: values.server_alive_count_max,
        batch_mode: values.batch_mode,
        password_authentication: values.password_authentication,
        pubkey_authentication: values.pubkey_authentication,
        kbd_interactive_authentication: values.kbd_interactive_authentication,
        forward_agent,
        tcp_keep_alive: values.tcp_keep_alive,
        other: values.other.iter().map(|(name, (text, _))| (name.clone(), text.clone())).collect(),
        ..HostConfig::default()
    })
}

fn identity_agent(raw: &Raw, tokens: &Tokens<'_>) -> Result<IdentityAgent, Error> {
    Ok(match raw.value.as_str() {
        "none" => IdentityAgent::None,
        "SSH_AUTH_SOCK" => IdentityAgent::Environment,
        _ => socket(raw, tokens)?.map_or(IdentityAgent::None, IdentityAgent::Socket),
    })
}

/// Finds the socket that a path or, in the old way of writing it, a `$NAME` stands for.
fn socket(raw: &Raw, tokens: &Tokens<'_>) -> Result<Option<PathBuf>, Error> {
    match raw.value.strip_prefix('$') {
        Some(name) if !name.starts_with('{') => Ok((tokens.query.env)(name).map(PathBuf::from)),
        _ => tokens.path(&raw.value).map(Some).map_err(|problem| Error::expand(&raw.at, &raw.value, problem)),
    }
}
