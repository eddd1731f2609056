//! The callbacks of russh: host key check, disconnects and channels opened by the server.

use std::fmt;
use std::sync::Arc;

use russh::client::{self, DisconnectReason, Msg};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::sync::watch;

use crate::error::{CauseText, Error};
use crate::ssh::agent::forwarding::AgentForwarding;
use crate::ssh::host_key::HostKeyVerifier;
use crate::ssh::untrusted_text;

/// The callbacks for a session. They check the host key, record the disconnect and reject every
/// channel opened by the server, except for those of a forwarded agent.
pub(super) struct Handler {
    host_key_verifier: HostKeyVerifier,
    disconnected: Arc<Disconnected>,
    agent_forwarding: Option<Arc<AgentForwarding>>,
    /// The maximum number of unanswered keepalives.
    keepalives: usize,
}

impl Handler {
    pub(super) fn new(
        host_key_verifier: HostKeyVerifier,
        disconnected: Arc<Disconnected>,
        agent_forwarding: Option<Arc<AgentForwarding>>,
        keepalives: usize,
    ) -> Self {
        Self { host_key_verifier, disconnected, agent_forwarding, keepalives }
    }
}

/// The error of a session: a protocol error or a rejected host key.
#[derive(Debug)]
pub(super) enum SessionError {
    Protocol(russh::Error),
    HostKey(Error),
}

impl From<russh::Error> for SessionError {
    fn from(error: russh::Error) -> Self {
        Self::Protocol(error)
    }
}

/// A record of the disconnect, and its cause.
#[derive(Debug, Default)]
pub(super) struct Disconnected(watch::Sender<Option<CauseText>>);

impl Disconnected {
    /// Waits for the disconnect.
    pub(super) async fn wait(&self) {
        // The sender is `self`, so waiting can't fail.
        drop(self.0.subscribe().wait_for(Option::is_some).await);
    }

    /// Returns the cause of the disconnect. Waits up to one second for it.
    pub(super) async fn cause(&self) -> CauseText {
        let mut ended = self.0.subscribe();
        let known = tokio::time::timeout(std::time::Duration::from_secs(1), ended.wait_for(Option::is_some)).await;
        match known {
            Ok(Ok(reason)) => reason.clone(),
            _ => None,
        }
        .unwrap_or_else(|| CauseText("the connection was closed".to_owned()))
    }

    fn set(&self, reason: String) {
        self.0.send_replace(Some(CauseText(reason)));
    }
}

macro_rules! rejects {
    ($($name:ident($($argument:ty),*)),* $(,)?) => {$(
        async fn $name(
            &mut self,
            _: Channel<Msg>,
            $(_: $argument,)*
            reply: client::ChannelOpenHandle,
            _: &mut client::Session,
        ) -> Result<(), SessionError> {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            Ok(())
        }
    )*};
}

impl client::Handler for Handler {
    type Error = SessionError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, SessionError> {
        self.host_key_verifier.check(key).await.map(|()| true).map_err(SessionError::HostKey)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<SessionError>) -> Result<(), SessionError> {
        let text = match &reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                format!("the server disconnected: {}", untrusted_text::single_line(&info.message))
            }
            DisconnectReason::Error(SessionError::Protocol(russh::Error::KeepaliveTimeout)) => {
                format!("the server did not answer {} keepalives in a row", self.keepalives)
            }
            DisconnectReason::Error(SessionError::Protocol(error)) => error.to_string(),
            DisconnectReason::Error(SessionError::HostKey(error)) => error.to_string(),
        };
        self.disconnected.set(text);
        Ok(())
    }

    /// Sends a keepalive, so the server receives an acknowledgement of the announcement at once.
    /// sshd uses Nagle's algorithm until the first session has started. Without the
    /// acknowledgement, sshd would delay the confirmation of the first channel. A TCP
    /// acknowledgement is not enough: behind a gateway, it does not reach the server, but the
    /// packet of the keepalive does.
    async fn openssh_ext_host_keys_announced(
        &mut self,
        _: Vec<PublicKey>,
        session: &mut client::Session,
    ) -> Result<(), SessionError> {
        session.send_keepalive(false).map_err(SessionError::Protocol)
    }

    /// Returns true, so russh calls
    /// [`server_channel_open_unknown`](Self::server_channel_open_unknown), which rejects the
    /// channel. After false, russh would send two rejections.
    async fn should_accept_unknown_server_channel(&mut self, _: ChannelId, _: &str) -> bool {
        true
    }

    async fn server_channel_open_unknown(
        &mut self,
        _: Channel<Msg>,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), SessionError> {
        reply.reject(ChannelOpenFailure::UnknownChannelType).await;
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), SessionError> {
        match &self.agent_forwarding {
            Some(forwarding) => forwarding.accept(channel, reply).await,
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }

    // By default russh accepts channels opened by the server. fabrs requests no such channel.
    rejects! {
        server_channel_open_forwarded_tcpip(&str, u32, &str, u32),
        server_channel_open_forwarded_streamlocal(&str),
        server_channel_open_session(),
        server_channel_open_direct_tcpip(&str, u32, &str, u32),
        server_channel_open_direct_streamlocal(&str),
        server_channel_open_x11(&str, u32),
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}
