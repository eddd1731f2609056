//! What a configuration says about a host, where `ssh -G` cannot be asked.

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
    let config = SshConfig::parse(text, "config").expect("the configuration is a good one");
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
fn what_cannot_be_expanded_is_an_error_only_where_it_holds() {
    let text = "Host web\n IdentityFile ${NOT_SET}/id\nHost db\n IdentityFile ~bob/id\n";
    let config = SshConfig::parse(text, "config").expect("the configuration is a good one");
    let error = |host| config.resolve(&query(host)).expect_err("the value cannot be expanded").to_string();
    assert_eq!(error("web"), "config:2: `${NOT_SET}/id` cannot be expanded: `${NOT_SET}` is not set");
    assert_eq!(error("db"), "config:4: `~bob/id` cannot be expanded: the home of another user is not looked up");
    assert!(config.resolve(&query("other")).is_ok());
}

#[test]
fn an_agent_named_by_a_variable_is_none_without_it() {
    assert_eq!(resolved("IdentityAgent $KEYS", "web").identity_agent, Some(IdentityAgent::Socket("/keys".into())));
    assert_eq!(resolved("IdentityAgent $NOT_SET", "web").identity_agent, Some(IdentityAgent::None));
    assert_eq!(resolved("ForwardAgent $NOT_SET", "web").forward_agent, Some(ForwardAgent::No));
    assert_eq!(resolved("ForwardAgent no\nForwardAgent /a", "web").forward_agent, Some(ForwardAgent::No));
}

#[test]
fn what_was_named_with_the_host_wins_and_counts_in_match() {
    let text = "User file\nPort 1\nMatch user typed\n HostKeyAlias Shop\n";
    let config = SshConfig::parse(text, "config").expect("the configuration is a good one");
    let web = config.resolve(&query("web").user("typed").port(2)).expect("the values can be expanded");
    assert_eq!((web.user.as_deref(), web.port, web.host_key_alias.as_deref()), (Some("typed"), Some(2), Some("shop")));
}

#[test]
fn nothing_said_is_none() {
    let web = resolved("", "Web");
    assert_eq!(web.hostname, "web");
    assert_eq!(web, resolved("# nothing", "web"));
    assert!(web.identity_files.is_none() && web.user.is_none() && web.connect_timeout.is_none());
    let defaults = HostConfig::default_identity_files("/home/alice");
    assert_eq!(defaults[0], Path::new("/home/alice/.ssh/id_rsa"));
}

#[test]
fn an_unknown_keyword_is_an_error_unless_it_is_to_be_ignored() {
    let error = |text: &str, host: &str| {
        let config = SshConfig::parse(text, "config").expect("the values are good ones");
        config.resolve(&query(host)).expect_err("a keyword is unknown").to_string()
    };
    let text = "UseKeychain yes\nIgnoreUnknown Col*,Taste\nColour red\nHost web\n Taste sweet\n Prot 22\n";
    assert_eq!(error(text, "web"), "config:6: unknown keyword `prot`: did you mean `Port`?");
    // `ssh` checks the words of a block whether or not it holds.
    assert_eq!(error(text, "db"), error(text, "web"));
    // The list holds from its line on, and only where its block does.
    assert_eq!(error("Colour red\nIgnoreUnknown Colour\n", "web"), "config:1: unknown keyword `colour`");
    assert_eq!(error("Host db\n IgnoreUnknown *\nHost *\n Colour red\n", "web"), "config:4: unknown keyword `colour`");
}

#[test]
fn an_unsupported_criterion_warns_once_and_only_if_it_decides() {
    let text = "Match host web exec \"true\"\n Port 1\nMatch final\n User x\nCanonicalizeHostname yes\nInclude other\n";
    let web = resolved(text, "web");
    assert_eq!(web.port, None);
    assert_eq!(warnings(&web).len(), 3, "{:?}", web.warnings);
    assert!(warnings(&web)[0].starts_with("config:1: `Match exec`"));
    assert!(!warnings(&resolved(text, "db")).iter().any(|warning| warning.contains("exec")));
}

#[test]
fn a_command_of_match_exec_that_does_not_run_is_an_error() {
    let config = SshConfig::parse("Match exec \"on-vpn %h\"\n Port 1\n", "config").expect("the configuration is good");
    let refused = |_: &str| Err(std::io::Error::other("no programs here"));
    let error = config.resolve(&query("web").exec(&refused)).expect_err("the command does not run");
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
fn no_host_of_a_chain_is_reached_through_the_chain() {
    let text = "Host b\n HostName 10.0.0.2\nHost *\n ProxyJump a,me@b:2222\n";
    let hops = |host: &str| resolved(text, host).proxy_jump.map(|chain| chain.len());
    assert_eq!(hops("web"), Some(2));
    assert_eq!(hops("a"), Some(0));
    // `b` on another port, or for another user, is another host to `ssh` as well.
    assert_eq!(hops("b"), Some(2));
    let config = SshConfig::parse(text, "config").expect("the configuration is a good one");
    let jump = config.resolve(&query("b").user("me").port(2222)).expect("the values can be expanded");
    assert_eq!(jump.proxy_jump, Some(Vec::new()));
}

#[test]
fn no_jump_host_leaves_room_for_a_command() {
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
fn a_proxy_command_is_expanded_for_the_user_and_port_in_the_end() {
    #[track_caller]
    fn case(text: &str, user: &str, expected: Result<&str, &str>) {
        let config = SshConfig::parse(text, "config").expect("the configuration is a good one");
        let web = config.resolve(&query("web")).expect("nothing else is to be expanded");
        let line = web.proxy_command.expect("there is one").expand(user, 2222).map_err(|error| error.to_string());
        assert_eq!(line.as_deref().map_err(String::as_str), expected, "{text}");
    }
    case("ProxyCommand nc %h %p", "ann", Ok("nc web 2222"));
    case("HostName %h.example.com\nProxyCommand %n:%h:%k:%r:%%", "ann", Ok("web:web.example.com:web:ann:%"));
    case("HostKeyAlias Shop\nProxyCommand %k", "ann", Ok("shop"));
    // The shell is to see the rest.
    case("ProxyCommand ~/x ${HOME} \"$A\" '%h'", "ann", Ok("~/x ${HOME} \"$A\" 'web'"));
    case("ProxyCommand x %d", "ann", Err("config:1: `x %d` cannot be expanded: `%d` is not known here"));
    case("ProxyCommand x", "a;b", Ok("x"));
    for user in ["a;b", "-oX", "a b", "$(id)", "a\nb", ""] {
        let shown = user.escape_debug();
        let problem = format!("config:1: `x %r` cannot be expanded: `{shown}` is no plain word to a shell");
        case("ProxyCommand x %r", user, Err(&problem));
    }
}

#[test]
fn a_proxy_command_that_hands_a_socket_over_is_known() {
    let passes = |text: &str| {
        let web = resolved(&format!("ProxyCommand nc\n{text}"), "web");
        web.proxy_command.is_some_and(|command| command.uses_fdpass())
    };
    assert!(passes("ProxyUseFdpass yes") && passes("ProxyUseFdpass \"true\" # it does"));
    assert!(!passes("") && !passes("ProxyUseFdpass no\nProxyUseFdpass yes"));
}
