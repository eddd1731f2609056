//! Routes to a host: the precedence of gateways and proxy commands, settings that skip the
//! gateways, and gateway errors.

use fabrs::config::{Gateway, Layered, Settings};
use fabrs::prelude::*;
use fabrs::{Client, Group, Result};
use fabrs_testing::faults::Proxy;
use fabrs_testing::{Account, Capability, Sshd, wait_until};

use crate::support::{LIMIT, client_of, error_text, expect_error, gateway_config, settings, ssh_config};

/// Returns a gateway that accepts the server's key.
fn gateway(server: &Sshd) -> Sshd {
    Sshd::builder().authorize(server.identity_key()).start()
}

/// Returns a gateway as a command line argument.
fn gateway_argument(host: &str) -> Layered<Gateway> {
    Layered::argument(host.parse().expect("the host name is valid"))
}

async fn connect_and_run(settings: &Settings, host: &str) -> Result<Client> {
    let client = Client::builder().settings(settings.clone()).build();
    client.connect(host)?.run("true").await?;
    Ok(client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_jump_before_a_proxy_command_takes_precedence() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server);
    let config = gateway_config("jump", &jump) + "Host host\n    ProxyJump jump\n    ProxyCommand false\n";
    let client = client_of(&server, &config).build();
    client.connect("host")?.run("true").await?;
    assert_eq!(jump.connections(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_gateway_overrides_ssh_config() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server);
    for line in ["ProxyCommand false", "ProxyJump nowhere.invalid", "ProxyJump none"] {
        let config = format!("{}Host host\n    {line}\n", gateway_config("jump", &jump));
        let mut run = settings(&ssh_config(&server, &config));
        run.gateway = gateway_argument("jump");
        let client = connect_and_run(&run, "host").await?;
        assert_eq!(jump.connections(), 1, "{line}");
        client.close().await;
        wait_until("the connection is closed", LIMIT, || jump.connections() == 0);
    }
    Ok(())
}

/// Like `ssh -p 2222 -J jump host`: the port belongs to the host.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_port_does_not_apply_to_the_gateway() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server);
    let mut run = settings(&ssh_config(&server, &gateway_config("jump", &jump)));
    run.gateway = gateway_argument("jump");
    run.port = Layered::argument(server.port());
    let _client = connect_and_run(&run, "host").await?;
    assert_eq!((jump.connections(), server.connections()), (1, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_user_does_not_apply_to_the_gateway() -> Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let server = Sshd::builder().users([Account::Plain, Account::Dash]).start();
    let jump = gateway(&server);
    let mut run = settings(&ssh_config(&server, &gateway_config("jump", &jump)));
    run.gateway = gateway_argument("jump");
    run.user = Layered::argument(Account::Dash.name().to_owned());
    connect_and_run(&run, "host").await?;
    for (sshd, account) in [(&jump, Account::Plain), (&server, Account::Dash)] {
        let words = format!("Accepted publickey for {} ", account.name());
        assert!(sshd.log().contains(&words), "{words}: {}", sshd.log());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_routes_to_one_gateway_use_two_connections() -> Result<()> {
    let server = Sshd::builder().aliases(["web1", "web2", "web3"]).start();
    let (a, b) = (gateway(&server), gateway(&server));
    let config = "Host web1\n    ProxyJump a,b\nHost web2 web3\n    ProxyJump b\n";
    let client = client_of(&server, &(gateway_config("a", &a) + &gateway_config("b", &b) + config)).build();
    for name in ["web1", "web2", "web3"] {
        client.connect(name)?.run("true").await?;
    }
    assert_eq!((a.connections(), b.connections(), server.connections()), (1, 2, 3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_gateway_is_named_and_contacted_once() -> Result<()> {
    let names: Vec<String> = (1..=10).map(|n| format!("web{n}")).collect();
    let server = Sshd::builder().aliases(names.iter().map(String::as_str)).start();
    let silent = Proxy::silent();
    let config = format!(
        "ConnectTimeout 2\nHost jump\n    HostName 127.0.0.1\n    Port {}\nHost web*\n    ProxyJump jump\n",
        silent.port()
    );
    let client = client_of(&server, &config).build();
    let outcomes = Group::of(&client, &names)?.run("true").await;
    for (host, outcome) in &outcomes {
        let error = outcome.error().expect("every host fails");
        let text = error_text(error);
        assert!(text.starts_with(&format!("error: {host}: could not connect through its gateway jump\n")), "{text}");
        assert!(text.contains(&format!("jump: no answer from 127.0.0.1 port {} within 2s", silent.port())), "{text}");
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
    assert_eq!(silent.accepted(), 1, "all waiting hosts share one attempt");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_forwarding_is_named_with_its_reason() -> Result<()> {
    let server = Sshd::start();
    let jump = Sshd::builder().authorize(server.identity_key()).option("AllowTcpForwarding", "no").start();
    let config = gateway_config("jump", &jump) + "Host host\n    ProxyJump jump\n";
    let error =
        expect_error(client_of(&server, &config).build().connect("host")?.run("true").await, ErrorKind::Connect);
    let text = error_text(&error);
    let words = format!("error: host: the gateway jump could not connect to 127.0.0.1 port {}\n", server.port());
    assert!(text.starts_with(&words), "{text}");
    assert!(text.contains("\nhint: allow it in the sshd_config of the gateway: `AllowTcpForwarding`"), "{text}");
    assert_eq!(server.connections(), 0);
    Ok(())
}
