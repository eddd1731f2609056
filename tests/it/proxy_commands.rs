//! Connections through a local command: `ProxyCommand`.

use std::fs;
use std::path::{Path, PathBuf};

use fabrs::config::{Gateway, Layered};
use fabrs::prelude::*;
use fabrs::{Client, ClientBuilder, Error, Result};
use fabrs_testing::{Process, Sshd, marker, processes_matching, wait_until};
use futures::future::join_all;

use crate::support::{
    LIMIT, also_known, block, capture, client_of, refused, settings, soon, ssh_config, told as texts_of,
};

/// A script in the place of `nc`. The script starts a second process, and a mark identifies its
/// processes.
struct Relay {
    path: PathBuf,
    mark: String,
}

impl Relay {
    /// Makes a relay that connects to the address and port in its arguments.
    fn to_host(sshd: &Sshd) -> Self {
        Self::that(sshd, "exec 3<>\"/dev/tcp/$1/$2\"\nnap 3>&- &\ncat <&3 &\nexec cat >&3")
    }

    /// Makes a relay with this script. The function `nap` starts a process that stays.
    fn that(sshd: &Sshd, script: &str) -> Self {
        let mark = marker();
        let path = sshd.dir().join(format!("relay-{mark}"));
        let nap = format!("nap() {{ exec sleep {mark} < /dev/null > /dev/null 2>&1; }}");
        fs::write(&path, format!("{nap}\n{script}\n")).expect("the directory is ours");
        Self { path, mark }
    }

    /// Returns the command with its tokens.
    fn command(&self) -> String {
        format!("bash '{}' %h %p", self.path.display())
    }

    /// Returns the config lines that connect to a host through the relay.
    fn leads_to(&self, host: &str) -> String {
        format!("Host {host}\n    ProxyCommand {}\n", self.command())
    }

    fn running(&self) -> Vec<Process> {
        processes_matching(&self.mark)
    }

    #[track_caller]
    fn has_gone(&self) {
        wait_until("nothing of it is left", LIMIT, || self.running().is_empty());
    }
}

/// Returns a client that may run local programs, like `fab`.
fn may_run(sshd: &Sshd, first: &str) -> ClientBuilder {
    client_of(sshd, first).allow_local_programs()
}

