//! What russh calls while it reads from the server.

use std::fmt;
use std::sync::Arc;

use russh::client::{self, DisconnectReason, Msg};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::sync::watch;

use crate::error::Error;
use crate::transport::ssh::host_key::HostKeys;
use crate::transport::ssh::untrusted_text;

/// Reacts to a server: checks its key, notes its end, and lets it open nothing.
pub(super) struct Handler {
    host_keys: HostKeys,
    gone: Arc<Gone>,
    /// How many keepalives may stay unanswered.
    keepalives: usize,
}

impl Handler {
    pub(super) fn new(host_keys: HostKeys, gone: Arc<Gone>, keepalives: usize) -> Self {
        Self { host_keys, gone, keepalives }
    }
}

/// What ends a connection: the protocol, or our own judgement of the server's key.
#[derive(Debug)]
pub(super) enum Ended {
    Protocol(russh::Error),
    HostKey(Error),
}

impl From<russh::Error> for Ended {
    fn from(error: russh::Error) -> Self {
        Self::Protocol(error)
    }
}

/// Whether and why a connection has ended.
#[derive(Debug, Default)]
pub(super) struct Gone(watch::Sender<Option<Reason>>);

/// Why a connection ended, in words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct Reason(String);

impl Gone {
    /// Waits for the end.
    pub(super) async fn happened(&self) {
        // The sender is `self`, so waiting can't fail.
        drop(self.0.subscribe().wait_for(Option::is_some).await);
    }

    /// Returns why the connection ended, waiting for the moment in which it becomes known.
    pub(super) async fn reason(&self) -> Reason {
        let mut ended = self.0.subscribe();
        let known = tokio::time::timeout(std::time::Duration::from_secs(1), ended.wait_for(Option::is_some)).await;
        match known {
            Ok(Ok(reason)) => reason.clone(),
            _ => None,
        }
        .unwrap_or_else(|| Reason("the connection was closed".to_owned()))
    }

    fn note(&self, reason: String) {
        self.0.send_replace(Some(Reason(reason)));
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
        ) -> Result<(), Ended> {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            Ok(())
        }
    )*};
}

impl client::Handler for Handler {
    type Error = Ended;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Ended> {
        self.host_keys.check(key).await.map(|()| true).map_err(Ended::HostKey)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Ended>) -> Result<(), Ended> {
        let text = match &reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                format!("the server said: {}", untrusted_text::line(&info.message))
            }
            DisconnectReason::Error(Ended::Protocol(russh::Error::KeepaliveTimeout)) => {
                format!("the server did not answer {} keepalives in a row", self.keepalives)
            }
            DisconnectReason::Error(Ended::Protocol(error)) => error.to_string(),
            DisconnectReason::Error(Ended::HostKey(error)) => error.to_string(),
        };
        self.gone.note(text);
        Ok(())
    }

    /// Answers with a request that means nothing: OpenSSH's server has Nagle's algorithm on until its first session has
    /// started, so that the confirmation of the first channel waits for the acknowledgement of this announcement. An
    /// acknowledgement of our system's own goes no further than to a gateway; a packet goes to the server.
    async fn openssh_ext_host_keys_announced(
        &mut self,
        _: Vec<PublicKey>,
        session: &mut client::Session,
    ) -> Result<(), Ended> {
        session.send_keepalive(false).map_err(Ended::Protocol)
    }

    /// Claims channels of unknown types, so that [`server_channel_open_unknown`](Self::server_channel_open_unknown) rejects them:
    /// left to russh, they are rejected twice.
    async fn should_accept_unknown_server_channel(&mut self, _: ChannelId, _: &str) -> bool {
        true
    }

    async fn server_channel_open_unknown(
        &mut self,
        _: Channel<Msg>,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Ended> {
        reply.reject(ChannelOpenFailure::UnknownChannelType).await;
        Ok(())
    }

    // The defaults of russh accept what a server opens; nothing was asked for, so nothing is taken.
    rejects! {
        server_channel_open_forwarded_tcpip(&str, u32, &str, u32),
        server_channel_open_forwarded_streamlocal(&str),
        server_channel_open_agent_forward(),
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
