//! Commands under real sudo on a real OpenSSH server. On a machine without spare accounts, the
//! tests report themselves as skipped.

mod cancellation;
mod doas;
mod lines;
mod matrix;
mod passwords;
mod refusals;
mod validation;

use std::sync::Arc;

use fabrs::event::CaptureSink;
use fabrs::{Client, ClientBuilder, Connection, Secret};
use fabrs_testing::{Account, Capability, Sshd};

use crate::support::{capture, client_of};

/// A server with a sudo account, a client, and the events of the client.
pub(super) struct SudoFixture {
    pub(super) sshd: Sshd,
    pub(super) client: Client,
    pub(super) events: Arc<CaptureSink>,
}

impl SudoFixture {
    /// Starts the server. Returns `None` if this machine cannot create accounts.
    pub(super) fn of(account: Account, change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Option<Self> {
        if !Capability::Sudo.is_available() {
            return None;
        }
        let sshd = Sshd::builder().users([account]).start();
        let (events, sink) = capture();
        let client = change(client_of(&sshd, "").sink(sink)).build();
        Some(Self { sshd, client, events })
    }

    /// Starts the server, with a client that has the sudo password.
    pub(super) fn with_password(account: Account) -> Option<Self> {
        Self::of(account, |builder| builder.sudo_password(password()))
    }

    /// Like `with_password`, on a server with this session limit.
    pub(super) fn with_sessions(account: Account, max_sessions: usize) -> Option<Self> {
        if !Capability::Sudo.is_available() {
            return None;
        }
        let sshd = Sshd::builder().users([account]).max_sessions(max_sessions).start();
        let (events, sink) = capture();
        let client = client_of(&sshd, "").sudo_password(password()).sink(sink).build();
        Some(Self { sshd, client, events })
    }

    pub(super) fn host(&self) -> Connection {
        self.client.connect(self.sshd.alias()).expect("an alias is a host")
    }

    /// Returns all events as a single text.
    pub(super) fn events_as_text(&self) -> String {
        self.events.events().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// Returns the password of every account of the harness.
pub(super) fn password() -> Secret {
    Secret::new(Sshd::account_password().to_owned())
}
