//! Agent forwarding: the request to the server, and the channels from the host to the local agent.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client::{ChannelOpenHandle, Msg};
use russh::keys::agent::AgentSessionBinding;
use russh::keys::agent::client::AgentClient;
use russh::{Channel, ChannelMsg, ChannelOpenFailure};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::Host;
use crate::ssh::agent::relay::relay;
use crate::ssh::settings::SshSettings;
use crate::ssh::start_error::StartError;

/// The maximum number of processes of a host that use the agent at the same time. Each of them has
/// a descriptor of this process.
const MAX_CHANNELS: usize = 16;
/// The maximum time to connect to the agent and to announce the session.
const AGENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The agent forwarded to the host of a session.
pub(in crate::ssh) struct AgentForwarding {
    host: Host,
    socket: PathBuf,
    settings: Arc<SshSettings>,
    /// The proof of the session for the agent. Known after the key exchange.
    binding: OnceLock<AgentSessionBinding>,
    request: Mutex<RequestState>,
    /// True if the server may open agent channels.
    is_requested: AtomicBool,
    channels: Arc<Semaphore>,
    /// The tasks that relay channels. They end with the session.
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The state of the request for agent forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestState {
    Unsent,
    /// The server has not refused.
    Sent,
    /// The server has refused, or no agent is running.
    Off,
}

impl AgentForwarding {
    /// Creates the forwarding of the agent at `socket`. Nothing is forwarded before the first
    /// command.
    pub(in crate::ssh) fn new(host: Host, socket: PathBuf, settings: Arc<SshSettings>) -> Arc<Self> {
        Arc::new(Self {
            host,
            socket,
            settings,
            binding: OnceLock::new(),
            request: Mutex::new(RequestState::Unsent),
            is_requested: AtomicBool::new(false),
            channels: Arc::new(Semaphore::new(MAX_CHANNELS)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Sets the proof of the session. The agent then knows the host of each request.
    pub(in crate::ssh) fn bind(&self, binding: Option<&AgentSessionBinding>) {
        if let Some(binding) = binding {
            drop(self.binding.set(binding.clone()));
        }
    }

    /// Requests agent forwarding on the channel of a command. Waits for the reply only once in a
    /// session: sshd forwards the agent to all sessions of a connection, and refuses further
    /// requests.
    pub(in crate::ssh) async fn request(&self, channel: &mut Channel<Msg>) -> Result<(), StartError> {
        let mut request = self.request.lock().await;
        match *request {
            RequestState::Off => return Ok(()),
            // Dropbear forwards the agent only to the sessions that request it.
            RequestState::Sent => return channel.agent_forward(false).await.map_err(StartError::from),
            RequestState::Unsent => {}
        }
        if UnixStream::connect(&self.socket).await.is_err() {
            *request = RequestState::Off;
            let text =
                format!("agent forwarding is off: could not connect to the agent at `{}`", self.socket.display());
            self.settings.warn_once(&text);
            return Ok(());
        }
        // Set before the reply: if this future is dropped, sshd would refuse another request.
        *request = RequestState::Sent;
        self.is_requested.store(true, Ordering::Relaxed);
        channel.agent_forward(true).await?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => return Ok(()),
                Some(ChannelMsg::Failure) => {
                    *request = RequestState::Off;
                    self.is_requested.store(false, Ordering::Relaxed);
                    self.settings.warn_once_about(
                        &self.host,
                        "the server refused agent forwarding (`AllowAgentForwarding`): commands run without an agent",
                    );
                    return Ok(());
                }
                Some(ChannelMsg::Eof | ChannelMsg::Close) => return Err(StartError::Closed),
                None => return Err(StartError::Lost),
                Some(_) => {}
            }
        }
    }

    /// Relays a channel opened by the server in a task. Rejects the channel if this session has not
    /// requested agent forwarding, or has too many channels.
    pub(in crate::ssh) async fn accept(self: &Arc<Self>, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        if !self.is_requested.load(Ordering::Relaxed) || self.stop.is_cancelled() {
            return reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        }
        let Ok(permit) = Arc::clone(&self.channels).try_acquire_owned() else {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        };
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            this.stop.run_until_cancelled(this.serve(channel, reply)).await;
            drop(permit);
        });
    }

    async fn serve(&self, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        match timeout(AGENT_TIMEOUT, self.connect()).await {
            Ok(Some(agent)) => {
                reply.accept().await;
                relay(channel, agent).await;
            }
            Ok(None) | Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
    }

    /// Connects to the agent, and announces the session with `session-bind@openssh.com`. The agent
    /// then applies the destination constraints of its keys (`ssh-add -h`).
    async fn connect(&self) -> Option<UnixStream> {
        let mut agent = UnixStream::connect(&self.socket).await.ok()?;
        if let Some(binding) = self.binding.get() {
            match AgentClient::connect(&mut agent).bind_session(binding, true).await {
                // As in ssh, an agent without the extension is used. An agent with constrained keys
                // then refuses to sign with them.
                Ok(()) | Err(russh::keys::Error::AgentFailure) => {}
                Err(_) => return None,
            }
        }
        Some(agent)
    }

    /// Ends all relays without waiting for them. The server can open no further channel.
    pub(in crate::ssh) fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends all relays, and waits for them.
    pub(in crate::ssh) async fn close(&self) {
        self.stop();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl fmt::Debug for AgentForwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentForwarding").field("socket", &self.socket).finish_non_exhaustive()
    }
}
