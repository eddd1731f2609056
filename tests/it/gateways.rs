//! Hosts behind gateways.

use std::fs;
use std::net::SocketAddr;

use fabrs::config::{Gateway, Layered};
use fabrs::prelude::*;
use fabrs::{Client, Group, IntoHost, Result};
use fabrs_testing::faults::{Cut, Proxy, RefusedPort};
use fabrs_testing::{Sshd, wait_until};

use crate::support::{LIMIT, client_of, error_text, expect_error, gateway_config, settings, ssh_config};

/// Returns a gateway that accepts the server's key and forwards only to `to`.
fn gateway(server: &Sshd, to: SocketAddr) -> Sshd {
    Sshd::builder().authorize(server.identity_key()).option("PermitOpen", to.to_string()).start()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_gateways_are_used_in_order() -> Result<()> {
    let server = Sshd::start();
    let second = gateway(&server, server.addr());
    let first = gateway(&server, second.addr());
    let config = gateway_config("a", &first) + &gateway_config("b", &second) + "Host host\n    ProxyJump a,b\n";
    let client = client_of(&server, &config).build();
    let host = client.connect("host")?;
    // Each gateway can reach only the next server, so another order would fail.
    assert_eq!(host.run("id -un").line().await?, server.user());
    assert_eq!([&first, &second, &server].map(Sshd::connections), [1, 1, 1]);
    client.close().await;
    wait_until("all connections are closed", LIMIT, || {
        [&first, &second, &server].iter().all(|sshd| sshd.connections() == 0)
    });
    host.run("true").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_for_all_hosts_is_contacted_directly() -> Result<()> {
    let names = ["web1", "web2", "web3"];
    let server = Sshd::builder().aliases(names).start();
    let jump = gateway(&server, server.addr());
    let config = gateway_config("jump", &jump) + "Host *\n    ProxyJump jump\n";
    let client = client_of(&server, &config).build();
    Group::of(&client, names)?.run("true").await.all_ok()?;
    assert_eq!((jump.connections(), server.connections()), (1, 3), "all hosts share the gateway's connection");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_in_the_settings_is_used() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server, server.addr());
    let config = ssh_config(&server, &gateway_config("jump", &jump));
    let by = || "jump".into_host().map(Gateway::from);
    for gateway in [Layered::argument(by()?), Layered::config(by()?)] {
        let mut run = settings(&config);
        run.gateway = gateway;
        let client = Client::builder().settings(run).build();
        client.connect("host")?.run("true").await?;
        assert_eq!(jump.connections(), 1);
        client.close().await;
        wait_until("the connection is closed", LIMIT, || jump.connections() == 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_jump_none_overrides_fabrs_toml_but_not_an_argument() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server, server.addr());
    let config = ssh_config(&server, &(gateway_config("jump", &jump) + "Host host\n    ProxyJump none\n"));
    let by = || "jump".into_host().map(Gateway::from);
    for (gateway, connections) in [(Layered::config(by()?), 0), (Layered::argument(by()?), 1)] {
        let mut run = settings(&config);
        run.gateway = gateway;
        let client = Client::builder().settings(run).build();
        client.connect("host")?.run("true").await?;
        assert_eq!(jump.connections(), connections);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_setting_skips_the_gateway_of_ssh_config() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server, server.addr());
    let config = ssh_config(&server, &(gateway_config("jump", &jump) + "Host host\n    ProxyJump jump\n"));
    for gateway in [Layered::argument(Gateway::Direct), Layered::config(Gateway::Direct)] {
        let mut run = settings(&config);
        run.gateway = gateway;
        let client = Client::builder().settings(run).build();
        client.connect("host")?.run("true").await?;
        assert_eq!((jump.connections(), server.connections()), (0, 1));
        client.close().await;
        wait_until("the connection is closed", LIMIT, || server.connections() == 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_may_be_named_with_its_user_and_port() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server, server.addr());
    let config = format!(
        "UserKnownHostsFile {} {}\nHost host\n    ProxyJump {}\n",
        server.known_hosts().display(),
        jump.known_hosts().display(),
        jump.host_string()
    );
    let host = client_of(&server, &config).build().connect("host")?;
    host.run("true").await?;
    assert_eq!(jump.connections(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_of_a_run_may_be_one_of_its_hosts() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server, server.addr());
    let config = ssh_config(&server, &gateway_config("jump", &jump));
    let mut run = settings(&config);
    run.gateway = Layered::argument("jump".into_host().map(Gateway::from)?);
    let client = Client::builder().settings(run).build();
    Group::of(&client, ["host", "jump"])?.run("true").await.all_ok()?;
    assert_eq!((jump.connections(), server.connections()), (2, 1), "one as a gateway, one as a host");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_gateway_is_named() -> Result<()> {
    let server = Sshd::start();
    let down = RefusedPort::reserve();
    let config =
        format!("Host jump\n    HostName 127.0.0.1\n    Port {}\nHost host\n    ProxyJump jump\n", down.addr().port());
    let error =
        expect_error(client_of(&server, &config).build().connect("host")?.run("true").await, ErrorKind::Connect);
    let text = error_text(&error);
    assert!(text.starts_with("error: host: "), "the host it is about: {text}");
    assert!(text.contains("jump: could not connect to 127.0.0.1 port"), "and what is down: {text}");
    assert_eq!(server.connections(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_unreachable_from_the_gateway_is_named() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server, RefusedPort::reserve().addr());
    let config = gateway_config("jump", &jump) + "Host host\n    ProxyJump jump\n";
    let error =
        expect_error(client_of(&server, &config).build().connect("host")?.run("true").await, ErrorKind::Connect);
    let text = error_text(&error);
    let words = format!("error: host: the gateway jump could not connect to 127.0.0.1 port {}", server.port());
    assert!(text.starts_with(&words), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_refuses_the_login_is_named() -> Result<()> {
    let server = Sshd::start();
    let stranger = Sshd::start();
    let config = gateway_config("jump", &stranger) + "Host host\n    ProxyJump jump\n";
    let error = expect_error(client_of(&server, &config).build().connect("host")?.run("true").await, ErrorKind::Auth);
    let text = error_text(&error);
    assert!(text.starts_with("error: host: ") && text.contains("jump: could not log in"), "{text}");

    let jump = gateway(&server, server.addr());
    fs::write(jump.known_hosts(), "").expect("the directory is ours");
    let config = gateway_config("jump", &jump) + "Host host\n    ProxyJump jump\n";
    let error =
        expect_error(client_of(&server, &config).build().connect("host")?.run("true").await, ErrorKind::HostKey);
    let text = error_text(&error);
    assert!(text.starts_with("error: host: ") && text.contains("jump: the host's ssh-ed25519 key"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_cycle_is_refused() -> Result<()> {
    let server = Sshd::start();
    let config = "Host a\n    ProxyJump b\nHost b\n    ProxyJump a\nHost host\n    ProxyJump a\n";
    let error = expect_error(client_of(&server, config).build().connect("host"), ErrorKind::Config);
    assert!(error.to_string().contains("can only be reached through itself"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_gateway_loses_its_hosts_and_is_reconnected() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server, server.addr());
    let proxy = Proxy::to(jump.addr());
    let config = format!(
        "Host jump\n    HostName 127.0.0.1\n    Port {}\n    HostKeyAlias [127.0.0.1]:{}\n    UserKnownHostsFile {}\nHost host\n    ProxyJump jump\n",
        proxy.port(),
        jump.port(),
        jump.known_hosts().display()
    );
    let host = client_of(&server, &config).build().connect("host")?;
    // The command reads and writes all the time. It would hang if one direction waited for the
    // other.
    let running = host.run("cat /dev/zero").stdin(vec![0; 50 << 20]).spawn()?;
    wait_until("the command runs", LIMIT, || server.open_sessions() == 1);
    proxy.cut_now(Cut::Reset);
    let error = tokio::time::timeout(LIMIT, running).await.expect("the command ends");
    assert_eq!(error.expect_err("the connection was cut").kind(), ErrorKind::Channel);
    host.run("true").await?;
    assert_eq!(proxy.accepted(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_command_behind_a_gateway_ends() -> Result<()> {
    let server = Sshd::start();
    let jump = gateway(&server, server.addr());
    let config = gateway_config("jump", &jump) + "Host host\n    ProxyJump jump\n";
    let host = client_of(&server, &config).build().connect("host")?;
    for line in ["sleep 60 | cat", "cat /dev/zero"] {
        let running = host.run(line).hide(Hide::Both).spawn()?;
        wait_until("the command runs", LIMIT, || server.open_sessions() == 1);
        drop(running);
        wait_until("the command has ended", LIMIT, || {
            server.session_processes().is_empty() && server.open_sessions() == 0
        });
    }
    Ok(())
}
