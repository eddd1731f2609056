//! A parsed line of `ssh_config`.
//!
//! Like `ssh`, the parser checks each value, even in a block that matches no host.

use std::time::Duration;

use crate::location::Location;

use super::algorithm_list::{self, AlgorithmList};
use super::criteria::{self, Criterion};
use super::jump_host::{self, JumpHost};
use super::keyword::Keyword;
use super::known_algorithms::{CIPHERS, KEX_ALGORITHMS, KEY_ALGORITHMS, MACS};
use super::line;
use super::value::{self, Problem, StrictHostKeyChecking};

/// A parsed line.
#[derive(Clone, Debug)]
pub(super) enum Directive {
    Host(Vec<HostPattern>),
    Match(Vec<Criterion>),
    /// The patterns of an `Include` line. The loader reads the files.
    Include(Vec<String>),
    Set(Setting),
}

/// A pattern of a `Host` line.
#[derive(Clone, Debug)]
pub(super) struct HostPattern {
    pub(super) is_negated: bool,
    pub(super) pattern: String,
}

/// A keyword with its unexpanded value.
#[derive(Clone, Debug)]
pub(super) enum Setting {
    BatchMode(bool),
    CaSignatureAlgorithms(Vec<String>),
    CertificateFile(String),
    Ciphers(AlgorithmList),
    ConnectTimeout(Option<Duration>),
    ForwardAgent(bool),
    ForwardAgentSocket(String),
    GlobalKnownHostsFiles(Vec<String>),
    HashKnownHosts(bool),
    HostKeyAlgorithms(AlgorithmList),
    HostKeyAlias(String),
    Hostname(String),
    IdentitiesOnly(bool),
    IdentityAgent(String),
    IdentityFile(String),
    IgnoreUnknown(String),
    KbdInteractiveAuthentication(bool),
    KexAlgorithms(AlgorithmList),
    Macs(AlgorithmList),
    NumberOfPasswordPrompts(u32),
    PasswordAuthentication(bool),
    Port(u16),
    PreferredAuthentications(Vec<String>),
    ProxyCommand(String),
    ProxyJump(Vec<JumpHost>),
    PubkeyAcceptedAlgorithms(AlgorithmList),
    PubkeyAuthentication(bool),
    RequiredRsaSize(u32),
    RevokedHostKeys(String),
    ServerAliveCountMax(u32),
    ServerAliveInterval(Option<Duration>),
    StrictHostKeyChecking(StrictHostKeyChecking),
    TcpKeepAlive(bool),
    User(String),
    UserKnownHostsFiles(Vec<String>),
    /// A known keyword without an effect in this crate, with its text.
    Other(String, String),
}

/// Parses the arguments of a keyword. `name` is the keyword as written, in lower case.
pub(super) fn parse(keyword: Keyword, name: &str, rest: &str, at: &Location) -> Result<Directive, Problem> {
    if rest.is_empty() {
        return Err(format!("no argument after `{name}`"));
    }
    let arguments = line::split_arguments(rest).ok_or_else(|| format!("`{name}`: a quote is not closed"))?;
    let directive = match keyword {
        Keyword::Host => non_empty_arguments(arguments)
            .map(|words| Directive::Host(words.iter().map(|word| host_pattern(word)).collect())),
        Keyword::Match => criteria::parse(arguments).map(Directive::Match),
        Keyword::Include => non_empty_arguments(arguments).map(Directive::Include),
        Keyword::UserKnownHostsFile => {
            file_list(arguments).map(|files| Directive::Set(Setting::UserKnownHostsFiles(files)))
        }
        Keyword::GlobalKnownHostsFile => {
            file_list(arguments).map(|files| Directive::Set(Setting::GlobalKnownHostsFiles(files)))
        }
        // The values of these keywords are the rest of the line, including quotes.
        Keyword::ProxyCommand => Ok(Directive::Set(Setting::ProxyCommand(raw_value(rest).to_owned()))),
        Keyword::ProxyJump => {
            jump_host::parse_chain(raw_value(rest)).map(|chain| Directive::Set(Setting::ProxyJump(chain)))
        }
        Keyword::Other => Ok(Directive::Set(Setting::Other(name.to_owned(), rest.to_owned()))),
        _ => single_argument(arguments).and_then(|word| parse_setting(keyword, word, at)).map(Directive::Set),
    };
    directive.map_err(|problem| format!("`{name}`: {problem}"))
}

