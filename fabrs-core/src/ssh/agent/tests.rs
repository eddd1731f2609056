//! Tests of agent forwarding against a server in this process. A real server opens no channel
//! without a request.

use std::sync::Arc;

use russh::client::{self, Handle};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{self, Auth};
use russh::{Channel, ChannelId, ChannelMsg, ChannelOpenFailure, Disconnect, MethodKind, MethodSet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::{ProcessEnv, Settings, SshConfigSource};
use crate::event::NoSink;
use crate::host::Host;
use crate::ssh::agent::forwarding::AgentForwarding;
use crate::ssh::handler::Handler;
use crate::ssh::host_key::{HostKeyVerifier, KeyCheckState};
use crate::ssh::settings::SshSettings;
use crate::ssh::target;
use crate::transport::NoPrompter;

/// A server that accepts every login, channel and request for agent forwarding.
struct OpenServer;

impl server::Handler for OpenServer {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<server::Msg>,
        reply: server::ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn agent_request(&mut self, channel: ChannelId, session: &mut server::Session) -> Result<bool, russh::Error> {
        session.channel_success(channel)?;
        Ok(true)
    }
}

/// The behaviour of the local agent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LocalAgent {
    /// Sends its input back.
    Echo,
    /// Reads nothing.
    Silent,
}

/// A session between a client and an [`OpenServer`], with a local agent.
struct TestSession {
    client: Handle<Handler>,
    server: server::Handle,
    forwarding: Arc<AgentForwarding>,
    /// Receives a message for each closed connection to the agent.
    closed: mpsc::Receiver<()>,
    _tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl TestSession {
    async fn start(is_configured: bool, agent: LocalAgent) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (config, socket) = (dir.path().join("config"), dir.path().join("agent"));
        std::fs::write(&config, "UserKnownHostsFile none\nGlobalKnownHostsFile none\nStrictHostKeyChecking no\n")
            .unwrap();
        let settings = Settings { ssh_config: SshConfigSource::File(config), ..Settings::default() };
        let (prompter, sink) = (Arc::new(NoPrompter), Arc::new(NoSink));
        let settings = Arc::new(SshSettings::new(&settings, ProcessEnv::default(), prompter, sink));
        let host: Host = "web1".parse().unwrap();
        let (target, _) = target::resolve_host(&host, &settings).unwrap();
        let mut tasks = JoinSet::new();
        let listener = UnixListener::bind(&socket).unwrap();
        let (ended, closed) = mpsc::channel(8);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut connection, _)) = listener.accept().await {
                let ended = ended.clone();
                connections.spawn(async move {
                    let mut bytes = [0; 64];
                    if agent == LocalAgent::Silent {
                        return std::future::pending().await;
                    }
                    while let Ok(read @ 1..) = connection.read(&mut bytes).await {
                        connection.write_all(&bytes[..read]).await.unwrap();
                    }
                    ended.send(()).await.unwrap();
                });
            }
        });
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = server::Config {
            keys: vec![PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]))],
            methods: MethodSet::from(&[MethodKind::None][..]),
            ..server::Config::default()
        };
        let server = server::run_stream(Arc::new(server), theirs, OpenServer);
        let forwarding = AgentForwarding::new(host, socket, Arc::clone(&settings));
        let keys = HostKeyVerifier::new(Arc::new(target), settings, Arc::new(KeyCheckState::default()));
        let handler = Handler::new(keys, Arc::default(), Some(Arc::clone(&forwarding)).filter(|_| is_configured), 3);
        let (client, server) = tokio::join!(client::connect_stream(Arc::default(), ours, handler), async {
            let running = server.await.unwrap();
            let server = running.handle();
            tasks.spawn(async move { drop(running.await) });
            server
        });
        let mut client = client.unwrap();
        assert!(client.authenticate_none("ann").await.unwrap().success());
        Self { client, server, forwarding, closed, _tasks: tasks, _dir: dir }
    }

    async fn request(&self) {
        let mut channel = self.client.channel_open_session().await.unwrap();
        self.forwarding.request(&mut channel).await.unwrap();
    }
}

fn refusal(opened: Result<Channel<server::Msg>, russh::Error>) -> ChannelOpenFailure {
    match opened {
        Err(russh::Error::ChannelOpenFailure(reason)) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_server_cannot_open_an_agent_channel_without_a_request() {
    for is_configured in [false, true] {
        let session = TestSession::start(is_configured, LocalAgent::Echo).await;
        let reason = refusal(session.server.channel_open_agent().await);
        assert_eq!(reason, ChannelOpenFailure::AdministrativelyProhibited, "{is_configured}");
    }
}

#[tokio::test]
async fn a_channel_reaches_the_agent_until_the_end_of_the_session() {
    let mut session = TestSession::start(true, LocalAgent::Echo).await;
    session.request().await;
    // The connection that checked for a running agent.
    session.closed.recv().await.unwrap();
    let mut channel = session.server.channel_open_agent().await.unwrap();
    channel.data(&b"hello"[..]).await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Data { data }) if &data[..] == b"hello"));
    session.forwarding.close().await;
    session.closed.recv().await.unwrap();
    let reason = refusal(session.server.channel_open_agent().await);
    assert_eq!(reason, ChannelOpenFailure::AdministrativelyProhibited);
}

#[tokio::test]
async fn a_lost_connection_ends_the_use_of_the_agent() {
    let mut session = TestSession::start(true, LocalAgent::Echo).await;
    session.request().await;
    session.closed.recv().await.unwrap();
    let mut channel = session.server.channel_open_agent().await.unwrap();
    channel.data(&b"hello"[..]).await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Data { .. })));
    session.server.disconnect(Disconnect::ByApplication, String::new(), String::new()).await.unwrap();
    session.closed.recv().await.unwrap();
}

#[tokio::test]
async fn a_host_that_overfills_a_silent_agent_loses_only_this_channel() {
    let session = TestSession::start(true, LocalAgent::Silent).await;
    session.request().await;
    let mut channel = session.server.channel_open_agent().await.unwrap();
    channel.data(&vec![0; 1 << 20][..]).await.unwrap();
    while !matches!(channel.wait().await, Some(ChannelMsg::Close) | None) {}
    session.client.channel_open_session().await.unwrap();
    session.server.channel_open_agent().await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_input_still_delivers_the_last_answer() {
    let session = TestSession::start(true, LocalAgent::Echo).await;
    session.request().await;
    let mut channel = session.server.channel_open_agent().await.unwrap();
    channel.data(&b"hello"[..]).await.unwrap();
    channel.eof().await.unwrap();
    let mut received = Vec::new();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => received.extend_from_slice(&data),
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    assert_eq!(received, b"hello");
}
