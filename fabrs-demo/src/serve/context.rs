//! The login of a connection.

use crate::passwd::PasswdEntry;
use crate::protocol::UserMapping;

/// What every session of a connection knows.
#[derive(Debug, Clone)]
pub(super) struct SessionContext {
    pub(super) account: PasswdEntry,
    pub(super) user_mapping: UserMapping,
    /// As in `SSH_CONNECTION`: the client's address and port, ours and our port.
    pub(super) ssh_connection: String,
}
