//! Access of commands to the forwarded agent, and its end.

use std::path::PathBuf;

use fabrs::config::{Config, Inventory, Layered};
use fabrs::prelude::*;
use fabrs::{Connection, Result};
use fabrs_testing::{Dropbear, Key, KeyType, SshAgent, Sshd, wait_until};

use super::{Fixture, LIST};
use crate::support::{LIMIT, capture, client_of, event_texts, gateway_config, settings};

/// Returns true if a command of the host can use the key.
async fn has_key(host: &Connection, key: &Key) -> Result<bool> {
    let list = host.run(LIST).warn().await?;
    Ok(list.stdout()?.contains(&key.fingerprint()))
}

#[tokio::test]
async fn a_command_uses_the_agent_only_with_forwarding() -> Result<()> {
    let fixture = Fixture::start();
    let with = fixture.client("ForwardAgent yes").build().connect("host")?;
    assert!(has_key(&with, &fixture.key).await?);
    for lines in ["", "ForwardAgent no", "ForwardAgent $NO_SUCH_VARIABLE"] {
        let without = fixture.client(lines).build().connect("host")?;
        assert_eq!(without.run("echo \"${SSH_AUTH_SOCK-none}\"").line().await?, "none", "{lines}");
        assert!(!has_key(&without, &fixture.key).await?, "{lines}");
    }
    Ok(())
}

#[tokio::test]
async fn a_command_with_a_pty_uses_the_agent() -> Result<()> {
    let fixture = Fixture::start();
    let host = fixture.client("ForwardAgent yes").build().connect("host")?;
    let list = host.run(LIST).pty().await?;
    assert!(list.stdout()?.contains(&fixture.key.fingerprint()), "{list:?}");
    Ok(())
}

#[tokio::test]
async fn the_named_agent_is_forwarded_in_place_of_the_agent_of_the_login() -> Result<()> {
    let fixture = Fixture::start();
    let lines = format!("ForwardAgent {}\nIdentityAgent none\n", fixture.agent.socket().display());
    assert!(has_key(&fixture.client(&lines).build().connect("host")?, &fixture.key).await?);
    Ok(())
}

#[tokio::test]
async fn the_first_commands_in_parallel_all_use_the_agent() -> Result<()> {
    let fixture = Fixture::start();
    let (events, sink) = capture();
    let host = fixture.client("ForwardAgent yes").sink(sink).build().connect("host")?;
    let lists = futures::future::join_all((0..8).map(|_| has_key(&host, &fixture.key))).await;
    for has_key in lists {
        assert!(has_key?);
    }
    assert_eq!(event_texts(&events, "warning", "text"), Vec::<String>::new());
    assert_eq!(fixture.sshd.connections(), 1);
    Ok(())
}

#[tokio::test]
async fn the_socket_on_the_host_is_removed_with_the_connection() -> Result<()> {
    let fixture = Fixture::start();
    let client = fixture.client("ForwardAgent yes").build();
    let host = client.connect("host")?;
    let mut sockets = Vec::new();
    // The second connection of the client forwards the agent again.
    for _ in 0..2 {
        let socket = PathBuf::from(host.run("echo \"$SSH_AUTH_SOCK\"").line().await?);
        assert!(has_key(&host, &fixture.key).await? && socket.exists(), "{socket:?}");
        client.close().await;
        wait_until("sshd has removed the socket", LIMIT, || !socket.exists());
        sockets.push(socket);
    }
    assert_ne!(sockets[0], sockets[1]);
    Ok(())
}

