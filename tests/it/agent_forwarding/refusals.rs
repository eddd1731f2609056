//! Agent forwarding that the server refuses, or that is impossible on this machine.

use fabrs::Result;
use fabrs::prelude::*;
use fabrs_testing::{KeyType, Sshd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::{Fixture, LIST};
use crate::support::{capture, client_of, event_texts, within_limit};

#[tokio::test]
async fn a_refusal_by_the_server_is_one_warning_and_the_commands_run() -> Result<()> {
    let refusing = Sshd::builder().option("AllowAgentForwarding", "no");
    let restricted = Sshd::builder().key_options("no-agent-forwarding");
    for server in [refusing, restricted] {
        let fixture = Fixture::with(server);
        let (events, sink) = capture();
        let host = fixture.client("ForwardAgent yes").sink(sink).build().connect("host")?;
        for _ in 0..2 {
            assert_eq!(host.run("echo \"${SSH_AUTH_SOCK-none}\"").line().await?, "none");
        }
        assert_eq!(event_texts(&events, "warning", "host"), ["host"]);
        assert_eq!(
            event_texts(&events, "warning", "text"),
            ["the server refused agent forwarding (`AllowAgentForwarding`): commands run without an agent"]
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_agent_is_one_warning_and_the_commands_run() -> Result<()> {
    let sshd = Sshd::builder().aliases(["web1", "web2"]).start();
    let socket = sshd.dir().join("nobody");
    for (agent, expected) in [
        (
            "none".to_owned(),
            "agent forwarding is off: `SSH_AUTH_SOCK` is not set, or the ssh config has `IdentityAgent none`"
                .to_owned(),
        ),
        (
            socket.display().to_string(),
            format!("agent forwarding is off: could not connect to the agent at `{}`", socket.display()),
        ),
    ] {
        let (events, sink) = capture();
        let client = client_of(&sshd, &format!("ForwardAgent yes\nIdentityAgent {agent}")).sink(sink).build();
        for name in ["web1", "web2"] {
            assert_eq!(client.connect(name)?.run("echo \"${SSH_AUTH_SOCK-none}\"").line().await?, "none");
        }
        assert_eq!(event_texts(&events, "warning", "text"), [expected]);
    }
    Ok(())
}

#[tokio::test]
async fn an_agent_that_ends_during_the_connection_fails_only_its_users() -> Result<()> {
    let fixture = Fixture::start();
    let host = fixture.client("ForwardAgent yes").build().connect("host")?;
    host.run(LIST).await?;
    drop(fixture.agent);
    assert!(!host.run(LIST).ok().await?);
    assert_eq!(host.run("echo here").line().await?, "here");
    Ok(())
}

#[tokio::test]
async fn a_silent_agent_delays_neither_other_commands_nor_the_end() -> Result<()> {
    let sshd = Sshd::start();
    for accepts_session in [false, true] {
        let socket = sshd.dir().join(format!("silent-{accepts_session}"));
        let silent = UnixListener::bind(&socket).expect("the directory is ours");
        let client = client_of(&sshd, &format!("ForwardAgent {}", socket.display())).build();
        let host = client.connect("host")?;
        let others = async {
            silent.accept().await.expect("fabrs checks for a running agent");
            let (mut connection, _) = silent.accept().await.expect("`ssh-add` connects");
            if accepts_session {
                let length = connection.read_u32().await.expect("fabrs announces the session");
                connection.read_exact(&mut vec![0; length as usize]).await.expect("the message is complete");
                // SSH_AGENT_SUCCESS
                connection.write_all(b"\0\0\0\x01\x06").await.expect("fabrs reads the answer");
                let list = connection.read_u32().await.expect("`ssh-add` requests the keys");
                assert_eq!(list, 1);
            }
            assert_eq!(host.run("echo here").line().await?, "here");
            Result::Ok(())
        };
        tokio::select! {
            ended = host.run(LIST) => panic!("the agent has not answered: {ended:?}"),
            ended = within_limit(others) => ended?,
        }
        within_limit(client.close()).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_host_with_a_changed_key_does_not_receive_the_agent() -> Result<()> {
    let mut sshd = Sshd::builder().host_keys([KeyType::Ed25519]).start();
    let known = sshd.dir().join("old_known_hosts");
    std::fs::copy(sshd.known_hosts(), &known).expect("the directory is ours");
    sshd.rotate_host_key();
    let fixture = Fixture::of(sshd);
    let lines = format!("ForwardAgent yes\nStrictHostKeyChecking no\nUserKnownHostsFile {}", known.display());
    let (events, sink) = capture();
    let host = fixture.client(&lines).sink(sink).build().connect("host")?;
    assert_eq!(host.run("echo \"${SSH_AUTH_SOCK-none}\"").line().await?, "none");
    let warnings = event_texts(&events, "warning", "text");
    assert!(warnings.iter().any(|text| text.contains("agent forwarding is off")), "{warnings:#?}");
    Ok(())
}

/// Each waiting process holds a channel to the agent.
#[tokio::test]
async fn a_host_has_at_most_sixteen_channels_to_the_agent() -> Result<()> {
    let fixture = Fixture::start();
    let host = fixture.client("ForwardAgent yes").build().connect("host")?;
    let script = "import os, socket\n\
                  def connect():\n    \
                      s = socket.socket(socket.AF_UNIX)\n    \
                      s.connect(os.environ['SSH_AUTH_SOCK'])\n    \
                      try:\n        \
                          s.sendall(b'\\0\\0\\0\\1\\x0b')\n        \
                          return s if s.recv(5) else None\n    \
                      except OSError:\n        \
                          return None\n\
                  sockets = [connect() for _ in range(17)]\n\
                  print(sockets.index(None))\n\
                  sockets[0].close()\n\
                  while not connect(): pass\n\
                  print('free')\n";
    let lines = host.run(cmd!("python3 -c {script}")).lines().await?;
    assert_eq!(lines, ["16", "free"]);
    Ok(())
}
