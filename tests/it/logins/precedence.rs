//! Precedence of users, ports and addresses from several sources.

use fabrs::config::{Layered, Settings};
use fabrs::prelude::*;
use fabrs::{Client, Result};
use fabrs_testing::faults::RefusedPort;
use fabrs_testing::{Account, Capability, Sshd};

use crate::support::{client_of, expect_error, settings, ssh_config};

/// Returns the remote user of a login.
async fn login_user(settings: Settings, host: &str) -> Result<String> {
    Client::builder().settings(settings).build().connect(host)?.run("id -un").line().await
}

#[tokio::test]
async fn the_user_precedence_is_host_argument_ssh_config_fabrs_toml() -> Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let accounts = [Account::Plain, Account::Dash, Account::Root, Account::SudoNopasswd];
    let [plain, dash, root, sudo] = accounts.map(Account::name);
    let sshd = Sshd::builder().users(accounts).start();
    let config = ssh_config(&sshd, "");
    let mut run = settings(&config);
    run.user = Layered::config(sudo.to_owned());
    assert_eq!(login_user(run.clone(), "host").await?, plain, "ssh_config names the first account");
    run.user.argument = Some(root.to_owned());
    assert_eq!(login_user(run.clone(), "host").await?, root);
    assert_eq!(login_user(run.clone(), &format!("{dash}@host")).await?, dash);

    let text = std::fs::read_to_string(&config).expect("the file was written");
    std::fs::write(&config, text.replace(&format!("    User {plain}\n"), "")).expect("the directory is ours");
    run.user.argument = None;
    assert_eq!(login_user(run, "host").await?, sudo, "without another source");
    Ok(())
}

#[tokio::test]
async fn the_port_precedence_is_host_argument_ssh_config_fabrs_toml() -> Result<()> {
    let sshd = Sshd::start();
    let alias = format!("HostKeyAlias [127.0.0.1]:{}\n", sshd.port());
    let (refusing, config) = (RefusedPort::reserve().addr().port(), ssh_config(&sshd, &alias));
    let connect = async |run: &Settings, host: &str| {
        Client::builder().settings(run.clone()).build().connect(host)?.run("true").await
    };
    let mut run = settings(&config);
    run.port = Layered::config(refusing);
    connect(&run, "host").await?;
    run.port.argument = Some(refusing);
    expect_error(connect(&run, "host").await, ErrorKind::Connect);
    connect(&run, &format!("host:{}", sshd.port())).await?;

    let text = std::fs::read_to_string(&config).expect("the file was written");
    std::fs::write(&config, text.replace(&format!("    Port {}\n", sshd.port()), "")).expect("the directory is ours");
    run.port = Layered::config(sshd.port());
    connect(&run, "host").await?;
    Ok(())
}

#[tokio::test]
async fn a_host_is_shown_by_its_name_and_reached_by_its_address() -> Result<()> {
    let sshd = Sshd::builder().aliases(["web1"]).start();
    let host = client_of(&sshd, "").build().connect("web1")?;
    let output = host.run("echo $SSH_CONNECTION").await?;
    assert_eq!(output.stdout()?.split(' ').nth(2), Some("127.0.0.1"));
    assert_eq!(output.host().label().to_string(), "web1");
    let error = expect_error(host.run("exit 1").await, ErrorKind::Exit);
    assert!(error.to_string().starts_with("web1: "), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_ipv6_address_is_reached_with_and_without_a_port() -> Result<()> {
    if !Capability::Ipv6.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().listen(["::1".parse().expect("an address")]).start();
    let client = client_of(&sshd, "").build();
    for host in [sshd.host_string(), "::1".to_owned(), format!("[::1]:{}", sshd.port())] {
        let line = client.connect(&host)?.run("echo $SSH_CONNECTION").line().await?;
        assert_eq!(line.split(' ').nth(2), Some("::1"), "{host}");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_without_a_config_entry_is_an_address() -> Result<()> {
    let sshd = Sshd::start();
    let client = client_of(&sshd, "").build();
    assert_eq!(client.connect("127.0.0.1")?.run("id -un").line().await?, sshd.user());
    Ok(())
}
