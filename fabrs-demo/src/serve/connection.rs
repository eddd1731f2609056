//! One connection: who is let in, and what may be opened.

use std::net::SocketAddr;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelOpenFailure};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::context::About;
use super::session;
use crate::passwd::Account;
use crate::protocol::Users;

/// How many sessions there may be in one connection, as in sshd where nothing else is said.
const MAX_SESSIONS: usize = 10;

/// One client's connection.
pub(super) struct Connection {
    client_key: PublicKey,
    users: Users,
    peer: SocketAddr,
    port: u16,
    /// Who has logged in.
    account: Option<Account>,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Connection {
    pub(super) fn new(client_key: PublicKey, users: Users, peer: SocketAddr, port: u16, tasks: TaskTracker) -> Self {
        Self { client_key, users, peer, port, account: None, places: Arc::new(Semaphore::new(MAX_SESSIONS)), tasks }
    }

    fn judge(&self, key: &PublicKey) -> Auth {
        if key.key_data() == self.client_key.key_data() { Auth::Accept } else { Auth::reject() }
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(self.judge(offer.public_key))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.account = Account::find(user);
        Ok(if self.account.is_some() { self.judge(key.public_key) } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let (Some(account), Ok(place)) = (self.account.clone(), place) else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        let peer = self.peer;
        let ends = format!("{} {} 127.0.0.1 {}", peer.ip(), peer.port(), self.port);
        let about = About { account, users: self.users, ends };
        let handle = session.handle();
        reply.accept().await;
        self.tasks.spawn(async move {
            session::run(channel, handle, about).await;
            drop(place);
        });
        Ok(())
    }
}