/// Parses the value of a keyword with exactly one argument.
fn parse_setting(keyword: Keyword, word: String, at: &Location) -> Result<Setting, Problem> {
    let list = |known| AlgorithmList::parse(&word, known, at);
    Ok(match keyword {
        Keyword::BatchMode => Setting::BatchMode(value::parse_bool(&word)?),
        Keyword::CaSignatureAlgorithms => {
            Setting::CaSignatureAlgorithms(algorithm_list::parse_ca_signatures(&word, at)?)
        }
        Keyword::CertificateFile => Setting::CertificateFile(word),
        Keyword::Ciphers => Setting::Ciphers(list(CIPHERS)?),
        Keyword::ConnectTimeout => Setting::ConnectTimeout(value::parse_time(&word)?),
        // A value other than `yes` and `no` is the path of a socket.
        Keyword::ForwardAgent => {
            value::parse_bool(&word).map_or(Setting::ForwardAgentSocket(word), Setting::ForwardAgent)
        }
        Keyword::HashKnownHosts => Setting::HashKnownHosts(value::parse_bool(&word)?),
        Keyword::HostKeyAlgorithms => Setting::HostKeyAlgorithms(list(KEY_ALGORITHMS)?),
        Keyword::HostKeyAlias => Setting::HostKeyAlias(word),
        Keyword::Hostname => Setting::Hostname(word),
        Keyword::IdentitiesOnly => Setting::IdentitiesOnly(value::parse_bool(&word)?),
        Keyword::IdentityAgent => Setting::IdentityAgent(word),
        Keyword::IdentityFile => Setting::IdentityFile(word),
        Keyword::IgnoreUnknown => Setting::IgnoreUnknown(word),
        Keyword::KbdInteractiveAuthentication => Setting::KbdInteractiveAuthentication(value::parse_bool(&word)?),
        Keyword::KexAlgorithms => Setting::KexAlgorithms(list(KEX_ALGORITHMS)?),
        Keyword::Macs => Setting::Macs(list(MACS)?),
        Keyword::NumberOfPasswordPrompts => Setting::NumberOfPasswordPrompts(value::parse_number(&word)?),
        Keyword::PasswordAuthentication => Setting::PasswordAuthentication(value::parse_bool(&word)?),
        Keyword::Port => Setting::Port(value::parse_port(&word)?),
        Keyword::PreferredAuthentications => {
            Setting::PreferredAuthentications(word.split(',').map(str::to_owned).collect())
        }
        Keyword::PubkeyAcceptedAlgorithms => Setting::PubkeyAcceptedAlgorithms(list(KEY_ALGORITHMS)?),
        Keyword::PubkeyAuthentication => Setting::PubkeyAuthentication(value::parse_pubkey_authentication(&word)?),
        Keyword::RequiredRsaSize => Setting::RequiredRsaSize(value::parse_number(&word)?),
        Keyword::RevokedHostKeys => Setting::RevokedHostKeys(word),
        Keyword::ServerAliveCountMax => Setting::ServerAliveCountMax(value::parse_number(&word)?),
        Keyword::ServerAliveInterval => Setting::ServerAliveInterval(value::parse_time(&word)?),
        Keyword::StrictHostKeyChecking => Setting::StrictHostKeyChecking(value::parse_strict_host_key_checking(&word)?),
        Keyword::TcpKeepAlive => Setting::TcpKeepAlive(value::parse_bool(&word)?),
        Keyword::User => Setting::User(word),
        Keyword::GlobalKnownHostsFile
        | Keyword::Host
        | Keyword::Include
        | Keyword::Match
        | Keyword::Other
        | Keyword::ProxyCommand
        | Keyword::ProxyJump
        | Keyword::UserKnownHostsFile => return Err("takes more than one argument".to_owned()),
    })
}

fn host_pattern(word: &str) -> HostPattern {
    match word.strip_prefix('!') {
        Some(pattern) => HostPattern { is_negated: true, pattern: pattern.to_owned() },
        None => HostPattern { is_negated: false, pattern: word.to_owned() },
    }
}

fn raw_value(rest: &str) -> &str {
    rest.trim_start_matches([' ', '\t', '='])
}

fn single_argument(arguments: Vec<String>) -> Result<String, Problem> {
    let mut words = arguments.into_iter();
    let first = words.next().filter(|word| !word.is_empty()).ok_or("the argument is missing")?;
    match words.next() {
        Some(extra) => Err(format!("extra argument `{extra}` at the end of the line")),
        None => Ok(first),
    }
}

fn non_empty_arguments(arguments: Vec<String>) -> Result<Vec<String>, Problem> {
    if arguments.iter().any(String::is_empty) {
        return Err("an argument is empty".to_owned());
    }
    Ok(arguments)
}

/// Parses a list of files. `none` is the empty list, and must be the only argument.
fn file_list(arguments: Vec<String>) -> Result<Vec<String>, Problem> {
    let files = non_empty_arguments(arguments)?;
    let none = files.iter().any(|file| file.eq_ignore_ascii_case("none"));
    match (none, files.len()) {
        (true, 1) => Ok(Vec::new()),
        (true, _) => Err("`none` must be the only file".to_owned()),
        (false, 0) => Err("the argument is missing".to_owned()),
        (false, _) => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::keyword;
    use crate::config::line;
    use crate::location::Location;

    use super::parse;

    #[test]
    fn invalid_values_are_rejected_in_every_block() {
        #[track_caller]
        fn case(text: &str, problem: &str) {
            let (name, rest) = line::split_keyword(text).expect("the line is not blank");
            let keyword = keyword::find(&name).expect("the keyword is known");
            let at = Location { file: Path::new("config").into(), line: 1 };
            let error = parse(keyword, &name, rest, &at).expect_err("the value is bad");
            assert!(error.contains(problem), "{text:?}: {error}");
        }
        case("Port", "no argument");
        case("Port abc", "invalid port");
        case("Port 22 23", "extra argument `23`");
        case("Port \"\"", "missing");
        case("User \"open", "not closed");
        case("Host a \"\"", "empty");
        case("BatchMode perhaps", "expected `yes` or `no`");
        case("StrictHostKeyChecking maybe", "expected `yes`, `accept-new`");
        case("ConnectTimeout soon", "invalid time");
        case("ProxyJump a,,b", "invalid jump host");
        case("UserKnownHostsFile none other", "only file");
        case("UserKnownHostsFile # all", "missing");
        case("Match flavour sweet", "unknown criterion");
        case("Ciphers aes*", "unknown algorithm `aes*`");
        case("MACs +x", "unknown algorithm `x`");
        case("KexAlgorithms ,", "no algorithm");
        case("HostKeyAlgorithms ssh-foo", "unknown algorithm `ssh-foo`");
        case("PubkeyAcceptedKeyTypes foo", "`pubkeyacceptedkeytypes`: unknown algorithm");
        case("RequiredRSASize -1", "invalid number");
        case("NumberOfPasswordPrompts many", "invalid number");
        case("RevokedHostKeys a b", "extra argument");
    }
}