#[tokio::test]
async fn the_setting_precedes_the_ssh_config_and_the_ssh_config_precedes_fabrs_toml() -> Result<()> {
    let fixture = Fixture::start();
    for (argument, lines, of_environment, of_host, expected) in [
        (Some(true), "ForwardAgent no", "false", "", true),
        (Some(false), "ForwardAgent yes", "true", "", false),
        (None, "ForwardAgent no", "true", "", false),
        (None, "ForwardAgent yes", "false", "", true),
        (None, "", "true", "", true),
        (None, "", "false", "", false),
        (None, "", "true", "host.host.forward_agent = false", false),
        (None, "", "false", "host.host.forward_agent = true", true),
    ] {
        let text = format!("[env.live]\nhosts = ['host']\nforward_agent = {of_environment}\n{of_host}");
        let inventory = Inventory::new(&Config::parse(&text, "fabrs.toml".as_ref())?, Some("live"))?;
        let settings = fixture.settings(lines).forward_agent(Layered::from_argument(argument));
        let client = Client::builder().settings(settings).inventory(inventory).build();
        assert_eq!(has_key(&client.connect("host")?, &fixture.key).await?, expected, "{argument:?} {lines} {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_destination_constraint_for_another_host_hides_the_key() -> Result<()> {
    let fixture = Fixture::start();
    let other = Sshd::start();
    let constrained = Key::generate(fixture.sshd.dir().join("constrained"), KeyType::Ed25519, "");
    let known = other.known_hosts().display().to_string();
    fixture.agent.add(&constrained, &["-H", &known, "-h", &format!("[127.0.0.1]:{}", other.port())]);
    let host = fixture.client("ForwardAgent yes").build().connect("host")?;
    // The agent knows the host of the session only by the announcement of the session.
    let list = host.run(LIST).await?;
    assert!(list.stdout()?.contains(&fixture.key.fingerprint()), "{list:?}");
    assert!(!list.stdout()?.contains(&constrained.fingerprint()), "{list:?}");
    Ok(())
}

#[tokio::test]
async fn a_gateway_does_not_receive_the_agent_of_its_hosts() -> Result<()> {
    let fixture = Fixture::start();
    let gateway = Sshd::builder().authorize(fixture.sshd.identity_key()).option("LogLevel", "DEBUG1").start();
    let lines = gateway_config("jump", &gateway) + "Host host\n    ProxyJump jump\nHost *\n    ForwardAgent yes\n";
    let client = fixture.client(&lines).build();
    assert!(has_key(&client.connect("host")?, &fixture.key).await?);
    assert_eq!(gateway.connections(), 1);
    assert!(!gateway.log().contains("auth-agent-req"), "{}", gateway.log());
    // As a host of the run, the gateway has a connection of its own.
    assert!(has_key(&client.connect("jump")?, &fixture.key).await?);
    assert!(gateway.log().contains("auth-agent-req"), "{}", gateway.log());
    Ok(())
}

/// Dropbear forwards the agent only to the sessions that request it.
#[tokio::test]
async fn every_command_on_a_dropbear_server_uses_the_agent() -> Result<()> {
    let Some(server) = Dropbear::start() else { return Ok(()) };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = Key::generate(dir.path().join("held"), KeyType::Ed25519, "");
    let agent = SshAgent::holding(&[&key], dir.path());
    let config = dir.path().join("config");
    let lines = format!("ForwardAgent yes\n{}{}", agent.line(), server.ssh_config());
    std::fs::write(&config, lines).expect("the directory is ours");
    let password = Secret::new(Sshd::account_password().to_owned());
    let client = Client::builder().settings(settings(&config)).password(password).build();
    let host = client.connect("host")?;
    for _ in 0..3 {
        assert!(has_key(&host, &key).await?);
    }
    client.close().await;
    Ok(())
}

/// A repository behind a second server that accepts only the key of the agent.
#[tokio::test]
async fn git_on_the_host_reads_a_repository_with_the_key_of_the_agent() -> Result<()> {
    let fixture = Fixture::start();
    let forge = Sshd::builder().authorize(&fixture.key).start();
    let repository = forge.scratch().join("shop.git");
    let ssh = format!("ssh -F /dev/null -o UserKnownHostsFile={} -o BatchMode=yes", forge.known_hosts().display());
    let remote = format!("ssh://{}@127.0.0.1:{}{}", forge.user(), forge.port(), repository.display());
    let owner = client_of(&forge, "").build().connect("host")?;
    owner.run(cmd!("git init -q --bare {repository}")).await?;
    let commit = cmd!(
        "cd \"$(mktemp -d)\" && git init -q && git -c user.name=Ann -c user.email=ann@example.com commit -q \
         --allow-empty -m first && git push -q {repository} HEAD:refs/heads/main"
    );
    owner.run(commit).await?;
    let list = cmd!("GIT_SSH_COMMAND={ssh} git ls-remote {remote}");
    let with = fixture.client("ForwardAgent yes").build().connect("host")?.run(list.clone()).warn().await?;
    assert!(with.stdout()?.contains("refs/heads/main"), "{with:?}");
    let without = fixture.client("").build().connect("host")?.run(list).warn().await?;
    assert!(without.stderr()?.contains("Permission denied"), "{without:?}");
    Ok(())
}
