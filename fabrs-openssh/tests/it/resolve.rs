//! Tests of resolved settings without a comparison with `ssh -G`.

use std::path::{Path, PathBuf};

use fabrs_openssh::config::{ForwardAgent, HostConfig, IdentityAgent, ProxyCommand, Query, SshConfig};

fn env(name: &str) -> Option<String> {
    (name == "KEYS").then(|| "/keys".to_owned())
}

fn query(host: &str) -> Query<'static> {
    Query::new(host, "alice", "/home/alice").env(&env)
}

#[track_caller]
fn resolved(text: &str, host: &str) -> HostConfig {
    let config = SshConfig::parse(text, "config").expect("the configuration is valid");
    config.resolve(&query(host)).expect("the values can be expanded")
}

fn warnings(config: &HostConfig) -> Vec<String> {
    config.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn paths_are_expanded() {
    let text = "Host web\n HostName %h.example.com\n User deploy\n Port 2222\nHost *\n IdentityFile ~/.ssh/%r@%h\n \
                IdentityFile ${KEYS}/%n-%p\n IdentityAgent %d/agent\n UserKnownHostsFile ~/.ssh/%u /k\n";
    let web = resolved(text, "web");
    let keys = ["/home/alice/.ssh/deploy@web.example.com", "/keys/web-2222"].map(PathBuf::from);
    assert_eq!(web.identity_files.as_deref(), Some(&keys[..]));
    assert_eq!(web.identity_agent, Some(IdentityAgent::Socket("/home/alice/agent".into())));
    let files = ["/home/alice/.ssh/alice", "/k"].map(PathBuf::from);
    assert_eq!(web.user_known_hosts_files.as_deref(), Some(&files[..]));
}

#[test]
fn a_failed_expansion_is_an_error_only_for_matching_hosts() {
    let text = "Host web\n IdentityFile ${NOT_SET}/id\nHost db\n IdentityFile ~bob/id\n";
    let config = SshConfig::parse(text, "config").expect("the configuration is valid");
    let error = |host| config.resolve(&query(host)).expect_err("the value cannot be expanded").to_string();
    assert_eq!(error("web"), "config:2: cannot expand `${NOT_SET}/id`: `${NOT_SET}` is not set");
    assert_eq!(error("db"), "config:4: cannot expand `~bob/id`: the home directory of another user is not supported");
    assert!(config.resolve(&query("other")).is_ok());
}

#[test]
fn an_agent_in_an_unset_variable_is_no_agent() {
    assert_eq!(resolved("IdentityAgent $KEYS", "web").identity_agent, Some(IdentityAgent::Socket("/keys".into())));
    assert_eq!(resolved("IdentityAgent $NOT_SET", "web").identity_agent, Some(IdentityAgent::None));
    assert_eq!(resolved("ForwardAgent $NOT_SET", "web").forward_agent, Some(ForwardAgent::No));
    assert_eq!(resolved("ForwardAgent no\nForwardAgent /a", "web").forward_agent, Some(ForwardAgent::No));
}

#[test]
fn the_typed_user_and_port_win_and_affect_match() {
    let text = "User file\nPort 1\nMatch user typed\n HostKeyAlias Shop\n";
    let config = SshConfig::parse(text, "config").expect("the configuration is valid");
    let web = config.resolve(&query("web").user("typed").port(2)).expect("the values can be expanded");
    assert_eq!((web.user.as_deref(), web.port, web.host_key_alias.as_deref()), (Some("typed"), Some(2), Some("shop")));
}

#[test]
fn unset_keywords_are_none() {
    let web = resolved("", "Web");
    assert_eq!(web.hostname, "web");
    assert_eq!(web, resolved("# nothing", "web"));
    assert!(web.identity_files.is_none() && web.user.is_none() && web.connect_timeout.is_none());
    let defaults = HostConfig::default_identity_files("/home/alice");
    assert_eq!(defaults[0], Path::new("/home/alice/.ssh/id_rsa"));
}

#[test]
fn an_unknown_keyword_is_an_error_unless_ignored() {
    let error = |text: &str, host: &str| {
        let config = SshConfig::parse(text, "config").expect("the values are valid");
        config.resolve(&query(host)).expect_err("a keyword is unknown").to_string()
    };
    let text = "UseKeychain yes\nIgnoreUnknown Col*,Taste\nColour red\nHost web\n Taste sweet\n Prot 22\n";
    assert_eq!(error(text, "web"), "config:6: unknown keyword `prot`: did you mean `Port`?");
    // `ssh` checks the keywords of all blocks, also of blocks that do not match.
    assert_eq!(error(text, "db"), error(text, "web"));
    // `IgnoreUnknown` applies to the lines below, and only if its block matches.
    assert_eq!(error("Colour red\nIgnoreUnknown Colour\n", "web"), "config:1: unknown keyword `colour`");
    assert_eq!(error("Host db\n IgnoreUnknown *\nHost *\n Colour red\n", "web"), "config:4: unknown keyword `colour`");
}

#[test]
fn an_unsupported_criterion_warns_once_and_only_if_decisive() {
    let text = "Match host web exec \"true\"\n Port 1\nMatch final\n User x\nCanonicalizeHostname yes\nInclude other\n";
    let web = resolved(text, "web");
    assert_eq!(web.port, None);
    assert_eq!(warnings(&web).len(), 3, "{:?}", web.warnings);
    assert!(warnings(&web)[0].starts_with("config:1: `Match exec`"));
    assert!(!warnings(&resolved(text, "db")).iter().any(|warning| warning.contains("exec")));
}

#[test]
fn a_failed_start_of_a_match_exec_command_is_an_error() {
    let config = SshConfig::parse("Match exec \"on-vpn %h\"\n Port 1\n", "config").expect("the configuration is valid");
    let failing_exec = |_: &str| Err(std::io::Error::other("no programs here"));
    let error = config.resolve(&query("web").exec(&failing_exec)).expect_err("the command does not run");
    assert_eq!(error.to_string(), "config:1: `Match exec` could not run `on-vpn web`");
}

#[test]
fn other_keywords_are_kept_with_their_line() {
    let web = resolved("SetEnv A=1 # fast\nHost web\n LogLevel DEBUG\nSetEnv B=2\n", "web");
    assert_eq!((web.other["loglevel"].text.as_str(), web.other["loglevel"].at.line), ("DEBUG", 3));
    assert_eq!(web.other["setenv"].arguments(), ["A=1"]);
    assert!(!resolved("Host db\n SetEnv A=1\n", "web").other.contains_key("setenv"));
}

#[test]
fn a_jump_host_is_not_reached_through_its_own_chain() {
    let text = "Host b\n HostName 10.0.0.2\nHost *\n ProxyJump a,me@b:2222\n";
    let hops = |host: &str| resolved(text, host).proxy_jump.map(|chain| chain.len());
    assert_eq!(hops("web"), Some(2));
    assert_eq!(hops("a"), Some(0));
    // To `ssh` too, `b` on another port or for another user is another host.
    assert_eq!(hops("b"), Some(2));
    let config = SshConfig::parse(text, "config").expect("the configuration is valid");
    let jump = config.resolve(&query("b").user("me").port(2222)).expect("the values can be expanded");
    assert_eq!(jump.proxy_jump, Some(Vec::new()));
}

#[test]
fn proxy_jump_none_allows_a_proxy_command() {
    #[track_caller]
    fn case(text: &str, hops: usize, command: Option<&str>) {
        let web = resolved(text, "web");
        let chain = web.proxy_jump.unwrap_or_default();
        let found = web.proxy_command.as_ref().map(ProxyCommand::as_str);
        assert_eq!((chain.len(), found), (hops, command), "{text}");
    }
    case("ProxyJump none\nProxyCommand nc %h", 0, Some("nc %h"));
    case("ProxyJump none\nProxyJump a", 0, None);
    case("ProxyJump none\nProxyJump a\nProxyCommand nc", 0, Some("nc"));
    case("ProxyJump a\nProxyCommand nc", 1, None);
    case("ProxyCommand none\nProxyJump a", 0, None);
}

#[test]
fn a_proxy_command_is_expanded_with_the_final_user_and_port() {
    #[track_caller]
    fn case(text: &str, user: &str, expected: Result<&str, &str>) {
        let config = SshConfig::parse(text, "config").expect("the configuration is valid");
        let web = config.resolve(&query("web")).expect("no other value needs expansion");
        let line =
            web.proxy_command.expect("a proxy command is set").expand(user, 2222).map_err(|error| error.to_string());
        assert_eq!(line.as_deref().map_err(String::as_str), expected, "{text}");
    }
    case("ProxyCommand nc %h %p", "ann", Ok("nc web 2222"));
    case("HostName %h.example.com\nProxyCommand %n:%h:%k:%r:%%", "ann", Ok("web:web.example.com:web:ann:%"));
    case("HostKeyAlias Shop\nProxyCommand %k", "ann", Ok("shop"));
    // The shell expands the rest.
    case("ProxyCommand ~/x ${HOME} \"$A\" '%h'", "ann", Ok("~/x ${HOME} \"$A\" 'web'"));
    case("ProxyCommand x %d", "ann", Err("config:1: cannot expand `x %d`: unknown token `%d`"));
    case("ProxyCommand x", "a;b", Ok("x"));
    for user in ["a;b", "-oX", "a b", "$(id)", "a\nb", ""] {
        let shown = user.escape_debug();
        let problem = format!(
            "config:1: cannot expand `x %r`: `{shown}` contains special characters of a shell, or starts with `-`"
        );
        case("ProxyCommand x %r", user, Err(&problem));
    }
}

#[test]
fn proxy_use_fdpass_is_recognized() {
    let passes = |text: &str| {
        let web = resolved(&format!("ProxyCommand nc\n{text}"), "web");
        web.proxy_command.is_some_and(|command| command.uses_fdpass())
    };
    assert!(passes("ProxyUseFdpass yes") && passes("ProxyUseFdpass \"true\" # it does"));
    assert!(!passes("") && !passes("ProxyUseFdpass no\nProxyUseFdpass yes"));
}
