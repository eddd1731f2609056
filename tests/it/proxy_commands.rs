//! Connections through a local command: `ProxyCommand`.

use std::fs;
use std::path::{Path, PathBuf};

use fabrs::config::{Gateway, Layered};
use fabrs::prelude::*;
use fabrs::{Client, ClientBuilder, Error, Result};
use fabrs_testing::{Process, Sshd, marker, processes_matching, wait_until};
use futures::future::join_all;

use crate::support::{
    LIMIT, capture, client_of, error_text, event_texts, expect_error, gateway_config, settings, ssh_config,
    within_limit,
};

/// A script in the place of `nc`. The script starts a second process, and a mark identifies its
/// processes.
struct Relay {
    path: PathBuf,
    mark: String,
}

impl Relay {
    /// Makes a relay to the address and port in the arguments.
    fn to_host(sshd: &Sshd) -> Self {
        Self::with_script(sshd, "exec 3<>\"/dev/tcp/$1/$2\"\nnap 3>&- &\ncat <&3 &\nexec cat >&3")
    }

    /// Makes a relay with this script. The function `nap` starts a lasting process.
    fn with_script(sshd: &Sshd, script: &str) -> Self {
        let mark = marker();
        let path = sshd.dir().join(format!("relay-{mark}"));
        let nap = format!("nap() {{ exec sleep {mark} < /dev/null > /dev/null 2>&1; }}");
        fs::write(&path, format!("{nap}\n{script}\n")).expect("the directory is ours");
        Self { path, mark }
    }

    /// Returns the command with the tokens.
    fn command(&self) -> String {
        format!("bash '{}' %h %p", self.path.display())
    }

    /// Returns the config lines that connect to a host through the relay.
    fn config_for(&self, host: &str) -> String {
        format!("Host {host}\n    ProxyCommand {}\n", self.command())
    }

    fn running(&self) -> Vec<Process> {
        processes_matching(&self.mark)
    }

    #[track_caller]
    fn wait_until_gone(&self) {
        wait_until("all processes have ended", LIMIT, || self.running().is_empty());
    }
}

/// Returns a client that may run local programs, like `fab`.
fn client_with_local_programs(sshd: &Sshd, first: &str) -> ClientBuilder {
    client_of(sshd, first).allow_local_programs()
}

