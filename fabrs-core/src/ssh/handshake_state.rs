//! The results of a handshake that the session needs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::ssh::agent::forwarding::AgentForwarding;
use crate::ssh::handler::Disconnected;
use crate::ssh::host_key::KeyCheckState;
use crate::ssh::send_budget::SendBudget;
use crate::ssh::server_id::SharedServerId;

/// The handshake results needed by the session.
#[derive(Debug, Default)]
pub(super) struct HandshakeState {
    pub(super) disconnected: Arc<Disconnected>,
    pub(super) key_check: Arc<KeyCheckState>,
    pub(super) server_id: SharedServerId,
    pub(super) send_budget: Arc<SendBudget>,
    /// The forwarding of the local agent, if the host may use the agent.
    pub(super) agent_forwarding: Option<Arc<AgentForwarding>>,
}

impl HandshakeState {
    /// Returns true if `known_hosts` has another key for the host, and checking is off.
    pub(super) fn has_changed_key(&self) -> bool {
        self.key_check.has_changed_key.load(Ordering::Relaxed)
    }
}
