//! SSH connections: authentication and channel requests.

use std::net::SocketAddr;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelOpenFailure};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::context::SessionContext;
use super::session;
use crate::passwd::PasswdEntry;
use crate::protocol::UserMapping;

/// The maximum number of sessions of a connection, as in the default `MaxSessions` of sshd.
const MAX_SESSIONS: usize = 10;

/// A connection of a client.
pub(super) struct ClientHandler {
    client_key: PublicKey,
    user_mapping: UserMapping,
    peer: SocketAddr,
    port: u16,
    /// The account, after the login.
    account: Option<PasswdEntry>,
    session_slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl ClientHandler {
    pub(super) fn new(
        client_key: PublicKey,
        user_mapping: UserMapping,
        peer: SocketAddr,
        port: u16,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            client_key,
            user_mapping,
            peer,
            port,
            account: None,
            session_slots: Arc::new(Semaphore::new(MAX_SESSIONS)),
            tasks,
        }
    }

    fn check_key(&self, key: &PublicKey) -> Auth {
        if key.key_data() == self.client_key.key_data() { Auth::Accept } else { Auth::reject() }
    }
}

impl Handler for ClientHandler {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(self.check_key(offer.public_key))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.account = PasswdEntry::find(user);
        Ok(if self.account.is_some() { self.check_key(key.public_key) } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let slot = Arc::clone(&self.session_slots).try_acquire_owned();
        let (Some(account), Ok(slot)) = (self.account.clone(), slot) else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        let peer = self.peer;
        let ssh_connection = format!("{} {} 127.0.0.1 {}", peer.ip(), peer.port(), self.port);
        let context = SessionContext { account, user_mapping: self.user_mapping, ssh_connection };
        let handle = session.handle();
        reply.accept().await;
        self.tasks.spawn(async move {
            session::run(channel, handle, context).await;
            drop(slot);
        });
        Ok(())
    }
}