/// Connects to `host` through this command. Returns the error.
async fn failure(sshd: &Sshd, command: &str) -> Error {
    let client = client_with_local_programs(sshd, &format!("Host host\n    ProxyCommand {command}\n")).build();
    let host = client.connect("host").expect("the config is valid");
    expect_error(within_limit(host.run("true")).await, ErrorKind::Connect)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_reached_by_its_proxy_command_and_close_ends_the_command() -> Result<()> {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let client = client_with_local_programs(&server, &relay.config_for("host")).build();
    for _ in 0..2 {
        let host = client.connect("host")?;
        assert_eq!(within_limit(host.run("id -un").line()).await?, server.user());
        within_limit(host.run("true")).await?;
        assert_eq!(server.connections(), 1);
        assert!(!relay.running().is_empty());
        client.close().await;
        relay.wait_until_gone();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ssh_works_as_a_proxy_command() -> Result<()> {
    let server = Sshd::start();
    let jump = Sshd::start();
    let command = format!("ssh -F '{}' -W %h:%p {}", jump.ssh_config().display(), jump.alias());
    let client = client_with_local_programs(&server, &format!("Host host\n    ProxyCommand {command}\n")).build();
    within_limit(client.connect("host")?.run("true")).await?;
    assert_eq!((jump.connections(), server.connections()), (1, 1));
    client.close().await;
    wait_until("both connections are closed", LIMIT, || jump.connections() + server.connections() == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_input_and_output_pass_concurrently() -> Result<()> {
    let server = Sshd::start();
    let client = client_with_local_programs(&server, &Relay::to_host(&server).config_for("host")).build();
    let much = vec![b'x'; 20 << 20];
    let output =
        within_limit(client.connect("host")?.run("cat | tee /dev/stderr | wc -c").stdin(much).hide(Hide::Both)).await?;
    assert_eq!(output.line()?, (20 << 20).to_string());
    Ok(())
}

/// `ssh` has no fabrs.toml. These are the user and port that `ssh` would pass to the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_contain_the_effective_user_and_port() -> Result<()> {
    let server = Sshd::start();
    let seen = server.dir().join("seen");
    let config = format!(
        "Host web\n    HostName 127.0.0.1\n    ProxyCommand sh -c 'echo \"$*\" > \"{}\"; exit 1' - %n %h %p %r %%\n",
        seen.display()
    );
    let path = server.dir().join("only_this");
    fs::write(&path, config).expect("the directory is ours");
    let by_file = settings(&path).user(Layered::config("ann".to_owned())).port(Layered::config(2022));
    for (host, expected) in [("web", "web 127.0.0.1 2022 ann %\n"), ("bob@web:23", "web 127.0.0.1 23 bob %\n")] {
        let client = Client::builder().settings(by_file.clone()).allow_local_programs().build();
        expect_error(within_limit(client.connect(host)?.run("true")).await, ErrorKind::Connect);
        assert_eq!(fs::read_to_string(&seen).expect("the command ran"), expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_shell_characters_is_refused() -> Result<()> {
    let server = Sshd::start();
    let client = client_with_local_programs(&server, "Host host\n    ProxyCommand nc %r\n").build();
    let error = expect_error(client.connect("$(id)@host"), ErrorKind::Config);
    let text = error_text(&error);
    assert!(text.starts_with("error: host: its `ProxyCommand` can't be run\n"), "{text}");
    assert!(text.contains("`$(id)` contains special characters of a shell"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_proxy_command_is_reported_with_status_and_stderr() {
    let server = Sshd::start();
    let relay = Relay::with_script(&server, "nap &\necho one >&2\nprintf '\\033[2Jtwo' >&2\nexit 3");
    let error = failure(&server, &relay.command()).await;
    let line = relay.command().replace("%h", "127.0.0.1").replace("%p", &server.port().to_string());
    assert_eq!(
        error_text(&error.without_location()),
        format!(
            "error: host: could not connect by its ProxyCommand\n  \
             caused by: `{line}` ended with exit status 3: \\u{{1b}}[2Jtwo"
        )
    );
    relay.wait_until_gone();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_command_that_ends_early_is_reported_with_its_status() {
    let server = Sshd::start();
    let cases = [
        ("true", "caused by: `true` ended with exit status 0"),
        ("false", "caused by: `false` ended with exit status 1"),
        ("no-such-program %h", "caused by: `no-such-program 127.0.0.1` ended with exit status 127: "),
        ("sh -c 'kill -TERM $$'", "caused by: `sh -c 'kill -TERM $$'` ended with signal TERM"),
        ("echo what?", "caused by: `echo what?` ended with exit status 0"),
    ];
    let failures = join_all(cases.iter().map(|(command, _)| failure(&server, command))).await;
    for ((_, words), error) in cases.iter().zip(&failures) {
        let text = error_text(error);
        assert!(text.starts_with("error: host: could not connect by its ProxyCommand\n"), "{text}");
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(server.connections(), 0);
}

/// A server closes the connection early while more logins than its `MaxStartups` are in progress.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_closed_before_the_banner_is_retried() -> Result<()> {
    let server = Sshd::start();
    let by_ssh = "echo 'kex_exchange_identification: Connection closed by remote host' >&2\necho Closed. >&2; exit 255";
    for turned_away in ["exit 0", by_ssh] {
        let relay = "exec 3<>\"/dev/tcp/$1/$2\"; cat <&3 & exec cat >&3";
        let script =
            format!("echo x >> \"$0.tries\"\nif test $(wc -l < \"$0.tries\") -lt 3; then {turned_away}; fi\n{relay}");
        let client =
            client_with_local_programs(&server, &Relay::with_script(&server, &script).config_for("host")).build();
        within_limit(client.connect("host")?.run("true")).await?;
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_proxy_command_ends_at_the_connect_timeout() {
    let server = Sshd::start();
    let relay = Relay::with_script(&server, "nap & nap");
    let client =
        client_with_local_programs(&server, &format!("ConnectTimeout 1\n{}", relay.config_for("host"))).build();
    let host = client.connect("host").expect("the config is valid");
    let text = error_text(&expect_error(within_limit(host.run("true")).await, ErrorKind::Connect));
    let words = format!("error: host: no answer from `bash '{}' 127.0.0.1 ", relay.path.display());
    assert!(text.starts_with(&words) && text.contains(" within 1s\n"), "{text}");
    relay.wait_until_gone();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_connection_attempt_leaves_no_process() {
    let server = Sshd::start();
    let relay = Relay::with_script(&server, "trap '' HUP TERM\nnap & nap");
    let client = client_with_local_programs(&server, &relay.config_for("host")).build();
    let host = client.connect("host").expect("the config is valid");
    let running = host.run("true").spawn().expect("the command starts");
    wait_until("the client connects", LIMIT, || relay.running().len() >= 2);
    drop(running);
    relay.wait_until_gone();
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_kills_a_proxy_command_that_ignores_signals() -> Result<()> {
    let server = Sshd::start();
    let script = "trap '' HUP TERM\nexec 3<>\"/dev/tcp/$1/$2\"\nnap 3>&- &\ncat <&3 &\ncat >&3; nap";
    let relay = Relay::with_script(&server, script);
    let client = client_with_local_programs(&server, &relay.config_for("host")).build();
    within_limit(client.connect("host")?.run("true")).await?;
    within_limit(client.close()).await;
    relay.wait_until_gone();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_client_ends_its_proxy_commands() -> Result<()> {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let client = client_with_local_programs(&server, &relay.config_for("host")).build();
    within_limit(client.connect("host")?.run("true")).await?;
    assert!(!relay.running().is_empty());
    drop(client);
    relay.wait_until_gone();
    Ok(())
}

#[test]
fn an_ended_runtime_ends_its_proxy_commands() {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let client = client_with_local_programs(&server, &relay.config_for("host")).build();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime
        .block_on(async { client.connect("host").expect("the host name is valid").run("true").await })
        .expect("the command runs");
    assert!(!relay.running().is_empty());
    drop(runtime);
    relay.wait_until_gone();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_with_an_ended_proxy_command_is_lost_and_reopened() -> Result<()> {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let host = client_with_local_programs(&server, &relay.config_for("host")).build().connect("host")?;
    let running = host.run("sleep 60").spawn()?;
    wait_until("the command runs", LIMIT, || server.open_sessions() == 1);
    let leaders =
        Process::all().into_iter().filter(|process| relay.running().iter().any(|one| one.pgid == process.pid));
    leaders.for_each(|leader| leader.kill());
    expect_error(within_limit(running).await, ErrorKind::Channel);
    within_limit(host.run("true")).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stderr_of_a_proxy_command_is_shown_escaped_as_a_warning() -> Result<()> {
    let server = Sshd::start();
    let script = "printf 'see \\033[31mhttps://example.com/login\\r\\n\\n' >&2\n\
                  exec 3<>\"/dev/tcp/$1/$2\"; cat <&3 & exec cat >&3";
    let (capture, sink) = capture();
    let client =
        client_with_local_programs(&server, &Relay::with_script(&server, script).config_for("host")).sink(sink).build();
    within_limit(client.connect("host")?.run("true")).await?;
    client.close().await;
    let events = event_texts(&capture, "warning", "text");
    assert_eq!(events, ["ProxyCommand: see \\u{1b}[31mhttps://example.com/login"]);
    Ok(())
}

#[tokio::test]
async fn a_proxy_command_needs_allowed_local_programs() {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let client = client_of(&server, &relay.config_for("host")).build();
    let text = error_text(&expect_error(client.connect("host"), ErrorKind::Config));
    assert_eq!(
        text,
        format!(
            "error: host: this program may not run `ProxyCommand {}`\nhint: call `ClientBuilder::allow_local_programs`",
            relay.command()
        )
    );
}

#[tokio::test]
async fn proxy_use_fdpass_is_refused() {
    let server = Sshd::start();
    let client =
        client_with_local_programs(&server, "Host host\n    ProxyCommand nc %h %p\n    ProxyUseFdpass yes\n").build();
    let text = error_text(&expect_error(client.connect("host"), ErrorKind::Config));
    assert!(
        text.starts_with("error: host: `ProxyUseFdpass yes` of `ProxyCommand nc %h %p` is not supported\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_command_overrides_fabrs_toml_but_not_a_typed_gateway() -> Result<()> {
    let server = Sshd::start();
    let jump = Sshd::builder().authorize(server.identity_key()).start();
    let relay = Relay::to_host(&server);
    let config = ssh_config(&server, &(gateway_config("jump", &jump) + &relay.config_for("host")));
    let jump_host: Gateway = "jump".parse().expect("the host name is valid");
    for (gateway, by_gateway) in [(Layered::config(jump_host.clone()), false), (Layered::argument(jump_host), true)] {
        let run = settings(&config).gateway(gateway);
        let client = Client::builder().settings(run).allow_local_programs().build();
        within_limit(client.connect("host")?.run("true")).await?;
        assert_eq!((jump.connections() == 1, relay.running().is_empty()), (by_gateway, by_gateway));
        client.close().await;
        wait_until("the connection is closed", LIMIT, || jump.connections() == 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_may_use_a_proxy_command() -> Result<()> {
    let server = Sshd::builder().aliases(["web1", "web2"]).start();
    let [a, b] = [(); 2].map(|()| Sshd::builder().authorize(server.identity_key()).start());
    let relay = Relay::to_host(&server);
    // As with `ssh -J`, the second gateway of a chain is reached through the first, despite its own
    // `ProxyCommand`.
    let config = relay.config_for("a") + "Host b\n    ProxyCommand false\nHost web1 web2\n    ProxyJump a,b\n";
    let client =
        client_with_local_programs(&server, &(gateway_config("a", &a) + &gateway_config("b", &b) + &config)).build();
    for name in ["web1", "web2"] {
        within_limit(client.connect(name)?.run("true")).await?;
    }
    assert_eq!([&a, &b, &server].map(Sshd::connections), [1, 1, 2]);
    client.close().await;
    relay.wait_until_gone();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_a_failed_proxy_command_is_named() -> Result<()> {
    let server = Sshd::start();
    let config = "Host jump\n    ProxyCommand sh -c 'echo no way >&2; exit 9'\nHost host\n    ProxyJump jump\n";
    let client = client_with_local_programs(&server, config).build();
    let text = error_text(&expect_error(within_limit(client.connect("host")?.run("true")).await, ErrorKind::Connect));
    assert!(text.starts_with("error: host: could not connect through its gateway jump\n"), "{text}");
    assert!(text.contains("jump: could not connect by its ProxyCommand\n"), "{text}");
    assert!(text.ends_with("ended with exit status 9: no way"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_command_runs_in_the_current_directory() {
    let server = Sshd::start();
    let here = Path::new(".").canonicalize().expect("the file exists");
    let command = format!("sh -c 'test \"$PWD\" = \"{}\" && exit 5; exit 6'", here.display());
    let text = error_text(&failure(&server, &command).await);
    assert!(text.ends_with("ended with exit status 5"), "{text}");
}