/// Connects to `host` through this command. Returns the error.
async fn failure(sshd: &Sshd, command: &str) -> Error {
    let client = may_run(sshd, &format!("Host host\n    ProxyCommand {command}\n")).build();
    let host = client.connect("host").expect("the config is a good one");
    refused(soon(host.run("true")).await, ErrorKind::Connect)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_reached_by_its_command_which_is_gone_after_close() -> Result<()> {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let client = may_run(&server, &relay.leads_to("host")).build();
    for _ in 0..2 {
        let host = client.connect("host")?;
        assert_eq!(soon(host.run("id -un").line()).await?, server.user());
        soon(host.run("true")).await?;
        assert_eq!(server.connections(), 1);
        assert!(!relay.running().is_empty());
        client.close().await;
        relay.has_gone();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ssh_itself_can_be_the_command() -> Result<()> {
    let server = Sshd::start();
    let jump = Sshd::start();
    let command = format!("ssh -F '{}' -W %h:%p {}", jump.ssh_config().display(), jump.alias());
    let client = may_run(&server, &format!("Host host\n    ProxyCommand {command}\n")).build();
    soon(client.connect("host")?.run("true")).await?;
    assert_eq!((jump.connections(), server.connections()), (1, 1));
    client.close().await;
    wait_until("both are closed", LIMIT, || jump.connections() + server.connections() == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_passes_both_ways_at_once() -> Result<()> {
    let server = Sshd::start();
    let client = may_run(&server, &Relay::to_host(&server).leads_to("host")).build();
    let much = vec![b'x'; 20 << 20];
    let output =
        soon(client.connect("host")?.run("cat | tee /dev/stderr | wc -c").stdin(much).hide(Hide::Both)).await?;
    assert_eq!(output.line()?, (20 << 20).to_string());
    Ok(())
}

/// `ssh` has no fabrs.toml. These are the user and port that `ssh` would pass to the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_is_told_the_user_and_port_of_the_connection_wherever_they_come_from() -> Result<()> {
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
        refused(soon(client.connect(host)?.run("true")).await, ErrorKind::Connect);
        assert_eq!(fs::read_to_string(&seen).expect("it was run"), expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_a_shell_would_run_is_refused() -> Result<()> {
    let server = Sshd::start();
    let client = may_run(&server, "Host host\n    ProxyCommand nc %r\n").build();
    let error = refused(client.connect("$(id)@host"), ErrorKind::Config);
    let text = block(&error);
    assert!(text.starts_with("error: host: its `ProxyCommand` can't be run\n"), "{text}");
    assert!(text.contains("`$(id)` contains special characters of a shell"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_fails_is_told_with_its_status_and_its_last_words() {
    let server = Sshd::start();
    let relay = Relay::that(&server, "nap &\necho one >&2\nprintf '\\033[2Jtwo' >&2\nexit 3");
    let error = failure(&server, &relay.command()).await;
    let line = relay.command().replace("%h", "127.0.0.1").replace("%p", &server.port().to_string());
    assert_eq!(
        block(&error.without_location()),
        format!(
            "error: host: could not connect by its ProxyCommand\n  \
             caused by: `{line}` ended with exit status 3: \\u{{1b}}[2Jtwo"
        )
    );
    relay.has_gone();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_ends_at_once_or_does_not_exist_is_told_with_its_status() {
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
        let text = block(error);
        assert!(text.starts_with("error: host: could not connect by its ProxyCommand\n"), "{text}");
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(server.connections(), 0);
}

/// A server closes the connection early while more logins than its `MaxStartups` are in progress.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_up_before_its_greeting_is_tried_again() -> Result<()> {
    let server = Sshd::start();
    let by_ssh = "echo 'kex_exchange_identification: Connection closed by remote host' >&2\necho Closed. >&2; exit 255";
    for turned_away in ["exit 0", by_ssh] {
        let relay = "exec 3<>\"/dev/tcp/$1/$2\"; cat <&3 & exec cat >&3";
        let script =
            format!("echo x >> \"$0.tries\"\nif test $(wc -l < \"$0.tries\") -lt 3; then {turned_away}; fi\n{relay}");
        let client = may_run(&server, &Relay::that(&server, &script).leads_to("host")).build();
        soon(client.connect("host")?.run("true")).await?;
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_never_answers_is_waited_for_no_longer_than_a_server_is() {
    let server = Sshd::start();
    let relay = Relay::that(&server, "nap & nap");
    let client = may_run(&server, &format!("ConnectTimeout 1\n{}", relay.leads_to("host"))).build();
    let host = client.connect("host").expect("the config is a good one");
    let text = block(&refused(soon(host.run("true")).await, ErrorKind::Connect));
    let words = format!("error: host: no answer from `bash '{}' 127.0.0.1 ", relay.path.display());
    assert!(text.starts_with(&words) && text.contains(" within 1s\n"), "{text}");
    relay.has_gone();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connecting_that_is_given_up_leaves_nothing() {
    let server = Sshd::start();
    let relay = Relay::that(&server, "trap '' HUP TERM\nnap & nap");
    let client = may_run(&server, &relay.leads_to("host")).build();
    let host = client.connect("host").expect("the config is a good one");
    let running = host.run("true").spawn().expect("it starts");
    wait_until("it connects", LIMIT, || relay.running().len() >= 2);
    drop(running);
    relay.has_gone();
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_ends_a_command_that_will_not_hear() -> Result<()> {
    let server = Sshd::start();
    let script = "trap '' HUP TERM\nexec 3<>\"/dev/tcp/$1/$2\"\nnap 3>&- &\ncat <&3 &\ncat >&3; nap";
    let relay = Relay::that(&server, script);
    let client = may_run(&server, &relay.leads_to("host")).build();
    soon(client.connect("host")?.run("true")).await?;
    soon(client.close()).await;
    relay.has_gone();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_dropped_takes_its_commands_along() -> Result<()> {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let client = may_run(&server, &relay.leads_to("host")).build();
    soon(client.connect("host")?.run("true")).await?;
    assert!(!relay.running().is_empty());
    drop(client);
    relay.has_gone();
    Ok(())
}

#[test]
fn a_runtime_that_ends_takes_its_commands_along() {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let client = may_run(&server, &relay.leads_to("host")).build();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async { client.connect("host").expect("it is a host").run("true").await }).expect("it runs");
    assert!(!relay.running().is_empty());
    drop(runtime);
    relay.has_gone();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_command_ends_is_lost_and_made_anew() -> Result<()> {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let host = may_run(&server, &relay.leads_to("host")).build().connect("host")?;
    let running = host.run("sleep 60").spawn()?;
    wait_until("it runs", LIMIT, || server.open_sessions() == 1);
    let leaders =
        Process::all().into_iter().filter(|process| relay.running().iter().any(|one| one.pgid == process.pid));
    leaders.for_each(|leader| leader.kill());
    refused(soon(running).await, ErrorKind::Channel);
    soon(host.run("true")).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_command_says_is_told_at_once_and_obeyed_by_no_terminal() -> Result<()> {
    let server = Sshd::start();
    let script = "printf 'see \\033[31mhttps://example.com/login\\r\\n\\n' >&2\n\
                  exec 3<>\"/dev/tcp/$1/$2\"; cat <&3 & exec cat >&3";
    let (capture, sink) = capture();
    let client = may_run(&server, &Relay::that(&server, script).leads_to("host")).sink(sink).build();
    soon(client.connect("host")?.run("true")).await?;
    client.close().await;
    let told = texts_of(&capture, "warning", "text");
    assert_eq!(told, ["ProxyCommand: see \\u{1b}[31mhttps://example.com/login"]);
    Ok(())
}

#[tokio::test]
async fn a_program_has_to_allow_it() {
    let server = Sshd::start();
    let relay = Relay::to_host(&server);
    let client = client_of(&server, &relay.leads_to("host")).build();
    let text = block(&refused(client.connect("host"), ErrorKind::Config));
    assert_eq!(
        text,
        format!(
            "error: host: this program may not run `ProxyCommand {}`\nhint: call `ClientBuilder::allow_local_programs`",
            relay.command()
        )
    );
}

#[tokio::test]
async fn one_that_hands_a_socket_over_is_refused() {
    let server = Sshd::start();
    let client = may_run(&server, "Host host\n    ProxyCommand nc %h %p\n    ProxyUseFdpass yes\n").build();
    let text = block(&refused(client.connect("host"), ErrorKind::Config));
    assert!(
        text.starts_with("error: host: `ProxyUseFdpass yes` of `ProxyCommand nc %h %p` is not supported\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_wins_over_a_gateway_of_fabrs_toml_and_gives_way_to_one_that_was_typed() -> Result<()> {
    let server = Sshd::start();
    let jump = Sshd::builder().authorize(server.identity_key()).start();
    let relay = Relay::to_host(&server);
    let config = ssh_config(&server, &(also_known("jump", &jump) + &relay.leads_to("host")));
    let jump_host: Gateway = "jump".parse().expect("this is a host");
    for (gateway, by_gateway) in [(Layered::config(jump_host.clone()), false), (Layered::argument(jump_host), true)] {
        let run = settings(&config).gateway(gateway);
        let client = Client::builder().settings(run).allow_local_programs().build();
        soon(client.connect("host")?.run("true")).await?;
        assert_eq!((jump.connections() == 1, relay.running().is_empty()), (by_gateway, by_gateway));
        client.close().await;
        wait_until("it is closed", LIMIT, || jump.connections() == 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_may_be_reached_by_a_command() -> Result<()> {
    let server = Sshd::builder().aliases(["web1", "web2"]).start();
    let [a, b] = [(); 2].map(|()| Sshd::builder().authorize(server.identity_key()).start());
    let relay = Relay::to_host(&server);
    // As with `ssh -J`, the second gateway of a chain is reached through the first, despite its own
    // `ProxyCommand`.
    let ways = relay.leads_to("a") + "Host b\n    ProxyCommand false\nHost web1 web2\n    ProxyJump a,b\n";
    let client = may_run(&server, &(also_known("a", &a) + &also_known("b", &b) + &ways)).build();
    for name in ["web1", "web2"] {
        soon(client.connect(name)?.run("true")).await?;
    }
    assert_eq!([&a, &b, &server].map(Sshd::connections), [1, 1, 2]);
    client.close().await;
    relay.has_gone();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_command_fails_is_named() -> Result<()> {
    let server = Sshd::start();
    let config = "Host jump\n    ProxyCommand sh -c 'echo no way >&2; exit 9'\nHost host\n    ProxyJump jump\n";
    let client = may_run(&server, config).build();
    let text = block(&refused(soon(client.connect("host")?.run("true")).await, ErrorKind::Connect));
    assert!(text.starts_with("error: host: could not get through its gateway jump\n"), "{text}");
    assert!(text.contains("jump: could not connect by its ProxyCommand\n"), "{text}");
    assert!(text.ends_with("ended with exit status 9: no way"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_runs_where_the_program_does() {
    let server = Sshd::start();
    let here = Path::new(".").canonicalize().expect("it is there");
    let command = format!("sh -c 'test \"$PWD\" = \"{}\" && exit 5; exit 6'", here.display());
    let text = block(&failure(&server, &command).await);
    assert!(text.ends_with("ended with exit status 5"), "{text}");
}
